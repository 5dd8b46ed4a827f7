//! This file is `mfagate policy`: the schema, the explanation of a decision, and tables of expected decisions.

use crate::authz::policy::{
    ContextWords, Policies, Question, QuestionWords, explain as explanation, schema_text, test_table,
};
use crate::command::{CommandError, print};
use crate::config::{Explain, Policy, PolicyFiles, Test};

/// Looks into policies.
pub fn policy(action: Policy) -> Result<(), CommandError> {
    match action {
        Policy::Schema => print(schema_text()),
        Policy::Explain(options) => explain(*options),
        Policy::Test(options) => test(&options),
    }
}

fn explain(options: Explain) -> Result<(), CommandError> {
    let Explain { files, caller, certificate, scopes, groups, issuer, token, action, pool, context } = options;
    let policies = load(&files)?;
    let refused = |error: crate::authz::policy::QuestionError| CommandError::Question(error.to_string());
    let context = ContextWords::parse(context.iter().map(String::as_str)).map_err(refused)?;
    let words = QuestionWords { caller, certificate, scopes, groups, issuer, token, action, pool, context };
    let question = Question::parse(&words, &policies).map_err(refused)?;
    print(&explanation(&policies, &question))
}

fn test(options: &Test) -> Result<(), CommandError> {
    let policies = load(&options.files)?;
    let report = test_table(&policies, &options.table).map_err(CommandError::Policies)?;
    print(&report.text())?;
    if report.passed() { Ok(()) } else { Err(CommandError::Unexpected(report.mismatches.len())) }
}

fn load(files: &PolicyFiles) -> Result<Policies, CommandError> {
    Policies::load(&files.policies, files.entities.as_deref()).map_err(CommandError::Policies)
}
