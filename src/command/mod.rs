//! This module runs the program's commands.

mod assemble;
mod dev;
mod policy;
mod serve;
mod signal;

pub use assemble::Faults;
pub use dev::dev;
pub use policy::policy;
pub use serve::{check, serve};

use std::io::{self, Write as _};
use std::net::SocketAddr;

use crate::authz::policy::LoadError;
use crate::server::ServeError;

/// Why a command ended without doing what it should.
#[derive(Debug)]
pub enum CommandError {
    /// The runtime could not be started.
    Runtime(io::Error),
    /// `LOG_SENSITIVE_BODIES` is set, at which the SDK would log secrets.
    SensitiveBodies,
    /// The address could not be listened on.
    Listen(SocketAddr, io::Error),
    /// The signal handlers could not be set up.
    Signal(io::Error),
    /// The embedded Cognito could not start.
    Embedded(cognito_emulator::StartError),
    /// The embedded Cognito did not mint an access token for the demo user.
    DemoToken(String),
    /// Standard output could not be written to.
    Output(io::Error),
    /// The service could not be served.
    Serve(ServeError),
    /// The options of `serve`, or the files that they name, are wrong.
    Faults(Faults),
    /// The policies are wrong.
    Policies(LoadError),
    /// The words of `policy explain` are no question.
    Question(String),
    /// So many decisions of a table were others than expected.
    Unexpected(usize),
}

impl CommandError {
    /// The exit code of a program that ends so: 2 where what it was given is wrong, 1 where it could not do it.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Faults(_) | Self::Policies(_) | Self::Question(_) | Self::Unexpected(_) => 2,
            Self::Runtime(_)
            | Self::SensitiveBodies
            | Self::Listen(..)
            | Self::Signal(_)
            | Self::Embedded(_)
            | Self::DemoToken(_)
            | Self::Output(_)
            | Self::Serve(_) => 1,
        }
    }

    /// What is wrong, a sentence each.
    pub fn faults(&self) -> Vec<String> {
        if let Self::Faults(faults) = self {
            return faults.all().to_vec();
        }
        if let Self::Policies(error) = self {
            return error.faults().iter().map(ToString::to_string).collect();
        }
        vec![self.to_string()]
    }
}

impl std::fmt::Display for CommandError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Runtime(error) => write!(f, "the runtime cannot be started: {error}"),
            Self::SensitiveBodies => {
                f.write_str("LOG_SENSITIVE_BODIES is set, at which the AWS SDK would log secrets; unset it")
            }
            Self::Listen(address, error) => write!(f, "cannot listen on {address}: {error}"),
            Self::Signal(error) => write!(f, "signal handlers cannot be set up: {error}"),
            Self::Embedded(error) => write!(f, "the embedded Cognito cannot start: {error}"),
            Self::DemoToken(error) => write!(f, "no access token for the demo user: {error}"),
            Self::Output(error) => write!(f, "standard output cannot be written to: {error}"),
            Self::Serve(error) => write!(f, "{error}"),
            Self::Faults(faults) => write!(f, "{faults}"),
            Self::Policies(error) => write!(f, "{error}"),
            Self::Question(error) => write!(f, "{error}"),
            Self::Unexpected(count) => write!(f, "decisions that are not the expected ones: {count}"),
        }
    }
}

impl std::error::Error for CommandError {}

fn print(text: &str) -> Result<(), CommandError> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).map_err(CommandError::Output)
}
