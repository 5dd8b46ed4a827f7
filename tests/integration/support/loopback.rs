//! Listeners and HTTP servers on loopback.

use axum::Router;
use tokio::net::TcpListener;

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

/// The URL of a port that nothing listens on.
pub(crate) async fn unused_url() -> String {
    url_of(&listen().await)
}
