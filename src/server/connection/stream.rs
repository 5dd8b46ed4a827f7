//! One connection: its bytes, its peer, and what closes it: a missing preface, the expiry of the client certificate, eviction.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
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
use crate::domain::CertificateIdentity;
use crate::server::connection::slots::Slot;

/// The length of what every HTTP/2 connection begins with (RFC 9113, 3.4).
const PREFACE_BYTES: usize = 24;

/// A connection that has made its handshake, if there is one.
pub struct Connection {
    stream: Stream,
    peer: PeerIdentity,
    /// Held for as long as the connection is open.
    _slot: Slot,
    /// Done when the client's certificate expires.
    expiry: Option<Pin<Box<Sleep>>>,
    /// How much of the preface is missing, and when it must have arrived. Nothing above us waits for it with a limit.
    preface: Option<(usize, Pin<Box<Sleep>>)>,
    /// Done when the connection is evicted.
    evicted: Pin<Box<WaitForCancellationFutureOwned>>,
    is_logged: bool,
}

/// The bytes, encrypted or not.
enum Stream {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

impl Connection {
    /// A connection that is not encrypted.
    pub(super) fn plain(stream: TcpStream, address: SocketAddr, slot: Slot, preface_timeout: Duration) -> Self {
        Self::new(Stream::Plain(stream), (address, None), slot, None, preface_timeout)
    }

    /// The connection of a client that presented a certificate with this name, or none.
    pub(super) fn secure(
        stream: TlsStream<TcpStream>,
        (address, slot): (SocketAddr, Slot),
        named: Option<Named>,
        preface_timeout: Duration,
    ) -> Self {
        let expires = named.as_ref().and_then(|named| named.expires).and_then(instant);
        let certificate = named.and_then(|named| named.identity);
        if certificate.is_some() {
            slot.authenticated().set();
        }
        Self::new(Stream::Secure(Box::new(stream)), (address, certificate), slot, expires, preface_timeout)
    }

    fn new(
        stream: Stream,
        (address, certificate): (SocketAddr, Option<CertificateIdentity>),
        slot: Slot,
        expires: Option<Instant>,
        preface_timeout: Duration,
    ) -> Self {
        let expiry = expires.map(|expires| Box::pin(tokio::time::sleep_until(expires)));
        let preface = Some((PREFACE_BYTES, Box::pin(tokio::time::sleep(preface_timeout))));
        let evicted = Box::pin(slot.evicted());
        let peer = PeerIdentity { address, certificate, authenticated: slot.authenticated() };
        Self { stream, peer, _slot: slot, expiry, preface, evicted, is_logged: false }
    }

    /// Fails once there is a reason to close the connection. Polled when reading and when writing: a client that reads nothing
    /// would otherwise stop us from reading, and stay. After its certificate has expired, a client reconnects with its new one;
    /// an error on each call would leave it on the old connection forever.
    fn poll_close_reason(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let is_over = |timer: &mut Pin<Box<Sleep>>, context: &mut Context<'_>| timer.as_mut().poll(context).is_ready();
        let cause = if self.expiry.as_mut().is_some_and(|expiry| is_over(expiry, context)) {
            "client certificate expired"
        } else if self.preface.as_mut().is_some_and(|(_, late)| is_over(late, context)) {
            "preface timeout"
        } else if self.evicted.as_mut().poll(context).is_ready() {
            "evicted"
        } else {
            return Ok(());
        };
        if !self.is_logged {
            tracing::info!(peer = %self.peer.address, cause, "connection closed");
            self.is_logged = true;
        }
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
