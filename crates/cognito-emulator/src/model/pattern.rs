//! The patterns of the model, which are in Java's dialect.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use regex::Regex;

/// Compiled on first use: the patterns with Unicode classes are large, and most runs need few.
static COMPILED: LazyLock<Mutex<HashMap<&'static str, Regex>>> = LazyLock::new(Mutex::default);

/// Whether the whole of the text matches the pattern.
pub(crate) fn matches(pattern: &'static str, text: &str) -> bool {
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(regex) = compiled.get(pattern) {
        return regex.is_match(text);
    }
    match compile(pattern) {
        Ok(regex) => {
            let matches = regex.is_match(text);
            compiled.insert(pattern, regex);
            matches
        }
        Err(error) => {
            tracing::error!(pattern, %error, "a pattern of the model does not compile");
            false
        }
    }
}

fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!(r"\A(?:{})\z", ascii_classes(pattern)))
}

/// Java's `\w`, `\s` and `\S` mean ASCII, those of the regex crate Unicode.
fn ascii_classes(pattern: &str) -> String {
    pattern.replace(r"\w", "[0-9A-Za-z_]").replace(r"\s", r"[\t\n\x0B\f\r ]").replace(r"\S", r"[^\t\n\x0B\f\r ]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::operation::OPERATIONS;
    use crate::model::shape::{Kind, Member, Shape};

    fn patterns(shape: &'static Shape, found: &mut Vec<&'static str>) {
        found.extend(shape.pattern);
        match shape.kind {
            Kind::List(item) => patterns(item, found),
            Kind::Map(key, value) => {
                patterns(key, found);
                patterns(value, found);
            }
            Kind::Structure(members) => all(members, found),
            Kind::Text | Kind::OneOf(_) | Kind::Integer | Kind::Boolean | Kind::Document => {}
        }
    }

    fn all(members: &'static [Member], found: &mut Vec<&'static str>) {
        for member in members {
            patterns(member.shape, found);
        }
    }

    #[test]
    fn every_pattern_of_the_model_compiles() {
        let mut found = Vec::new();
        for operation in OPERATIONS {
            all(operation.members, &mut found);
        }
        assert!(found.len() > 100, "only {} patterns found", found.len());
        for pattern in found {
            compile(pattern).unwrap();
        }
    }

    #[test]
    fn a_pattern_matches_the_whole_text_and_only_ascii_word_characters() {
        let pool_id = r"[\w-]+_[0-9a-zA-Z]+";
        assert!(matches(pool_id, "us-west-2_EXAMPLE"));
        assert!(!matches(pool_id, "us-west-2_EXAMPLE\n"));
        assert!(!matches(pool_id, "ümlaut_EXAMPLE"));
        assert!(!matches(r"[\S]+", "a b"));
        assert!(matches(r"[\S]+", "a\u{a0}b"));
    }
}
