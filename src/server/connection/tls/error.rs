//! What can be wrong with the files of a TLS server.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::server::connection::tls::files::MAX_FILE_BYTES;

/// What is wrong with a file of a TLS server.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}: {problem}", .file.display())]
pub struct TlsFileError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub problem: TlsProblem,
}

/// What can be wrong with a file of a TLS server.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TlsProblem {
    /// It cannot be read.
    #[error("cannot be read: {}", described(*.0))]
    Unreadable(io::ErrorKind),
    /// It is not a regular file.
    #[error("is not a regular file")]
    NotAFile,
    /// It is larger than any such file.
    #[error("is larger than {} bytes", MAX_FILE_BYTES)]
    TooLarge,
    /// It has no PEM block of a certificate.
    #[error("has no PEM block of a certificate")]
    NoCertificate,
    /// It has no PEM block of a private key.
    #[error("has no PEM block of a private key")]
    NoKey,
    /// Its key needs a passphrase, which nobody could type on a reload.
    #[error("the key is encrypted; give one that needs no passphrase")]
    EncryptedKey,
    /// A PEM block in it is malformed.
    #[error("is not well-formed PEM")]
    NotPem,
    /// A certificate in it is malformed, or cannot be used.
    #[error("has a certificate that cannot be used")]
    BadCertificate,
    /// A certificate for callers' authorities is not that of an authority: its holder could sign for every caller.
    #[error("has a certificate that is not an authority's (CA:TRUE, and keyCertSign if it has key usages)")]
    NotAnAuthority,
    /// The trust domain that an authority is bound to is none.
    #[error("is bound to what is not a trust domain")]
    BadTrustDomain,
    /// The server's certificate, or that of an authority, has expired or is not valid yet.
    #[error("a certificate has expired or is not valid yet")]
    NotValidNow,
    /// The key is of no kind that TLS can use.
    #[error("the key is of no kind that TLS can use")]
    BadKey,
    /// The key is not that of the certificate.
    #[error("the key is not that of the certificate")]
    KeyMismatch,
}

/// In the words of std a missing file is an "entity", which in the same log means something else: Cedar's.
fn described(kind: io::ErrorKind) -> String {
    if kind == io::ErrorKind::NotFound { "no such file".to_owned() } else { kind.to_string() }
}

/// Everything that is wrong with the files of a TLS server.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", .0.iter().map(TlsFileError::to_string).collect::<Vec<_>>().join("; "))]
pub struct TlsError(pub Vec<TlsFileError>);

impl TlsFileError {
    pub(super) fn new(file: &Path, problem: TlsProblem) -> Self {
        Self { file: file.to_owned(), problem }
    }
}
