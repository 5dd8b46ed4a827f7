//! Random values: ids, secrets, sessions, codes.

use aws_lc_rs::rand;
use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD, HEXLOWER};

use crate::protocol::Failure;

const ALPHANUMERIC: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

pub(crate) fn bytes<const LENGTH: usize>() -> Result<[u8; LENGTH], Failure> {
    let mut bytes = [0; LENGTH];
    rand::fill(&mut bytes).map_err(|_| Failure::internal("no random bytes"))?;
    Ok(bytes)
}

/// A version 4 UUID.
pub(crate) fn uuid() -> Result<String, Failure> {
    let bits = u128::from_be_bytes(bytes()?);
    let bits = bits & !(0xF << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let digits = HEXLOWER.encode(&bits.to_be_bytes());
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
    Ok(parts.map(|part| digits.get(part).unwrap_or_default()).join("-"))
}

/// Letters and digits, as in pool and client ids.
pub(crate) fn alphanumeric<const LENGTH: usize>() -> Result<String, Failure> {
    let draws = bytes::<LENGTH>()?;
    Ok(draws
        .iter()
        .filter_map(|draw| ALPHANUMERIC.get(usize::from(*draw) % ALPHANUMERIC.len()))
        .map(|character| char::from(*character))
        .collect())
}

/// 768 bits as URL-safe text: a session or a refresh token.
pub(crate) fn opaque() -> Result<String, Failure> {
    Ok(BASE64URL_NOPAD.encode(&bytes::<96>()?))
}

/// A TOTP secret: 256 bits in base32, 52 characters, the length that Cognito's have.
pub(crate) fn totp_secret() -> Result<String, Failure> {
    Ok(BASE32_NOPAD.encode(&bytes::<32>()?))
}

/// Six digits, as sent by SMS and e-mail.
pub(crate) fn code() -> Result<String, Failure> {
    Ok(format!("{:06}", u64::from_be_bytes(bytes()?) % 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_version_4_and_its_variant() {
        let uuid = uuid().unwrap();
        assert_eq!(uuid.len(), 36);
        assert_eq!(uuid.as_bytes()[14], b'4', "{uuid}");
        assert!(b"89ab".contains(&uuid.as_bytes()[19]), "{uuid}");
    }

    #[test]
    fn values_have_their_lengths_and_differ() {
        assert_eq!(alphanumeric::<26>().unwrap().len(), 26);
        assert_eq!(totp_secret().unwrap().len(), 52);
        assert_eq!(opaque().unwrap().len(), 128);
        assert_eq!(code().unwrap().len(), 6);
        assert_ne!(opaque().unwrap(), opaque().unwrap());
    }
}
