//! `docs/errors.md`: every reason, from the comments of `ErrorReason`, and the reasons of each RPC, from its comment.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use mfagate::api::FILE_DESCRIPTOR_SET;
use prost::Message as _;
use prost_types::source_code_info::Location;
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use regex::Regex;
use serde_json::Value;

use super::{cell, notice, sentence};

// Numbers of fields in `descriptor.proto`, of which paths to comments are made.
const ENUM: i32 = 5;
const ENUM_VALUE: i32 = 2;
const SERVICE: i32 = 6;
const METHOD: i32 = 2;

/// The comments of a file, by the path of what they are about.
type Comments<'a> = BTreeMap<&'a [i32], &'a Location>;

pub(super) fn render() -> String {
    let files = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap().file;
    let files: Vec<_> = files.iter().filter(|file| file.package() == "mfagate.v1").collect();
    let mut page = notice("the comments in proto/mfagate/v1/");
    page.push_str("# Errors\n\n");
    let manual = files.iter().find(|file| file.name() == "mfagate/v1/error_reason.proto").unwrap();
    render_reasons(&mut page, manual);
    page.push_str("\n## Reasons by RPC\n");
    let reasons = manual.enum_type[0].value.iter().map(|value| reason(value.name())).collect();
    for file in files {
        render_services(&mut page, file, &reasons);
    }
    page
}

fn comments(file: &FileDescriptorProto) -> Comments<'_> {
    let locations = file.source_code_info.iter().flat_map(|info| &info.location);
    locations.map(|location| (location.path.as_slice(), location)).collect()
}

