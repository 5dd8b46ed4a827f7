//! This file parses what is particular to passkey requests: the credential document and the page size.

use std::fmt;

use prost::Message as _;
use prost_types::value::Kind;
use prost_types::{Struct, Value};

use crate::request::Check;

/// The largest credential, encoded. The attestations of real authenticators are a tenth of it.
const LARGEST_CREDENTIAL: usize = 64 * 1024;

/// The most values in a credential; the W3C's form has about twenty.
const MOST_VALUES: usize = 256;

/// The most passkeys of a page (`WebAuthnCredentialsQueryLimitType`).
const LARGEST_PAGE: i32 = 20;

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
    #[must_use]
    pub fn into_struct(self) -> Struct {
        self.0
    }
}

/// Parses the credential that the authenticator made. What it holds is for Cognito to judge.
pub fn parse_credential(check: &mut Check, credential: Option<Struct>) -> Option<Credential> {
    let Some(credential) = credential else {
        check.refuse("credential", "required");
        return None;
    };
    if credential.encoded_len() > LARGEST_CREDENTIAL {
        check.refuse("credential", format!("must have {LARGEST_CREDENTIAL} bytes at most"));
        return None;
    }
    if credential.fields.values().map(values).sum::<usize>() > MOST_VALUES {
        check.refuse("credential", format!("must have {MOST_VALUES} values at most"));
        return None;
    }
    if !credential.fields.values().all(is_finite) {
        check.refuse("credential", "must hold finite numbers only");
        return None;
    }
    Some(Credential(credential))
}

/// Parses the page size; absent leaves it to Cognito.
pub fn parse_max_results(check: &mut Check, max_results: Option<i32>) -> Option<i32> {
    if max_results.is_some_and(|most| !(0..=LARGEST_PAGE).contains(&most)) {
        check.refuse("max_results", format!("must be 0 to {LARGEST_PAGE}"));
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

fn is_finite(value: &Value) -> bool {
    match &value.kind {
        Some(Kind::NumberValue(number)) => number.is_finite(),
        Some(Kind::StructValue(object)) => object.fields.values().all(is_finite),
        Some(Kind::ListValue(list)) => list.values.iter().all(is_finite),
        None | Some(Kind::NullValue(_) | Kind::StringValue(_) | Kind::BoolValue(_)) => true,
    }
}
