//! An error with its sources, in one line.

use std::error::Error;

/// The texts of an error and of its sources, separated by colons. What has been said is not said again: a text that one before
/// it contains is left out, as are the parts that it begins with; a text that the next one contains gives way to it.
pub fn chain(error: &dyn Error) -> String {
    let mut texts: Vec<String> = vec![error.to_string()];
    let mut source = error.source();
    while let Some(error) = source {
        add(&mut texts, &error.to_string());
        source = error.source();
    }
    texts.join(SEPARATOR)
}

const SEPARATOR: &str = ": ";

fn add(texts: &mut Vec<String>, next: &str) {
    if texts.iter().any(|text| text.contains(next)) {
        return;
    }
    texts.retain(|text| !next.contains(text.as_str()));
    // The SDK says "unhandled error (Code)" and then "Code: message".
    let was_said = |part: &&str| texts.iter().any(|text| text.contains(part));
    let is_new = |part: &&str| texts.iter().all(|text| text.split(SEPARATOR).all(|said| said != *part));
    let parts: Vec<_> = next.split(SEPARATOR).skip_while(was_said).filter(is_new).collect();
    if !parts.is_empty() {
        texts.push(parts.join(SEPARATOR));
    }
}

#[cfg(test)]
mod tests {
    use thiserror::Error;

    use super::*;

    #[derive(Debug, Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<Layer>>,
    }

    /// The chain of errors with these texts, the outermost first.
    fn said(texts: &[&'static str]) -> String {
        let source = texts.iter().rev().fold(None, |source, text| Some(Box::new(Layer { text, source })));
        chain(&*source.unwrap())
    }

    #[test]
    fn every_text_of_a_chain_is_there_once() {
        for (texts, wanted) in [
            (&["a"][..], "a"),
            (&["dispatch failure", "io error", "refused"], "dispatch failure: io error: refused"),
            (&["tcp connect error", "tcp connect error", "refused"], "tcp connect error: refused"),
            (&["not loaded: refused", "refused"], "not loaded: refused"),
            (&["not loaded: refused (111)", "refused"], "not loaded: refused (111)"),
            (&["not loaded", "not loaded: refused", "refused"], "not loaded: refused"),
            (&["service error", "A: b", "A: b: c"], "service error: A: b: c"),
            (&["failed: io error", "no keys: io error: refused"], "failed: io error: no keys: refused"),
            (&["unhandled error (A)", "A: a user"], "unhandled error (A): a user"),
        ] {
            assert_eq!(said(texts), wanted, "{texts:?}");
        }
    }
}
