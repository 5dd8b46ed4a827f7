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
    let escaped = regex::escape(value);
    let is_short_word = value.chars().count() < 4 && value.chars().all(char::is_alphanumeric);
    let edge = if is_short_word { r"\b" } else { "" };
    let pattern =
        RegexBuilder::new(&format!("{edge}{escaped}{edge}")).case_insensitive(true).size_limit(16 << 20).build();
    match pattern {
        Ok(pattern) => pattern.replace_all(text, "[masked]").into_owned(),
        // A value too long for a pattern: the text is kept from everybody rather than shown unmasked.
        Err(_) if text.len() >= value.len() => "[masked]".to_owned(),
        Err(_) => text.to_owned(),
    }
}
