//! Verifies the registration of a passkey by the steps of `WebAuthn` Level 3, section 7.1.
//!
//! Only the attestation format "none" is supported, so there is no attestation statement to verify.

use aws_lc_rs::digest;
use ciborium::value::{Integer, Value as Cbor};
use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;
use url::Url;

use crate::protocol::Failure;

/// The signature algorithms offered: ES256 and RS256, by their COSE numbers.
pub(crate) const ALGORITHMS: [i64; 2] = [-7, -257];

/// The registered names of transports (`WebAuthn` Level 3, section 5.8.4).
const TRANSPORTS: [&str; 6] = ["usb", "nfc", "ble", "smart-card", "hybrid", "internal"];

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const CREDENTIAL_INCLUDED: u8 = 0x40;

/// The COSE label of a key's algorithm (RFC 9052, section 7.1).
const ALGORITHM_LABEL: i64 = 3;

/// What a registration must match.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ceremony<'a> {
    /// In base64url.
    pub(crate) challenge: &'a str,
    pub(crate) relying_party_id: &'a str,
    pub(crate) must_verify_user: bool,
}

/// A credential that passed every check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registered {
    /// In base64url.
    pub(crate) id: String,
    pub(crate) attachment: Option<String>,
    pub(crate) transports: Vec<String>,
}

/// Checks a `RegistrationResponseJSON`.
pub(crate) fn register(credential: &Value, ceremony: Ceremony<'_>) -> Result<Registered, Failure> {
    let transports = transports(credential)?;
    let id = text(credential, "/id")?;
    if text(credential, "/type")? != "public-key" {
        return Err(not_supported("the credential is not a public key"));
    }
    check_client_data(&bytes(credential, "/response/clientDataJSON")?, ceremony)?;
    let attested = attested_credential(&bytes(credential, "/response/attestationObject")?, ceremony)?;
    if decode(id) != Some(attested) {
        return Err(malformed("id"));
    }
    Ok(Registered {
        id: id.trim_end_matches('=').to_owned(),
        attachment: credential.get("authenticatorAttachment").and_then(Value::as_str).map(str::to_owned),
        transports,
    })
}

/// The transports of a credential whose response has what Level 3 requires (T15).
pub(crate) fn transports(credential: &Value) -> Result<Vec<String>, Failure> {
    read_transports(credential).ok_or_else(|| Failure::invalid_parameter("Credential data is not valid"))
}

fn read_transports(credential: &Value) -> Option<Vec<String>> {
    let response = credential.get("response")?;
    for name in ["clientDataJSON", "attestationObject", "authenticatorData"] {
        response.get(name)?.as_str()?;
    }
    response.get("publicKeyAlgorithm")?.as_f64()?;
    let transport = |value: &Value| value.as_str().filter(|name| TRANSPORTS.contains(name)).map(str::to_owned);
    response.get("transports")?.as_array()?.iter().map(transport).collect()
}

fn malformed(what: &str) -> Failure {
    Failure::invalid_parameter(format!("Invalid credential: {what} is missing or malformed"))
}

fn not_supported(why: &str) -> Failure {
    Failure::new("WebAuthnCredentialNotSupportedException", format!("Credential not supported: {why}"))
}

fn text<'a>(credential: &'a Value, pointer: &str) -> Result<&'a str, Failure> {
    credential
        .pointer(pointer)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .ok_or_else(|| malformed(pointer.trim_start_matches('/')))
}

fn bytes(credential: &Value, pointer: &str) -> Result<Vec<u8>, Failure> {
    decode(text(credential, pointer)?).ok_or_else(|| malformed(pointer.trim_start_matches('/')))
}

fn decode(base64url: &str) -> Option<Vec<u8>> {
    BASE64URL_NOPAD.decode(base64url.trim_end_matches('=').as_bytes()).ok()
}

fn check_client_data(json: &[u8], ceremony: Ceremony<'_>) -> Result<(), Failure> {
    let data: Value = serde_json::from_slice(json).map_err(|_| malformed("response/clientDataJSON"))?;
    if text(&data, "/type")? != "webauthn.create" {
        return Err(malformed("type of the client data"));
    }
    if decode(text(&data, "/challenge")?) != decode(ceremony.challenge) {
        return Err(challenge_not_found());
    }
    if !is_allowed(text(&data, "/origin")?, ceremony.relying_party_id) {
        return Err(Failure::new(
            "WebAuthnOriginNotAllowedException",
            "The origin of the passkey is not allowed by the relying party id.",
        ));
    }
    Ok(())
}

