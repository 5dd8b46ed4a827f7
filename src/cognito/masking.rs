//! Masks the texts of AWS, which repeat ARNs, account ids and what the request held.

use std::collections::BTreeSet;
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

/// `text` without anything that the request held, for the log.
pub fn without_request(text: &str, request: &[String]) -> String {
    mask(text, request).chars().take(MAX_CAUSE_LEN).collect()
}

/// `text` for a caller: without anything that the request held, ARNs and account ids, and limited in length.
pub fn for_caller(text: &str, request: &[String]) -> String {
    #[expect(clippy::expect_used, reason = "the pattern is a constant, and a test uses it")]
    static ARN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"(?i)\barn:[^\s"',;)\]}]+"#).expect("a valid pattern"));
    #[expect(clippy::expect_used, reason = "the pattern is a constant, and a test uses it")]
    static ACCOUNT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\d{12,}").expect("a valid pattern"));
    let text = ARN.replace_all(text, "[arn]");
    let text = without_request(&text, request);
    ACCOUNT.replace_all(&text, "[account]").chars().take(MAX_MESSAGE_LEN).collect()
}

/// Masks every value of the request, whatever its case, in one pass however many there are.
fn mask(text: &str, request: &[String]) -> String {
    let values = request.iter().filter(|value| !value.trim().is_empty() && value.len() <= text.len().saturating_mul(2));
    let (words, values): (Vec<&str>, Vec<&str>) = values
        .map(String::as_str)
        .partition(|value| value.chars().count() < MIN_ANYWHERE_LEN && value.chars().all(char::is_alphanumeric));
    mask_anywhere(text, &values).and_then(|text| mask_words(&text, &words)).unwrap_or_else(|| WITHHELD.to_owned())
}

/// The longest value wins where several match, so that one inside another does not leave the rest of the other behind.
fn mask_anywhere(text: &str, values: &[&str]) -> Option<String> {
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
    Some(search.replace_all(text, &vec!["[masked]"; spellings.len()]))
}

fn mask_words(text: &str, words: &[&str]) -> Option<String> {
    if words.is_empty() {
        return Some(text.to_owned());
    }
    let words: BTreeSet<&str> = words.iter().copied().collect();
    let words = words.into_iter().map(regex::escape).collect::<Vec<_>>().join("|");
    let search = RegexBuilder::new(&format!(r"\b(?:{words})\b")).case_insensitive(true).build().ok()?;
    Some(search.replace_all(text, "[masked]").into_owned())
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
    fn the_log_keeps_arns_but_nothing_of_the_request() {
        let text = without_request("arn:aws:iam::1:role/a for jane.doe", &["jane.doe".to_owned()]);
        assert_eq!(text, "arn:aws:iam::1:role/a for [masked]");
    }
}
