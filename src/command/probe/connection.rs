//! A connection on which the server speaks HTTP/2, tried for until time is up.

use std::error::Error;
use std::future::ready;
use std::io;
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use crate::command::probe::error::{Cause, ProbeError};
use crate::command::probe::server_preface;
use crate::command::probe::tls::Tls;
use crate::config::Probe;

/// The pause after the first try: a server that starts is noticed soon.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Each pause is twice as long as the one before, up to this.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// Connects. As `grpc_health_probe` does, it tries again until time is up whatever the error is: `--connect-timeout 30s` waits for a
/// server that starts.
pub(super) async fn connect(options: &Probe, tls: Option<&Tls>) -> Result<Channel, ProbeError> {
    let mut cause = None;
    let tries = async {
        let mut pause = FIRST_PAUSE;
        loop {
            match connect_once(options, tls).await {
                Ok(channel) => return channel,
                Err(error) => cause = Some(error),
            }
            time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(MAX_PAUSE);
        }
    };
    let connected = time::timeout(options.connect_timeout, tries).await;
    connected.map_err(|_| ProbeError::Connect {
        address: options.addr.clone(),
        timeout: options.connect_timeout,
        cause: Cause(cause),
    })
}

async fn connect_once(options: &Probe, tls: Option<&Tls>) -> Result<Channel, Box<dyn Error + Send + Sync>> {
    let stream = TcpStream::connect((options.addr.host.as_str(), options.addr.port)).await?;
    stream.set_nodelay(true)?;
    match tls {
        Some(tls) => {
            let authority = options.tls.tls_server_name.as_ref();
            let authority = authority.map_or_else(|| options.addr.to_string(), |name| name.to_str().into_owned());
            speak(options, tls.handshake(stream).await?, &format!("https://{authority}")).await
        }
        None => speak(options, stream, &format!("http://{}", options.addr)).await,
    }
}

/// Begins HTTP/2, and waits for the server to do so as well: in TLS 1.3, a client whose certificate is refused learns of it here.
async fn speak(
    options: &Probe,
    stream: impl server_preface::Stream,
    origin: &str,
) -> Result<Channel, Box<dyn Error + Send + Sync>> {
    let (stream, preface) = server_preface::watch(stream);
    // tonic would connect again for the call, but this connection is what is probed.
    let mut stream = Some(TokioIo::new(stream));
    let connector = service_fn(move |_: Uri| ready(stream.take().ok_or(io::Error::from(io::ErrorKind::NotConnected))));
    let endpoint = Endpoint::from_static("http://probed").origin(origin.parse()?);
    let channel = endpoint.user_agent(options.user_agent.clone())?.connect_with_connector(connector).await?;
    preface.await.map_err(|_| io::Error::from(io::ErrorKind::ConnectionAborted))??;
    Ok(channel)
}
