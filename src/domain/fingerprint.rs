//! A short digest that tells a shortened text from others.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;

/// The first 80 bits of the SHA-256 of a text, as 20 hexadecimal digits.
pub fn fingerprint(text: &str) -> String {
    let mut digits = HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref());
    digits.truncate(20);
    digits
}
