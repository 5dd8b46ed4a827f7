//! The hand-written documents: every RPC is in README's table, links resolve, and the tests that they name exist.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use mfagate::api::Rpc;
use regex::Regex;

const MAX_README_LINES: usize = 150;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files under a directory of the repository with one of these extensions.
fn files(directory: &str, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![root().join(directory)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten() {
            let path = entry.unwrap().path();
            let is_hidden = path.file_name().unwrap().to_str().unwrap().starts_with('.');
            if path.is_dir() && !is_hidden && !path.ends_with("node_modules") {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extensions.iter().any(|wanted| extension == *wanted)) {
                found.push(path);
            }
        }
    }
    found
}

/// The documents at the top and under `docs/`.
fn documents() -> Vec<PathBuf> {
    let top = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"];
    top.iter().map(|name| root().join(name)).chain(files("docs", &["md"])).collect()
}

/// The words marked as code in a text.
fn code(text: &str) -> Vec<String> {
    let code = Regex::new("`([^`]+)`").unwrap();
    code.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

#[test]
fn the_readme_lists_every_rpc_once_with_its_service_and_kind() {
    let readme = read("README.md");
    let mut service = String::new();
    let mut listed = BTreeMap::new();
    for row in readme.lines().filter(|line| line.ends_with("| reads |") || line.ends_with("| writes |")) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        service = code(cells[1]).first().cloned().unwrap_or(service);
        for rpc in code(cells[2]) {
            let kind = (format!("mfagate.v1.{service}"), cells[4] == "reads");
            assert!(listed.insert(rpc.clone(), kind).is_none(), "{rpc} is listed twice");
        }
    }
    let served = Rpc::ALL.into_iter().map(|rpc| (rpc.name().to_owned(), (rpc.service().to_owned(), rpc.is_read())));
    assert_eq!(listed, served.collect());
}

#[test]
fn the_readme_is_short() {
    assert!(read("README.md").lines().count() <= MAX_README_LINES);
}

#[test]
fn architecture_names_tests_that_exist() {
    let function = Regex::new(r"\b(?:fn|def) (\w+)\(").unwrap();
    let sources = ["src", "tests", "crates", "conformance"].map(|directory| files(directory, &["rs", "py"]));
    let sources = sources.iter().flatten().map(read).collect::<String>();
    let functions: Vec<_> = function.captures_iter(&sources).map(|found| found.get(1).unwrap().as_str()).collect();
    let architecture = read("ARCHITECTURE.md");
    let (_, invariants) = architecture.split_once("## Invariants").unwrap();
    let (invariants, _) = invariants.split_once("\n## ").unwrap();
    let name = Regex::new("^[a-z]+(_[a-z]+){2,}$").unwrap();
    let named: Vec<_> = code(invariants).into_iter().filter(|word| name.is_match(word)).collect();
    assert!(!named.is_empty());
    for test in named {
        assert!(functions.contains(&test.as_str()), "ARCHITECTURE.md names {test}, which is no test");
    }
}

/// The anchors of a document's headings.
fn anchors(document: &Path) -> Vec<String> {
    let text = read(document);
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
    headings.map(|heading| heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
}

#[test]
fn links_between_documents_resolve() {
    let link = Regex::new(r"\]\(([^)]+)\)").unwrap();
    for document in documents() {
        let text = read(&document);
        let targets = link.captures_iter(&text).map(|found| found[1].to_owned());
        for target in targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:")) {
            let (path, anchor) = target.split_once('#').map_or((&*target, None), |(path, anchor)| (path, Some(anchor)));
            let path = if path.is_empty() { document.clone() } else { document.parent().unwrap().join(path) };
            assert!(path.exists(), "{}: {target} does not exist", document.display());
            if let Some(anchor) = anchor {
                assert!(anchors(&path).iter().any(|there| there == anchor), "{}: no {target}", document.display());
            }
        }
    }
}

#[test]
fn every_dependency_has_a_row_that_says_what_it_is_for() {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let contributing = read("CONTRIBUTING.md");
    let (_, table) = contributing.split_once("## Dependencies").unwrap();
    let crates = table.lines().filter_map(|line| line.strip_prefix("| ")?.split('|').next());
    let listed: Vec<_> =
        crates.flat_map(|crates| crates.split(", ")).map(|name| name.replace(" (build)", "")).collect();
    let is_listed = |name: &str| {
        listed.iter().map(|listed| listed.trim()).any(|listed| match listed.strip_suffix(r"\*") {
            Some(family) => name.starts_with(family),
            None => name == listed,
        })
    };
    let external = |dependency: &toml::Value| dependency.get("path").is_none();
    for kind in ["dependencies", "build-dependencies"] {
        for (name, dependency) in manifest[kind].as_table().unwrap() {
            assert!(!external(dependency) || is_listed(name), "{name} has no row in CONTRIBUTING.md");
        }
    }
}
