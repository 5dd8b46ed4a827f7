//! This file is one TLS connection: its bytes, who is on its other end, and its end when the client's certificate expires.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::SystemTime;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use crate::access::CertificateIdentity;
use crate::access::certificate::Named;

/// Who is on the other end of a TLS connection. Every request that came over it has this in its extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// The address of the other end, which may be a proxy's.
    pub peer: SocketAddr,
    /// What the client's certificate proved; none if there was none, or if it named nobody.
    pub certificate: Option<CertificateIdentity>,
}

/// A TLS connection whose handshake is done.
pub struct TlsConnection {
    stream: TlsStream<TcpStream>,
    info: ConnectionInfo,
    /// Done when the client's certificate expires.
    expiry: Option<Pin<Box<Sleep>>>,
}

impl TlsConnection {
    /// The connection of a client that presented a certificate with this name, or none.
    pub(super) fn new(stream: TlsStream<TcpStream>, peer: SocketAddr, named: Option<Named>) -> Self {
        let expires = named.as_ref().and_then(|named| named.expires).and_then(on_the_timer);
        let certificate = named.and_then(|named| named.identity);
        let expiry = expires.map(|expires| Box::pin(tokio::time::sleep_until(expires)));
        Self { stream, info: ConnectionInfo { peer, certificate }, expiry }
    }
}

/// The instant of a time; none where it is too far away to matter.
fn on_the_timer(time: SystemTime) -> Option<Instant> {
    Instant::now().checked_add(time.duration_since(SystemTime::now()).unwrap_or_default())
}

impl fmt::Debug for TlsConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnection").field("info", &self.info).finish_non_exhaustive()
    }
}

impl Connected for TlsConnection {
    type ConnectInfo = ConnectionInfo;

    fn connect_info(&self) -> ConnectionInfo {
        self.info.clone()
    }
}

impl AsyncRead for TlsConnection {
    /// Fails once the client's certificate has expired, which ends the connection: the client then connects with its new
    /// certificate, where an error on each call would leave it on the old connection for ever.
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.expiry.as_mut().is_some_and(|expiry| expiry.as_mut().poll(context).is_ready()) {
            tracing::info!(peer = %self.info.peer, "a connection ends, since the client's certificate has expired");
            self.expiry = None;
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the certificate has expired")));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for TlsConnection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
