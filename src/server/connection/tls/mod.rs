//! This module is TLS: files that can change while we serve, and the configuration that handshakes are made with.

mod configuration;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;

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

/// Whether a client must present a certificate, where there is an authority for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// A handshake without one fails: for servers whose callers have no other way to say who they are.
    Required,
    /// A handshake without one succeeds. One that is presented must still be good.
    Optional,
}

/// What is wrong with the files of a TLS server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFault {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub problem: TlsProblem,
}

/// What can be wrong with a file of a TLS server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsProblem {
    /// It could not be read.
    Unreadable(io::ErrorKind),
    /// It is no regular file.
    NotAFile,
    /// It is larger than any such file.
    TooLarge,
    /// It holds no PEM block of a certificate.
    NoCertificate,
    /// It holds no PEM block of a private key.
    NoKey,
    /// Its key needs a passphrase, which nobody could type when it is read again.
    EncryptedKey,
    /// A PEM block in it is broken.
    NotPem,
    /// A certificate in it is not one, or cannot be used.
    BadCertificate,
    /// The server's certificate is not valid at this time: it has expired or is not valid yet.
    NotValidNow,
    /// The key is of no kind that TLS can use.
    BadKey,
    /// The key is not that of the certificate.
    KeyMismatch,
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.problem)
    }
}

impl fmt::Display for TlsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // In the words of std it is an "entity", which in the same log is something else: Cedar's.
            Self::Unreadable(io::ErrorKind::NotFound) => f.write_str("cannot be read: no such file"),
            Self::Unreadable(kind) => write!(f, "cannot be read: {kind}"),
            Self::NotAFile => f.write_str("is no regular file"),
            Self::TooLarge => write!(f, "is larger than {} bytes", configuration::LARGEST_FILE),
            Self::NoCertificate => f.write_str("has no PEM block of a certificate"),
            Self::NoKey => f.write_str("has no PEM block of a private key"),
            Self::EncryptedKey => f.write_str("the key is encrypted; give one that needs no passphrase"),
            Self::NotPem => f.write_str("is not well-formed PEM"),
            Self::BadCertificate => f.write_str("has a certificate that cannot be used"),
            Self::NotValidNow => f.write_str("the certificate has expired or is not valid yet"),
            Self::BadKey => f.write_str("the key is of no kind that TLS can use"),
            Self::KeyMismatch => f.write_str("the key is not that of the certificate"),
        }
    }
}

impl std::error::Error for TlsFault {}

/// What became of a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// The files say what they said before.
    Unchanged,
    /// New handshakes use what the files say now.
    Changed,
}

/// Makes TLS connections of TCP connections, by what the files said when they were last good.
#[derive(Debug)]
pub struct TlsAcceptor {
    files: TlsFiles,
    clients: ClientCertificates,
    current: ArcSwap<ServerConfig>,
    /// Held during a reload, so that there is one at a time.
    seen: Mutex<Seen>,
}

/// What the last reload found, so that good files are not read for nothing and bad ones are logged once.
#[derive(Debug)]
struct Seen {
    digest: configuration::Digest,
    good: bool,
}

impl TlsAcceptor {
    /// Reads the files, or says everything that is wrong with them.
    pub fn load(files: TlsFiles, clients: ClientCertificates) -> Result<Self, Vec<TlsFault>> {
        let contents = configuration::read(&files);
        let config = configuration::build(&files, &contents, clients)?;
        let seen = Mutex::new(Seen { digest: configuration::digest(&contents), good: true });
        Ok(Self { files, clients, current: ArcSwap::from_pointee(config), seen })
    }

    /// Reads the files again. Where they changed and are good, new handshakes use them, and connections stay. Where they are
    /// bad, everything stays as it was; that is logged when it is first seen.
    pub fn reload(&self) -> Result<Reload, Vec<TlsFault>> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let contents = configuration::read(&self.files);
        let digest = configuration::digest(&contents);
        let new = seen.digest != digest;
        if seen.good && !new {
            return Ok(Reload::Unchanged);
        }
        // Bad files are tried again even if they are the same: a certificate may have become valid.
        let built = configuration::build(&self.files, &contents, self.clients);
        *seen = Seen { digest, good: built.is_ok() };
        match built {
            Ok(config) => {
                self.current.store(Arc::new(config));
                tracing::info!(certificate = %self.files.certificate.display(), "the TLS files were reloaded");
                Ok(Reload::Changed)
            }
            Err(faults) => {
                for fault in faults.iter().filter(|_| new) {
                    tracing::error!(%fault, "changed TLS files were refused, the last good ones stay in use");
                }
                Err(faults)
            }
        }
    }

    /// Reloads every `interval`, for as long as it is polled.
    pub async fn watch(self: Arc<Self>, interval: Duration) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let this = Arc::clone(&self);
            // Files are read on a thread that may block. A bad reload has logged its faults.
            if let Err(error) = tokio::task::spawn_blocking(move || this.reload()).await {
                tracing::error!(%error, "a reload of the TLS files ended early");
            }
        }
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        self.current.load_full()
    }
}

fn fault(file: &Path, problem: TlsProblem) -> TlsFault {
    TlsFault { file: file.to_owned(), problem }
}
