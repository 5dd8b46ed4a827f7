//! What the SDK clients of Cognito and STS share.

use std::time::Duration;

use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, tls};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use crate::cognito::transport;

/// How long to wait for a connection.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// An HTTP client with the system's certificate authorities. Each call makes one, with a connection pool of its own. It follows no
/// redirect: the request would go, signed and with its tokens, where a response says.
pub(super) fn http_client() -> SharedHttpClient {
    transport::checked(Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::AwsLc)).build_https())
}
