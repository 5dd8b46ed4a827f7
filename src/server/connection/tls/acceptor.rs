//! The TLS configuration of new handshakes, reloaded when its files change.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustls::pki_types::CertificateDer;
use tokio::sync::watch;

use crate::reload::{Rejected, Reload, Reloadable};
use crate::server::connection::tls::configuration::{self, TlsConfig};
use crate::server::connection::tls::error::TlsError;
use crate::server::connection::tls::expiry::{self, ExpiryNotice, Stage};
use crate::server::connection::tls::files::{ClientCertificates, TlsFiles};

/// A future of a connection.
pub(in crate::server) type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Encrypts connections, with the files as they were when they were last valid.
pub struct TlsAcceptor {
    files: TlsFiles,
    clients: ClientCertificates,
    config: Reloadable<TlsConfig>,
    /// Told of every new configuration.
    replaced: watch::Sender<()>,
    expiry: Mutex<ExpiryNotice>,
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
        Ok(Self {
            files,
            clients,
            config: Reloadable::new(config, Some(digest)),
            replaced: watch::Sender::new(()),
            expiry: Mutex::default(),
        })
    }

    /// Reads the files again. If they changed and are valid, new handshakes use them, and connections stay whose certificate is still
    /// one that an authority may issue. If they are not, everything stays as it was, and the errors are logged.
    pub fn reload(&self) -> Result<Reload, TlsError> {
        self.attempt(|_is_due| true)
    }

    /// Reloads every `interval`, for as long as it is polled. Logs an error when it is first seen.
    pub async fn watch(self: Arc<Self>, interval: Duration) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let this = Arc::clone(&self);
            // Files are read on a thread that may block.
            let reloaded = tokio::task::spawn_blocking(move || {
                this.log_expiry();
                this.attempt(|is_due| is_due)
            });
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
                    Reload::Replaced => {
                        tracing::info!(%certificate, "TLS files reloaded");
                        self.replaced.send_replace(());
                    }
                }
                Ok(reload)
            }
            Err(Rejected { error, is_due }) => {
                for error in error.0.iter().filter(|_| is_logged(is_due)) {
                    tracing::error!(%error, "changed TLS files rejected, the last valid ones stay active");
                }
                Err(error)
            }
        }
    }

    /// When the server's certificate expires, in UTC.
    pub fn certificate_expires(&self) -> String {
        expiry::text(self.config().expires)
    }

    /// The certificates in use that have expired or will within seven days.
    pub fn expiry_warnings(&self) -> Vec<String> {
        self.expiring().into_iter().map(|(_, text)| text).collect()
    }

    fn expiring(&self) -> Vec<(Stage, String)> {
        let (config, now) = (self.config(), SystemTime::now());
        let server = (self.files.certificate.display().to_string(), config.expires);
        let authorities = config.callers.iter().flat_map(|callers| callers.authorities());
        let authorities = authorities.map(|authority| (authority.subject(), authority.expires));
        let stage = |(name, expires): (String, SystemTime)| {
            let stage = Stage::of(expires, now)?;
            let verb = if stage == Stage::Expired { "has expired" } else { "expires within 7 days" };
            Some((stage, format!("{name}: the certificate {verb} ({})", expiry::text(expires))))
        };
        [server].into_iter().chain(authorities).filter_map(stage).collect()
    }

    fn log_expiry(&self) {
        let expiring = self.expiring();
        let worst = expiring.iter().map(|(stage, _)| *stage).max();
        let mut notice = self.expiry.lock().unwrap_or_else(PoisonError::into_inner);
        if !notice.is_due(worst, Instant::now()) {
            return;
        }
        for (stage, warning) in expiring {
            match stage {
                Stage::Soon => tracing::warn!(%warning, "certificate expires soon"),
                Stage::Expired => tracing::error!(%warning, "certificate expired"),
            }
        }
    }

    pub(in crate::server) fn config(&self) -> Arc<TlsConfig> {
        self.config.current()
    }

    /// Done when a chain that was accepted is so no longer: its authority is not in the files any more, or may not name its holder.
    /// Counts reloads from the call on, so that none is missed during the handshake.
    pub(in crate::server) fn revocation(
        self: &Arc<Self>,
    ) -> impl FnOnce(Vec<CertificateDer<'static>>) -> BoxFuture + use<> {
        let (this, mut replaced) = (Arc::clone(self), self.replaced.subscribe());
        move |chain| {
            Box::pin(async move {
                // The sender lives as long as `this`.
                while replaced.changed().await.is_ok() {
                    let config = this.config();
                    if !config.callers.as_ref().is_some_and(|callers| callers.accepts(&chain)) {
                        return;
                    }
                }
                std::future::pending::<()>().await;
            })
        }
    }
}
