//! gRPC clients on HTTP/2: requests made once, sent over a few connections, every response checked.

use std::error::Error as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use h2::Ping;
use h2::client::{Builder, SendRequest};
use http::header::{AUTHORIZATION, CONTENT_TYPE, TE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use prost::bytes::Bytes;
use rustls::pki_types::ServerName;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use crate::Failure;
use crate::calls::CallKind;
use crate::certificate_authority::{connector_with, pem_certificate};
use crate::control::{Control, Event, Latency, Measured, say};
use crate::traffic::Traffic;

/// Windows that no load exhausts.
const WINDOW_BYTES: u32 = 1024 * 1024;

/// The service, the call, and the response that it must have.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// The authority of the service's certificate, PEM. `None`: plaintext.
    pub(crate) tls_ca: Option<PathBuf>,
    pub(crate) connections: usize,
    pub(crate) kind: CallKind,
    pub(crate) user_pool_id: String,
    /// The `authorization` header.
    pub(crate) authorization: Option<String>,
    /// The `grpc-status` of every response.
    pub(crate) expected: u8,
}

/// Loads a service.
pub(crate) async fn run(target: Target, traffic: Traffic) -> Result<(), Failure> {
    let control = Control::start();
    let connector = Connector::new(&target)?;
    let (mut connections, mut driving) = (Vec::new(), JoinSet::new());
    for _ in 0..target.connections {
        let (sender, _) = connector.open(&mut driving).await?;
        connections.push(sender);
    }
    let scheme = if target.tls_ca.is_some() { "https" } else { "http" };
    let call = Arc::new(Call {
        connections,
        request: request(&target, scheme)?,
        bodies: target.kind.bodies(&target.user_pool_id),
        expected: target.expected,
    });
    traffic.run(control, move |number| Arc::clone(&call).make(number)).await
}

/// Opens connections, exchanges settings, and holds them until it may go on: then all must still be open.
pub(crate) async fn idle(target: Target, connections: usize) -> Result<(), Failure> {
    let mut control = Control::start();
    let connector = Connector::new(&target)?;
    let (mut open, mut driving) = (Vec::new(), JoinSet::new());
    for _ in 0..connections {
        let (sender, mut ping) = connector.open(&mut driving).await?;
        // The settings came before the response to it.
        ping.ping(Ping::opaque()).await?;
        open.push((sender, ping));
    }
    control.ready().await?;
    if driving.try_join_next().is_some() {
        return Err("the service has closed an idle connection".into());
    }
    Control::report(&Event::Ended(Measured { calls: 0, seconds: 0.0, latency: Latency::default() }))
}

/// A call that is made again and again.
struct Call {
    connections: Vec<SendRequest<Bytes>>,
    request: Request<()>,
    bodies: Vec<Bytes>,
    expected: u8,
}

impl Call {
    async fn make(self: Arc<Self>, number: u64) -> Result<(), Failure> {
        let index = usize::try_from(number)? % self.connections.len();
        let connection = self.connections.get(index).cloned().ok_or("there is no connection")?;
        let (response, mut body) = connection.ready().await?.send_request(self.request.clone(), false)?;
        let of_user = usize::try_from(number)? % self.bodies.len();
        body.send_data(self.bodies.get(of_user).cloned().unwrap_or_default(), true)?;
        self.check(response.await?).await
    }

    async fn check(&self, response: Response<h2::RecvStream>) -> Result<(), Failure> {
        let (head, mut body) = response.into_parts();
        if head.status != StatusCode::OK {
            return Err(format!("the response is {}", head.status).into());
        }
        let mut received = 0;
        while let Some(data) = body.data().await {
            let length = data?.len();
            body.flow_control().release_capacity(length)?;
            received += length;
        }
        let trailers = body.trailers().await?.unwrap_or(head.headers);
        let text = |name| trailers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let status = text("grpc-status").ok_or("the response has no grpc-status")?;
        if status.parse() != Ok(self.expected) {
            let message = text("grpc-message").unwrap_or_default();
            return Err(format!("grpc-status {status} instead of {}: {message}", self.expected).into());
        }
        // A message has a prefix of five bytes.
        if self.expected == 0 && received < 5 {
            return Err("the response has no message".into());
        }
        Ok(())
    }
}

fn request(target: &Target, scheme: &str) -> Result<Request<()>, Failure> {
    let mut request = Request::post(format!("{scheme}://localhost{}", target.kind.rpc().path())).body(())?;
    let mut headers = HeaderMap::new();
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(USER_AGENT, HeaderValue::from_static("side_by_side"));
    if let Some(authorization) = &target.authorization {
        headers.insert(AUTHORIZATION, authorization.parse()?);
    }
    *request.headers_mut() = headers;
    Ok(request)
}

struct Connector {
    address: SocketAddr,
    tls: Option<TlsConnector>,
}

impl Connector {
    fn new(target: &Target) -> Result<Self, Failure> {
        let tls = target.tls_ca.as_deref().map(|path| {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(pem_certificate(&std::fs::read_to_string(path)?))?;
            Ok::<_, Failure>(connector_with(None, rustls::ALL_VERSIONS, roots))
        });
        Ok(Self { address: target.address, tls: tls.transpose()? })
    }

    /// A connection, driven by a task of `driving`.
    async fn open(&self, driving: &mut JoinSet<()>) -> Result<(SendRequest<Bytes>, h2::PingPong), Failure> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            Some(tls) => handshake(tls.connect(ServerName::try_from("localhost")?, stream).await?, driving).await,
            None => handshake(stream, driving).await,
        }
    }
}

async fn handshake<Io>(io: Io, driving: &mut JoinSet<()>) -> Result<(SendRequest<Bytes>, h2::PingPong), Failure>
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, mut connection) = Builder::new()
        .initial_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .handshake::<_, Bytes>(io)
        .await?;
    let ping = connection.ping_pong().ok_or("the connection has no pings")?;
    driving.spawn(async {
        if let Err(error) = connection.await {
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            say(&format!("load: {error} {cause}"));
        }
    });
    Ok((sender, ping))
}
