//! HTTP/2 by hand, for requests that no gRPC client would send.

use std::net::SocketAddr;

use h2::SendStream;
use h2::client::SendRequest;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use mfagate::api::Rpc;
use mfagate::api::v1::GetUserPoolMfaConfigRequest;
use prost::Message;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::codegen::Bytes;
use tonic::{Code, Status};
use tonic_types::ErrorDetails;

use crate::support::refusal::refused;
use crate::support::test_cognito::POOL;

/// A client of one connection.
#[derive(Clone)]
pub(crate) struct RawClient {
    send: SendRequest<Bytes>,
}

/// What came back on one stream.
#[derive(Debug)]
pub(crate) struct RawResponse {
    pub(crate) http: StatusCode,
    pub(crate) headers: HeaderMap,
    trailers: HeaderMap,
}

impl RawResponse {
    /// The gRPC status, from the headers or the trailers.
    pub(crate) fn status(&self) -> Status {
        let status = Status::from_header_map(&self.headers).or_else(|| Status::from_header_map(&self.trailers));
        status.unwrap_or_else(|| panic!("no gRPC status in {self:?}"))
    }
}

impl RawClient {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let (send, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Self { send }
    }

    /// Sends the headers of a request, and of its body only this. The response, and the stream, which is reset when it is dropped.
    pub(crate) async fn begin(
        &mut self,
        request: Request<()>,
        body: Bytes,
    ) -> (h2::client::ResponseFuture, SendStream<Bytes>) {
        let mut send = self.send.clone().ready().await.unwrap();
        let (response, mut stream) = send.send_request(request, false).unwrap();
        stream.send_data(body, false).unwrap();
        (response, stream)
    }

    /// The maximum number of streams that the server announced.
    pub(crate) async fn max_streams(address: SocketAddr) -> usize {
        let (_send, mut connection) = h2::client::handshake(TcpStream::connect(address).await.unwrap()).await.unwrap();
        let announced =
            |connection: &h2::client::Connection<TcpStream, Bytes>| connection.max_concurrent_send_streams();
        std::future::poll_fn(|context| {
            let ended = std::pin::Pin::new(&mut connection).poll(context).is_ready();
            assert!(!ended, "the connection ended");
            let number = announced(&connection);
            // Without a limit until the settings have come.
            if number < usize::MAX { std::task::Poll::Ready(number) } else { std::task::Poll::Pending }
        })
        .await
    }

    /// Sends one request and reads the whole response. A server may stop reading a body that it refuses.
    pub(crate) async fn call(&mut self, request: Request<()>, body: impl Into<Bytes>) -> RawResponse {
        let mut body = body.into();
        let mut send = self.send.clone().ready().await.unwrap();
        let (response, mut stream) = send.send_request(request, body.is_empty()).unwrap();
        let sending = async move {
            while !body.is_empty() {
                stream.reserve_capacity(body.len());
                let Some(Ok(capacity)) = std::future::poll_fn(|context| stream.poll_capacity(context)).await else {
                    return;
                };
                let part = body.split_to(capacity.min(body.len()));
                if stream.send_data(part, body.is_empty()).is_err() {
                    return;
                }
            }
        };
        let sending = tokio::spawn(sending);
        let answer = read(response.await.unwrap()).await;
        sending.abort();
        answer
    }

    /// Sends `request`, expects a refusal, and checks that the connection still serves.
    pub(crate) async fn refused(
        &mut self,
        request: Request<()>,
        body: impl Into<Bytes>,
        code: Code,
        reason: &str,
    ) -> ErrorDetails {
        let answer = self.call(request, body).await;
        let details = refused::<()>(Err(answer.status()), code, reason);
        self.still_serves().await;
        details
    }

    /// Makes a call that succeeds.
    pub(crate) async fn still_serves(&mut self) {
        let (request, body) = valid_request();
        let answer = self.call(request, body).await;
        assert_eq!(answer.status().code(), Code::Ok, "{answer:?}");
    }
}

