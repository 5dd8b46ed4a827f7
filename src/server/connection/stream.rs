//! One connection: its bytes, its peer, and what closes it: a missing preface, the expiry of the client certificate, eviction.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::transport::server::Connected;

use crate::authn::PeerIdentity;
use crate::authn::certificate::Named;
use crate::server::connection::activity::Activity;
use crate::server::connection::slots::Slot;
use crate::server::connection::tls::BoxFuture;

/// The length of what every HTTP/2 connection begins with (RFC 9113, 3.4).
const PREFACE_BYTES: usize = 24;

/// A connection that has made its handshake, if there is one.
pub struct Connection {
    stream: Stream,
    peer: PeerIdentity,
    /// Held for as long as the connection is open.
    slot: Slot,
    /// Done when the client's certificate expires.
    expiry: Option<Pin<Box<Sleep>>>,
    /// How much of the preface is missing, and when it must have arrived. Nothing above us waits for it with a limit.
    preface: Option<(usize, Pin<Box<Sleep>>)>,
    /// Done when the connection is evicted.
    evicted: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Done when the client's certificate is not accepted any more.
    revoked: Option<BoxFuture>,
    /// Why the connection is closed.
    closed: Option<&'static str>,
}

/// The certificate of a client, verified.
pub(super) struct ClientCertificate {
    pub(super) named: Named,
    pub(super) thumbprint: Arc<str>,
    /// Done when the certificate is not accepted any more.
    pub(super) revoked: BoxFuture,
}

/// The bytes, encrypted or not.
enum Stream {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

impl Connection {
    /// A connection that is not encrypted.
    pub(super) fn plain(stream: TcpStream, address: SocketAddr, slot: Slot, preface_timeout: Duration) -> Self {
        let peer = PeerIdentity { address, certificate: None, thumbprint: None, authenticated: slot.authenticated() };
        Self::new(Stream::Plain(stream), peer, slot, preface_timeout)
    }

    /// The connection of a client that presented this certificate, or none.
    pub(super) fn secure(
        stream: TlsStream<TcpStream>,
        (address, slot): (SocketAddr, Slot),
        client: Option<ClientCertificate>,
        preface_timeout: Duration,
    ) -> Self {
        let stream = Stream::Secure(Box::new(stream));
        let mut peer =
            PeerIdentity { address, certificate: None, thumbprint: None, authenticated: slot.authenticated() };
        let Some(ClientCertificate { named: Named { identity, expires }, thumbprint, revoked }) = client else {
            return Self::new(stream, peer, slot, preface_timeout);
        };
        if let Some(identity) = &identity {
            peer.authenticated.set();
            slot.identify(&identity.name);
        }
        (peer.certificate, peer.thumbprint) = (identity, Some(thumbprint));
        let expiry = expires.and_then(instant).map(|expires| Box::pin(tokio::time::sleep_until(expires)));
        Self { expiry, revoked: Some(revoked), ..Self::new(stream, peer, slot, preface_timeout) }
    }

    /// The calls on the connection.
    pub(super) fn activity(&self) -> Arc<Activity> {
        self.slot.activity()
    }

    fn new(stream: Stream, peer: PeerIdentity, slot: Slot, preface_timeout: Duration) -> Self {
        let preface = Some((PREFACE_BYTES, Box::pin(tokio::time::sleep(preface_timeout))));
        let evicted = Box::pin(slot.evicted());
        Self { stream, peer, slot, expiry: None, preface, evicted, revoked: None, closed: None }
    }

    /// Fails once there is a reason to close the connection. Polled when reading and when writing: a client that reads nothing
    /// would otherwise stop us from reading, and stay. After its certificate has expired, a client reconnects with its new one;
    /// an error on each call would leave it on the old connection forever.
    fn poll_close_reason(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let is_over = |timer: &mut Pin<Box<Sleep>>, context: &mut Context<'_>| timer.as_mut().poll(context).is_ready();
        if let Some(cause) = self.closed {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, cause));
        }
        let cause = if self.expiry.as_mut().is_some_and(|expiry| is_over(expiry, context)) {
            "client certificate expired"
        } else if self.preface.as_mut().is_some_and(|(_, late)| is_over(late, context)) {
            "preface timeout"
        } else if self.evicted.as_mut().poll(context).is_ready() {
            "evicted"
        } else if self.revoked.as_mut().is_some_and(|revoked| revoked.as_mut().poll(context).is_ready()) {
            "client certificate no longer accepted"
        } else {
            return Ok(());
        };
        tracing::info!(peer = %self.peer.address, cause, "connection closed");
        self.closed = Some(cause);
        Err(io::Error::new(io::ErrorKind::ConnectionAborted, cause))
    }
}

/// The instant of a time; `None` if it is too far away to matter.
fn instant(time: SystemTime) -> Option<Instant> {
    Instant::now().checked_add(time.duration_since(SystemTime::now()).unwrap_or_default())
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl Connected for Connection {
    type ConnectInfo = PeerIdentity;

    fn connect_info(&self) -> PeerIdentity {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_close_reason(context)?;
        let before = buffer.filled().len();
        let polled = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Secure(stream) => Pin::new(stream).poll_read(context, buffer),
        };
        let read = buffer.filled().len().saturating_sub(before);
        self.preface = self.preface.take().and_then(|(left, late)| Some((left.checked_sub(read)?, late)));
        self.preface.take_if(|(left, _)| *left == 0);
        polled
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_close_reason(context)?;
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Secure(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_close_reason(context)?;
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Secure(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Secure(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_close_reason(context)?;
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Stream::Secure(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Secure(stream) => stream.is_write_vectored(),
        }
    }
}