pub(crate) fn challenge_not_found() -> Failure {
    Failure::new("WebAuthnChallengeNotFoundException", "The challenge of the credential was not found or has expired.")
}

/// An origin is https on the relying party's domain or below it; http is for localhost only.
fn is_allowed(origin: &str, relying_party_id: &str) -> bool {
    let Ok(origin) = Url::parse(origin) else {
        return false;
    };
    let Some(host) = origin.host_str() else {
        return false;
    };
    let is_below =
        host == relying_party_id || host.strip_suffix(relying_party_id).is_some_and(|below| below.ends_with('.'));
    let is_local = host == "localhost" || host.ends_with(".localhost");
    is_below && (origin.scheme() == "https" || origin.scheme() == "http" && is_local)
}

/// The id of the credential in an attestation object.
fn attested_credential(object: &[u8], ceremony: Ceremony<'_>) -> Result<Vec<u8>, Failure> {
    let unreadable = || malformed("response/attestationObject");
    let object: Cbor = ciborium::from_reader(object).map_err(|_| unreadable())?;
    let member = |name: &str| {
        let entry = object.as_map()?.iter().find(|(key, _)| key.as_text() == Some(name))?;
        Some(&entry.1)
    };
    if member("fmt").and_then(Cbor::as_text).ok_or_else(unreadable)? != "none" {
        return Err(not_supported("the attestation format is not none"));
    }
    let data = member("authData").and_then(Cbor::as_bytes).ok_or_else(unreadable)?;
    let (party, rest) = data.split_at_checked(32).ok_or_else(unreadable)?;
    if party != digest::digest(&digest::SHA256, ceremony.relying_party_id.as_bytes()).as_ref() {
        return Err(Failure::new(
            "WebAuthnRelyingPartyMismatchException",
            "The credential is for another relying party.",
        ));
    }
    let (&flags, rest) = rest.split_first().ok_or_else(unreadable)?;
    if flags & USER_PRESENT == 0 {
        return Err(Failure::invalid_parameter("Invalid credential: the user was not present"));
    }
    if ceremony.must_verify_user && flags & USER_VERIFIED == 0 {
        return Err(Failure::invalid_parameter("Invalid credential: the user was not verified"));
    }
    if flags & CREDENTIAL_INCLUDED == 0 {
        return Err(unreadable());
    }
    // The counter and the model of the authenticator come before the credential and are not kept.
    let (_, rest) = rest.split_at_checked(4 + 16).ok_or_else(unreadable)?;
    let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(unreadable)?;
    let (id, key) = rest.split_at_checked(u16::from_be_bytes(*length).into()).ok_or_else(unreadable)?;
    check_key(key)?;
    Ok(id.to_vec())
}

/// The algorithm of the key must be one of those offered.
fn check_key(key: &[u8]) -> Result<(), Failure> {
    let unreadable = || malformed("public key of the credential");
    let key: Cbor = ciborium::from_reader(key).map_err(|_| unreadable())?;
    let label = Cbor::Integer(Integer::from(ALGORITHM_LABEL));
    let entry = key.as_map().ok_or_else(unreadable)?.iter().find(|(own, _)| *own == label);
    let algorithm = entry.and_then(|(_, value)| value.as_integer()).ok_or_else(unreadable)?;
    if ALGORITHMS.iter().any(|offered| Integer::from(*offered) == algorithm) {
        return Ok(());
    }
    Err(not_supported("its algorithm was not offered"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_on_the_relying_partys_domain_or_below_it() {
        for (origin, party, allowed) in [
            ("https://example.com", "example.com", true),
            ("https://login.example.com:8443", "example.com", true),
            ("http://localhost:3000", "localhost", true),
            ("http://example.com", "example.com", false),
            ("https://example.com.evil.test", "example.com", false),
            ("https://badexample.com", "example.com", false),
            ("not an origin", "example.com", false),
        ] {
            assert_eq!(is_allowed(origin, party), allowed, "{origin} for {party}");
        }
    }
}
