//! Notices when the server begins to speak HTTP/2. HTTP libraries only say when the client does.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

/// The length of a frame's header.
const HEADER_LEN: usize = 9;

/// The type of the SETTINGS frame, which a server sends first (RFC 9113, 3.4).
const SETTINGS: u8 = 4;

/// What HTTP/2 runs over.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for S {}

/// A stream that is watched until the server has begun.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    header: Vec<u8>,
    told: Option<oneshot::Sender<io::Result<()>>>,
}

/// The stream, watched, and what the server does first.
pub(super) fn watch<S: Stream>(stream: S) -> (Watched<S>, oneshot::Receiver<io::Result<()>>) {
    let (told, preface) = oneshot::channel();
    (Watched { stream, header: Vec::with_capacity(HEADER_LEN), told: Some(told) }, preface)
}

impl<S> Watched<S> {
    fn tell(&mut self, result: io::Result<()>) {
        if let Some(told) = self.told.take() {
            // Nobody listens when time is up.
            let _: Result<(), _> = told.send(result);
        }
    }

    fn failed(&mut self, error: &io::Error) {
        self.tell(Err(io::Error::new(error.kind(), error.to_string())));
    }

    fn received(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            let ended = "the server ended the connection before it spoke HTTP/2";
            return self.tell(Err(io::Error::new(io::ErrorKind::UnexpectedEof, ended)));
        }
        let missing = HEADER_LEN.saturating_sub(self.header.len());
        self.header.extend(bytes.iter().take(missing));
        if self.header.len() == HEADER_LEN {
            // The stream of SETTINGS is 0. HTTP/1 would have text here.
            let is_settings = matches!(*self.header, [_, _, _, SETTINGS, _, 0, 0, 0, 0]);
            let other = || io::Error::new(io::ErrorKind::InvalidData, "the server does not speak HTTP/2");
            self.tell(if is_settings { Ok(()) } else { Err(other()) });
        }
    }
}

impl<S: Stream> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        if self.told.is_some() {
            match &read {
                Ok(()) => self.received(buffer.filled().get(before..).unwrap_or_default()),
                Err(error) => self.failed(error),
            }
        }
        Poll::Ready(read)
    }
}

impl<S: Stream> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        Poll::Ready(written.inspect_err(|error| self.failed(error)))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut self.stream).poll_flush(context));
        Poll::Ready(flushed.inspect_err(|error| self.failed(error)))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
