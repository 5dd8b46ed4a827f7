//! The files of a TLS server, and whether clients need certificates.

use std::path::PathBuf;

/// The maximum size of a file, in bytes. A bundle of all public authorities has a quarter of it.
pub(super) const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The PEM files of a TLS server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain, the server's own first.
    pub certificate: PathBuf,
    /// The private key of the first certificate: PKCS #8, PKCS #1 or SEC 1, not encrypted.
    pub key: PathBuf,
    /// The authorities that sign client certificates. Without it, no client is asked for a certificate.
    pub client_ca: Option<PathBuf>,
}

/// Whether a client must present a certificate, if there is an authority for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// A handshake without one fails: for servers whose callers cannot authenticate otherwise.
    Required,
    /// A handshake without one succeeds. One that is presented must still be valid.
    Optional,
}
