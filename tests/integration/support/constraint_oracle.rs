//! An independent reading of Cognito's constraints on texts, as plain predicates over characters, with characters and
//! texts around their edges. It shares nothing with the service's own reading.

use proptest::prelude::*;
use proptest::sample::select;

/// The constraint on one kind of text.
#[derive(Clone, Copy)]
pub(crate) struct Constraint {
    /// The minimum and the maximum number of characters.
    pub(crate) length: (usize, usize),
    /// Whether the characters are valid, whatever their number.
    pub(crate) form: fn(&str) -> bool,
    /// A valid text that stays valid when letters are appended.
    pub(crate) prefix: &'static str,
}

impl Constraint {
    pub(crate) fn allows(&self, text: &str) -> bool {
        let length = text.chars().count();
        self.length.0 <= length && length <= self.length.1 && (self.form)(text)
    }

    /// A text of `length` characters, filled up with `filling`; shorter than the prefix, a part of it.
    pub(crate) fn of_length(&self, length: usize, filling: char) -> String {
        self.prefix.chars().chain(std::iter::repeat(filling)).take(length).collect()
    }
}

const UNLIMITED: usize = usize::MAX;
const MAX_LEN: usize = 131_072;
const ARN: &str = "arn:aws:iam::123456789012:role/";

pub(crate) const POOL_ID: Constraint = Constraint { length: (1, 55), form: is_pool_id, prefix: "us-west-2_" };
pub(crate) const USERNAME: Constraint =
    Constraint { length: (1, 128), form: |text| text.chars().all(is_printing), prefix: "" };
pub(crate) const ACCESS_TOKEN: Constraint = Constraint {
    length: (1, UNLIMITED),
    form: |text| text.chars().all(|c| is_word(c) || "-=.".contains(c)),
    prefix: "",
};
pub(crate) const SESSION: Constraint = Constraint { length: (20, 4096), form: |_| true, prefix: "" };
pub(crate) const USER_CODE: Constraint =
    Constraint { length: (6, 6), form: |text| text.chars().all(|c| c.is_ascii_digit()), prefix: "012345" };
pub(crate) const ANY_TEXT: Constraint = Constraint { length: (0, MAX_LEN), form: |_| true, prefix: "" };
pub(crate) const SMS_MESSAGE: Constraint = Constraint { length: (6, 140), form: is_sms_message, prefix: "{####}" };
pub(crate) const OPTIONAL_ARN: Constraint =
    Constraint { length: (0, 2048), form: |text| text.is_empty() || is_arn(text), prefix: ARN };
pub(crate) const REQUIRED_ARN: Constraint = Constraint { length: (20, 2048), form: is_arn, prefix: ARN };
pub(crate) const REGION: Constraint = Constraint { length: (5, 32), form: |_| true, prefix: "" };
pub(crate) const EMAIL_MESSAGE: Constraint = Constraint {
    length: (6, 20_000),
    form: |text| text.contains("{####}") && text.chars().all(|c| is_printing(c) || is_ascii_space(c)),
    prefix: "{####}",
};
pub(crate) const EMAIL_SUBJECT: Constraint =
    Constraint { length: (1, 140), form: |text| text.chars().all(|c| is_printing(c) || is_ascii_space(c)), prefix: "" };
pub(crate) const RELYING_PARTY: Constraint = Constraint { length: (1, 127), form: |_| true, prefix: "" };
pub(crate) const NEXT_TOKEN: Constraint =
    Constraint { length: (1, MAX_LEN), form: |text| !text.chars().any(is_ascii_space), prefix: "" };
pub(crate) const CREDENTIAL_ID: Constraint = Constraint { length: (1, MAX_LEN), form: |_| true, prefix: "" };
pub(crate) const LABEL: Constraint =
    Constraint { length: (1, 128), form: |text| !text.chars().any(|c| c == ':' || c.is_control()), prefix: "" };
pub(crate) const PHONE_NUMBER: Constraint =
    Constraint { length: (12, 12), form: |text| text == "phone_number", prefix: "" };

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// White space in Java's patterns.
fn is_ascii_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r')
}

/// Letters, marks, symbols, numbers and punctuation. Only for the characters listed below.
fn is_printing(character: char) -> bool {
    assert!(
        character.is_ascii() || PRINTING.contains(&character) || NON_PRINTING.contains(&character),
        "{character:?}"
    );
    character.is_ascii_graphic() || PRINTING.contains(&character)
}

