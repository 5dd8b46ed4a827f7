//! The RSA key that signs tokens.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::protocol::Failure;

/// Generating a key takes up to a second, so emulators without a data file share one per process.
static SHARED: OnceCell<Arc<Signer>> = OnceCell::const_new();

/// An RS256 key pair and its id in the key set.
pub(crate) struct Signer {
    key: RsaKeyPair,
    id: String,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Signer {
    /// The key of this process, generated on first use in a blocking thread.
    pub(crate) async fn shared() -> Result<Arc<Self>, Failure> {
        SHARED
            .get_or_try_init(|| async {
                tokio::task::spawn_blocking(Self::generate)
                    .await
                    .map_err(|_| Failure::internal("the key generation was aborted"))?
                    .map(Arc::new)
            })
            .await
            .cloned()
    }

    pub(crate) fn generate() -> Result<Self, Failure> {
        let key =
            RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| Failure::internal("no RSA key could be generated"))?;
        Ok(Self::new(key))
    }

    /// The key of a data file, PKCS#8 in base64.
    pub(crate) fn restore(stored: &str) -> Option<Self> {
        let der = BASE64.decode(stored.as_bytes()).ok()?;
        Some(Self::new(RsaKeyPair::from_pkcs8(&der).ok()?))
    }

    /// The key for a data file, PKCS#8 in base64.
    pub(crate) fn store(&self) -> Result<String, Failure> {
        let der: Pkcs8V1Der<'_> = self.key.as_der().map_err(|_| Failure::internal("the RSA key has no PKCS#8 form"))?;
        Ok(BASE64.encode(der.as_ref()))
    }

    fn new(key: RsaKeyPair) -> Self {
        let fingerprint = digest::digest(&digest::SHA256, key.public_key().as_ref());
        let id = BASE64.encode(fingerprint.as_ref());
        Self { key, id }
    }

    /// Signs claims as a compact JWS.
    pub(crate) fn sign(&self, claims: &Value) -> Result<String, Failure> {
        let header = json!({ "kid": self.id, "alg": "RS256" });
        let mut token = format!(
            "{}.{}",
            BASE64URL_NOPAD.encode(header.to_string().as_bytes()),
            BASE64URL_NOPAD.encode(claims.to_string().as_bytes())
        );
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
            .map_err(|_| Failure::internal("the RSA key cannot sign"))?;
        token.push('.');
        token.push_str(&BASE64URL_NOPAD.encode(&signature));
        Ok(token)
    }

    /// The claims of a compact JWS, `None` unless this key signed it with RS256.
    pub(crate) fn verify(&self, token: &str) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Value = serde_json::from_slice(&BASE64URL_NOPAD.decode(header.as_bytes()).ok()?).ok()?;
        if header.get("alg")? != "RS256" || header.get("kid")? != self.id.as_str() {
            return None;
        }
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.key.public_key().as_ref())
            .verify(signed.as_bytes(), &signature)
            .ok()?;
        serde_json::from_slice(&BASE64URL_NOPAD.decode(claims.as_bytes()).ok()?).ok()
    }

    /// The key set that a pool serves at `/.well-known/jwks.json`.
    pub(crate) fn key_set(&self) -> Result<Value, Failure> {
        let (modulus, exponent) = public_numbers(self.key.public_key().as_ref())
            .ok_or_else(|| Failure::internal("the RSA public key is not a PKCS#1 structure"))?;
        Ok(json!({ "keys": [{
            "alg": "RS256",
            "e": BASE64URL_NOPAD.encode(exponent),
            "kid": self.id,
            "kty": "RSA",
            "n": BASE64URL_NOPAD.encode(modulus),
            "use": "sig",
        }]}))
    }
}

/// Modulus and exponent of a DER `RSAPublicKey` (RFC 8017, appendix A.1.1).
fn public_numbers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, _) = der_value(der, 0x30)?;
    let (modulus, rest) = der_value(sequence, 0x02)?;
    let (exponent, _) = der_value(rest, 0x02)?;
    // A leading zero keeps the number positive in DER; a JWK has none.
    Some((modulus.strip_prefix(&[0]).unwrap_or(modulus), exponent))
}

fn der_value(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, der) = der.split_first()?;
    let (&length, der) = der.split_first()?;
    let (length, der) = if length < 0x80 {
        (usize::from(length), der)
    } else {
        let (digits, der) = der.split_at_checked(usize::from(length & 0x7F))?;
        (
            digits
                .iter()
                .try_fold(0_usize, |length, digit| length.checked_mul(256)?.checked_add(usize::from(*digit)))?,
            der,
        )
    };
    (first == tag).then(|| der.split_at_checked(length)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_key_signed_verifies() {
        let signer = Signer::generate().unwrap();
        let claims = json!({ "sub": "somebody" });
        let token = signer.sign(&claims).unwrap();
        assert_eq!(signer.verify(&token), Some(claims));

        let other = Signer::generate().unwrap();
        assert_eq!(other.verify(&token), None);
        let (head, tail) = token.split_once('.').unwrap();
        let none = BASE64URL_NOPAD.encode(br#"{"alg":"none"}"#);
        assert_eq!(signer.verify(&format!("{none}.{tail}")), None);
        let forged = BASE64URL_NOPAD.encode(br#"{"sub":"somebody else"}"#);
        let signature = tail.split_once('.').unwrap().1;
        assert_eq!(signer.verify(&format!("{head}.{forged}.{signature}")), None);
        assert_eq!(signer.verify("abc"), None);
    }

    #[test]
    fn a_stored_key_signs_as_before() {
        let signer = Signer::generate().unwrap();
        let restored = Signer::restore(&signer.store().unwrap()).unwrap();
        let claims = json!({ "sub": "somebody" });
        assert_eq!(signer.verify(&restored.sign(&claims).unwrap()), Some(claims));
        assert_eq!(signer.key_set().unwrap(), restored.key_set().unwrap());
    }

    #[test]
    fn the_key_set_has_the_modulus_of_2048_bits_and_exponent_65537() {
        let set = Signer::generate().unwrap().key_set().unwrap();
        let modulus = set["keys"][0]["n"].as_str().unwrap();
        assert_eq!(BASE64URL_NOPAD.decode(modulus.as_bytes()).unwrap().len(), 256);
        assert_eq!(set["keys"][0]["e"], "AQAB");
    }
}
