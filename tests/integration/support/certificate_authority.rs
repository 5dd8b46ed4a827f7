//! A certificate authority, and TLS connections of clients with its certificates.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

/// What gRPC clients send over.
pub(crate) type UntimedHttps = Client<HttpsConnector<HttpConnector>, tonic::body::Body>;

/// A certificate authority.
pub(crate) struct CertificateAuthority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate, as PEM.
    pub(crate) certificate: String,
}

/// A certificate and its key, as PEM and DER.
#[derive(Clone)]
pub(crate) struct CertificateAndKey {
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) der: CertificateDer<'static>,
    pub(crate) key_der: Vec<u8>,
}

impl CertificateAuthority {
    pub(crate) fn new(name: &str) -> Self {
        Self::with(name, |_| {})
    }

    /// With other contents of its own certificate.
    pub(crate) fn with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    pub(crate) fn sign(&self, names: Vec<SanType>, change: impl FnOnce(&mut CertificateParams)) -> CertificateAndKey {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        CertificateAndKey {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            der: certificate.der().clone(),
            key_der: key.serialize_der(),
        }
    }

    pub(crate) fn server(&self) -> CertificateAndKey {
        self.sign(vec![dns("localhost")], |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        })
    }

    pub(crate) fn client(&self, names: Vec<SanType>) -> CertificateAndKey {
        self.client_with(names, |_| {})
    }

    pub(crate) fn client_with(
        &self,
        names: Vec<SanType>,
        change: impl FnOnce(&mut CertificateParams),
    ) -> CertificateAndKey {
        self.sign(names, |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            change(params);
        })
    }
}

pub(crate) fn dns(name: &str) -> SanType {
    SanType::DnsName(Ia5String::try_from(name).unwrap())
}

pub(crate) fn uri(uri: &str) -> SanType {
    SanType::URI(Ia5String::try_from(uri).unwrap())
}

pub(crate) fn payments() -> Vec<SanType> {
    vec![uri("spiffe://example.com/payments")]
}

impl CertificateAuthority {
    /// Connects to servers of this authority, with this client certificate.
    pub(crate) fn connector(&self, client: Option<&CertificateAndKey>) -> tokio_rustls::TlsConnector {
        connector_with(client, rustls::ALL_VERSIONS, self.roots())
    }

    /// The roots of a client that trusts this authority.
    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(pem_certificate(&self.certificate)).unwrap();
        roots
    }

    /// A TLS connection with this client certificate. In TLS 1.3, a refused client learns of it when it reads.
    pub(crate) async fn connect(
        &self,
        address: SocketAddr,
        client: Option<&CertificateAndKey>,
    ) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        self.connector(client).connect(ServerName::try_from("localhost").unwrap(), stream).await
    }

    /// A gRPC channel over one TLS connection with this client certificate.
    pub(crate) async fn channel(
        &self,
        address: SocketAddr,
        client: Option<&CertificateAndKey>,
    ) -> Result<Channel, tonic::transport::Error> {
        let connector = self.connector(client);
        let connect = tower::service_fn(move |_| {
            let connector = connector.clone();
            async move {
                let stream = TcpStream::connect(address).await?;
                let stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await?;
                Ok::<_, io::Error>(hyper_util::rt::TokioIo::new(stream))
            }
        });
        Endpoint::from_static("http://localhost").connect_with_connector(connect).await
    }

    /// HTTP/2 over TLS with this client certificate, without timers: tonic's channel ends a call by itself at its deadline. It
    /// connects to `localhost`, and again when a connection has ended.
    pub(crate) fn untimed(&self, client: Option<&CertificateAndKey>) -> UntimedHttps {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let tls = config_with(client, rustls::ALL_VERSIONS, self.roots());
        Client::builder(TokioExecutor::new()).http2_only(true).build(HttpsConnector::from((tcp, tls)))
    }

    /// The TLS alert with which the server ends the connection of this client.
    pub(crate) async fn alert(&self, address: SocketAddr, client: Option<&CertificateAndKey>) -> String {
        let read = async {
            let mut stream = self.connect(address, client).await?;
            stream.read(&mut [0; 1]).await
        };
        read.await.unwrap_err().to_string()
    }
}

pub(crate) fn connector_with(
    client: Option<&CertificateAndKey>,
    versions: &[&'static rustls::SupportedProtocolVersion],
    roots: RootCertStore,
) -> tokio_rustls::TlsConnector {
    tokio_rustls::TlsConnector::from(Arc::new(config_with(client, versions, roots)))
}

fn config_with(
    client: Option<&CertificateAndKey>,
    versions: &[&'static rustls::SupportedProtocolVersion],
    roots: RootCertStore,
) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match client {
        Some(pair) => {
            let key = PrivateKeyDer::try_from(pair.key_der.clone()).unwrap();
            builder.with_client_auth_cert(vec![pair.der.clone()], key).unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

pub(crate) fn pem_certificate(pem: &str) -> CertificateDer<'static> {
    use rustls::pki_types::pem::PemObject as _;
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}