/// A Region, an underscore, letters and digits. A Region is words of letters, the first of two or more, and a number.
fn is_pool_id(text: &str) -> bool {
    let Some((region, id)) = text.split_once('_') else { return false };
    let parts: Vec<&str> = region.split('-').collect();
    let Some((number, words)) = parts.split_last() else { return false };
    words.len() >= 2
        && words[0].len() >= 2
        && words.iter().all(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase()))
        && !number.is_empty()
        && number.chars().all(|c| c.is_ascii_digit())
        && !id.is_empty()
        && id.chars().all(|c| c.is_ascii_alphanumeric())
}

fn is_sms_message(text: &str) -> bool {
    let is_line_break = |c| matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
    text.contains("{####}") && !text.chars().any(is_line_break)
}

/// `arn:partition:service:region:account:resource`, where the Region may be empty, and up to two more parts.
fn is_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let is_part = |part: &&str| part.chars().all(|c| is_word(c) || "+=/,.@-".contains(c));
    (6..=8).contains(&parts.len())
        && parts[0] == "arn"
        && parts.iter().all(is_part)
        && parts.iter().enumerate().all(|(position, part)| position == 3 || !part.is_empty())
        && parts[4].chars().all(|c| c.is_ascii_digit())
}

/// One of every general category of letters, marks, symbols, numbers and punctuation, of one to four bytes in UTF-8.
pub(crate) const PRINTING: &[char] = &[
    'Ω',
    'é',
    'ǅ',
    'ʰ',
    'ª',
    '中',
    'ﬁ',
    '𝒳',
    '𐐷', // letters
    '\u{301}',
    '\u{903}',
    '\u{20dd}',
    '\u{fe0f}',
    '\u{1d165}', // marks
    '€',
    '±',
    '¨',
    '©',
    '🦀',
    '🇦', // symbols
    '٣',
    'Ⅷ',
    '½',
    '𝟘', // numbers
    '‿',
    '–',
    '「',
    '」',
    '«',
    '»',
    '¡',
    '𐄀', // punctuation
];

/// One of every other general category: separators, controls, format characters, private use and unassigned.
pub(crate) const NON_PRINTING: &[char] = &[
    '\u{a0}',
    '\u{2003}',
    '\u{3000}',
    '\u{2028}',
    '\u{2029}', // separators
    '\u{80}',
    '\u{85}',
    '\u{9f}', // controls, beside those of ASCII
    '\u{ad}',
    '\u{200b}',
    '\u{200d}',
    '\u{202e}',
    '\u{feff}',
    '\u{e0001}', // format characters
    '\u{e000}',
    '\u{f8ff}',
    '\u{10fffd}', // private use
    '\u{378}',
    '\u{ffff}',
    '\u{10ffff}', // unassigned
];

/// Any character worth trying.
pub(crate) fn character() -> impl Strategy<Value = char> {
    prop_oneof![
        4 => select(('a'..='z').chain('A'..='Z').chain('0'..='9').collect::<Vec<_>>()),
        4 => (0..128_u8).prop_map(char::from),
        2 => select(PRINTING.to_vec()),
        2 => select(NON_PRINTING.to_vec()),
    ]
}

/// Texts near the constraint: a valid one with a few characters inserted, removed or replaced, or anything short.
pub(crate) fn around(constraint: Constraint) -> impl Strategy<Value = String> {
    let edits = proptest::collection::vec((any::<prop::sample::Index>(), 0..3_u8, character()), 0..3);
    let longest = constraint.length.1.min(constraint.length.0 + 40);
    let near = (constraint.length.0..=longest, edits).prop_map(move |(length, edits)| {
        let mut text: Vec<char> =
            constraint.of_length(length.max(constraint.prefix.chars().count() + 1), 'a').chars().collect();
        text.truncate(constraint.length.1);
        for (position, edit, character) in edits {
            let position = position.index(text.len() + 1);
            match edit {
                0 => text.insert(position, character),
                1 if position < text.len() => text[position] = character,
                _ if position < text.len() => drop(text.remove(position)),
                _ => {}
            }
        }
        text.into_iter().collect::<String>()
    });
    let anything = proptest::collection::vec(character(), 0..12).prop_map(|text| text.into_iter().collect::<String>());
    prop_oneof![3 => near, 1 => anything]
}
