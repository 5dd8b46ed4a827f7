//! Masks the texts of AWS, which repeat what the request held, and what looks like a secret or names a person or an account,
//! whatever the request held: a proxy may print what it was sent.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex::{Regex, RegexBuilder};

/// The maximum length of a text of AWS in a response, in characters.
pub const MAX_MESSAGE_LEN: usize = 256;

/// The maximum length of a text of AWS in the log, in characters.
const MAX_CAUSE_LEN: usize = 2048;

/// A value of fewer characters is masked as a word only: masking every letter "a" would hide nothing and leave nothing to read.
const MIN_ANYWHERE_LEN: usize = 4;

/// Replaces a text in which the values could not be searched for: it is withheld rather than shown unmasked.
const WITHHELD: &str = "[withheld]";

/// What is masked by its shape. Each is searched for by itself, so that none is searched for to the end of the text and then
/// given up for a shorter one of another shape: that would take quadratic time.
const SHAPES: &[(&str, &str)] = &[
    ("[arn]", r#"(?i)\barn:[^\s"',;)\]}]+"#),
    // A JSON Web Token, signed or encrypted: the first part is a JSON object in base64. Also one that was cut.
    ("[masked]", r"eyJ[A-Za-z0-9_=+/-]{5,}(?:\.[A-Za-z0-9_=+/-]*)*"),
    // What signs a request (Signature Version 4), as a header and as a query.
    ("[masked]", r#"(?i)AWS4-(?:HMAC|ECDSA)[A-Z0-9-]*(?:[\s,]{1,4}[a-z]+=[^\s,"']+)*"#),
    ("[masked]", r#"(?i)\b(?:(?:Credential|Signature)=|X-Amz-[a-z-]*Token["']?\s?[=:]\s?["']?)[^\s,"'&]+"#),
    ("[masked]", r#"(?i)\bBearer\s[^\s,"']+"#),
    // The ids of access keys, and the prefixes of the session tokens of STS.
    ("[masked]", r"(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA|AGPA|AIPA|ANPA|ANVA|APKA|ASCA)[A-Z0-9]{12,}"),
    ("[masked]", r"\b(?:IQoJ|FwoG|FQoG)[A-Za-z0-9+/=]{16,}"),
    // An e-mail address.
    ("[masked]", r#"[^\s@"'<>(),;:=&]+@[\pL\pN-]+(?:\.[\pL\pN-]+)+"#),
    // A telephone number (E.164).
    ("[masked]", r"\+[1-9][0-9]{6,14}"),
    ("[account]", r"\d{12,}"),
];

/// `text` without anything secret or personal, for the log.
pub fn without_request(text: &str, request: &[String]) -> String {
    mask(text, request).chars().take(MAX_CAUSE_LEN).collect()
}

/// `text` without anything secret or personal, for a caller: limited in length.
pub fn for_caller(text: &str, request: &[String]) -> String {
    mask(text, request).chars().take(MAX_MESSAGE_LEN).collect()
}

/// A part of a text that is masked, and what it becomes.
type Masked = (Range<usize>, &'static str);

/// Masks every shape and every value of the request, whatever its case. All are searched for in the text as it was, so that
/// masking one never hides a part of another. What overlaps is masked as one.
fn mask(text: &str, request: &[String]) -> String {
    let values = request.iter().filter(|value| !value.trim().is_empty() && value.len() <= text.len().saturating_mul(2));
    let (words, values): (Vec<&str>, Vec<&str>) = values
        .map(String::as_str)
        .partition(|value| value.chars().count() < MIN_ANYWHERE_LEN && value.chars().all(char::is_alphanumeric));
    let mut masked = shapes(text);
    let (Some(anywhere), Some(words)) = (find_anywhere(text, &values), find_words(text, &words)) else {
        return WITHHELD.to_owned();
    };
    masked.extend(anywhere.into_iter().chain(words).map(|range| (range, "[masked]")));
    // The longer of two that start together names what both become.
    masked.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
    replace(text, masked)
}

fn replace(text: &str, masked: Vec<Masked>) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut end = 0;
    for (range, label) in masked {
        if range.start >= end {
            replaced.push_str(text.get(end..range.start).unwrap_or_default());
            replaced.push_str(label);
        }
        end = end.max(range.end);
    }
    replaced.push_str(text.get(end..).unwrap_or_default());
    replaced
}

fn shapes(text: &str) -> Vec<Masked> {
    #[expect(clippy::expect_used, reason = "the patterns are constants, and a test uses each")]
    static PATTERNS: LazyLock<Vec<(&str, Regex)>> = LazyLock::new(|| {
        SHAPES.iter().map(|&(label, pattern)| (label, Regex::new(pattern).expect("a valid pattern"))).collect()
    });
    let found = PATTERNS.iter().flat_map(|(label, shape)| shape.find_iter(text).map(|found| (found.range(), *label)));
    found.collect()
}

/// The longest value wins where several match, so that one inside another does not leave the rest of the other behind.
fn find_anywhere(text: &str, values: &[&str]) -> Option<Vec<Range<usize>>> {
    // The search folds the case of ASCII only; the other spellings are searched for as they are.
    let spellings: BTreeSet<String> =
        values.iter().flat_map(|value| [(*value).to_owned(), value.to_lowercase(), value.to_uppercase()]).collect();
    // Built in time and space linear in what the request held, unlike the faster kinds.
    let search = AhoCorasick::builder()
        .kind(Some(AhoCorasickKind::NoncontiguousNFA))
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostLongest)
        .build(&spellings)
        .ok()?;
    Some(search.find_iter(text).map(|found| found.range()).collect())
}

fn find_words(text: &str, words: &[&str]) -> Option<Vec<Range<usize>>> {
    if words.is_empty() {
        return Some(Vec::new());
    }
    let words: BTreeSet<&str> = words.iter().copied().collect();
    let words = words.into_iter().map(regex::escape).collect::<Vec<_>>().join("|");
    let search = RegexBuilder::new(&format!(r"\b(?:{words})\b")).case_insensitive(true).build().ok()?;
    Some(search.find_iter(text).map(|found| found.range()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, request: &[&str]) -> String {
        for_caller(text, &request.iter().map(|&value| value.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn arns_are_masked_up_to_what_ends_them() {
        let text =
            "role 'arn:aws:iam::123456789012:role/sms', (ARN:aws:sns:eu-west-1:1:topic) and arn:aws-cn:s3:::a/b.";
        assert_eq!(told(text, &[]), "role '[arn]', ([arn]) and [arn]");
    }

    #[test]
    fn account_ids_are_masked_wherever_they_stand() {
        assert_eq!(told("account 123456789012, id-123456789012x", &[]), "account [account], id-[account]x");
        assert_eq!(told("in 12345678901 ms", &[]), "in 12345678901 ms");
    }

    #[test]
    fn what_the_request_held_is_masked_whatever_its_case() {
        assert_eq!(told("User JANE.DOE of jane.doe", &["jane.doe"]), "User [masked] of [masked]");
        assert_eq!(told("ÉLODIE", &["élodie"]), "[masked]");
    }

    #[test]
    fn what_looks_like_a_pattern_is_masked_as_it_stands() {
        assert_eq!(told("user a.*(b and axx(b", &["a.*(b"]), "user [masked] and axx(b");
    }

    #[test]
    fn a_value_within_another_does_not_leave_the_rest_of_it_behind() {
        assert_eq!(told("token jane-secret", &["jane", "jane-secret"]), "token [masked]");
        assert_eq!(told("token jane-secret", &["jane-secret", "jane"]), "token [masked]");
    }

    #[test]
    fn a_short_value_is_masked_as_a_word_only() {
        assert_eq!(told("a user named a, not al", &["a"]), "[masked] user named [masked], not al");
        assert_eq!(told("+1 and +12", &["+1"]), "[masked] and [masked]2");
    }

    #[test]
    fn values_without_a_word_in_them_mask_nothing() {
        assert_eq!(told("as it was", &["", " ", "\n"]), "as it was");
    }

    #[test]
    fn a_value_of_any_length_is_masked() {
        let value = "é".repeat(30_000);
        assert_eq!(told(&format!("see {value}"), &[&value]), "see [masked]");
        assert_eq!(told("too short to hold it", &[&value]), "too short to hold it");
    }

    #[test]
    fn a_text_is_cut_to_256_characters_and_not_bytes() {
        assert_eq!(told(&"é".repeat(300), &[]), "é".repeat(MAX_MESSAGE_LEN));
    }

    #[test]
    fn a_text_is_masked_before_it_is_cut() {
        let text = format!("{} jane.doe", "x".repeat(MAX_MESSAGE_LEN - 5));
        assert!(!told(&text, &["jane.doe"]).contains("jane"));
    }

    #[test]
    fn a_value_that_begins_within_a_short_word_is_masked_whole() {
        assert_eq!(told("xapple-secret", &["xa", "apple-secret"]), "x[masked]");
    }

    #[test]
    fn very_many_values_are_masked_in_one_pass() {
        let request: Vec<String> = (0..2_000).map(|number| format!("value-{number}")).collect();
        let text = format!("{}value-1777", "x".repeat(10_000));
        assert!(!without_request(&text, &request).contains("1777"));
    }

    #[test]
    fn what_looks_like_a_secret_is_masked_whatever_the_request_held() {
        for secret in [
            "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln",
            "eyJhbGciOiJSU0EtT0FFUCJ9.a2V5.aXY.dGV4dA.dGFn",
            "eyJraWQiOiJjdXQ",
            "AKIAIOSFODNN7EXAMPLE",
            "ASIAIOSFODNN7EXAMPLE",
            "AROAIOSFODNN7EXAMPLE",
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261126/us-west-2/cognito-idp/aws4_request, SignedHeaders=host;x-amz-date, \
             Signature=5d672d79c15b13162d9279b0855cfba6",
            "Signature=5d672d79c15b13162d9279b0855cfba6",
            "X-Amz-Security-Token=IQoJb3JpZ2luX2VjEXAMPLE",
            "IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLXdlc3QtMiJ",
            "Bearer abc.def",
            "jane.doe+mfa@mail.example.com",
            "jané@exämple.com",
            "+14325551212",
        ] {
            for told in [for_caller(secret, &[]), without_request(secret, &[])] {
                assert_eq!(told, "[masked]", "{secret}");
            }
            for (before, after) in [("got ", " from"), ("(", ")"), ("\"", "\""), ("x='", "',")] {
                let told = without_request(&format!("{before}{secret}{after}"), &[]);
                assert!(!told.contains(secret), "{told}");
            }
        }
    }

    #[test]
    fn what_only_resembles_a_secret_is_left() {
        for text in [
            "Value '7' at 'userPoolId' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w-]+",
            "sent in 12345678901 ms to cognito-idp.us-west-2.amazonaws.com:443",
            "Invalid credential: type is missing or malformed; signature: none",
            "AKIA is a prefix, and so is ASIA; a+b@c, +12, eyJ",
            "Signature expired: 20261126T101010Z is now earlier than 20261126T101510Z",
        ] {
            assert_eq!(without_request(text, &[]), text);
        }
    }

    #[test]
    fn a_value_of_the_request_and_a_shape_that_overlap_are_masked_as_one() {
        assert_eq!(told("see eyJhbGciOiJSUzI1.secret", &["eyJh"]), "see [masked]");
        assert_eq!(told("mail Dear a@b.example, your code", &["Dear a@b.example, your code"]), "mail [masked]");
        assert_eq!(told("role arn:aws:iam::1:role/jane.doe here", &["jane.doe"]), "role [arn] here");
    }

    #[test]
    fn the_log_holds_no_arns_or_account_ids_either() {
        let text = without_request("arn:aws:iam::1:role/a of 123456789012 for jane.doe", &["jane.doe".to_owned()]);
        assert_eq!(text, "[arn] of [account] for [masked]");
    }

    #[test]
    fn a_text_made_to_be_slow_is_masked_in_linear_time() {
        for part in ["eyJaaaaaaa.", "+1234567", "a@b.c", "a@", "AWS4-HMAC ", "arn:", "Signature=", "AKIA", "a"] {
            let text = part.repeat((1 << 20) / part.len());
            let started = std::time::Instant::now();
            without_request(&text, &[]);
            // A quadratic search takes hours.
            assert!(started.elapsed() < std::time::Duration::from_secs(30), "{part}");
        }
    }
}
