//! The HTTP client below the SDK: whether a request was sent, how its connection ended, and no body beyond a limit.
//!
//! The SDK's own error kinds do not say whether a request was sent: a connection that ends before its response and a request
//! that cannot be made are both "other" (aws-smithy-http-client 1.5).

use std::fmt;
use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Frame, SizeHint};
use thiserror::Error;

/// The maximum size of the body of a response. Cognito's are a few kilobytes; a list of a user's 20 passkeys is the longest.
const MAX_BODY_BYTES: usize = 1 << 20;

/// Whether a request was handed to a connection, so that its server may have read it. An extension of the request.
#[derive(Clone, Debug, Default)]
pub(super) struct SentFlag(Arc<AtomicBool>);

impl SentFlag {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A response that is not one: not HTTP, or longer than what is read.
#[derive(Debug, Error)]
#[error("the response is not readable: {cause}")]
pub(super) struct Unreadable {
    /// The HTTP status, if it was read.
    pub(super) http_status: Option<u16>,
    cause: &'static str,
    #[source]
    source: BoxError,
}

/// The same client, which sets the [`SentFlag`] of a request and returns whole responses only.
pub(super) fn checked(client: SharedHttpClient) -> SharedHttpClient {
    SharedHttpClient::new(CheckedClient(client))
}

#[derive(Debug)]
struct CheckedClient(SharedHttpClient);

impl HttpClient for CheckedClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        // Cached in the inner client.
        SharedHttpConnector::new(CheckedConnector(self.0.http_connector(settings, components)))
    }
}

#[derive(Debug)]
struct CheckedConnector(SharedHttpConnector);

impl HttpConnector for CheckedConnector {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let sent = request.extension::<SentFlag>().cloned().unwrap_or_default();
        let body = WatchedBody { body: request.take_body(), sent: sent.clone() };
        *request.body_mut() = SdkBody::from_body_1_x(body);
        let response = self.0.call(request);
        HttpConnectorFuture::new(async move {
            let response = response.await.map_err(|error| in_flight(error, &sent))?;
            read(response).await
        })
    }
}

/// The error of a request whose response did not begin.
fn in_flight(error: ConnectorError, sent: &SentFlag) -> ConnectorError {
    if source_of::<hyper::Error>(&error).is_some_and(hyper::Error::is_parse) {
        return unreadable(None, "it is not HTTP", error.into());
    }
    // The SDK calls some of these "other", which it reports as if nothing could be sent.
    let connection_ended = sent.is_set() && !error.is_timeout() && !error.is_user();
    if connection_ended { ConnectorError::io(error.into()) } else { error }
}

/// The response with its whole body in memory. Read here, under the same timeout, so that an endless body ends with it.
async fn read(mut response: HttpResponse) -> Result<HttpResponse, ConnectorError> {
    let status = Some(response.status().as_u16());
    match Limited::new(response.take_body(), MAX_BODY_BYTES).collect().await {
        Ok(body) => {
            *response.body_mut() = SdkBody::from(body.to_bytes());
            Ok(response)
        }
        Err(error) if error.is::<LengthLimitError>() => Err(unreadable(status, "its body is too long", error)),
        Err(error) if is_malformed(&*error) => Err(unreadable(status, "its body is malformed", error)),
        Err(error) => Err(ConnectorError::io(error)),
    }
}

fn unreadable(http_status: Option<u16>, cause: &'static str, source: BoxError) -> ConnectorError {
    ConnectorError::other(Unreadable { http_status, cause, source }.into(), None)
}

/// Whether a body broke the rules of HTTP, rather than off (hyper 1.12 reports a bad chunk as invalid input).
fn is_malformed(error: &(dyn std::error::Error + 'static)) -> bool {
    let kind = source_of::<std::io::Error>(error).map(std::io::Error::kind);
    source_of::<hyper::Error>(error).is_some_and(hyper::Error::is_parse)
        || matches!(kind, Some(ErrorKind::InvalidInput | ErrorKind::InvalidData))
}

/// The first error of a type in the chain of sources.
pub(super) fn source_of<'a, E: std::error::Error + 'static>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// A request's body, which tells when it is read: a connection reads it when, and only when, it writes the request
/// (hyper 1.12). A request that is taken back from a closed connection was not read.
struct WatchedBody {
    body: SdkBody,
    sent: SentFlag,
}

impl fmt::Debug for WatchedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WatchedBody([redacted])")
    }
}

impl Body for WatchedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.sent.set();
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        Body::is_end_stream(&self.body)
    }

    fn size_hint(&self) -> SizeHint {
        Body::size_hint(&self.body)
    }
}
