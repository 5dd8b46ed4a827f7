//! This module runs the program's commands.

mod dev;
mod serve;
mod signal;

pub use dev::dev;
pub use serve::serve;

use std::io;
use std::net::SocketAddr;

use crate::embedded;
use crate::server::ServeError;

/// Why a command ended without doing what it should.
#[derive(Debug)]
pub enum CommandError {
    /// The log could not be set up.
    Log(tracing_subscriber::util::TryInitError),
    /// `LOG_SENSITIVE_BODIES` is set, at which the SDK would log secrets.
    SensitiveBodies,
    /// The address could not be listened on.
    Listen(SocketAddr, io::Error),
    /// The signal handlers could not be set up.
    Signal(io::Error),
    /// The embedded Cognito could not start.
    Embedded(embedded::StartError),
    /// The embedded Cognito did not mint an access token for the demo user.
    DemoToken(String),
    /// Standard output could not be written to.
    Output(io::Error),
    /// The service could not be served.
    Serve(ServeError),
}

impl std::fmt::Display for CommandError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Log(error) => write!(f, "the log cannot be set up: {error}"),
            Self::SensitiveBodies => {
                f.write_str("LOG_SENSITIVE_BODIES is set, at which the AWS SDK would log secrets; unset it")
            }
            Self::Listen(address, error) => write!(f, "cannot listen on {address}: {error}"),
            Self::Signal(error) => write!(f, "signal handlers cannot be set up: {error}"),
            Self::Embedded(error) => write!(f, "the embedded Cognito cannot start: {error}"),
            Self::DemoToken(error) => write!(f, "no access token for the demo user: {error}"),
            Self::Output(error) => write!(f, "standard output cannot be written to: {error}"),
            Self::Serve(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for CommandError {}
