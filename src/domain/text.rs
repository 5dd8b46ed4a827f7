//! Cognito's constraints on texts (service model 2016-04-18). Lengths count characters.

use std::fmt;
use std::marker::PhantomData;
use std::sync::LazyLock;

use regex::Regex;

/// What Cognito requires of one kind of text. The model's patterns are Java's, where `\w`, `\s` and `.` are narrower than
/// in Rust, so ours spell them out.
pub trait Constraint {
    /// The minimum and the maximum number of characters.
    const LENGTH: (usize, usize);
    /// What the characters must be, in words that end "must …".
    const FORM: &'static str = "";
    /// Whether `Debug` hides the text.
    const SECRET: bool = false;

    /// The pattern that the whole text must match, if there is one.
    fn pattern() -> Option<&'static Regex> {
        None
    }
}

/// A text that satisfies the constraint `C`.
pub struct Text<C> {
    value: String,
    constraint: PhantomData<fn() -> C>,
}

impl<C: Constraint> Text<C> {
    /// Parses a text; the error says what it must be and never repeats it.
    pub fn parse(value: String) -> Result<Self, String> {
        let (min, max) = C::LENGTH;
        // A character is at most four bytes, so counting a text of the right size only is enough.
        let characters = if value.len() > max.saturating_mul(4) { usize::MAX } else { value.chars().count() };
        if characters < min || characters > max {
            return Err(match (min, max) {
                (1, usize::MAX) => "must not be empty".to_owned(),
                (_, usize::MAX) => format!("must have at least {min} characters"),
                (0, _) => format!("must have at most {max} characters"),
                (min, max) if min == max && !C::FORM.is_empty() => C::FORM.to_owned(),
                (min, max) if min == max => format!("must have exactly {max} characters"),
                _ => format!("must have {min} to {max} characters"),
            });
        }
        if C::pattern().is_some_and(|pattern| !pattern.is_match(&value)) {
            return Err(C::FORM.to_owned());
        }
        Ok(Self { value, constraint: PhantomData })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.value
    }

    /// The text, owned.
    pub fn into_string(self) -> String {
        self.value
    }
}

impl<C> Clone for Text<C> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), constraint: PhantomData }
    }
}

impl<C: Constraint> fmt::Debug for Text<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if C::SECRET { f.write_str("[redacted]") } else { self.value.fmt(f) }
    }
}

