//! TLS: files that can change while the service runs, and the configuration that handshakes use.

mod configuration;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use thiserror::Error;

use crate::reload::{Refused, Reload, Reloadable};

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
    #[error("cannot be read: {}", described(.0))]
    Unreadable(io::ErrorKind),
    /// It is not a regular file.
    #[error("is not a regular file")]
    NotAFile,
    /// It is larger than any such file.
    #[error("is larger than {} bytes", configuration::MAX_FILE_BYTES)]
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
    /// The server's certificate has expired or is not valid yet.
    #[error("the certificate has expired or is not valid yet")]
    NotValidNow,
    /// The key is of no kind that TLS can use.
    #[error("the key is of no kind that TLS can use")]
    BadKey,
    /// The key is not that of the certificate.
    #[error("the key is not that of the certificate")]
    KeyMismatch,
}

/// In the words of std a missing file is an "entity", which in the same log means something else: Cedar's.
fn described(kind: &io::ErrorKind) -> String {
    if *kind == io::ErrorKind::NotFound { "no such file".to_owned() } else { kind.to_string() }
}

/// Everything that is wrong with the files of a TLS server.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", .0.iter().map(TlsFileError::to_string).collect::<Vec<_>>().join("; "))]
pub struct TlsError(pub Vec<TlsFileError>);

/// Encrypts connections, with the files as they were when they were last valid.
pub struct TlsAcceptor {
    files: TlsFiles,
    clients: ClientCertificates,
    config: Reloadable<ServerConfig>,
}

impl fmt::Debug for TlsAcceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsAcceptor")
            .field("files", &self.files)
            .field("clients", &self.clients)
            .finish_non_exhaustive()
    }
}

impl TlsAcceptor {
    /// Reads the files, or finds everything that is wrong with them.
    pub fn load(files: TlsFiles, clients: ClientCertificates) -> Result<Self, TlsError> {
        let contents = configuration::read(&files);
        let config = configuration::build(&files, &contents, clients)?;
        let digest = configuration::digest(&contents);
        Ok(Self { files, clients, config: Reloadable::new(config, Some(digest)) })
    }

    /// Reads the files again. If they changed and are valid, new handshakes use them, and connections stay. If they are not,
    /// everything stays as it was, and the errors are logged.
    pub fn reload(&self) -> Result<Reload, TlsError> {
        self.attempt(|_is_news| true)
    }

    /// Reloads every `interval`, for as long as it is polled. Logs an error when it is first seen.
    pub async fn watch(self: Arc<Self>, interval: Duration) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let this = Arc::clone(&self);
            // Files are read on a thread that may block.
            let reloaded = tokio::task::spawn_blocking(move || this.attempt(|is_news| is_news));
            if let Err(error) = reloaded.await {
                tracing::error!(%error, "reload of the TLS files aborted");
            }
        }
    }

    /// One reload. Invalid files are tried again even if they have not changed: a certificate may have become valid.
    fn attempt(&self, is_logged: impl Fn(bool) -> bool) -> Result<Reload, TlsError> {
        let mut turn = self.config.turn();
        let contents = configuration::read(&self.files);
        let digest = configuration::digest(&contents);
        match turn.replace(digest, || configuration::build(&self.files, &contents, self.clients)) {
            Ok(reload) => {
                let certificate = self.files.certificate.display();
                match reload {
                    Reload::Unchanged => {}
                    Reload::Recovered => tracing::info!(%certificate, "TLS files valid again"),
                    Reload::Replaced => tracing::info!(%certificate, "TLS files reloaded"),
                }
                Ok(reload)
            }
            Err(Refused { error, is_news }) => {
                for error in error.0.iter().filter(|_| is_logged(is_news)) {
                    tracing::error!(%error, "changed TLS files rejected, the last valid ones stay active");
                }
                Err(error)
            }
        }
    }

    pub(in crate::server) fn config(&self) -> Arc<ServerConfig> {
        self.config.current()
    }
}

fn file_error(file: &Path, problem: TlsProblem) -> TlsFileError {
    TlsFileError { file: file.to_owned(), problem }
}
