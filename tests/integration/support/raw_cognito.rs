//! A TCP server in Cognito's place, whose connections end or lie in every way that a socket can.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;

use crate::support::certificate_authority::CertificateAuthority;
use crate::support::loopback::{listen, url_of};

/// What a server does once it has read a request.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// What it writes first.
    pub(crate) start: Vec<u8>,
    /// What it then writes again and again, until the client goes.
    pub(crate) again: Vec<u8>,
    /// How it ends.
    pub(crate) end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Fin,
    Rst,
    /// Nothing more comes.
    Stall,
}

/// A response of Cognito to anything, on a connection that stays open.
pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\n\
                             x-amzn-requestid: 00000000-0000-0000-0000-000000000001\r\ncontent-length: 2\r\n\r\n{}";

/// A server whose every connection follows the script, and what it has seen.
#[derive(Clone, Debug)]
pub(crate) struct RawCognito {
    pub(crate) url: String,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    requests: AtomicUsize,
    /// The requests that came after another on the same connection.
    reused: AtomicUsize,
    written: AtomicUsize,
}

impl RawCognito {
    /// The first `good` requests are answered by [`OK`]; each other follows the script.
    pub(crate) async fn start(script: Script, good: usize) -> Self {
        let listener = listen().await;
        let raw = Self { url: url_of(&listener), seen: Arc::default() };
        let seen = Arc::clone(&raw.seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, seen) = (script.clone(), Arc::clone(&seen));
                tokio::spawn(async move {
                    let Some(mut stream) = follow(stream, &script, good, &seen).await else { return };
                    match script.end {
                        End::Fin => drop(stream.shutdown().await),
                        End::Rst => {
                            // What was written must arrive first.
                            tokio::time::sleep(Duration::from_millis(50)).await;
                            stream.set_zero_linger().unwrap();
                        }
                        End::Stall => while stream.read_u8().await.is_ok() {},
                    }
                });
            }
        });
        raw
    }

    /// As [`start`](Self::start), over TLS as `localhost`. A connection ends without the farewell of TLS: it is cut.
    pub(crate) async fn start_tls(script: Script, good: usize, authority: &CertificateAuthority) -> Self {
        let listener = listen().await;
        let port = listener.local_addr().unwrap().port();
        let raw = Self { url: format!("https://localhost:{port}"), seen: Arc::default() };
        let server = authority.server();
        let key = PrivateKeyDer::try_from(server.key_der).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![server.der], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let seen = Arc::clone(&raw.seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, seen, acceptor) = (script.clone(), Arc::clone(&seen), acceptor.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    if let Some(mut stream) = follow(stream, &script, good, &seen).await {
                        stream.flush().await.unwrap();
                    }
                });
            }
        });
        raw
    }

    pub(crate) fn requests(&self) -> usize {
        self.seen.requests.load(Ordering::SeqCst)
    }

    pub(crate) fn requests_on_reused_connections(&self) -> usize {
        self.seen.reused.load(Ordering::SeqCst)
    }

    /// The bytes that its clients have taken, buffers included.
    pub(crate) fn written(&self) -> usize {
        self.seen.written.load(Ordering::SeqCst)
    }
}

/// Answers the good requests, then writes what the script says. `None` when the client has gone.
async fn follow<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    script: &Script,
    good: usize,
    seen: &Seen,
) -> Option<S> {
    let mut reused = false;
    while read_request(&mut stream).await {
        let number = seen.requests.fetch_add(1, Ordering::SeqCst);
        seen.reused.fetch_add(usize::from(reused), Ordering::SeqCst);
        reused = true;
        if number < good {
            stream.write_all(OK.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            continue;
        }
        // The client may go at any time: no write must succeed.
        let _ = stream.write_all(&script.start).await;
        while !script.again.is_empty() && stream.write_all(&script.again).await.is_ok() {
            seen.written.fetch_add(script.again.len(), Ordering::SeqCst);
        }
        return Some(stream);
    }
    None
}

/// Reads one request; false at the end of the connection.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    let mut request = Vec::new();
    loop {
        if let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
            let length = head.split("content-length:").nth(1).and_then(|rest| rest.lines().next());
            let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or_default();
            if request.len() >= end + 4 + length {
                return true;
            }
        }
        if stream.read_buf(&mut request).await.unwrap_or_default() == 0 {
            return false;
        }
    }
}
