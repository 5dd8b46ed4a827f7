//! The form of usernames in records: plain, a keyed hash, or none.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;
use serde::Serialize;
use thiserror::Error;

use crate::domain::text::{Text, Username};
use crate::reload::file;

/// The minimum size of a key, in bytes: as many as SHA-256 gives, so that the hash is no weaker than its key (RFC 2104, section
/// 3).
const MIN_KEY_BYTES: usize = 32;
/// The maximum size of a key, in bytes: what is longer is not a key but another file.
const MAX_KEY_BYTES: usize = 4096;

/// How usernames are recorded.
#[derive(Clone, Debug)]
pub enum UsernameForm {
    /// As they are, where they have the form of a username.
    Plain,
    /// The HMAC-SHA-256 under the key, whole and in hexadecimal, so that it can be computed from the key with common tools.
    Hmac(UsernameKey),
    /// Not at all.
    None,
}

/// The key of the usernames' hashes. It is never printed.
#[derive(Clone)]
pub struct UsernameKey(Arc<hmac::Key>);

/// Why a file is not a key.
#[derive(Debug, Error)]
pub enum UsernameKeyError {
    /// It cannot be read.
    #[error("the key cannot be read")]
    Unreadable(#[source] io::Error),
    /// It has fewer than 32 bytes.
    #[error("the key has {0} bytes and needs at least {MIN_KEY_BYTES}")]
    TooShort(usize),
    /// It has more than 4096 bytes.
    #[error("the key has more than {MAX_KEY_BYTES} bytes")]
    TooLong,
}

impl UsernameKey {
    /// The key in the file: its bytes, without the line break that may end them.
    pub fn read(path: &Path) -> Result<Self, UsernameKeyError> {
        use io::Read as _;
        let mut bytes = Vec::new();
        let limit = u64::try_from(MAX_KEY_BYTES).unwrap_or(u64::MAX).saturating_add(3);
        let file = file::open(path).map_err(UsernameKeyError::Unreadable)?;
        let file = file.ok_or_else(|| UsernameKeyError::Unreadable(io::Error::other("it is not a regular file")))?;
        file.take(limit).read_to_end(&mut bytes).map_err(UsernameKeyError::Unreadable)?;
        Self::new(&bytes)
    }

    /// A key of these bytes, without the line break that may end them.
    pub fn new(bytes: &[u8]) -> Result<Self, UsernameKeyError> {
        let key = bytes.strip_suffix(b"\n").map_or(bytes, |line| line.strip_suffix(b"\r").unwrap_or(line));
        match key.len() {
            length if length < MIN_KEY_BYTES => Err(UsernameKeyError::TooShort(length)),
            length if length > MAX_KEY_BYTES => Err(UsernameKeyError::TooLong),
            _ => Ok(Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, key)))),
        }
    }
}

impl UsernameKey {
    /// The key itself.
    pub(super) fn into_hmac(self) -> hmac::Key {
        (*self.0).clone()
    }
}

impl fmt::Debug for UsernameKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UsernameKey([redacted])")
    }
}

/// A username, or a `sub`, in the form that records have. Only [`UsernameForm::record`] makes one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct UsernameRecord(String);

impl fmt::Display for UsernameRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl UsernameForm {
    /// The recorded form of `username`, which comes from the caller before validation. In plain form, what is not a username is
    /// left out: it may be a token in the wrong field.
    pub fn record(&self, username: &str) -> Option<UsernameRecord> {
        if username.is_empty() {
            return None;
        }
        match self {
            Self::None => None,
            Self::Plain => Username::parse(username.to_owned()).ok().map(Text::into_string).map(UsernameRecord),
            Self::Hmac(key) => {
                let tag = hmac::sign(&key.0, username.as_bytes());
                Some(UsernameRecord(HEXLOWER.encode(tag.as_ref())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(form: &UsernameForm, username: &str) -> Option<String> {
        form.record(username).map(|record| record.0)
    }

    #[test]
    fn the_hash_is_the_hmac_of_the_rfc() {
        // RFC 4231, test case 6.
        let form = UsernameForm::Hmac(UsernameKey::new(&[0xaa; 131]).unwrap());
        assert_eq!(
            recorded(&form, "Test Using Larger Than Block-Size Key - Hash Key First").as_deref(),
            Some("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
        );
        assert_eq!(recorded(&form, ""), None);
    }

    #[test]
    fn a_plain_username_is_recorded_only_if_it_is_one() {
        assert_eq!(recorded(&UsernameForm::Plain, "zoë@example.com").as_deref(), Some("zoë@example.com"));
        for text in ["", "a b", "a\nb", &"a".repeat(129)] {
            assert_eq!(recorded(&UsernameForm::Plain, text), None, "{text:?}");
        }
        assert_eq!(recorded(&UsernameForm::None, "alice"), None);
    }

    #[test]
    fn a_key_is_read_without_its_line_break_and_never_printed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let key = "0123456789abcdef0123456789abcdef";
        let hash = |content: &str| {
            std::fs::write(file.path(), content).unwrap();
            UsernameKey::read(file.path()).map(|key| recorded(&UsernameForm::Hmac(key), "alice"))
        };
        let expected = hash(key).unwrap();
        assert!(expected.is_some());
        assert_eq!(hash(&format!("{key}\n")).unwrap(), expected);
        assert_eq!(hash(&format!("{key}\r\n")).unwrap(), expected);
        assert_ne!(hash(&format!("{key}\n\n")).unwrap(), expected);
        assert!(matches!(hash(&key[1..]), Err(UsernameKeyError::TooShort(31))));
        assert!(matches!(hash(&"k".repeat(5000)), Err(UsernameKeyError::TooLong)));
        assert!(hash(&format!("{}\r\n", "k".repeat(4096))).is_ok());
        let printed = format!("{:?}", UsernameForm::Hmac(UsernameKey::new(key.as_bytes()).unwrap()));
        assert_eq!(printed, "Hmac(UsernameKey([redacted]))");
        let missing = UsernameKey::read(Path::new("/nonexistent/key")).unwrap_err().to_string();
        assert!(missing.contains("cannot be read"), "{missing}");
    }
}
