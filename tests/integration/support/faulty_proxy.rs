//! A TCP proxy between mfagate and the embedded Cognito, which passes some requests on and then has a fault.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::support::loopback::{listen, url_of};
use crate::support::wire_requests::any_response;

/// What goes wrong with a request that has arrived, and on every connection from then on.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// What the embedded Cognito does by itself.
    Cognito(Value),
    /// The response comes so much later.
    Late(Duration),
    /// A byte of the response at a time, with such pauses.
    Drip(Duration),
    /// Whatever comes over the connection is lost. Counted as a request when the connection has it, which may be before there is
    /// one.
    BlackHole,
    /// The request arrives, the response does not: the peer has gone without a FIN.
    HalfOpen,
    /// FIN instead of a response.
    Close,
    /// RST in the middle of the body.
    ResetInBody,
    /// FIN before as many bytes as the response's length says.
    LengthTooLong,
    /// The response's length is a byte too short.
    LengthTooShort,
    /// A body without an end.
    EndlessBody,
}

/// The proxy, and what it has seen.
#[derive(Clone, Debug)]
pub(crate) struct FaultyProxy {
    pub(crate) url: String,
    faults: Arc<[Fault]>,
    /// How many requests have none.
    good: usize,
    /// Whether they leave their connection open.
    reused: bool,
    healed: Arc<AtomicBool>,
    requests: Arc<AtomicUsize>,
    end: CancellationToken,
    connections: TaskTracker,
}

/// The first line and the headers of a message, and its body.
struct Message {
    head: String,
    body: Vec<u8>,
}

impl FaultyProxy {
    /// One request succeeds, whatever it is. Then every one has the fault: on the same connection, or on a fresh one.
    pub(crate) async fn start(cognito_url: &str, fault: Fault, reused: bool) -> Self {
        Self::serve(cognito_url, Arc::new([fault]), 1, reused).await
    }

    /// Each request has the next of the faults.
    pub(crate) async fn with_each_of(cognito_url: &str, faults: &[Fault]) -> Self {
        Self::serve(cognito_url, faults.into(), 0, true).await
    }

    async fn serve(cognito_url: &str, faults: Arc<[Fault]>, good: usize, reused: bool) -> Self {
        let listener = listen().await;
        let (healed, requests) = (Arc::default(), Arc::default());
        let (end, connections) = (CancellationToken::new(), TaskTracker::new());
        let proxy = Self { url: url_of(&listener), faults, good, reused, healed, requests, end, connections };
        let (this, cognito) = (proxy.clone(), cognito_url.trim_start_matches("http://").to_owned());
        proxy.connections.spawn(async move {
            while let Some(Ok((stream, _))) = this.end.run_until_cancelled(listener.accept()).await {
                this.connections.spawn(this.clone().connection(stream, cognito.clone()));
            }
        });
        proxy
    }

    /// The requests that were read.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Requests have no fault any more.
    pub(crate) fn heal(&self) {
        self.healed.store(true, Ordering::SeqCst);
    }

    /// The fault of the request that comes after so many.
    fn fault(&self, requests: usize) -> Option<&Fault> {
        let faulty = requests.checked_sub(self.good).filter(|_| !self.healed.load(Ordering::SeqCst));
        faulty.map(|number| &self.faults[number % self.faults.len()])
    }

    /// Ends every connection and refuses new ones. Done when the client knows.
    pub(crate) async fn refuse(&self) {
        self.end.cancel();
        self.connections.close();
        self.connections.wait().await;
    }

