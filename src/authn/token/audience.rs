//! The audience of tokens: the claim `aud`, or another claim for issuers without audiences.

use std::str::FromStr;

use serde_json::{Map, Value};
use thiserror::Error;

/// The claim and its value that say that a token is meant for mfagate.
///
/// Written as `value`, for the claim `aud`, or as `claim=value`: `client_id=…` or `scope=…` for Cognito's own access tokens,
/// which have no `aud`. A text with `=` whose first part could not be a claim's name, as in a URL with a query, is a value;
/// where it could, `aud=…` says that it is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience {
    /// The claim.
    pub claim: String,
    /// What it must be or contain.
    pub value: String,
}

/// An audience that would match nothing, or everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must not be empty")]
pub struct EmptyAudience;

impl FromStr for Audience {
    type Err = EmptyAudience;

    fn from_str(text: &str) -> Result<Self, EmptyAudience> {
        let named = text.split_once('=').filter(|(claim, _)| is_claim_name(claim));
        let (claim, value) = named.unwrap_or(("aud", text));
        if value.is_empty() {
            return Err(EmptyAudience);
        }
        Ok(Self { claim: claim.to_owned(), value: value.to_owned() })
    }
}

fn is_claim_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-:".contains(&byte);
    // A colon is in `cognito:groups`, and in every URN.
    !text.is_empty() && !text.starts_with("urn:") && text.bytes().all(allowed)
}

impl Audience {
    /// Whether a token with these claims is for this audience: the claim is the value or a list with the value in it, however
    /// many others are in it too (RFC 7519, 4.1.3). Scopes are lists that are written as one text.
    pub(super) fn is_in(&self, claims: &Map<String, Value>) -> bool {
        let is_ours = |value: &Value| value.as_str() == Some(self.value.as_str());
        match claims.get(&self.claim) {
            Some(Value::String(text)) if matches!(self.claim.as_str(), "scope" | "scp") => {
                text.split(' ').any(|scope| scope == self.value)
            }
            Some(Value::Array(values)) => values.iter().any(is_ours),
            Some(value) => is_ours(value),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (String, String) {
        let Audience { claim, value } = text.parse().unwrap();
        (claim, value)
    }

    #[test]
    fn a_plain_value_is_one_of_the_claim_aud() {
        for text in ["mfagate", "https://mfagate.example.com", "https://example.com/?a=b", "urn:x:y=z", "=", "a b=c"] {
            assert_eq!(parsed(text), ("aud".to_owned(), text.to_owned()));
        }
    }

    #[test]
    fn another_claim_is_named_before_an_equals_sign() {
        assert_eq!(parsed("client_id=abc"), ("client_id".to_owned(), "abc".to_owned()));
        assert_eq!(parsed("cognito:groups=a"), ("cognito:groups".to_owned(), "a".to_owned()));
        assert_eq!(parsed("scope=mfagate/call"), ("scope".to_owned(), "mfagate/call".to_owned()));
        assert_eq!(parsed("aud=a=b"), ("aud".to_owned(), "a=b".to_owned()));
    }

    #[test]
    fn an_empty_audience_is_refused() {
        assert_eq!("".parse::<Audience>(), Err(EmptyAudience));
        assert_eq!("client_id=".parse::<Audience>(), Err(EmptyAudience));
    }
}
