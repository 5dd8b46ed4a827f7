//! Accepts connections within a limit, and makes the handshakes: many at a time, none for long, and never so many that
//! well-behaved clients wait.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::num::NonZero;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tracing::Instrument as _;

use crate::authn::certificate;
use crate::server::connection::slots::{ConnectionSlots, Load, Slot};
use crate::server::connection::stream::{ClientCertificate, Connection};
use crate::server::connection::tls::TlsAcceptor;

/// The maximum number of connections that have made their handshake and wait for the server.
const MAX_READY: usize = 64;

/// How long to wait after an error that persists, such as running out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The limits of handshakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandshakeLimits {
    /// The timeout of one handshake.
    pub timeout: Duration,
    /// The maximum number of handshakes in flight. One more ends the oldest: a well-behaved client needs milliseconds, so the
    /// oldest are those that never end.
    pub max_pending: usize,
}

impl Default for HandshakeLimits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), max_pending: 256 }
    }
}

impl HandshakeLimits {
    /// The limits of each of so many workers.
    pub(in crate::server) fn shared_by(self, workers: NonZero<usize>) -> Self {
        Self { max_pending: self.max_pending.div_ceil(workers.get()), ..self }
    }
}

/// The limits of connections.
#[derive(Debug)]
pub struct ConnectionLimits {
    /// The maximum number of open connections.
    pub slots: ConnectionSlots,
    /// How long a connection may take to send the HTTP/2 preface.
    pub preface_timeout: Duration,
    /// The limits of handshakes, if connections are encrypted.
    pub handshakes: HandshakeLimits,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            slots: ConnectionSlots::default(),
            preface_timeout: Duration::from_secs(10),
            handshakes: HandshakeLimits::default(),
        }
    }
}

/// The connections that have made their handshake, for tonic's `serve_with_incoming_shutdown`. Dropping it ends all handshakes.
#[derive(Debug)]
pub struct Incoming {
    ready: ReceiverStream<Connection>,
}

impl Stream for Incoming {
    type Item = io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.ready).poll_next(context).map(|connection| connection.map(Ok))
    }
}

/// A connection that was accepted and has a slot. It belongs to no runtime, so that any may serve it.
#[derive(Debug)]
pub(in crate::server) struct Accepted {
    stream: std::net::TcpStream,
    peer: SocketAddr,
    slot: Slot,
}

impl Accepted {
    /// The same connection, counted among those of a worker.
    pub(in crate::server) fn on_worker(self, load: &Load) -> Self {
        Self { slot: self.slot.on_worker(load), ..self }
    }
}

/// Accepts `connections`, such as tonic's `TcpIncoming`, while there are slots. Errors of single connections are logged and end
/// nothing.
pub(in crate::server) fn accepted<S>(connections: S, slots: ConnectionSlots) -> impl Stream<Item = Accepted> + Send
where
    S: Stream<Item = io::Result<TcpStream>> + Send + 'static,
{
    let slots = Arc::new(slots);
    connections
        .then(move |accepted| {
            let slots = Arc::clone(&slots);
            async move {
                match accepted {
                    Ok(stream) => with_slot(stream, &slots),
                    Err(error) if is_of_one_connection(&error) => {
                        tracing::debug!(%error, "connection gone before it was accepted");
                        None
                    }
                    Err(error) => {
                        tracing::error!(%error, "cannot accept connections, retrying");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        None
                    }
                }
            }
        })
        .filter_map(|accepted| accepted)
}

fn with_slot(stream: TcpStream, slots: &ConnectionSlots) -> Option<Accepted> {
    // It fails if the peer is gone.
    let peer = stream.peer_addr().ok()?;
    let Some(slot) = slots.take(peer.ip()) else {
        tracing::warn!(%peer, "connection rejected, too many are open");
        return None;
    };
    match stream.into_std() {
        Ok(stream) => Some(Accepted { stream, peer, slot }),
        Err(error) => {
            tracing::error!(%peer, %error, "connection cannot be handed to a worker");
            None
        }
    }
}

/// Accepts `connections` as `accepted` does, and makes the TLS handshakes.
pub fn incoming<S>(tls: Option<Arc<TlsAcceptor>>, connections: S, limits: ConnectionLimits) -> Incoming
where
    S: Stream<Item = io::Result<TcpStream>> + Send + 'static,
{
    let ConnectionLimits { slots, preface_timeout, handshakes } = limits;
    secured(tls, accepted(connections, slots), preface_timeout, handshakes)
}