/// The leading comment at a path, without the space that follows each `//`.
fn comment(comments: &Comments<'_>, path: &[i32]) -> String {
    let text = comments[path].leading_comments();
    text.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

fn index(position: usize) -> i32 {
    i32::try_from(position).unwrap()
}

/// The comment of the enum, then a table for each group of its values. A detached comment is the heading of a group.
fn render_reasons(page: &mut String, file: &FileDescriptorProto) {
    let comments = comments(file);
    page.push_str(&markdown(&comment(&comments, &[ENUM, 0])));
    for (position, value) in file.enum_type[0].value.iter().enumerate().skip(1) {
        let path = [ENUM, 0, ENUM_VALUE, index(position)];
        if let Some(group) = comments[path.as_slice()].leading_detached_comments.first() {
            let group = sentence(group);
            let (heading, rest) = group.split_once(". ").unwrap_or((group.trim_end_matches('.'), ""));
            write!(page, "\n## {heading}\n\n").unwrap();
            if !rest.is_empty() {
                write!(page, "{rest}\n\n").unwrap();
            }
            page.push_str(
                "| reason | code and details | fault | retryable | meaning | to do |\n|---|---|---|---|---|---|\n",
            );
        }
        page.push_str(&row(reason(value.name()), &comment(&comments, &path)));
    }
}

/// The reason on the wire, from the name of a value.
fn reason(name: &str) -> &str {
    name.strip_prefix("ERROR_REASON_").unwrap()
}

/// The row of a reason: what happened, what to do, and with which code, which its comment says in this order.
fn row(name: &str, comment: &str) -> String {
    let (prose, example) = comment.split_once("\n\n").unwrap_or_else(|| panic!("{name} has no example"));
    let (meaning, rest) = prose.split_once("To do: ").unwrap_or_else(|| panic!("{name} does not say what to do"));
    let (to_do, code) = rest.split_once('\n').unwrap_or_else(|| panic!("{name} has no code"));
    let code = sentence(code);
    let (_, code) = code.trim_end_matches('.').split_once(" as ").unwrap_or_else(|| panic!("{name} has no code"));

    let mut examples = serde_json::Deserializer::from_str(example).into_iter::<Value>();
    let metadata = examples.next().unwrap().unwrap()["metadata"].clone();
    let remark = sentence(&example[examples.byte_offset()..]);
    let retryable = if remark.is_empty() { metadata["retryable"].as_str().unwrap() } else { "depends" };
    format!(
        "| `{name}` | {} | {} | {retryable} | {} | {} |\n",
        cell(&code_words(code)),
        metadata["fault"].as_str().unwrap(),
        cell(format!("{} {remark}", sentence(meaning)).trim()),
        cell(&capitalized(&sentence(to_do))),
    )
}

/// The reasons that the comments of services and RPCs list.
fn render_services(page: &mut String, file: &FileDescriptorProto, reasons: &BTreeSet<&str>) {
    let comments = comments(file);
    for (position, service) in file.service.iter().enumerate() {
        let path = [SERVICE, index(position)];
        for list in lists(&comment(&comments, &path), reasons) {
            write!(page, "\n{}\n\n| code | reasons |\n|---|---|\n", list.introduction).unwrap();
            for (code, text) in list.rows {
                writeln!(page, "| `{code}` | {} |", cell(&code_words(&text))).unwrap();
            }
        }
        write!(page, "\n### {}\n\n| RPC | code | reasons |\n|---|---|---|\n", service.name()).unwrap();
        for (position, method) in service.method.iter().enumerate() {
            let path = [path[0], path[1], METHOD, index(position)];
            let mut name = format!("`{}`", method.name());
            let listed = lists(&comment(&comments, &path), reasons);
            assert!(!listed.is_empty(), "the comment of {name} lists no errors");
            for (code, text) in listed.into_iter().flat_map(|list| list.rows) {
                writeln!(page, "| {name} | `{code}` | {} |", cell(&code_words(&text))).unwrap();
                name.clear();
            }
        }
    }
}

/// A list in a comment: a line that ends in a colon, then indented lines that begin with a code.
struct List {
    introduction: String,
    rows: Vec<(String, String)>,
}

/// The lists of a comment. A reason that does not exist fails; a name that ends in `_` stands for those that begin with it.
fn lists(comment: &str, reasons: &BTreeSet<&str>) -> Vec<List> {
    let row = Regex::new(r"^  ([A-Z_]+) +(.+)$").unwrap();
    let mut lists: Vec<List> = Vec::new();
    let mut introduction = String::new();
    let mut in_list = false;
    for line in comment.lines() {
        if let Some(found) = row.captures(line) {
            if !in_list {
                lists.push(List { introduction: capitalized(&introduction), rows: Vec::new() });
                introduction.clear();
                in_list = true;
            }
            lists.last_mut().unwrap().rows.push((found[1].to_owned(), found[2].to_owned()));
        } else if in_list && line.starts_with("   ") {
            let (_, text) = lists.last_mut().unwrap().rows.last_mut().unwrap();
            write!(text, " {}", line.trim()).unwrap();
        } else {
            in_list = false;
            introduction = if line.is_empty() { String::new() } else { format!("{introduction} {line}") };
        }
    }
    let name = Regex::new(r"\b[A-Z]+_[A-Z_]*").unwrap();
    for found in lists.iter().flat_map(|list| &list.rows).flat_map(|(_, text)| name.find_iter(text)) {
        let found = found.as_str();
        let group = found.ends_with('_') && reasons.iter().any(|reason| reason.starts_with(found));
        assert!(group || reasons.contains(found), "no reason is named {found}");
    }
    lists
}

fn capitalized(text: &str) -> String {
    let mut letters = text.trim().chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Text with names of codes, reasons and details marked as code.
fn code_words(text: &str) -> String {
    let word =
        Regex::new(r"`[^`]*`|\b(?:[A-Z]+_[A-Z_]*|[A-Z]{5,}|BadRequest|PreconditionFailure|ResourceInfo|RetryInfo)\b")
            .unwrap();
    word.replace_all(text, |found: &regex::Captures<'_>| match &found[0] {
        marked if marked.starts_with('`') => marked.to_owned(),
        word => format!("`{word}`"),
    })
    .into_owned()
}

/// A comment as Markdown: indented lines of a name and its meaning become a list.
fn markdown(comment: &str) -> String {
    let item = Regex::new(r"^  (\S+) {2,}(.+)$").unwrap();
    let mut text = String::new();
    let mut in_list = false;
    for line in comment.lines() {
        if let Some(found) = item.captures(line) {
            text.push_str(if in_list { "" } else { "\n" });
            writeln!(text, "- `{}`: {}", &found[1], &found[2]).unwrap();
            in_list = true;
        } else {
            text.push_str(if in_list { "\n" } else { "" });
            writeln!(text, "{line}").unwrap();
            in_list = false;
        }
    }
    text
}
