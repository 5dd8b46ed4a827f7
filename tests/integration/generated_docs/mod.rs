//! Documents rendered from their one source: `docs/errors.md` from the protos, `docs/configuration.md` from clap, `docs/faults.md` from
//! what calls are told.

mod configuration;
mod errors;
mod faults;

use std::path::Path;
use std::{env, fs};

/// Rewrites every generated document.
const UPDATE: &str = "UPDATE_DOCS=1 cargo test generated_docs";

/// The first line of a generated document.
fn notice(source: &str) -> String {
    format!("<!-- Generated from {source}. Do not edit: change the source, then run {UPDATE} -->\n\n")
}

/// Compares a document with what its source renders, or rewrites it.
fn check_or_update(document: &str, rendered: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, rendered).unwrap();
        return;
    }
    let checked_in = fs::read_to_string(&path).unwrap_or_default();
    let same = checked_in.lines().zip(rendered.lines()).take_while(|(old, new)| old == new).count();
    assert!(checked_in == rendered, "{document} is stale from line {}: run `{UPDATE}` and commit it", same + 1);
}

/// Text as one sentence or more in one line.
fn sentence(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if !line.is_empty() && !line.ends_with(['.', ':']) {
        line.push('.');
    }
    line
}

/// A cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[test]
fn the_errors_are_documented_as_the_protos_say() {
    check_or_update("docs/errors.md", &errors::render());
}

#[test]
fn the_options_are_documented_as_the_program_says() {
    check_or_update("docs/configuration.md", &configuration::render());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_faults_are_documented_as_every_operation_meets_them() {
    check_or_update("docs/faults.md", &faults::render().await);
}
