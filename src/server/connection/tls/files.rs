//! The files of a TLS server, and whether clients need certificates.

use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

/// The maximum size of a file, in bytes. A bundle of all public authorities has a quarter of it.
pub(super) const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The PEM files of a TLS server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain, the server's own first.
    pub certificate: PathBuf,
    /// The private key of the first certificate: PKCS #8, PKCS #1 or SEC 1, not encrypted.
    pub key: PathBuf,
    /// The authorities that sign client certificates. Without any, no client is asked for a certificate.
    pub client_ca: Vec<ClientCa>,
}

/// A file of authorities, and the trust domain that they are bound to: `FILE` or `FILE=spiffe://example.org`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCa {
    /// The certificates, PEM.
    pub file: PathBuf,
    /// The trust domain of every caller that the authorities may name; `None` for any caller.
    pub trust_domain: Option<String>,
}

impl FromStr for ClientCa {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        // A trust domain has no slash, and what follows the last `=spiffe://` of a path usually has.
        let bound = text.rsplit_once("=spiffe://").filter(|(_, trust_domain)| !trust_domain.contains('/'));
        let (file, trust_domain) = bound.map_or((text, None), |(file, domain)| (file, Some(domain.to_owned())));
        Ok(Self { file: file.into(), trust_domain })
    }
}

impl From<PathBuf> for ClientCa {
    fn from(file: PathBuf) -> Self {
        Self { file, trust_domain: None }
    }
}

/// Whether a client must present a certificate, if there is an authority for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// A handshake without one fails: for servers whose callers cannot authenticate otherwise.
    Required,
    /// A handshake without one succeeds. One that is presented must still be valid.
    Optional,
}
