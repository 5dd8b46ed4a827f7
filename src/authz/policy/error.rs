//! Why a set of policies is rejected: every problem, with its place.

use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A problem of a set of policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyProblem {
    /// The file or directory. `None` if the problem is in what is built in.
    pub file: Option<PathBuf>,
    /// The line, counted from 1, if one is to blame.
    pub line: Option<usize>,
    /// What is wrong.
    pub problem: String,
}

impl PolicyProblem {
    pub(super) fn built_in(problem: impl Into<String>) -> Self {
        Self { file: None, line: None, problem: problem.into() }
    }

    pub(super) fn at(file: &Path, line: Option<usize>, problem: impl Into<String>) -> Self {
        Self { file: Some(file.to_owned()), line, problem: problem.into() }
    }
}

impl fmt::Display for PolicyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{}:{line}: {}", file.display(), self.problem),
            (Some(file), None) => write!(f, "{}: {}", file.display(), self.problem),
            (None, _) => f.write_str(&self.problem),
        }
    }
}

/// Why a set of policies was not loaded: never without a problem. Displays one line per problem.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", .problems.iter().map(PolicyProblem::to_string).collect::<Vec<_>>().join("\n"))]
pub struct LoadError {
    problems: Vec<PolicyProblem>,
}

impl LoadError {
    /// The error of these problems, if there are any.
    pub(super) fn check(problems: Vec<PolicyProblem>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self { problems }) }
    }

    /// Every problem that was found.
    pub fn problems(&self) -> &[PolicyProblem] {
        &self.problems
    }
}

impl From<PolicyProblem> for LoadError {
    fn from(problem: PolicyProblem) -> Self {
        Self { problems: vec![problem] }
    }
}
