//! Listeners and HTTP servers on loopback.

use axum::Router;
use tokio::net::{TcpListener, TcpSocket};

/// A listener on a free port.
pub(crate) async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// The URL of that listener.
pub(crate) fn url_of(listener: &TcpListener) -> String {
    format!("http://{}", listener.local_addr().unwrap())
}

/// Serves an application for as long as the test runs, and returns its URL.
pub(crate) async fn serve(app: Router) -> String {
    let listener = listen().await;
    let url = url_of(&listener);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}

/// A port that nothing listens on, and which no other test is given: connections are refused until this listens.
pub(crate) fn reserve_port() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    socket
}

/// The URL of a port that nothing listens on for as long as the tests run.
pub(crate) fn unused_url() -> String {
    let reserved: &TcpSocket = Box::leak(Box::new(reserve_port()));
    format!("http://{}", reserved.local_addr().unwrap())
}