/// Reads the whole response.
pub(crate) async fn read(response: Response<h2::RecvStream>) -> RawResponse {
    let (head, mut stream) = response.into_parts();
    while let Some(part) = stream.data().await {
        stream.flow_control().release_capacity(part.unwrap().len()).unwrap();
    }
    let trailers = stream.trailers().await.unwrap().unwrap_or_default();
    RawResponse { http: head.status, headers: head.headers, trailers }
}

/// A request as a gRPC client would send it.
pub(crate) fn grpc_request(path: &str) -> http::request::Builder {
    Request::builder()
        .method(Method::POST)
        .uri(format!("http://mfagate{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
}

/// The request of an RPC.
pub(crate) fn rpc_request(rpc: Rpc) -> Request<()> {
    grpc_request(rpc.path()).body(()).unwrap()
}

/// A message in its frame: the compression flag, the length, the message.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    frame_with(0, u32::try_from(message.len()).unwrap(), message)
}

/// A frame with this flag and this length, whatever the message.
pub(crate) fn frame_with(flag: u8, length: u32, message: &[u8]) -> Bytes {
    let mut frame = vec![flag];
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(message);
    frame.into()
}

/// A request that is served.
pub(crate) fn valid_request() -> (Request<()>, Bytes) {
    (rpc_request(Rpc::GetUserPoolMfaConfig), valid_body())
}

pub(crate) fn valid_body() -> Bytes {
    framed(&GetUserPoolMfaConfigRequest { user_pool_id: POOL.to_owned() }.encode_to_vec())
}

/// One connection, frame by frame (RFC 9113), for headers that no library would send.
pub(crate) struct RawFrames(TcpStream);

impl RawFrames {
    pub(crate) const HEADERS: u8 = 1;
    const DATA: u8 = 0;
    const SETTINGS: u8 = 4;
    const END_STREAM: u8 = 1;
    const END_HEADERS: u8 = 4;

    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // Small frames are sent at once.
        stream.set_nodelay(true).unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let mut frames = Self(stream);
        frames.send(Self::SETTINGS, 0, 0, &[]).await;
        frames
    }

    /// Sends literal header fields without indexing (RFC 7541, 6.2.2).
    pub(crate) async fn send_headers(&mut self, stream: u32, headers: &[(&str, impl AsRef<[u8]>)]) {
        self.send(Self::HEADERS, Self::END_HEADERS, stream, &block(headers)).await;
    }

    /// Sends the whole body of a request.
    pub(crate) async fn send_data(&mut self, stream: u32, data: &[u8]) {
        self.send(Self::DATA, Self::END_STREAM, stream, data).await;
    }

    /// Sends a request at once, since a server that refuses its headers may not wait for its body.
    pub(crate) async fn send_request(&mut self, stream: u32, headers: &[(&str, impl AsRef<[u8]>)], data: &[u8]) {
        let headers = encoded(Self::HEADERS, Self::END_HEADERS, stream, &block(headers));
        let data = encoded(Self::DATA, Self::END_STREAM, stream, data);
        self.0.write_all(&[headers, data].concat()).await.unwrap();
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.0.write_all(&encoded(kind, flags, stream, payload)).await.unwrap();
    }

    /// The kind of the next frame of `stream`; `None` if the connection ends first.
    pub(crate) async fn read_of_stream(&mut self, stream: u32) -> Option<u8> {
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.ok()?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            self.0.read_exact(&mut vec![0; length as usize]).await.ok()?;
            if u32::from_be_bytes([head[5], head[6], head[7], head[8]]) == stream {
                return Some(head[3]);
            }
        }
    }
}

/// A frame (RFC 9113, 4.1).
fn encoded(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn block(headers: &[(&str, impl AsRef<[u8]>)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(0);
        for text in [name.as_bytes(), value.as_ref()] {
            // The length, as an integer with a prefix of seven bits (RFC 7541, 5.1).
            if text.len() < 127 {
                block.push(u8::try_from(text.len()).unwrap());
            } else {
                block.push(127);
                let mut rest = text.len() - 127;
                while rest >= 128 {
                    block.push(u8::try_from(rest % 128).unwrap() | 128);
                    rest /= 128;
                }
                block.push(u8::try_from(rest).unwrap());
            }
            block.extend_from_slice(text);
        }
    }
    block
}
