//! This file says why a set of policies is refused: every fault, with its place.

use std::fmt;
use std::path::{Path, PathBuf};

/// One thing that is wrong with a set of policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file or directory. None where the fault is in what is built in.
    pub file: Option<PathBuf>,
    /// The line, counted from 1, where one is to blame.
    pub line: Option<usize>,
    /// What is wrong.
    pub problem: String,
}

impl Fault {
    pub(super) fn built_in(problem: impl Into<String>) -> Self {
        Self { file: None, line: None, problem: problem.into() }
    }

    pub(super) fn at(file: &Path, line: Option<usize>, problem: impl Into<String>) -> Self {
        Self { file: Some(file.to_owned()), line, problem: problem.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{}:{line}: {}", file.display(), self.problem),
            (Some(file), None) => write!(f, "{}: {}", file.display(), self.problem),
            (None, _) => f.write_str(&self.problem),
        }
    }
}

/// Why a set of policies was not loaded: never without a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    faults: Vec<Fault>,
}

impl LoadError {
    /// The error of these faults, if there are any.
    pub(super) fn check(faults: Vec<Fault>) -> Result<(), Self> {
        if faults.is_empty() { Ok(()) } else { Err(Self { faults }) }
    }

    /// Every fault that was found.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

impl From<Fault> for LoadError {
    fn from(fault: Fault) -> Self {
        Self { faults: vec![fault] }
    }
}

/// One line a fault.
impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, fault) in self.faults.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadError {}