/// Declares a kind of text: its meaning, length, whether it is secret, and its pattern with what it requires.
macro_rules! texts {
    ($($(#[$meaning:meta])* $name:ident, $kind:ident: $min:expr, $max:expr $(, secret $secret:literal)?
        $(, $pattern:literal => $form:literal)?;)*) => {$(
        #[doc = concat!("The constraint of [`", stringify!($name), "`].")]
        #[derive(Debug)]
        pub enum $kind {}

        impl Constraint for $kind {
            const LENGTH: (usize, usize) = ($min, $max);
            $(const SECRET: bool = $secret;)?
            $(
                const FORM: &'static str = $form;

                fn pattern() -> Option<&'static Regex> {
                    static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
                        Regex::new(concat!("^(?:", $pattern, r")\z")).expect("a constant pattern is valid")
                    });
                    Some(&PATTERN)
                }
            )?
        }

        $(#[$meaning])*
        pub type $name = Text<$kind>;
    )*

        /// Every kind: whether it has a form, and its pattern.
        #[cfg(test)]
        const KINDS: &[(&str, fn() -> Option<&'static Regex>)] = &[$((<$kind as Constraint>::FORM, $kind::pattern)),*];
    };
}

const ANY: usize = usize::MAX;
/// The length of `StringType`, which most of Cognito's members have.
const MAX_STRING_LEN: usize = 131_072;

texts! {
    /// `UserPoolIdType`, whose pattern takes any word for a Region. Ours does not: the Region becomes part of a host name.
    UserPoolIdText, UserPoolIdKind: 1, 55, r"[a-z]{2,}(?:-[a-z]+)+-[0-9]+_[0-9a-zA-Z]+" => "must be the pool's id: a Region, an underscore, and letters and digits, such as us-west-2_EXAMPLE";
    /// `UsernameType`: a username, an alias, or the `sub`.
    Username, UsernameKind: 1, 128, secret true, r"[\p{L}\p{M}\p{S}\p{N}\p{P}]+" => "must hold letters, marks, symbols, numbers and punctuation only, no white space";
    /// `TokenModelType`: an access token.
    AccessToken, AccessTokenKind: 1, ANY, secret true, r"[A-Za-z0-9_=.-]+" => "must be the token alone: letters, digits and the characters - _ = . only";
    /// `SessionType`: the session of a challenge.
    Session, SessionKind: 20, 4096, secret true;
    /// `SoftwareTokenMFAUserCodeType`: the code of an authenticator app.
    UserCode, UserCodeKind: 6, 6, secret true, "[0-9]+" => "must be 6 digits";
    /// `StringType`, secret because people write what they like into it.
    FreeText, FreeTextKind: 0, MAX_STRING_LEN, secret true;
    /// `SmsVerificationMessageType`.
    SmsMessage, SmsMessageKind: 6, 140, r"[^\n\r\u{85}\u{2028}\u{2029}]*\{####\}[^\n\r\u{85}\u{2028}\u{2029}]*" => "must hold {####} and no line break";
    /// `OptionalArnType`.
    OptionalArn, OptionalArnKind: 0, 2048, r"(arn:[A-Za-z0-9_+=/,.@-]+:[A-Za-z0-9_+=/,.@-]+:([A-Za-z0-9_+=/,.@-]*)?:[0-9]+:[A-Za-z0-9_+=/,.@-]+(:[A-Za-z0-9_+=/,.@-]+)?(:[A-Za-z0-9_+=/,.@-]+)?)?" => "must be an ARN or empty";
    /// `ArnType`.
    Arn, ArnKind: 20, 2048, r"arn:[A-Za-z0-9_+=/,.@-]+:[A-Za-z0-9_+=/,.@-]+:([A-Za-z0-9_+=/,.@-]*)?:[0-9]+:[A-Za-z0-9_+=/,.@-]+(:[A-Za-z0-9_+=/,.@-]+)?(:[A-Za-z0-9_+=/,.@-]+)?" => "must be an ARN";
    /// `RegionCodeType`.
    RegionCode, RegionCodeKind: 5, 32;
    /// `EmailMfaMessageType`.
    EmailMessage, EmailMessageKind: 6, 20_000, r"[\p{L}\p{M}\p{S}\p{N}\p{P} \t\n\x0B\f\r*]*\{####\}[\p{L}\p{M}\p{S}\p{N}\p{P} \t\n\x0B\f\r*]*" => "must hold {####}, and letters, marks, symbols, numbers, punctuation and white space only";
    /// `EmailMfaSubjectType`; the length is from the quotas page, the model has none.
    EmailSubject, EmailSubjectKind: 1, 140, r"[\p{L}\p{M}\p{S}\p{N}\p{P} \t\n\x0B\f\r]+" => "must be letters, marks, symbols, numbers, punctuation and white space only";
    /// `RelyingPartyIdType`.
    RelyingPartyId, RelyingPartyIdKind: 1, 127;
    /// `PaginationKey`.
    NextToken, NextTokenKind: 1, MAX_STRING_LEN, secret true, r"[^ \t\n\x0B\f\r]+" => "must not hold white space";
    /// A `StringType` that must not be empty: the id of a passkey.
    CredentialId, CredentialIdKind: 1, MAX_STRING_LEN, secret true;
    /// The issuer or account name of a key URI, which a colon separates.
    KeyUriLabel, KeyUriLabelKind: 1, 128, secret true, r"[^:\p{Cc}]+" => "must not hold a colon or control characters";
}

/// The id of a pool. The ARN and the URL of a pool hold its id, and are what people send in its place.
pub fn user_pool_id(text: String) -> Result<UserPoolIdText, String> {
    if text.starts_with("arn:") {
        return Err("must be the pool's id, not its ARN".to_owned());
    }
    if text.starts_with("https://") {
        return Err("must be the pool's id, not its URL".to_owned());
    }
    UserPoolIdText::parse(text)
}

/// The Region of a pool: the part of its id before the last underscore. A text without an underscore is no pool id, so it is in
/// no Region.
pub fn region(user_pool_id: &str) -> &str {
    user_pool_id.rsplit_once('_').map_or("", |(region, _)| region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles_and_says_in_words_what_it_demands() {
        assert_eq!(KINDS.len(), 16);
        for (form, pattern) in KINDS {
            assert_eq!(pattern().is_some(), form.starts_with("must "), "{form}");
        }
    }

    #[test]
    fn a_pattern_must_match_the_whole_text() {
        for text in ["us-west-2_A\n", "\nus-west-2_A", "us-west-2_A b", "us-west-2_A_"] {
            assert!(UserPoolIdText::parse(text.to_owned()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_region_of_a_pool_id_is_a_region() {
        for region in ["us-west-2", "ap-southeast-10", "us-gov-west-1", "cn-north-1", "us-iso-east-1", "eusc-de-east-1"]
        {
            assert!(UserPoolIdText::parse(format!("{region}_Ab1")).is_ok(), "{region}");
        }
        for region in [
            "us-west-2_",
            "us-west",
            "west-2",
            "us-west-2x",
            "US-WEST-2",
            "us--west-2",
            "a-west-2",
            "local",
            "-",
            "us-west-2-3",
        ] {
            assert!(UserPoolIdText::parse(format!("{region}_Ab1")).is_err(), "{region}");
        }
    }

    #[test]
    fn an_error_names_the_limits_and_never_the_text() {
        let said = |parsed: Result<(), String>| parsed.unwrap_err();
        assert_eq!(said(UserCode::parse("canary1".to_owned()).map(drop)), "must be 6 digits");
        assert_eq!(said(Session::parse("canary".to_owned()).map(drop)), "must have 20 to 4096 characters");
        assert_eq!(said(FreeText::parse("a".repeat(131_073)).map(drop)), "must have at most 131072 characters");
        assert_eq!(said(AccessToken::parse(String::new()).map(drop)), "must not be empty");
        assert_eq!(said(UserCode::parse("canary".to_owned()).map(drop)), "must be 6 digits");
        assert_eq!(said(user_pool_id("arn:canary".to_owned()).map(drop)), "must be the pool's id, not its ARN");
        assert_eq!(said(user_pool_id("https://canary".to_owned()).map(drop)), "must be the pool's id, not its URL");
    }

    #[test]
    fn the_longest_text_is_counted_in_characters_of_four_bytes() {
        assert!(FreeText::parse("🦀".repeat(131_072)).is_ok());
        assert!(FreeText::parse("🦀".repeat(131_073)).is_err());
    }

    #[test]
    fn a_region_is_what_stands_before_the_last_underscore() {
        assert_eq!(region("eu-west-1_Shop01"), "eu-west-1");
        assert_eq!(region("eu-west-1_x_y"), "eu-west-1_x");
        assert_eq!(region("eu-west-1"), "");
        assert_eq!(region(""), "");
    }
}
