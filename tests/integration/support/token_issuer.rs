//! An issuer of tokens: keys, and signatures made without the library under test.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

/// The issuer's name.
pub(crate) const ISSUER: &str = "https://issuer.example/pool";

/// A private key that signs tokens.
pub(crate) struct SigningKey {
    /// Its `kid`.
    pub(crate) id: String,
    kind: Kind,
}

enum Kind {
    Rsa(Box<RsaKeyPair>),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    pub(crate) fn rsa(id: &str) -> Self {
        Self { id: id.to_owned(), kind: Kind::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())) }
    }

    pub(crate) fn p256(id: &str) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { id: id.to_owned(), kind: Kind::P256(key) }
    }

    pub(crate) fn ed25519(id: &str) -> Self {
        Self { id: id.to_owned(), kind: Kind::Ed25519(Ed25519KeyPair::generate().unwrap()) }
    }

    /// The public key as a JSON Web Key.
    pub(crate) fn jwk(&self) -> Value {
        let encode = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let mut jwk = match &self.kind {
            Kind::Rsa(key) => {
                let n = key.public_key().modulus().big_endian_without_leading_zero().to_vec();
                let e = key.public_key().exponent().big_endian_without_leading_zero().to_vec();
                json!({ "kty": "RSA", "n": encode(&n), "e": encode(&e) })
            }
            Kind::P256(key) => {
                // One byte says that both coordinates follow.
                let (_, point) = key.public_key().as_ref().split_first().unwrap();
                let (x, y) = point.split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) })
            }
            Kind::Ed25519(key) => json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(key.public_key().as_ref()) }),
        };
        let common = [("kid".to_owned(), json!(self.id)), ("use".to_owned(), json!("sig"))];
        jwk.as_object_mut().unwrap().extend(common);
        jwk
    }

    /// The public key as DER (RFC 5280), which a naive verifier treats as an HMAC secret.
    pub(crate) fn public_der(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = match &self.kind {
            Kind::Rsa(key) => key.public_key().as_der(),
            Kind::P256(key) => key.public_key().as_der(),
            Kind::Ed25519(key) => key.public_key().as_der(),
        }
        .unwrap();
        der.as_ref().to_vec()
    }

    /// The public key without its type: a PKCS #1 structure, a point or 32 bytes.
    pub(crate) fn public_bytes(&self) -> Vec<u8> {
        match &self.kind {
            Kind::Rsa(key) => key.public_key().as_ref().to_vec(),
            Kind::P256(key) => key.public_key().as_ref().to_vec(),
            Kind::Ed25519(key) => key.public_key().as_ref().to_vec(),
        }
    }

    /// The name of the algorithm that [`Self::token`] uses.
    pub(crate) fn algorithm(&self) -> &'static str {
        match &self.kind {
            Kind::Rsa(_) => "RS256",
            Kind::P256(_) => "ES256",
            Kind::Ed25519(_) => "EdDSA",
        }
    }

    /// A token with these claims.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({ "alg": self.algorithm(), "kid": self.id, "typ": "JWT" }), claims)
    }

    /// A token with this header, signed for PS256 if the header says so, otherwise with the key's algorithm.
    pub(crate) fn token_with(&self, header: &Value, claims: &Value) -> String {
        let signed = signing_input(header, claims);
        let message = signed.as_bytes();
        let random = SystemRandom::new();
        let signature = match &self.kind {
            Kind::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                if header.get("alg").is_some_and(|algorithm| algorithm == "PS256") {
                    key.sign(&RSA_PSS_SHA256, &random, message, &mut signature).unwrap();
                } else {
                    key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                }
                signature
            }
            Kind::P256(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Kind::Ed25519(key) => key.sign(message).as_ref().to_vec(),
        };
        format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
    }
}

/// Header and claims, encoded: the input of a signature.
pub(crate) fn signing_input(header: &Value, claims: &Value) -> String {
    let encode = |part: &Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
    format!("{}.{}", encode(header), encode(claims))
}

/// The key set of these keys.
pub(crate) fn jwks(keys: &[&SigningKey]) -> String {
    json!({ "keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() }).to_string()
}