/// Makes the TLS handshakes of accepted connections, in the runtime that serves them.
pub(in crate::server) fn secured<S>(
    tls: Option<Arc<TlsAcceptor>>,
    connections: S,
    preface_timeout: Duration,
    limits: HandshakeLimits,
) -> Incoming
where
    S: Stream<Item = Accepted> + Send + 'static,
{
    let (sender, ready) = mpsc::channel(MAX_READY);
    tokio::spawn(secure_all(tls, connections, preface_timeout, limits, sender));
    Incoming { ready: ReceiverStream::new(ready) }
}

async fn secure_all<S>(
    tls: Option<Arc<TlsAcceptor>>,
    connections: S,
    preface_timeout: Duration,
    limits: HandshakeLimits,
    ready: mpsc::Sender<Connection>,
) where
    S: Stream<Item = Accepted> + Send + 'static,
{
    let HandshakeLimits { timeout, max_pending } = limits;
    let mut handshakes = PendingHandshakes { tasks: JoinSet::new(), oldest_first: VecDeque::new(), max_pending };
    let mut connections = pin!(connections);
    loop {
        let accepted = tokio::select! {
            accepted = connections.next() => accepted,
            () = ready.closed() => return,
        };
        let Some(Accepted { stream, peer, slot }) = accepted else { return handshakes.end().await };
        let stream = match TcpStream::from_std(stream) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::error!(%peer, %error, "connection cannot be served");
                continue;
            }
        };
        match &tls {
            Some(acceptor) => {
                let evicted = slot.evicted();
                let secured = secure(Arc::clone(acceptor), stream, (peer, slot), preface_timeout);
                let secured = async move {
                    tokio::select! {
                        secured = secured => secured,
                        () = evicted => Err(io::Error::other("evicted")),
                    }
                };
                handshakes.start(handshake(secured, peer, timeout, ready.clone()));
            }
            // The receiver is dropped only at shutdown, when nobody needs the connection.
            None => drop(ready.send(Connection::plain(stream, peer, slot, preface_timeout)).await),
        }
    }
}

/// Whether an error of accepting is about one connection only, so that the next can be accepted at once.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

/// The handshakes in flight.
struct PendingHandshakes {
    tasks: JoinSet<()>,
    oldest_first: VecDeque<AbortHandle>,
    max_pending: usize,
}

impl PendingHandshakes {
    fn start(&mut self, handshake: impl Future<Output = ()> + Send + 'static) {
        while self.tasks.try_join_next().is_some() {}
        self.oldest_first.retain(|task| !task.is_finished());
        if self.oldest_first.len() >= self.max_pending
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            tracing::debug!("oldest handshake aborted, too many are pending");
            oldest.abort();
        }
        self.oldest_first.push_back(self.tasks.spawn(handshake));
    }

    async fn end(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn handshake(
    secured: impl Future<Output = io::Result<Connection>>,
    peer: SocketAddr,
    timeout: Duration,
    ready: mpsc::Sender<Connection>,
) {
    let made = tokio::time::timeout(timeout, secured).await;
    match made.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        // The receiver is dropped only at shutdown, when nobody needs the connection.
        Ok(connection) => drop(ready.send(connection).await),
        // A port scanner or a load balancer's probe, which sends nothing.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => tracing::debug!(%peer, "no handshake"),
        Err(error) => tracing::info!(%peer, %error, "handshake failed"),
    }
}

async fn secure(
    acceptor: Arc<TlsAcceptor>,
    stream: TcpStream,
    info: (SocketAddr, Slot),
    preface_timeout: Duration,
) -> io::Result<Connection> {
    let revocation = acceptor.revocation();
    // What the verifier of certificates logs, it logs of this peer.
    let span = tracing::error_span!("handshake", peer = %info.0);
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(&acceptor.config().server));
    let stream = acceptor.accept(stream).instrument(span).await?;
    let session = stream.get_ref().1;
    // A client that asks for no protocol may be made to speak to the wrong server (ALPACA); gRPC's clients ask (RFC 9113, 3.2).
    if session.alpn_protocol() != Some(b"h2") {
        return Err(io::Error::other("the client does not ask for h2 (ALPN)"));
    }
    let chain = session.peer_certificates().unwrap_or_default();
    let client = match chain.first() {
        Some(der) => Some(ClientCertificate {
            named: certificate::named(der).map_err(io::Error::other)?,
            thumbprint: certificate::thumbprint(der).into(),
            revoked: revocation(chain.iter().map(|der| der.clone().into_owned()).collect()),
        }),
        None => None,
    };
    Ok(Connection::secure(stream, info, client, preface_timeout))
}
