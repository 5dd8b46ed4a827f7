//! TLS to the server: whom to trust, and what to present.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{self, CryptoProvider};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::command::probe::error::ProbeError;
use crate::config::Probe;
use crate::error::chain;

/// The protocol of gRPC, in ALPN.
const HTTP_2: &[u8] = b"h2";

/// What handshakes use.
pub(super) struct Tls {
    connector: TlsConnector,
    server_name: ServerName<'static>,
}

impl Tls {
    /// Reads the files.
    pub(super) fn load(options: &Probe) -> Result<Self, ProbeError> {
        let tls = &options.tls;
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| unusable(&error))?;
        let builder = if tls.tls_no_verify {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        } else {
            builder.with_root_certificates(roots(tls.tls_ca_cert.as_deref())?)
        };
        let mut config = match (&tls.tls_client_cert, &tls.tls_client_key) {
            (Some(certificate), Some(key)) => {
                let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable_file(key, &error))?;
                let paired = builder.with_client_auth_cert(certificates(certificate)?, key);
                paired.map_err(|error| unusable_file(certificate, &error))?
            }
            _ => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![HTTP_2.to_vec()];
        let server_name = match &tls.tls_server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(options.addr.host.clone()).map_err(|error| unusable(&error))?,
        };
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), server_name })
    }

    /// Encrypts a connection, on which the server must speak HTTP/2.
    pub(super) async fn handshake(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let stream = self.connector.connect(self.server_name.clone(), stream).await?;
        let (_, session) = stream.get_ref();
        if session.alpn_protocol() == Some(HTTP_2) {
            Ok(stream)
        } else {
            Err(io::Error::other("the server does not offer HTTP/2 (ALPN)"))
        }
    }
}

/// The authorities in a file, or those of the system. Unreadable ones are left out, as long as there are others.
fn roots(file: Option<&Path>) -> Result<RootCertStore, ProbeError> {
    let mut roots = RootCertStore::empty();
    match file {
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Some(file) => {
            roots.add_parsable_certificates(certificates(file)?);
            if roots.is_empty() {
                return Err(no_certificate(file));
            }
        }
    }
    Ok(roots)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, ProbeError> {
    let certificates = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = certificates.map_err(|error| unusable_file(file, &error))?;
    if certificates.is_empty() { Err(no_certificate(file)) } else { Ok(certificates) }
}

fn no_certificate(file: &Path) -> ProbeError {
    ProbeError::Credentials(format!("{}: no certificate in it", file.display()))
}

fn unusable_file(file: &Path, error: &dyn std::error::Error) -> ProbeError {
    ProbeError::Credentials(format!("{}: {}", file.display(), chain(error)))
}

fn unusable(error: &dyn std::error::Error) -> ProbeError {
    ProbeError::Credentials(chain(error))
}

/// Accepts any certificate (`--tls-no-verify`) whose key the server has.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
