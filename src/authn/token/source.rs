//! This file fetches a key set, from a file or over HTTP, within bounds of time and size.

use std::fmt;
use std::io;
use std::path::PathBuf;
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
use tokio::io::AsyncReadExt as _;
use tonic::codegen::Bytes;

use crate::authn::token::KeySetFault;
use crate::domain::url;

/// The largest key set, in bytes.
const LARGEST_KEY_SET: usize = 256 * 1024;

/// Where an issuer's key set is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// The issuer publishes it.
    Url(KeySetUrl),
    /// Somebody puts it there.
    File(PathBuf),
}

/// A URL that a key set may be fetched from: `https`, or `http` on loopback, where nobody can change it on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySetUrl(Uri);

impl FromStr for KeySetUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        url::parse_secure(text).map(Self)
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => write!(f, "{}", url.0),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Why there is no key set.
#[derive(Debug)]
pub enum SourceFault {
    /// The system has no certificate authority that an https server could be checked against.
    NoAuthorities(io::Error),
    /// The file could not be read.
    Unreadable(io::Error),
    /// No answer came in time.
    TimedOut,
    /// The request failed: no connection, no good certificate, or no HTTP.
    Request(Box<dyn std::error::Error + Send + Sync>),
    /// The answer has another status than 200. Redirects are not followed: they would move the trust elsewhere.
    Status(StatusCode),
    /// It is larger than any key set.
    TooLarge,
    /// It is not a key set that can be used.
    KeySet(KeySetFault),
}

impl fmt::Display for SourceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAuthorities(error) => write!(f, "the system's certificate authorities are missing: {error}"),
            Self::Unreadable(error) => write!(f, "the key set cannot be read: {error}"),
            Self::TimedOut => f.write_str("the key set did not come in time"),
            Self::Request(error) => {
                write!(f, "the key set cannot be fetched: {error}")?;
                // The outer error of hyper says only that something failed.
                let mut source = error.source();
                while let Some(error) = source {
                    write!(f, ": {error}")?;
                    source = error.source();
                }
                Ok(())
            }
            Self::Status(status) => write!(f, "the key set was answered with HTTP status {}", status.as_u16()),
            Self::TooLarge => write!(f, "the key set is larger than {LARGEST_KEY_SET} bytes"),
            Self::KeySet(fault) => write!(f, "the key set cannot be used: {fault}"),
        }
    }
}

impl std::error::Error for SourceFault {}

/// Fetches from one place.
#[derive(Debug)]
pub(super) struct Source {
    place: KeySource,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

impl Source {
    pub(super) fn new(place: KeySource) -> Result<Self, SourceFault> {
        let secure = matches!(&place, KeySource::Url(url) if url.0.scheme_str() == Some("https"));
        let roots = if secure { native_roots()? } else { RootCertStore::empty() };
        Self::trusting(place, roots)
    }

    fn trusting(place: KeySource, roots: RootCertStore) -> Result<Self, SourceFault> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| SourceFault::Request(error.into()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        // Between two fetches, minutes pass: a kept connection would be a dead one.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(Self { place, client })
    }

    pub(super) fn place(&self) -> &KeySource {
        &self.place
    }

    /// The bytes of the key set, at most [`LARGEST_KEY_SET`].
    pub(super) async fn fetch(&self, timeout: Duration) -> Result<Bytes, SourceFault> {
        let fetch = async {
            match &self.place {
                KeySource::Url(url) => self.get(&url.0).await,
                KeySource::File(path) => read(path).await,
            }
        };
        tokio::time::timeout(timeout, fetch).await.unwrap_or(Err(SourceFault::TimedOut))
    }

    async fn get(&self, url: &Uri) -> Result<Bytes, SourceFault> {
        let request = Request::get(url)
            .header(header::ACCEPT, "application/json, application/jwk-set+json")
            .header(header::USER_AGENT, concat!("mfagate/", env!("CARGO_PKG_VERSION")))
            .body(Empty::new())
            .map_err(|error| SourceFault::Request(error.into()))?;
        let answer = self.client.request(request).await.map_err(|error| SourceFault::Request(error.into()))?;
        if answer.status() != StatusCode::OK {
            return Err(SourceFault::Status(answer.status()));
        }
        let body = Limited::new(answer.into_body(), LARGEST_KEY_SET).collect().await;
        body.map(http_body_util::Collected::to_bytes).map_err(|error| {
            if error.is::<LengthLimitError>() { SourceFault::TooLarge } else { SourceFault::Request(error) }
        })
    }
}

async fn read(path: &PathBuf) -> Result<Bytes, SourceFault> {
    let file = tokio::fs::File::open(path).await.map_err(SourceFault::Unreadable)?;
    let mut bytes = Vec::new();
    file.take(LARGEST_KEY_SET as u64 + 1).read_to_end(&mut bytes).await.map_err(SourceFault::Unreadable)?;
    if bytes.len() > LARGEST_KEY_SET { Err(SourceFault::TooLarge) } else { Ok(bytes.into()) }
}

/// The authorities that the system trusts. One that is not readable is left out, as long as there are others.
fn native_roots() -> Result<RootCertStore, SourceFault> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let error = found.errors.into_iter().next().map_or_else(|| io::ErrorKind::NotFound.into(), io::Error::other);
        return Err(SourceFault::NoAuthorities(error));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};
    use rustls::ServerConfig;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    /// An https server that answers one request, and the certificate that it can be trusted by.
    async fn server(name: &str) -> (KeySource, CertificateDer<'static>) {
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
        (KeySource::Url(url), certificate.der().clone())
    }

    async fn fetch(place: KeySource, trusted: &[CertificateDer<'static>]) -> Result<Bytes, SourceFault> {
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
        let fault = fetch(place, &[certificate]).await.unwrap_err();
        assert!(fault.to_string().contains("not valid for name"), "{fault}");
        let (place, _) = server("localhost").await;
        let fault = fetch(place, &[]).await.unwrap_err();
        assert!(fault.to_string().contains("UnknownIssuer"), "{fault}");
    }
}
