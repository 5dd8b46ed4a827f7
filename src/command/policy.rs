//! `mfagate policy`: the schema, the explanation of a decision, and tables of expected decisions.

use std::fs;

use crate::authz::policy::{Policies, Query, explain as explanation, schema_text, test_table};
use crate::command::{CommandError, print};
use crate::config::{Explain, Policy, PolicyFiles, Test};
use crate::error::chain;

/// Inspects policies.
pub fn policy(action: Policy) -> Result<(), CommandError> {
    match action {
        Policy::Schema => print(schema_text()),
        Policy::Explain(options) => explain(*options),
        Policy::Test(options) => test(&options),
    }
}

fn explain(options: Explain) -> Result<(), CommandError> {
    let Explain { files, record, query } = options;
    let policies = load(&files)?;
    let query = match record {
        None => query,
        Some(file) => {
            let line = fs::read_to_string(&file)
                .map_err(|error| CommandError::Audit(format!("{}: {}", file.display(), chain(&error))))?;
            query.or_record(&line).map_err(CommandError::Query)?
        }
    };
    let query = Query::parse(&query, &policies).map_err(CommandError::Query)?;
    print(&explanation(&policies, &query))
}

fn test(options: &Test) -> Result<(), CommandError> {
    let policies = load(&options.files)?;
    let report = test_table(&policies, &options.table).map_err(CommandError::Policies)?;
    let unlisted = policies.unlisted_callers();
    if options.strict && !unlisted.is_empty() {
        return Err(CommandError::Unlisted(unlisted));
    }
    for problem in &unlisted {
        tracing::warn!(%problem, "policies are questionable");
    }
    print(&report.text())?;
    if report.passed() { Ok(()) } else { Err(CommandError::Unexpected(report.mismatches.len())) }
}

fn load(files: &PolicyFiles) -> Result<Policies, CommandError> {
    Policies::load(&files.policies, files.entities.as_deref()).map_err(CommandError::Policies)
}
