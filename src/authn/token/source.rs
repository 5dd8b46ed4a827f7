//! Fetches a key set from a file or over HTTP, within limits of time and size.

use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tonic::codegen::Bytes;

use crate::authn::token::jwks::JwksError;
use crate::domain::url;
use crate::reload::file;

/// The maximum size of a key set, in bytes.
const MAX_JWKS_BYTES: usize = 256 * 1024;

/// The location of an issuer's key set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwksSource {
    /// A URL of the issuer.
    Url(JwksUrl),
    /// A file.
    File(PathBuf),
}

/// A URL that a key set may be fetched from: `https`, or `http` on loopback, where nobody can change it in transit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwksUrl(Uri);

impl FromStr for JwksUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        url::parse_secure(text).map(Self)
    }
}

impl fmt::Display for JwksSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => write!(f, "{}", url.0),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Why a key set cannot be fetched or used.
#[derive(Debug, Error)]
pub enum JwksSourceError {
    /// The system has no certificate authority that an https server could be verified by.
    #[error("the system's certificate authorities are missing")]
    NoAuthorities(#[source] io::Error),
    /// The file cannot be read.
    #[error("the key set cannot be read")]
    Unreadable(#[source] io::Error),
    /// The key set did not arrive in time.
    #[error("the key set did not arrive in time")]
    TimedOut,
    /// The request failed: no connection, no valid certificate, or no HTTP.
    #[error("the key set cannot be fetched")]
    Request(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The response has another status than 200. Redirects are not followed: they would move the trust elsewhere.
    #[error("the key set's server returned HTTP status {}", .0.as_u16())]
    Status(StatusCode),
    /// It is larger than any key set.
    #[error("the key set is larger than {MAX_JWKS_BYTES} bytes")]
    TooLarge,
    /// It is not a usable key set.
    #[error("the key set cannot be used")]
    Jwks(#[source] JwksError),
}

/// Fetches from one place.
#[derive(Debug)]
pub(super) struct Source {
    place: JwksSource,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

impl Source {
    pub(super) fn new(place: JwksSource) -> Result<Self, JwksSourceError> {
        let secure = matches!(&place, JwksSource::Url(url) if url.0.scheme_str() == Some("https"));
        let roots = if secure { native_roots()? } else { RootCertStore::empty() };
        Self::trusting(place, roots)
    }

    fn trusting(place: JwksSource, roots: RootCertStore) -> Result<Self, JwksSourceError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| JwksSourceError::Request(error.into()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        // Minutes pass between two fetches: a kept connection would be dead.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(Self { place, client })
    }

    pub(super) fn place(&self) -> &JwksSource {
        &self.place
    }

    /// The bytes of the key set, at most [`MAX_JWKS_BYTES`].
    pub(super) async fn fetch(&self, timeout: Duration) -> Result<Bytes, JwksSourceError> {
        let fetch = async {
            match &self.place {
                JwksSource::Url(url) => self.get(&url.0).await,
                JwksSource::File(path) => read(path).await,
            }
        };
        tokio::time::timeout(timeout, fetch).await.unwrap_or(Err(JwksSourceError::TimedOut))
    }

    async fn get(&self, url: &Uri) -> Result<Bytes, JwksSourceError> {
        let request = Request::get(url)
            .header(header::ACCEPT, "application/json, application/jwk-set+json")
            .header(header::USER_AGENT, concat!("mfagate/", env!("CARGO_PKG_VERSION")))
            .body(Empty::new())
            .map_err(|error| JwksSourceError::Request(error.into()))?;
        let response = self.client.request(request).await.map_err(|error| JwksSourceError::Request(error.into()))?;
        if response.status() != StatusCode::OK {
            return Err(JwksSourceError::Status(response.status()));
        }
        let body = Limited::new(response.into_body(), MAX_JWKS_BYTES).collect().await;
        body.map(http_body_util::Collected::to_bytes).map_err(|error| {
            if error.is::<LengthLimitError>() { JwksSourceError::TooLarge } else { JwksSourceError::Request(error) }
        })
    }
}

async fn read(path: &Path) -> Result<Bytes, JwksSourceError> {
    let path = path.to_owned();
    let read = move || {
        let file = file::open(&path)?.ok_or_else(|| io::Error::other("it is not a regular file"))?;
        let mut bytes = Vec::new();
        file.take(MAX_JWKS_BYTES as u64 + 1).read_to_end(&mut bytes).map(|_| bytes)
    };
    let bytes = tokio::task::spawn_blocking(read).await.map_err(io::Error::other).flatten();
    let bytes = bytes.map_err(JwksSourceError::Unreadable)?;
    if bytes.len() > MAX_JWKS_BYTES { Err(JwksSourceError::TooLarge) } else { Ok(bytes.into()) }
}

/// The authorities that the system trusts. Unreadable ones are left out, as long as there are others.
fn native_roots() -> Result<RootCertStore, JwksSourceError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let error = found.errors.into_iter().next().map_or_else(|| io::ErrorKind::NotFound.into(), io::Error::other);
        return Err(JwksSourceError::NoAuthorities(error));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};
    use rustls::ServerConfig;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::error::chain;

    /// An https server that answers one request, and the certificate that it can be trusted by.
    async fn server(name: &str) -> (JwksSource, CertificateDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            // A client that does not trust us ends the handshake.
            let Ok(mut stream) = tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(stream).await else { return };
            let mut request = [0; 1024];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nkeys").await.unwrap();
            stream.shutdown().await.unwrap();
        });
        let url = format!("https://localhost:{port}/keys").parse().unwrap();
        (JwksSource::Url(url), certificate.der().clone())
    }

    async fn fetch(place: JwksSource, trusted: &[CertificateDer<'static>]) -> Result<Bytes, JwksSourceError> {
        let mut roots = RootCertStore::empty();
        assert_eq!(roots.add_parsable_certificates(trusted.iter().cloned()).0, trusted.len());
        Source::trusting(place, roots).unwrap().fetch(Duration::from_secs(5)).await
    }

    #[tokio::test]
    async fn a_key_set_comes_from_a_server_that_is_trusted_by_its_name() {
        let (place, certificate) = server("localhost").await;
        assert_eq!(fetch(place, &[certificate]).await.unwrap(), "keys");
    }

    #[tokio::test]
    async fn a_server_of_another_name_or_of_no_trusted_authority_is_not_asked() {
        let (place, certificate) = server("issuer.example").await;
        let error = chain(&fetch(place, &[certificate]).await.unwrap_err());
        assert!(error.contains("not valid for name"), "{error}");
        let (place, _) = server("localhost").await;
        let error = chain(&fetch(place, &[]).await.unwrap_err());
        assert!(error.contains("UnknownIssuer"), "{error}");
    }
}
