//! What is particular to passkey requests: the credential document and the page size.

use std::fmt;

use prost::Message as _;
use prost_types::value::Kind;
use prost_types::{Struct, Value};

use crate::request::check::Violations;

/// The maximum size of an encoded credential, in bytes. The attestations of real authenticators are a tenth of it.
const MAX_CREDENTIAL_BYTES: usize = 64 * 1024;

/// The maximum number of values in a credential; the W3C's form has about twenty.
const MAX_VALUES: usize = 256;

/// The maximum number of passkeys of a page (`WebAuthnCredentialsQueryLimitType`).
const MAX_PAGE_SIZE: i32 = 20;

/// A passkey document that JSON can carry, within bounds.
#[derive(Clone)]
pub struct Credential(Struct);

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential([redacted])")
    }
}

impl Credential {
    /// The document.
    pub fn into_struct(self) -> Struct {
        self.0
    }
}

/// Parses the credential that the authenticator made. What it holds is for Cognito to judge.
pub fn parse_credential(violations: &mut Violations, credential: Option<Struct>) -> Option<Credential> {
    let Some(credential) = credential else {
        violations.push("credential", "is required");
        return None;
    };
    if credential.fields.is_empty() {
        violations.push("credential", "must not be empty");
        return None;
    }
    if credential.encoded_len() > MAX_CREDENTIAL_BYTES {
        violations.push("credential", format!("must have at most {MAX_CREDENTIAL_BYTES} bytes"));
        return None;
    }
    if credential.fields.values().map(values).sum::<usize>() > MAX_VALUES {
        violations.push("credential", format!("must have at most {MAX_VALUES} values"));
        return None;
    }
    if !credential.fields.values().all(has_kind) {
        violations.push("credential", "must not hold a value without a kind");
        return None;
    }
    if !credential.fields.values().all(is_finite) {
        violations.push("credential", "must hold finite numbers only");
        return None;
    }
    Some(Credential(credential))
}

/// Parses the page size; absent leaves it to Cognito.
pub fn parse_max_results(violations: &mut Violations, max_results: Option<i32>) -> Option<i32> {
    if max_results.is_some_and(|most| !(0..=MAX_PAGE_SIZE).contains(&most)) {
        violations.push("max_results", format!("must be 0 to {MAX_PAGE_SIZE}"));
    }
    max_results
}

fn values(value: &Value) -> usize {
    match &value.kind {
        Some(Kind::StructValue(object)) => 1 + object.fields.values().map(values).sum::<usize>(),
        Some(Kind::ListValue(list)) => 1 + list.values.iter().map(values).sum::<usize>(),
        None | Some(Kind::NullValue(_) | Kind::NumberValue(_) | Kind::StringValue(_) | Kind::BoolValue(_)) => 1,
    }
}

/// A value that lost its kind on the way is not a null.
fn has_kind(value: &Value) -> bool {
    match &value.kind {
        Some(Kind::StructValue(object)) => object.fields.values().all(has_kind),
        Some(Kind::ListValue(list)) => list.values.iter().all(has_kind),
        None => false,
        Some(Kind::NullValue(_) | Kind::NumberValue(_) | Kind::StringValue(_) | Kind::BoolValue(_)) => true,
    }
}

fn is_finite(value: &Value) -> bool {
    match &value.kind {
        Some(Kind::NumberValue(number)) => number.is_finite(),
        Some(Kind::StructValue(object)) => object.fields.values().all(is_finite),
        Some(Kind::ListValue(list)) => list.values.iter().all(is_finite),
        None | Some(Kind::NullValue(_) | Kind::StringValue(_) | Kind::BoolValue(_)) => true,
    }
}
