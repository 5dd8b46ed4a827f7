//! Maps a caller's name to an STS session name: readable and unique.

use crate::domain::fingerprint;

/// The maximum length of a `RoleSessionName`, in characters.
const MAX_LEN: usize = 64;
/// The number of digits of a [`fingerprint`].
const FINGERPRINT_LEN: usize = 20;

/// The name of a caller in STS and `CloudTrail`: 2 to 64 of the characters `A-Z a-z 0-9 _ + = , . @ -`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionName(String);

impl SessionName {
    /// The caller's name if it is a session name, else its beginning with other characters replaced by hyphens, and a
    /// fingerprint of the whole. No two callers share one: a name that already looks like that gets a fingerprint, too.
    pub fn of(caller: &str) -> Self {
        let fits = (2..=MAX_LEN).contains(&caller.len()) && caller.chars().all(is_allowed);
        if fits && !ends_like_a_fingerprint(caller) {
            return Self(caller.to_owned());
        }
        let readable: String = caller
            .strip_prefix("spiffe://")
            .unwrap_or(caller)
            .chars()
            .take(MAX_LEN - 1 - FINGERPRINT_LEN)
            .map(|character| if is_allowed(character) { character } else { '-' })
            .collect();
        Self(format!("{readable}-{}", fingerprint(caller)))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_allowed(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_+=,.@-".contains(character)
}

fn ends_like_a_fingerprint(name: &str) -> bool {
    let Some((_, end)) = name.rsplit_once('-') else { return false };
    end.len() == FINGERPRINT_LEN && end.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    #[test]
    fn a_session_is_named_after_its_caller() {
        for name in ["payments", "payments@prod.example", "a=b,c+d_e-f", &"x".repeat(64)] {
            assert_eq!(SessionName::of(name).as_str(), name);
        }
        for (caller, readable) in [
            ("spiffe://example.org/ns/prod/sa/payments", "example.org-ns-prod-sa-payments-"),
            ("zoë desk", "zo--desk-"),
            ("x", "x-"),
            ("", "-"),
            (&"x".repeat(65), &format!("{}-", "x".repeat(43))),
            ("a\r\nb", "a--b-"),
        ] {
            let name = SessionName::of(caller);
            let (found, end) = name.as_str().split_at(name.as_str().len() - FINGERPRINT_LEN);
            assert_eq!((found, end), (readable, fingerprint(caller).as_str()), "{caller:?}");
        }
    }

    #[test]
    fn a_caller_cannot_take_the_session_name_of_another() {
        let altered = SessionName::of("spiffe://example.org/payments");
        assert_ne!(SessionName::of(altered.as_str()), altered);
        assert_ne!(SessionName::of("spiffe://a/b"), SessionName::of("spiffe://a-b"));
        assert_ne!(SessionName::of("a/b"), SessionName::of("spiffe://a/b"));
    }

    proptest! {
        #[test]
        fn every_session_name_is_one_that_sts_takes_and_nobody_else_has(one in ".{0,80}", other in ".{0,80}") {
            let (first, second) = (SessionName::of(&one), SessionName::of(&other));
            let pattern = Regex::new(r"^[A-Za-z0-9_+=,.@-]{2,64}\z").unwrap();
            prop_assert!(pattern.is_match(first.as_str()), "{:?}", first);
            prop_assert_eq!(one == other, first == second);
            // A name made from a name stays apart from it unless nothing had to change.
            let again = SessionName::of(first.as_str());
            prop_assert_eq!(again == first, first.as_str() == one);
        }
    }
}
