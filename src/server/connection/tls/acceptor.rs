//! The TLS configuration of new handshakes, reloaded when its files change.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;

use crate::reload::{Rejected, Reload, Reloadable};
use crate::server::connection::tls::configuration;
use crate::server::connection::tls::error::TlsError;
use crate::server::connection::tls::files::{ClientCertificates, TlsFiles};

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
            let reloaded = tokio::task::spawn_blocking(move || this.attempt(|is_new| is_new));
            if let Err(error) = reloaded.await {
                let certificate = self.files.certificate.display();
                tracing::error!(%certificate, %error, "reload of the TLS files aborted");
            }
        }
    }

    /// One reload. Invalid files are tried again even if they have not changed: a certificate may have become valid.
    fn attempt(&self, is_logged: impl Fn(bool) -> bool) -> Result<Reload, TlsError> {
        let mut guard = self.config.begin_reload();
        let contents = configuration::read(&self.files);
        let digest = configuration::digest(&contents);
        match guard.replace(digest, || configuration::build(&self.files, &contents, self.clients)) {
            Ok(reload) => {
                let certificate = self.files.certificate.display();
                match reload {
                    Reload::Unchanged => {}
                    Reload::Recovered => tracing::info!(%certificate, "TLS files valid again"),
                    Reload::Replaced => tracing::info!(%certificate, "TLS files reloaded"),
                }
                Ok(reload)
            }
            Err(Rejected { error, is_new }) => {
                for error in error.0.iter().filter(|_| is_logged(is_new)) {
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
