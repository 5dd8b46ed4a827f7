//! The claims of a token whose signature is verified: whether it is for us and valid now, and whom it names.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use crate::authn::token::audience::Audience;
use crate::authn::token::caller_prefix::CallerPrefix;
use crate::authn::token::error::{Rejection, TokenError};
use crate::authn::token::name::is_name;
use crate::domain::TokenIdentity;

/// The leeway for clocks that are apart.
const LEEWAY: Duration = Duration::from_secs(30);

/// What the claims must contain.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub(super) issuer: String,
    pub(super) audience: Audience,
    pub(super) caller_claim: String,
    pub(super) caller_prefix: Option<CallerPrefix>,
}

/// The claims of a token that is for us. Whether it is valid at a time, and for whoever presents it, each use asks.
#[derive(Debug)]
pub(super) struct Claims {
    identity: TokenIdentity,
    lifetime: Lifetime,
    confirmation: Confirmation,
}

/// When a token is valid, since 1970.
#[derive(Debug)]
struct Lifetime {
    not_before: Option<Duration>,
    expires: Duration,
}

/// Who may present a token (`cnf`, RFC 7800).
#[derive(Debug, PartialEq, Eq)]
enum Confirmation {
    /// Whoever has it.
    Bearer,
    /// Whoever has the client certificate with this thumbprint (`x5t#S256`, RFC 8705, 3.1).
    Certificate(String),
    /// Whoever has what we cannot check.
    Unsupported,
}

impl Expected {
    /// Reads the claims of a token that comes at the time `now`.
    pub(super) fn read(&self, claims: &Map<String, Value>, now: SystemTime) -> Result<Claims, TokenError> {
        let refused = TokenError::NotAccepted;
        if claims.get("iss").and_then(Value::as_str) != Some(self.issuer.as_str()) {
            return Err(refused(Rejection::Issuer));
        }
        if !self.audience.is_in(claims) {
            return Err(refused(Rejection::Audience));
        }
        let expires = time(claims, "exp")?.ok_or_else(|| bad("exp"))?;
        let lifetime = Lifetime { not_before: time(claims, "nbf")?, expires };
        // The cause of a token that is wrong in several ways is the first of them.
        lifetime.check(now)?;
        let name = claims.get(&self.caller_claim).and_then(Value::as_str).filter(|name| is_name(name));
        let mut scopes = words(claims, "scope")?;
        scopes.extend(words(claims, "scp")?);
        let mut groups = list(claims, "groups")?;
        groups.extend(list(claims, "cognito:groups")?);
        let name = name.ok_or_else(|| bad(&self.caller_claim))?;
        if self.caller_claim == "client_id" && is_of_cognito_user(claims) {
            return Err(refused(Rejection::User));
        }
        let identity = TokenIdentity {
            name: self.caller_prefix.as_ref().map_or_else(|| name.to_owned(), |prefix| prefix.before(name)),
            issuer: self.issuer.clone(),
            scopes,
            groups,
        };
        Ok(Claims { identity, lifetime, confirmation: Confirmation::read(claims) })
    }
}

impl Claims {
    /// The identity that the token proves at the time `now`, beside a client certificate with this thumbprint.
    pub(super) fn identity(&self, now: SystemTime, thumbprint: Option<&str>) -> Result<TokenIdentity, TokenError> {
        self.lifetime.check(now)?;
        self.confirmation.check(thumbprint)?;
        Ok(self.identity.clone())
    }
}

impl Lifetime {
    fn check(&self, now: SystemTime) -> Result<(), TokenError> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        if now.saturating_sub(LEEWAY) >= self.expires {
            return Err(TokenError::Expired);
        }
        if self.not_before.is_some_and(|not_before| now.saturating_add(LEEWAY) < not_before) {
            return Err(TokenError::NotAccepted(Rejection::NotYetValid));
        }
        Ok(())
    }
}

impl Confirmation {
    fn read(claims: &Map<String, Value>) -> Self {
        let Some(confirmation) = claims.get("cnf") else { return Self::Bearer };
        let methods = confirmation.as_object().filter(|methods| methods.len() == 1);
        let thumbprint = methods.and_then(|methods| methods.get("x5t#S256")).and_then(Value::as_str);
        thumbprint.map_or(Self::Unsupported, |thumbprint| Self::Certificate(thumbprint.to_owned()))
    }

