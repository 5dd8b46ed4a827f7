//! A Cognito-compatible HTTP server on loopback, for development and tests.
//!
//! It speaks Cognito's `x-amz-json-1.1` protocol, and is used by the AWS SDKs and the AWS CLI
//! through their endpoint option. Nothing else of mfagate knows more of it than its address.
//! A signature must be there where AWS asks for one, and is not verified.
//!
//! # Control endpoints
//! All of them take and give JSON, beside the operations on the same port.
//!
//! | request | does |
//! |---|---|
//! | `PUT /_embedded/faults` | adds one fault or a list of them, and answers `{"ids": […]}` |
//! | `GET /_embedded/faults` | lists the faults in wait |
//! | `DELETE /_embedded/faults` | removes all faults, or the one of `?id=` |
//! | `POST /_embedded/token` | mints an access token: `{UserPoolId, Username, ClientId?, Scope?, ExpiresIn?}`; the last in seconds, expired if not positive |
//! | `GET /_embedded/totp?user_pool_id=&username=` | the current code of the user's authenticator app, verified or not, without using it up |
//! | `POST /_embedded/clock` | moves the server's clock on: `{"advance_seconds": 180}` |
//! | `GET /_embedded/outbox` | the codes "sent" by SMS and e-mail; `?user_pool_id=` and `?username=` choose |
//! | `GET`, `DELETE /_embedded/requests` | the last requests received, bodies as they came; `?operation=` chooses |
//! | `POST /_embedded/user` | puts a user into a status that no operation leads to: `{UserPoolId, Username, UserStatus}` |
//!
//! A fault is `{"kind": …}` with, all optional, `operation`, `match` (members that the request must
//! have; of a token request, `UserPoolId` and `Username` are those of the token), `count` (how many
//! requests), `delay_ms` (before the answer) and `perform` (whether the operation takes effect first).
//! The kinds are `error` (`code`, `message`, `status`), `throttling`, `latency`, `no_answer`, `reset`,
//! `truncated_json`, `html` (a 503) and `replace` (`body`). The header `x-mfagate-fault` brings
//! a fault for its own request: such JSON, or the bare name of an exception.

mod connection;
mod control;
pub mod demo;
mod fault;
mod model;
mod operation;
mod password;
mod protocol;
mod random;
mod server;
mod signer;
mod state;
mod store;
mod token;
mod totp;
mod webauthn;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::connection::{Connections, Peer};
use self::server::Backend;
use self::signer::Signer;
use self::state::State;
use self::store::Contents;

pub use self::protocol::Failure;
pub use self::server::parse;

/// How long requests under way may take to end before they are cut off.
const DRAIN: Duration = Duration::from_secs(5);

/// How an embedded Cognito starts.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The file that keeps the state across restarts; without one it is forgotten.
    pub data: Option<PathBuf>,
    /// Whether to make the demo pool ([`demo`]) if it is not there.
    pub demo: bool,
}

/// Why an embedded Cognito did not start.
#[derive(Debug)]
pub enum StartError {
    /// The listener is reachable from other machines.
    NotLoopback(SocketAddr),
    /// The listener has no address.
    Listener(io::Error),
    /// The data file can not be read, or holds something else.
    DataFile(PathBuf, io::Error),
    /// The demo pool could not be made.
    Demo(Failure),
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLoopback(address) => {
                write!(formatter, "the embedded Cognito listens on loopback only, not on {address}")
            }
            Self::Listener(error) => write!(formatter, "the listener has no address: {error}"),
            Self::DataFile(path, error) => {
                write!(formatter, "the data file {} can not be read: {error}", path.display())
            }
            Self::Demo(failure) => write!(formatter, "no demo pool: {}", failure.code),
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

/// A running embedded Cognito. It stops when this is dropped, or [`shut down`](Self::shutdown).
#[derive(Debug)]
pub struct Emulator {
    address: SocketAddr,
    backend: Arc<Backend>,
    closing: watch::Sender<bool>,
    serving: JoinHandle<io::Result<()>>,
}

impl Emulator {
    /// Serves on this listener, which has to be on loopback.
    pub async fn start(listener: TcpListener, options: Options) -> Result<Self, StartError> {
        let address = listener.local_addr().map_err(StartError::Listener)?;
        if !address.ip().is_loopback() {
            return Err(StartError::NotLoopback(address));
        }
        let (mut state, signer) = restore(options.data.clone()).await?;
        if options.demo {
            demo::seed(&mut state).map_err(StartError::Demo)?;
        }
        let (closing, closed) = watch::channel(false);
        let backend = Arc::new(Backend::new(state, signer, options.data, closed));
        // Made now, so that the first sign-in need not wait for it, and not awaited.
        let early = Arc::clone(&backend);
        drop(tokio::spawn(async move { early.signer().await.map(drop) }));
        let router = server::router(Arc::clone(&backend));
        let until = Arc::clone(&backend);
        let serving = tokio::spawn(
            axum::serve(Connections(listener), router.into_make_service_with_connect_info::<Peer>())
                .with_graceful_shutdown(async move { until.closing().await })
                .into_future(),
        );
        tracing::info!(%address, "the embedded Cognito has started");
        Ok(Self { address, backend, closing, serving })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The endpoint to give to an SDK, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets requests under way end, for 5 seconds at most, and writes the data file.
    pub async fn shutdown(mut self) {
        self.closing.send_replace(true);
        match tokio::time::timeout(DRAIN, &mut self.serving).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::error!(%error, "the embedded Cognito stopped serving"),
            Ok(Err(error)) => tracing::error!(%error, "the embedded Cognito failed"),
            Err(_) => {
                tracing::warn!("requests under way were cut off");
                self.serving.abort();
            }
        }
        if let Err(failure) = self.backend.save().await {
            tracing::error!(code = %failure.code, "the last state was not written");
        }
        tracing::info!("the embedded Cognito has stopped");
    }
}

/// The state and key of the data file, new ones if there is none.
async fn restore(data: Option<PathBuf>) -> Result<(State, Option<Signer>), StartError> {
    let Some(path) = data else {
        return Ok((State::default(), None));
    };
    let read = {
        let path = path.clone();
        tokio::task::spawn_blocking(move || store::read(&path))
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
    };
    match read {
        Ok(None) => Ok((State::default(), None)),
        Ok(Some(Contents { state, key: None })) => Ok((state, None)),
        Ok(Some(Contents { state, key: Some(key) })) => match Signer::restore(&key) {
            Some(signer) => Ok((state, Some(signer))),
            None => Err(StartError::DataFile(path, io::Error::other("its key is not a PKCS#8 RSA key"))),
        },
        Err(error) => Err(StartError::DataFile(path, error)),
    }
}
