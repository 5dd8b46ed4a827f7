//! Why the service could not be served.

use std::io;

use thiserror::Error;

/// Why the service could not be served.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The listener failed.
    #[error("the listener failed")]
    Listener(#[source] io::Error),
    /// The descriptors that reflection returns are unreadable.
    #[error("reflection cannot be served")]
    Reflection(#[source] tonic_reflection::server::Error),
    /// A worker could not be started.
    #[error("a worker cannot be started")]
    Worker(#[source] io::Error),
    /// A worker ended though nobody asked it to.
    #[error("a worker ended unexpectedly")]
    WorkerLost,
}
