//! Tables of expected decisions, with which a team tests its policies before they are active.

use std::io;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use crate::authz::policy::error::{LoadError, PolicyProblem};
use crate::authz::policy::policies::{Decision, Policies};
use crate::authz::policy::query::{Query, QueryArgs};
use crate::reload::file;

/// The result of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableReport {
    /// How many decisions the table expects.
    pub expected: usize,
    /// One line for each decision that is not as expected.
    pub mismatches: Vec<String>,
}

impl TableReport {
    /// Whether every decision is the expected one.
    pub fn passed(&self) -> bool {
        self.mismatches.is_empty()
    }

    /// The report as `mfagate policy test` prints it.
    pub fn text(&self) -> String {
        let summary = format!("{} decisions, {} not as expected\n", self.expected, self.mismatches.len());
        self.mismatches.iter().map(|mismatch| format!("{mismatch}\n")).chain([summary]).collect()
    }
}

/// A table in TOML: one `[[decision]]` per expected decision.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    decision: Vec<Spanned<Row>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// What the row shows.
    title: String,
    #[serde(flatten)]
    query: QueryArgs,
    expect: Expected,
    /// The ids of all policies that must make the decision. If left out, any may.
    policies: Option<Vec<String>>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Allow,
    Deny,
}

/// Asks the policies every query of the table. Fails if the file is not a table, with every problem in it.
pub fn test_table(policies: &Policies, file: &Path) -> Result<TableReport, LoadError> {
    let failed = |error: io::Error| PolicyProblem::at(file, None, format!("cannot be read: {error}"));
    let text = read(file).map_err(failed)?;
    let line = |offset: usize| 1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
    let table: Table = toml::from_str(&text)
        .map_err(|error| PolicyProblem::at(file, error.span().map(|span| line(span.start)), error.message()))?;
    if table.decision.is_empty() {
        return Err(PolicyProblem::at(file, None, "expects no decision, so it tests nothing").into());
    }

    let (mut problems, mut mismatches) = (Vec::new(), Vec::new());
    let expected = table.decision.len();
    for row in table.decision {
        let line = line(row.span().start);
        let Row { title, query, expect, policies: by } = row.into_inner();
        match Query::parse(&query, policies) {
            Err(error) => problems.push(PolicyProblem::at(file, Some(line), format!("{title}: {error}"))),
            Ok(query) => {
                let mismatch = mismatch(expect, by, &query.ask(policies));
                mismatches.extend(mismatch.map(|mismatch| format!("{}:{line}: {title}: {mismatch}", file.display())));
            }
        }
    }
    LoadError::check(problems)?;
    Ok(TableReport { expected, mismatches })
}

fn read(file: &Path) -> io::Result<String> {
    let file = file::open(file)?.ok_or_else(|| io::Error::other("it is not a regular file"))?;
    io::read_to_string(file)
}

/// How the decision differs from what is expected, if it does.
fn mismatch(expect: Expected, by: Option<Vec<String>>, decision: &Decision) -> Option<String> {
    let decided = if decision.allowed { Expected::Allow } else { Expected::Deny };
    let word = |decision| match decision {
        Expected::Allow => "allow",
        Expected::Deny => "deny",
    };
    let made_by = |ids: &[String]| if ids.is_empty() { "no policy".to_owned() } else { ids.join(", ") };
    if decided != expect {
        let errors = decision.errors.iter().fold(String::new(), |errors, error| errors + "; " + error);
        let makers = made_by(&decision.policy_ids);
        return Some(format!("expected {}, but it is {} by {makers}{errors}", word(expect), word(decided)));
    }
    let mut by = by?;
    by.sort();
    (by != decision.policy_ids).then(|| {
        format!("{} as expected, but by {} and not {}", word(decided), made_by(&decision.policy_ids), made_by(&by))
    })
}
