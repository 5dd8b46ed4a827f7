//! The prefix of names in tokens, which keeps them apart from names in certificates.

use std::str::FromStr;

use thiserror::Error;

use crate::authn::token::name::has_hidden;

/// A text that no name in a certificate begins with: it holds a character that no DNS name has, and does not begin like a
/// SPIFFE ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerPrefix(String);

/// A prefix that a name in a certificate could begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "must hold a character that no DNS name has, such as : or /, no white space, and must not begin with spiffe:, \
     since names in certificates could begin like it"
)]
pub struct AmbiguousPrefix;

impl FromStr for CallerPrefix {
    type Err = AmbiguousPrefix;

    fn from_str(text: &str) -> Result<Self, AmbiguousPrefix> {
        let in_dns = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        let like_spiffe = text.split(':').next().is_some_and(|scheme| scheme.eq_ignore_ascii_case("spiffe"));
        if text.chars().all(in_dns) || has_hidden(text) || like_spiffe {
            return Err(AmbiguousPrefix);
        }
        Ok(Self(text.to_owned()))
    }
}

impl CallerPrefix {
    /// The name of the caller whose token has `name`.
    pub(super) fn before(&self, name: &str) -> String {
        format!("{}{name}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_keeps_names_in_tokens_apart_from_names_in_certificates() {
        for text in ["token:", "https://issuer.example#", "jwt/"] {
            assert_eq!(text.parse::<CallerPrefix>().unwrap().before("payments"), format!("{text}payments"));
        }
        for text in [
            "",
            "token",
            "token.",
            "to-ken_",
            "spiffe://example.org/",
            "SPIFFE:x/",
            "spiffe:",
            "a\n:",
            "a b",
            "a\u{200b}:",
        ] {
            assert_eq!(text.parse::<CallerPrefix>(), Err(AmbiguousPrefix), "{text:?}");
        }
    }
}
