//! An error with its sources, in one line.

use std::error::Error;

/// The texts of an error and of its sources, separated by colons. A text that only repeats the end of the one before is left
/// out.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        source = error.source();
    }
    text
}
