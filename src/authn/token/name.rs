//! Names of callers in tokens: what could be mistaken for another name is none.

use std::sync::LazyLock;

use regex::Regex;

/// The maximum length of a caller's name, in characters.
const MAX_NAME_LEN: usize = 256;

/// Whether a name is safe in a log and in a policy.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().count() <= MAX_NAME_LEN && !has_hidden(name)
}

/// Whether a text has a character that cannot be seen and makes the text look like another, or like two: white space, control
/// characters, and what Unicode ignores by default, such as zero widths, direction marks and variation selectors. Users who choose
/// the claim could otherwise look like others in the record.
pub(super) fn has_hidden(text: &str) -> bool {
    static HIDDEN: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"[\p{White_Space}\p{Cc}\p{Default_Ignorable_Code_Point}]").ok());
    // The expression is constant; if it were not valid, nobody would have a name.
    HIDDEN.as_ref().is_none_or(|hidden| hidden.is_match(text))
}
