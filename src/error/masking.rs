//! This file masks the texts of AWS, which repeat ARNs, account ids and what the request held.

use std::sync::LazyLock;

use regex::{Regex, RegexBuilder};

/// The most characters of a text of AWS that a caller gets.
pub const LONGEST_MESSAGE: usize = 256;

/// `text` without anything that the request held, for the log.
#[must_use]
pub fn without_request(text: &str, request: &[String]) -> String {
    let mut values: Vec<&str> = request.iter().map(String::as_str).filter(|value| !value.trim().is_empty()).collect();
    // The longest first, so that a value inside another does not leave the rest of the other behind.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    values.into_iter().fold(text.to_owned(), |text, value| mask(&text, value))
}

/// `text` for a caller: without anything that the request held, ARNs and account ids, and not too long.
#[must_use]
pub fn for_caller(text: &str, request: &[String]) -> String {
    #[expect(clippy::expect_used, reason = "the pattern is a constant, and a test uses it")]
    static ARN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"(?i)\barn:[^\s"',;)\]}]+"#).expect("a valid pattern"));
    #[expect(clippy::expect_used, reason = "the pattern is a constant, and a test uses it")]
    static ACCOUNT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\d{12,}").expect("a valid pattern"));
    let text = ARN.replace_all(text, "[arn]");
    let text = without_request(&text, request);
    ACCOUNT.replace_all(&text, "[account]").chars().take(LONGEST_MESSAGE).collect()
}

/// Masks `value` wherever it stands, whatever its case. A short value is masked as a word only: masking every letter "a"
/// would leave nothing to read and hide nothing.
fn mask(text: &str, value: &str) -> String {
    // A request may hold megabytes, whose pattern takes seconds to build; a longer value cannot stand in the text.
    if value.chars().count() > text.chars().count() {
        return text.to_owned();
    }
    let escaped = regex::escape(value);
    let is_short_word = value.chars().count() < 4 && value.chars().all(char::is_alphanumeric);
    let edge = if is_short_word { r"\b" } else { "" };
    let pattern =
        RegexBuilder::new(&format!("{edge}{escaped}{edge}")).case_insensitive(true).size_limit(16 << 20).build();
    match pattern {
        Ok(pattern) => pattern.replace_all(text, "[masked]").into_owned(),
        // A value too long for a pattern: the text is kept from everybody rather than shown unmasked.
        Err(_) => "[masked]".to_owned(),
    }
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
    fn a_value_too_long_for_a_pattern_hides_the_text_that_could_hold_it() {
        let value = "é".repeat(300_000);
        assert_eq!(told(&format!("see {value}"), &[&value]), "[masked]");
        assert_eq!(told("too short to hold it", &[&value]), "too short to hold it");
    }

    #[test]
    fn a_text_is_cut_to_256_characters_and_not_bytes() {
        assert_eq!(told(&"é".repeat(300), &[]), "é".repeat(LONGEST_MESSAGE));
    }

    #[test]
    fn a_text_is_masked_before_it_is_cut() {
        let text = format!("{} jane.doe", "x".repeat(LONGEST_MESSAGE - 5));
        assert!(!told(&text, &["jane.doe"]).contains("jane"));
    }

    #[test]
    fn the_log_keeps_arns_but_nothing_of_the_request() {
        let text = without_request("arn:aws:iam::1:role/a for jane.doe", &["jane.doe".to_owned()]);
        assert_eq!(text, "arn:aws:iam::1:role/a for [masked]");
    }
}
