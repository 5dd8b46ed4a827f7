//! Digests that stand for texts.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;

/// The first 80 bits of the SHA-256 of a text, as 20 hexadecimal digits.
pub fn fingerprint(text: &str) -> String {
    let mut digits = sha256(text);
    digits.truncate(20);
    digits
}

/// The SHA-256 of a text, in hexadecimal.
pub fn sha256(text: &str) -> String {
    HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref())
}
