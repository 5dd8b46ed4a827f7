//! TLS: files that can change while the service runs, and the configuration that handshakes use.

mod acceptor;
mod authority;
mod configuration;
mod error;
mod expiry;
mod files;
mod name_constraints;

pub(in crate::server) use acceptor::BoxFuture;
pub use acceptor::TlsAcceptor;
pub use error::{TlsError, TlsFileError, TlsProblem};
pub use files::{ClientCa, ClientCertificates, TlsFiles};
