//! The life of an emulator: options, start, address and shutdown.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::backend::{Backend, Start};
use crate::connection::{Connections, Peer};
use crate::issuer::{Issuer, Issuers};
use crate::protocol::Failure;
use crate::server;
use crate::signer::Signer;
use crate::state::State;
use crate::store::{self, Contents};

/// How long in-flight requests may take before they are aborted.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// How an emulator starts.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The file that keeps the state across restarts; without one the state is lost at shutdown.
    pub data: Option<PathBuf>,
    /// Whether to create the demo pools ([`demo`](crate::demo)) unless it exists.
    pub demo: bool,
    /// Who tokens say that they are from.
    pub issuer: Issuer,
}

/// Why an emulator did not start.
#[derive(Debug)]
pub enum StartError {
    /// The listener is reachable from other machines.
    NotLoopback(SocketAddr),
    /// The listener has no address.
    Listener(io::Error),
    /// The data file cannot be read, or is not one.
    DataFile(PathBuf, io::Error),
    /// The demo pool could not be created.
    Demo(Failure),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLoopback(address) => {
                write!(f, "the emulator listens on loopback only, not on {address}")
            }
            Self::Listener(error) => write!(f, "the listener has no address: {error}"),
            Self::DataFile(path, error) => {
                write!(f, "the data file {} cannot be read: {error}", path.display())
            }
            Self::Demo(failure) => write!(f, "the demo pool cannot be created: {}", failure.code),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listener(error) | Self::DataFile(_, error) => Some(error),
            Self::NotLoopback(_) | Self::Demo(_) => None,
        }
    }
}

/// A running emulator. It stops when dropped or [shut down](Self::shutdown).
#[derive(Debug)]
pub struct Emulator {
    address: SocketAddr,
    backend: Arc<Backend>,
    closing: watch::Sender<bool>,
    serving: JoinHandle<io::Result<()>>,
}

impl Emulator {
    /// Serves on this listener, which must be on loopback.
    pub async fn start(listener: TcpListener, options: Options) -> Result<Self, StartError> {
        let address = listener.local_addr().map_err(StartError::Listener)?;
        if !address.ip().is_loopback() {
            return Err(StartError::NotLoopback(address));
        }
        let Options { data, demo, issuer } = options;
        let (state, signer) = restore(data.clone()).await?;
        let (closing, closed) = watch::channel(false);
        let start = Start { data, demo, issuers: Issuers { issuer, url: format!("http://{address}") } };
        let backend = Arc::new(Backend::new(state, signer, start, closed).map_err(StartError::Demo)?);
        // Generated in the background, so that the first sign-in need not wait for the key.
        let early = Arc::clone(&backend);
        drop(tokio::spawn(async move { early.signer().await.map(drop) }));
        let router = server::router(Arc::clone(&backend));
        let until = Arc::clone(&backend);
        let serving = tokio::spawn(
            axum::serve(Connections(listener), router.into_make_service_with_connect_info::<Peer>())
                .with_graceful_shutdown(async move { until.closing().await })
                .into_future(),
        );
        tracing::info!(%address, "emulator started");
        Ok(Self { address, backend, closing, serving })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The endpoint URL for an SDK, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Drains in-flight requests, for at most 5 seconds, and writes the data file.
    pub async fn shutdown(mut self) {
        self.closing.send_replace(true);
        match tokio::time::timeout(DRAIN_TIMEOUT, &mut self.serving).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::error!(%error, "emulator stopped serving"),
            Ok(Err(error)) => tracing::error!(%error, "emulator panicked"),
            Err(_) => {
                tracing::warn!("drain timeout, aborting requests");
                self.serving.abort();
            }
        }
        if let Err(failure) = self.backend.save().await {
            tracing::error!(code = %failure.code, "final state not saved");
        }
        tracing::info!("emulator stopped");
    }
}

/// The state and key of the data file, if there is one.
async fn restore(data: Option<PathBuf>) -> Result<(Option<State>, Option<Signer>), StartError> {
    let Some(path) = data else {
        return Ok((None, None));
    };
    let read = {
        let path = path.clone();
        tokio::task::spawn_blocking(move || store::read(&path))
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
    };
    match read {
        Ok(None) => Ok((None, None)),
        Ok(Some(Contents { state, key: None })) => Ok((Some(state), None)),
        Ok(Some(Contents { state, key: Some(key) })) => match Signer::restore(&key) {
            Some(signer) => Ok((Some(state), Some(signer))),
            None => Err(StartError::DataFile(path, io::Error::other("its key is not a PKCS#8 RSA key"))),
        },
        Err(error) => Err(StartError::DataFile(path, error)),
    }
}
