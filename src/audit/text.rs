//! The texts of a record: each from one kind of thing, of limited length, and never from a credential.

use serde::Serialize;

use crate::domain::text::{Text, UserPoolIdText};
use crate::domain::{Caller, fingerprint};

/// The maximum length of a caller's name, in characters. A SPIFFE ID may be longer, and a token's claim anything.
const MAX_NAME_LEN: usize = 256;
/// The maximum number of policies that a record names.
const MAX_POLICIES: usize = 64;

/// The pool that a request names. The name comes from the caller before validation, so only what has the form of a pool id
/// is recorded: anything else may be a token in the wrong field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolId {
    /// The request names no pool.
    Absent,
    /// The pool.
    Named(String),
    /// What the request names is not a pool id.
    Malformed,
}

impl PoolId {
    /// The pool id of a request.
    pub fn of(user_pool_id: &str) -> Self {
        if user_pool_id.is_empty() {
            return Self::Absent;
        }
        match UserPoolIdText::parse(user_pool_id.to_owned()) {
            Ok(id) => Self::Named(Text::into_string(id)),
            Err(_) => Self::Malformed,
        }
    }
}

/// The caller, and how it authenticated. Made from a [`Caller`] only, which holds no credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallerRecord {
    #[serde(rename = "caller", skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    authenticated: &'static str,
    /// The name in the token, where a certificate gives the caller's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_caller: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_issuer: Option<String>,
}

impl CallerRecord {
    /// An unauthenticated caller.
    pub const ANONYMOUS: Self = Self { name: None, authenticated: "none", token_caller: None, token_issuer: None };
}

impl From<&Caller> for CallerRecord {
    fn from(caller: &Caller) -> Self {
        let token = caller.token.as_ref();
        let authenticated = match (&caller.certificate, token) {
            (Some(_), Some(_)) => "both",
            (Some(_), None) => "mtls",
            (None, Some(_)) => "jwt",
            (None, None) => "none",
        };
        Self {
            name: Some(limited(&caller.name)),
            authenticated,
            token_caller: token.map(|token| token.name.as_str()).filter(|name| *name != caller.name).map(limited),
            token_issuer: token.map(|token| limited(&token.issuer)),
        }
    }
}

/// The policies that made a decision, and their set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Policies {
    #[serde(rename = "policy_ids")]
    ids: Vec<String>,
    #[serde(rename = "policy_set_hash", skip_serializing_if = "Option::is_none")]
    set: Option<String>,
}

impl Policies {
    /// The ids of the policies that made the decision, and the hash of the set. At most 64 ids are kept.
    pub fn new<'a>(ids: impl IntoIterator<Item = &'a str>, set_hash: &str) -> Self {
        Self { ids: ids.into_iter().take(MAX_POLICIES).map(limited).collect(), set: Some(limited(set_hash)) }
    }
}

/// A name as it is, or its beginning and a fingerprint, so that two long names do not become one.
pub(super) fn limited(name: &str) -> String {
    if name.len() <= MAX_NAME_LEN || name.chars().count() <= MAX_NAME_LEN {
        return name.to_owned();
    }
    let fingerprint = fingerprint(name);
    let beginning: String = name.chars().take(MAX_NAME_LEN - 1 - fingerprint.len()).collect();
    format!("{beginning}…{fingerprint}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CertificateIdentity, TokenIdentity};

    #[test]
    fn what_is_not_a_pool_id_is_not_recorded() {
        assert_eq!(PoolId::of("eu-west-1_Ab1"), PoolId::Named("eu-west-1_Ab1".to_owned()));
        assert_eq!(PoolId::of(""), PoolId::Absent);
        for text in ["eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln", "us-west-2", "us-west-2_A B", &"a_b".repeat(30)] {
            assert_eq!(PoolId::of(text), PoolId::Malformed, "{text}");
        }
    }

    #[test]
    fn long_names_are_cut_without_becoming_the_same() {
        assert_eq!(limited(&"é".repeat(256)), "é".repeat(256));
        let (one, other) = (limited(&format!("{}1", "é".repeat(300))), limited(&format!("{}2", "é".repeat(300))));
        assert_eq!((one.chars().count(), other.chars().count()), (256, 256));
        assert_ne!(one, other);
        assert_eq!(Policies::new(std::iter::repeat_n("p", 1000), "h").ids.len(), 64);
    }

    #[test]
    fn a_caller_with_both_credentials_is_recorded_with_both_names() {
        let certificate =
            CertificateIdentity { name: "spiffe://x/desk".to_owned(), trust_domain: Some("x".to_owned()) };
        let token = TokenIdentity {
            name: "alice".to_owned(),
            issuer: "https://issuer.example".to_owned(),
            scopes: ["mfa".to_owned()].into(),
            groups: ["support".to_owned()].into(),
        };
        let line = |name: &str, certificate, token| {
            let caller = Caller { name: name.to_owned(), certificate, token };
            serde_json::to_value(CallerRecord::from(&caller)).unwrap()
        };
        assert_eq!(
            line("spiffe://x/desk", Some(certificate.clone()), Some(token.clone())),
            serde_json::json!({ "caller": "spiffe://x/desk", "authenticated": "both", "token_caller": "alice",
                                "token_issuer": "https://issuer.example" }),
        );
        assert_eq!(
            line("alice", None, Some(token)),
            serde_json::json!({ "caller": "alice", "authenticated": "jwt", "token_issuer": "https://issuer.example" }),
        );
        assert_eq!(
            line("spiffe://x/desk", Some(certificate), None),
            serde_json::json!({ "caller": "spiffe://x/desk", "authenticated": "mtls" }),
        );
        assert_eq!(
            serde_json::to_value(CallerRecord::ANONYMOUS).unwrap(),
            serde_json::json!({ "authenticated": "none" })
        );
    }
}
