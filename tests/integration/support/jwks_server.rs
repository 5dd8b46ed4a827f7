//! A server of JSON Web Key Sets over HTTP, with valid and invalid replies.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::{StatusCode, header};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::support::loopback::listen;

/// What the server replies.
#[derive(Clone, Debug)]
pub(crate) enum JwksReply {
    /// This body with status 200.
    Body(String),
    /// This status without a body.
    Status(u16),
    /// A redirect to this path of the same server, where a key set is.
    Redirect(&'static str, String),
    /// Headers, a first byte, and then nothing more.
    Stalled,
}

/// A server of a key set at `/keys`. It stops when it is dropped.
pub(crate) struct JwksServer {
    pub(crate) address: SocketAddr,
    answer: Arc<Mutex<JwksReply>>,
    paths: watch::Receiver<Vec<String>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for JwksServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl JwksServer {
    pub(crate) async fn start(answer: JwksReply) -> Self {
        Self::start_on(listen().await, answer)
    }

    pub(crate) fn start_on(listener: TcpListener, answer: JwksReply) -> Self {
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(Mutex::new(answer));
        let (sender, paths) = watch::channel(Vec::new());
        let (answers, sender) = (Arc::clone(&answer), Arc::new(sender));
        let router = axum::Router::new().fallback(move |request: axum::extract::Request| {
            let path = request.uri().to_string();
            sender.send_modify(|paths| paths.push(path.clone()));
            let answer = answers.lock().unwrap().clone();
            async move { respond(&path, answer) }
        });
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, answer, paths, serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/keys", self.address)
    }

    pub(crate) fn reply_with(&self, answer: JwksReply) {
        *self.answer.lock().unwrap() = answer;
    }

    /// The paths of the requests, in order.
    pub(crate) fn requested_paths(&self) -> Vec<String> {
        self.paths.borrow().clone()
    }

    /// Waits until there have been this many requests.
    pub(crate) async fn wait_for_requests(&self, times: usize) {
        let mut paths = self.paths.clone();
        let requested = paths.wait_for(|paths| paths.len() >= times);
        drop(tokio::time::timeout(Duration::from_secs(20), requested).await.unwrap().unwrap());
    }
}

fn respond(path: &str, answer: JwksReply) -> Response {
    let response = Response::builder();
    match answer {
        JwksReply::Body(body) => response.body(Body::from(body)),
        JwksReply::Status(status) => response.status(status).body(Body::empty()),
        JwksReply::Redirect(to, body) if path == to => response.body(Body::from(body)),
        JwksReply::Redirect(to, _) => {
            response.status(StatusCode::FOUND).header(header::LOCATION, to).body(Body::empty())
        }
        JwksReply::Stalled => {
            let first = tokio_stream::once(Ok::<_, std::io::Error>("{"));
            let body = tokio_stream::StreamExt::chain(first, tokio_stream::pending());
            response.body(Body::from_stream(body))
        }
    }
    .unwrap()
}
