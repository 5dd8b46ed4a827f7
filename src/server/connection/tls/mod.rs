//! TLS: files that can change while the service runs, and the configuration that handshakes use.

mod acceptor;
mod configuration;
mod error;
mod files;

pub use acceptor::TlsAcceptor;
pub use error::{TlsError, TlsFileError, TlsProblem};
pub use files::{ClientCertificates, TlsFiles};