    /// Serves a connection until the client leaves it, or the proxy ends.
    async fn connection(self, mut client: TcpStream, cognito: String) {
        loop {
            if matches!(self.fault(self.requests()), Some(Fault::BlackHole)) {
                self.requests.fetch_add(1, Ordering::SeqCst);
                return hold(client).await;
            }
            let request = tokio::select! {
                request = read_message(&mut client) => request,
                () = self.end.cancelled() => {
                    // The client may have gone by itself.
                    let _ = client.shutdown().await;
                    return hold(client).await;
                }
            };
            let Some(request) = request else { return };
            let fault = self.fault(self.requests.fetch_add(1, Ordering::SeqCst));
            let success = json!({ "kind": "replace", "body": any_response() });
            let asked = if let Some(Fault::Cognito(fault)) = fault { fault } else { &success };
            let Some(mut response) = ask(&cognito, request, asked).await else {
                client.set_zero_linger().unwrap();
                return;
            };
            // The client may go at any time: no write must succeed.
            match fault {
                None if !self.reused => {
                    response.head.push_str("connection: close\r\n");
                    let _ = client.write_all(&response.bytes()).await;
                    return hold(client).await;
                }
                None | Some(Fault::Cognito(_)) => drop(client.write_all(&response.bytes()).await),
                Some(fault) => return respond(client, response, fault).await,
            }
        }
    }
}

/// Performs a request with a fault of the embedded Cognito. `None` if that is a reset.
async fn ask(cognito: &str, mut request: Message, fault: &Value) -> Option<Message> {
    write!(request.head, "x-embedded-fault: {fault}\r\n").unwrap();
    let mut stream = TcpStream::connect(cognito).await.unwrap();
    stream.write_all(&request.bytes()).await.unwrap();
    read_message(&mut stream).await
}

/// Sends a response as the fault has it.
async fn respond(mut client: TcpStream, response: Message, fault: &Fault) {
    let (bytes, length) = (response.bytes(), response.body.len());
    let stated = |wrong: usize| {
        let right = format!("content-length: {length}\r\n");
        assert!(response.head.contains(&right), "{}", response.head);
        Message { head: response.head.replace(&right, &format!("content-length: {wrong}\r\n")), ..response }.bytes()
    };
    // The client may go at any time: no write must succeed.
    match fault {
        Fault::Late(by) => {
            tokio::time::sleep(*by).await;
            let _ = client.write_all(&bytes).await;
        }
        Fault::Drip(pause) => {
            for byte in bytes {
                tokio::time::sleep(*pause).await;
                if client.write_all(&[byte]).await.is_err() {
                    return;
                }
            }
        }
        Fault::Close => drop(client.shutdown().await),
        Fault::ResetInBody => {
            let _ = client.write_all(&bytes[..bytes.len() - length / 2]).await;
            // What was written must arrive first.
            tokio::time::sleep(Duration::from_millis(50)).await;
            client.set_zero_linger().unwrap();
        }
        Fault::LengthTooLong => {
            let _ = client.write_all(&stated(length + 1)).await;
        }
        Fault::LengthTooShort => {
            let _ = client.write_all(&stated(length - 1)).await;
            hold(client).await;
        }
        Fault::EndlessBody => {
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
            let chunk = format!("10000\r\n{}\r\n", "x".repeat(65_536));
            let mut sent = client.write_all(head.as_bytes()).await;
            while sent.is_ok() {
                sent = client.write_all(chunk.as_bytes()).await;
            }
        }
        Fault::HalfOpen | Fault::BlackHole | Fault::Cognito(_) => hold(client).await,
    }
}

/// Keeps a connection open until the client leaves it.
async fn hold(mut connection: TcpStream) {
    while connection.read_u8().await.is_ok() {}
}

impl Message {
    fn bytes(&self) -> Vec<u8> {
        [self.head.as_bytes(), b"\r\n", &self.body].concat()
    }
}

/// Reads a request or a response; `None` at the end of the connection.
async fn read_message(stream: &mut TcpStream) -> Option<Message> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end + 2].to_vec()).unwrap();
            let lower = head.to_lowercase();
            let length = lower.split("content-length:").nth(1).and_then(|rest| rest.lines().next());
            let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or_default();
            if bytes.len() >= end + 4 + length {
                return Some(Message { head, body: bytes.split_off(end + 4) });
            }
        }
        if stream.read_buf(&mut bytes).await.unwrap_or_default() == 0 {
            return None;
        }
    }
}
