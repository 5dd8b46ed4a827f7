//! This file masks the texts of AWS, which repeat ARNs, account ids and what the request held.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};
use regex::{Regex, RegexBuilder};

/// The most characters of a text of AWS that a caller gets.
pub const LONGEST_MESSAGE: usize = 256;

/// The most characters of a text of AWS that the log gets.
const LONGEST_CAUSE: usize = 2048;

/// A value of fewer characters is masked as a word only: masking every letter "a" would leave nothing to read and hide nothing.
const SHORTEST_ANYWHERE: usize = 4;

/// What stands for a text whose values could not be searched for: it is kept from everybody rather than shown unmasked.
const WITHHELD: &str = "[withheld]";

/// `text` without anything that the request held, for the log.
#[must_use]
pub fn without_request(text: &str, request: &[String]) -> String {
    mask(text, request).chars().take(LONGEST_CAUSE).collect()
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

/// Masks every value of the request wherever it stands, whatever its case, in one pass however many there are.
fn mask(text: &str, request: &[String]) -> String {
    let values = request.iter().filter(|value| !value.trim().is_empty() && value.len() <= text.len().saturating_mul(2));
    let (words, values): (Vec<&str>, Vec<&str>) = values
        .map(String::as_str)
        .partition(|value| value.chars().count() < SHORTEST_ANYWHERE && value.chars().all(char::is_alphanumeric));
    mask_anywhere(text, &values).and_then(|text| mask_words(&text, &words)).unwrap_or_else(|| WITHHELD.to_owned())
}

/// The longest value first where several begin, so that one inside another does not leave the rest of the other behind.
fn mask_anywhere(text: &str, values: &[&str]) -> Option<String> {
    // The search folds the case of ASCII only; the other spellings are searched for as they are.
    let spellings: BTreeSet<String> =
        values.iter().flat_map(|value| [(*value).to_owned(), value.to_lowercase(), value.to_uppercase()]).collect();
    let mut search = AhoCorasick::builder();
    let search = search.ascii_case_insensitive(true).match_kind(MatchKind::LeftmostLongest).build(&spellings).ok()?;
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
