//! Why a server is not known to be serving, in the words of `grpc_health_probe`.

use std::error::Error;
use std::time::Duration;
use std::{fmt, iter};

use tonic::{Code, Status, TimeoutExpired};
use tonic_health::pb::health_check_response::ServingStatus;

use crate::config::ProbeAddress;
use crate::error::chain;

/// Why a server is not known to be serving.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// A file of TLS cannot be used.
    #[error("failed to initialize tls credentials. error={0}")]
    Credentials(String),
    /// No connection was made in time.
    #[error("timeout: failed to connect service \"{address}\" within {timeout:?}{cause}")]
    Connect {
        /// The server.
        address: ProbeAddress,
        /// How long it was tried.
        timeout: Duration,
        /// Why the last try failed.
        cause: Cause,
    },
    /// The server has no health service.
    #[error("error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {0}")]
    Unimplemented(String),
    /// The call did not end in time.
    #[error("timeout: health rpc did not complete within {0:?}")]
    RpcTimeout(Duration),
    /// The call failed.
    #[error("error: health rpc failed: rpc error: code = {0:?} desc = {1}")]
    Rpc(Code, String),
    /// The server says that it is not serving.
    #[error("service unhealthy (responded with \"{}\")", .0.as_str_name())]
    Unhealthy(ServingStatus),
}

impl ProbeError {
    /// What it means that the call ended with this status.
    pub(super) fn of(status: &Status, timeout: Duration) -> Self {
        let cause = status.source();
        // tonic has a timer of its own for the timeout that it sends to the server.
        let is_timer = iter::successors(cause, |&error| error.source()).any(<dyn Error>::is::<TimeoutExpired>);
        let code = status.code();
        if is_timer || code == Code::DeadlineExceeded {
            return Self::RpcTimeout(timeout);
        }
        let message = cause.map_or_else(|| status.message().to_owned(), chain);
        // What a server says goes to a terminal.
        let message = message.replace(char::is_control, " ");
        if code == Code::Unimplemented { Self::Unimplemented(message) } else { Self::Rpc(code, message) }
    }

    /// The exit code of `grpc_health_probe`.
    pub(in crate::command) fn exit_code(&self) -> u8 {
        match self {
            Self::Credentials(_) => 1,
            Self::Connect { .. } => 2,
            Self::Unimplemented(_) | Self::RpcTimeout(_) | Self::Rpc(..) => 3,
            Self::Unhealthy(_) => 4,
        }
    }
}

/// Why the last try failed, if one did: a try that is still running when time is up has not.
#[derive(Debug)]
pub struct Cause(pub(super) Option<Box<dyn Error + Send + Sync>>);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_deref().map_or(Ok(()), |error| write!(f, ": {}", chain(error)))
    }
}
