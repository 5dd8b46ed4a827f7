//! The commands of the program.

mod advice;
mod assemble;
mod audit;
mod dev;
mod open_files;
mod policy;
mod probe;
mod ready_file;
mod serve;
mod signal;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

use crate::authz::policy::{LoadError, PolicyProblem, QueryError};
use crate::error::chain;
use crate::server::ServeError;

pub use assemble::ConfigErrors;
pub use audit::audit;
pub use dev::dev;
pub use policy::policy;
pub use probe::{ProbeError, probe};
pub use serve::{check, serve};

/// Why a command failed.
#[derive(Debug, Error)]
pub enum CommandError {
    /// The runtime could not be started.
    #[error("the runtime cannot be started")]
    Runtime(#[source] io::Error),
    /// `LOG_SENSITIVE_BODIES` is set, at which the SDK would log secrets.
    #[error("LOG_SENSITIVE_BODIES is set, at which the AWS SDK would log secrets; unset it")]
    SensitiveBodies,
    /// The address could not be listened on.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
    /// The signal handlers could not be set up.
    #[error("signal handlers cannot be set up")]
    Signal(#[source] io::Error),
    /// The embedded Cognito could not start.
    #[error("the embedded Cognito cannot start")]
    Embedded(#[source] cognito_emulator::StartError),
    /// The embedded Cognito did not issue an access token for the demo user.
    #[error("no access token for the demo user: {0}")]
    DemoToken(String),
    /// The file of `--ready-file` could not be written or removed.
    #[error("the ready file {} cannot be written", .0.display())]
    ReadyFile(PathBuf, #[source] io::Error),
    /// Standard output could not be written to.
    #[error("standard output cannot be written to")]
    Output(#[source] io::Error),
    /// The service could not be served.
    #[error("the service cannot be served")]
    Serve(#[source] ServeError),
    /// The options of `serve`, or the files that they name, are wrong.
    #[error(transparent)]
    Config(ConfigErrors),
    /// The policies are wrong.
    #[error(transparent)]
    Policies(LoadError),
    /// Policies name callers that no entities file lists, and all must be listed.
    #[error("policies name callers that no entities file lists")]
    Unlisted(Vec<PolicyProblem>),
    /// The arguments of `policy explain` are not a query.
    #[error(transparent)]
    Query(QueryError),
    /// This many decisions of a table were not as expected.
    #[error("{0} decisions are not as expected")]
    Unexpected(usize),
    /// The keys, files or records that an audit command was given are wrong.
    #[error("{0}")]
    Audit(String),
    /// A chain of records is broken in this many places, or there is none.
    #[error("the records are not an unbroken chain: {0} breaks")]
    ChainBroken(usize),
    /// Standard input could not be read.
    #[error("standard input cannot be read")]
    Input(#[source] io::Error),
    /// The server that was asked is not known to be serving.
    #[error(transparent)]
    Probe(ProbeError),
}

impl CommandError {
    /// The exit code: 2 if what the command was given is wrong, 1 if it could not do its work. `probe` has its own.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_)
            | Self::Policies(_)
            | Self::Unlisted(_)
            | Self::Query(_)
            | Self::Unexpected(_)
            | Self::Audit(_)
            | Self::ChainBroken(_) => 2,
            Self::Runtime(_)
            | Self::SensitiveBodies
            | Self::Listen(..)
            | Self::Signal(_)
            | Self::Embedded(_)
            | Self::DemoToken(_)
            | Self::ReadyFile(..)
            | Self::Output(_)
            | Self::Input(_)
            | Self::Serve(_) => 1,
            Self::Probe(error) => error.exit_code(),
        }
    }

    /// Every problem, a sentence each. `probe` has said its own.
    pub fn problems(&self) -> Vec<String> {
        match self {
            Self::Config(errors) => errors.all().to_vec(),
            Self::Policies(error) => error.problems().iter().map(PolicyProblem::to_string).collect(),
            Self::Unlisted(problems) => problems.iter().map(PolicyProblem::to_string).collect(),
            Self::Runtime(_)
            | Self::SensitiveBodies
            | Self::Listen(..)
            | Self::Signal(_)
            | Self::Embedded(_)
            | Self::DemoToken(_)
            | Self::ReadyFile(..)
            | Self::Output(_)
            | Self::Input(_)
            | Self::Serve(_)
            | Self::Audit(_)
            | Self::ChainBroken(_)
            | Self::Query(_)
            | Self::Unexpected(_) => vec![chain(self)],
            Self::Probe(_) => Vec::new(),
        }
    }
}

fn print(text: &str) -> Result<(), CommandError> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).map_err(CommandError::Output)
}
