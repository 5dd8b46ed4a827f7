//! A JSON Web Key Set (RFC 7517), whose keys verify signatures.

use std::collections::HashMap;
use std::sync::Arc;

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use crate::authn::token::error::{Rejection, TokenError};
use crate::authn::token::jws::{Algorithm, Token};

/// The minimum size of an RSA key, in bytes of its modulus (RFC 7518, 3.3: 2048 bits).
const MIN_RSA_KEY_BYTES: usize = 256;

/// The maximum size of an RSA key, in bytes of its modulus: larger ones make verification slow.
const MAX_RSA_KEY_BYTES: usize = 1024;

/// The keys of an issuer, by their id.
#[derive(Debug, Default)]
pub(super) struct Jwks {
    keys: HashMap<String, Arc<Key>>,
}

/// A key, and the algorithms that its type and its `alg` allow.
#[derive(Debug)]
pub(super) struct Key {
    key: DecodingKey,
    algorithms: Vec<Algorithm>,
}

/// Why a key set is rejected as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum JwksError {
    /// It is not JSON, or not an object with a list `keys`.
    #[error("it is not a JSON Web Key Set")]
    NotAKeySet,
    /// Two of its usable keys have the same id.
    #[error("two of its keys have the same kid")]
    DuplicateKeyId,
    /// It has no key that could verify a signature.
    #[error("it has no key that verifies RS256, PS256, ES256 or EdDSA and has a kid")]
    NoUsableKey,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl Jwks {
    /// Parses a key set. Keys for another use are ignored, as RFC 7517, 5 asks, and so are keys that anybody could sign with.
    /// With two keys of one id the order would decide: such a set is rejected.
    pub(super) fn parse(json: &[u8]) -> Result<Self, JwksError> {
        let document: Document = serde_json::from_slice(json).map_err(|_| JwksError::NotAKeySet)?;
        let mut keys = HashMap::new();
        for (id, key) in document.keys.iter().filter_map(usable) {
            if keys.insert(id, Arc::new(key)).is_some() {
                return Err(JwksError::DuplicateKeyId);
            }
        }
        if keys.is_empty() { Err(JwksError::NoUsableKey) } else { Ok(Self { keys }) }
    }

    pub(super) fn get(&self, id: &str) -> Option<Arc<Key>> {
        self.keys.get(id).cloned()
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
}

/// Whether a published key can sign: it has a private part (`d`) or is a symmetric one (`k`), RFC 7518, 6.
fn is_secret(key: &Value) -> bool {
    key.get("d").is_some() || key.get("k").is_some()
}

fn usable(document: &Value) -> Option<(String, Key)> {
    if is_secret(document) {
        return None;
    }
    let jwk = Jwk::deserialize(document).ok()?;
    let id = jwk.common.key_id.clone().filter(|id| !id.is_empty())?;
    if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return None;
    }
    if !document.get("key_ops").and_then(Value::as_array).is_none_or(|operations| operations.contains(&"verify".into()))
    {
        return None;
    }
    let mut algorithms = if matches!(jwk.algorithm, AlgorithmParameters::RSA(_)) {
        vec![Algorithm::Rs256, Algorithm::Ps256]
    } else if matches!(&jwk.algorithm, AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256) {
        vec![Algorithm::Es256]
    } else if matches!(&jwk.algorithm, AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519) {
        vec![Algorithm::EdDsa]
    } else {
        return None;
    };
    // Read from the document: the crate maps unknown names to one without a meaning.
    if let Some(declared) = document.get("alg") {
        let declared = Algorithm::from_name(declared.as_str()?)?;
        algorithms.retain(|algorithm| *algorithm == declared);
    }
    let key = DecodingKey::from_jwk(&jwk).ok().filter(has_right_size)?;
    (!algorithms.is_empty()).then_some((id, Key { key, algorithms }))
}

fn has_right_size(key: &DecodingKey) -> bool {
    match key.kind() {
        jsonwebtoken::DecodingKeyKind::RsaModulusExponent { n, .. } => {
            (MIN_RSA_KEY_BYTES..=MAX_RSA_KEY_BYTES).contains(&n.len())
        }
        // A P-256 point is one byte and two coordinates, an Ed25519 key is 32 bytes.
        jsonwebtoken::DecodingKeyKind::SecretOrDer(bytes) => matches!(bytes.len(), 65 | 32),
    }
}

impl Key {
    /// Verifies that this key made the token's signature, by one of the key's algorithms.
    pub(super) fn verify(&self, token: &Token<'_>) -> Result<(), TokenError> {
        if !self.algorithms.contains(&token.algorithm) {
            return Err(TokenError::NotAccepted(Rejection::KeyOfAnotherAlgorithm));
        }
        let algorithm = match token.algorithm {
            Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
            Algorithm::Ps256 => jsonwebtoken::Algorithm::PS256,
            Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
            Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        };
        match jsonwebtoken::crypto::verify(token.signature, token.signed.as_bytes(), &self.key, algorithm) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(TokenError::NotAccepted(Rejection::Signature)),
        }
    }
}