    fn check(&self, thumbprint: Option<&str>) -> Result<(), TokenError> {
        let held = match self {
            Self::Bearer => true,
            Self::Certificate(bound_to) => thumbprint == Some(bound_to),
            Self::Unsupported => false,
        };
        if held { Ok(()) } else { Err(TokenError::NotAccepted(Rejection::Confirmation)) }
    }
}

fn bad(claim: &str) -> TokenError {
    TokenError::NotAccepted(Rejection::Claim(claim.to_owned()))
}

/// Whether Cognito issued the token to a user. Such a token has the `client_id` of the app client as well, and would pass as
/// that client; only a user's has a `username`.
fn is_of_cognito_user(claims: &Map<String, Value>) -> bool {
    claims.contains_key("token_use") && claims.contains_key("username")
}

/// A `NumericDate` (RFC 7519, 2): seconds since 1970, which may have a fraction. Times before 1970 count as 1970.
fn time(claims: &Map<String, Value>, claim: &str) -> Result<Option<Duration>, TokenError> {
    let Some(value) = claims.get(claim) else { return Ok(None) };
    let seconds = value.as_f64().ok_or_else(|| bad(claim))?;
    Duration::try_from_secs_f64(seconds.max(0.0)).map(Some).map_err(|_| bad(claim))
}

/// A list of scopes, or a text of scopes with spaces between them.
fn words(claims: &Map<String, Value>, claim: &str) -> Result<BTreeSet<String>, TokenError> {
    match claims.get(claim) {
        Some(Value::String(text)) => Ok(text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()),
        _ => list(claims, claim),
    }
}

/// A list of texts. Another form is rejected, since a policy may forbid by what would be in it.
fn list(claims: &Map<String, Value>, claim: &str) -> Result<BTreeSet<String>, TokenError> {
    match claims.get(claim) {
        None | Some(Value::Null) => Ok(BTreeSet::new()),
        Some(Value::Array(values)) => {
            values.iter().map(|value| value.as_str().map(str::to_owned).ok_or_else(|| bad(claim))).collect()
        }
        Some(_) => Err(bad(claim)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    /// The answer to good claims with these changes; null takes a claim away.
    fn identity(changes: &Value) -> Result<TokenIdentity, TokenError> {
        let mut claims =
            json!({ "iss": "https://issuer.example", "aud": "mfagate", "sub": "payments", "exp": NOW + 300 });
        for (claim, value) in changes.as_object().unwrap() {
            claims[claim] = value.clone();
        }
        let mut claims = claims.as_object().unwrap().clone();
        claims.retain(|_, value| !value.is_null());
        let expected = Expected {
            issuer: "https://issuer.example".to_owned(),
            audience: "mfagate".parse().unwrap(),
            caller_claim: "sub".to_owned(),
            caller_prefix: None,
        };
        let now = UNIX_EPOCH + Duration::from_secs(NOW);
        expected.read(&claims, now).and_then(|claims| claims.identity(now, None))
    }

    fn refused(cause: Rejection) -> Result<TokenIdentity, TokenError> {
        Err(TokenError::NotAccepted(cause))
    }

    #[test]
    fn clocks_may_be_thirty_seconds_apart_and_no_more() {
        assert!(identity(&json!({ "exp": NOW - 29 })).is_ok());
        assert!(identity(&json!({ "exp": 1_799_999_970.5 })).is_ok());
        assert_eq!(identity(&json!({ "exp": NOW - 30 })), Err(TokenError::Expired));
        assert_eq!(identity(&json!({ "exp": -1 })), Err(TokenError::Expired));
        assert!(identity(&json!({ "nbf": NOW + 30 })).is_ok());
        assert_eq!(identity(&json!({ "nbf": NOW + 31 })), refused(Rejection::NotYetValid));
    }

    #[test]
    fn a_token_without_a_readable_end_is_refused() {
        for exp in [json!(null), json!("1900000000"), json!([]), json!(1e300), json!(true)] {
            assert_eq!(identity(&json!({ "exp": exp })), refused(Rejection::Claim("exp".to_owned())), "{exp}");
        }
        assert_eq!(identity(&json!({ "nbf": "0" })), refused(Rejection::Claim("nbf".to_owned())));
    }

    #[test]
    fn the_issuer_is_compared_exactly() {
        let others = [
            json!(null),
            json!("https://issuer.example/"),
            json!("https://ISSUER.example"),
            json!(["https://issuer.example"]),
        ];
        for issuer in others {
            assert_eq!(identity(&json!({ "iss": issuer })), refused(Rejection::Issuer), "{issuer}");
        }
    }

    #[test]
    fn the_audience_is_the_text_or_in_the_list() {
        assert!(identity(&json!({ "aud": ["other", "mfagate"] })).is_ok());
        for audience in [json!(null), json!("mfagate2"), json!("other mfagate"), json!([]), json!(["other"]), json!({})]
        {
            assert_eq!(identity(&json!({ "aud": audience })), refused(Rejection::Audience), "{audience}");
        }
    }

    #[test]
    fn the_caller_has_a_name_that_can_be_written_down() {
        for name in [
            json!(null),
            json!(""),
            json!(7),
            json!("a\nb"),
            json!("a\u{202e}b"),
            json!("a\u{200b}"),
            json!("a\u{2028}b"),
            json!("a b"),
            json!(" a"),
            json!("a\u{a0}b"),
            json!("a\u{3000}b"),
            json!("a\u{ad}b"),
            json!("a\u{34f}b"),
            json!("a\u{61c}b"),
            json!("a\u{115f}"),
            json!("a\u{180e}b"),
            json!("a\u{3164}b"),
            json!("a\u{fe0f}"),
            json!("a\u{e0041}"),
            json!("a\u{7f}"),
            json!("a\u{85}"),
            json!("a".repeat(257)),
        ] {
            assert_eq!(identity(&json!({ "sub": name })), refused(Rejection::Claim("sub".to_owned())), "{name}");
        }
    }

    #[test]
    fn a_token_that_is_bound_to_a_certificate_counts_only_with_that_one() {
        let held = |claims: Value, thumbprint| Confirmation::read(claims.as_object().unwrap()).check(thumbprint);
        let refused = Err(TokenError::NotAccepted(Rejection::Confirmation));
        assert_eq!(held(json!({}), None), Ok(()));
        let bound = json!({ "cnf": { "x5t#S256": "abc" } });
        assert_eq!(held(bound.clone(), Some("abc")), Ok(()));
        assert_eq!(held(bound.clone(), Some("abd")), refused);
        assert_eq!(held(bound, None), refused);
        for cnf in [
            json!(null),
            json!({}),
            json!("abc"),
            json!({ "jkt": "abc" }),
            json!({ "x5t#S256": ["abc"] }),
            json!({ "x5t#S256": "abc", "jkt": "abc" }),
        ] {
            assert_eq!(held(json!({ "cnf": cnf }), Some("abc")), refused, "{cnf}");
            assert_eq!(held(json!({ "cnf": cnf }), None), refused, "{cnf}");
        }
    }

    #[test]
    fn scopes_and_groups_are_read_in_both_forms() {
        let both = json!({ "scope": "a  b", "scp": ["c"], "groups": ["g"], "cognito:groups": ["h"] });
        let identity = identity(&both).unwrap();
        assert_eq!(identity.scopes, ["a", "b", "c"].map(str::to_owned).into());
        assert_eq!(identity.groups, ["g", "h"].map(str::to_owned).into());
    }

    #[test]
    fn scopes_and_groups_of_another_form_are_refused_and_not_dropped() {
        for claim in ["scope", "scp", "groups", "cognito:groups"] {
            for value in [json!(7), json!(["a", 7]), json!({ "a": 1 })] {
                assert_eq!(
                    identity(&json!({ claim: value })),
                    refused(Rejection::Claim(claim.to_owned())),
                    "{claim} {value}"
                );
            }
        }
        assert_eq!(identity(&json!({ "groups": "a" })), refused(Rejection::Claim("groups".to_owned())));
    }
}
