//! Builds a TLS configuration from the contents of files, or finds everything that is wrong with them.

use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::SHA256;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, InconsistentKeys, RootCertStore, ServerConfig,
    SignatureScheme,
};

use crate::authn::certificate;
use crate::reload::{self, Digest};
use crate::server::connection::tls::error::{TlsError, TlsFileError, TlsProblem};
use crate::server::connection::tls::files::{ClientCertificates, MAX_FILE_BYTES, TlsFiles};

/// The contents of the files at one time.
pub(super) struct Contents {
    certificate: Result<Vec<u8>, TlsProblem>,
    key: Result<Vec<u8>, TlsProblem>,
    client_ca: Option<Result<Vec<u8>, TlsProblem>>,
}

pub(super) fn read(files: &TlsFiles) -> Contents {
    Contents {
        certificate: contents(&files.certificate),
        key: contents(&files.key),
        client_ca: files.client_ca.as_deref().map(contents),
    }
}

fn contents(file: &Path) -> Result<Vec<u8>, TlsProblem> {
    let unreadable = |error: io::Error| TlsProblem::Unreadable(error.kind());
    let file = reload::file::open(file).map_err(unreadable)?.ok_or(TlsProblem::NotAFile)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES { Err(TlsProblem::TooLarge) } else { Ok(bytes) }
}

pub(super) fn digest(contents: &Contents) -> Digest {
    let mut digests = Vec::new();
    for file in [Some(&contents.certificate), Some(&contents.key), contents.client_ca.as_ref()].into_iter().flatten() {
        match file {
            Ok(bytes) => digests.extend_from_slice(aws_lc_rs::digest::digest(&SHA256, bytes).as_ref()),
            Err(problem) => digests.extend_from_slice(problem.to_string().as_bytes()),
        }
        digests.push(b'\n');
    }
    Digest::of(&digests)
}

pub(super) fn build(
    files: &TlsFiles,
    contents: &Contents,
    clients: ClientCertificates,
) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = contents.certificate.as_deref().map_err(Clone::clone).and_then(chain);
    let key = contents.key.as_deref().map_err(Clone::clone).and_then(|pem| key(pem, &provider));
    let verifier = contents.client_ca.as_ref().map(|ca| {
        let pem = ca.as_deref().map_err(Clone::clone);
        pem.and_then(|pem| verifier(pem, clients, &provider))
    });

    let mut errors = Vec::new();
    let mut push = |file: &Path, problem: TlsProblem| errors.push(TlsFileError::new(file, problem));
    let chain = chain.map_err(|problem| push(&files.certificate, problem)).ok();
    let key = key.map_err(|problem| push(&files.key, problem)).ok();
    let certified = match (chain, key) {
        (Some(chain), Some(key)) => {
            let certified = CertifiedKey::new(chain, key);
            if let Err(problem) = matches(&certified) {
                push(&files.key, problem);
            }
            Some(certified)
        }
        _ => None,
    };
    let verifier = match (verifier, &files.client_ca) {
        (Some(Err(problem)), Some(file)) => {
            push(file, problem);
            None
        }
        (verifier, _) => verifier.and_then(Result::ok),
    };
    match certified {
        Some(certified) if errors.is_empty() => server(provider, certified, verifier)
            .map_err(|problem| TlsError(vec![TlsFileError::new(&files.certificate, problem)])),
        _ => Err(TlsError(errors)),
    }
}

fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsProblem> {
    let chain = certificates(pem)?;
    for (position, certificate) in chain.iter().enumerate() {
        let (_, certificate) =
            x509_parser::parse_x509_certificate(certificate).map_err(|_| TlsProblem::BadCertificate)?;
        // The others may be cross-signatures that only some clients need.
        if position == 0 && !certificate.validity().is_valid() {
            return Err(TlsProblem::NotValidNow);
        }
    }
    Ok(chain)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsProblem> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| TlsProblem::NotPem)?;
    if certificates.is_empty() { Err(TlsProblem::NoCertificate) } else { Ok(certificates) }
}

fn key(pem: &[u8], provider: &CryptoProvider) -> Result<Arc<dyn rustls::sign::SigningKey>, TlsProblem> {
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|error| {
        if is_encrypted(pem) {
            TlsProblem::EncryptedKey
        } else if matches!(error, pem::Error::NoItemsFound) {
            TlsProblem::NoKey
        } else {
            TlsProblem::NotPem
        }
    })?;
    provider.key_provider.load_private_key(key).map_err(|_| TlsProblem::BadKey)
}

/// Whether there is a key that needs a passphrase, in PKCS #8 or in the older form of openssl (RFC 1421, 4.6.1.1).
fn is_encrypted(pem: &[u8]) -> bool {
    let pem = String::from_utf8_lossy(pem);
    ["BEGIN ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED"].iter().any(|mark| pem.contains(mark))
}

fn matches(certified: &CertifiedKey) -> Result<(), TlsProblem> {
    certified.keys_match().map_err(|error| {
        let mismatch = error == Error::InconsistentKeys(InconsistentKeys::KeyMismatch);
        // A key whose public half is unknown could be any certificate's.
        if mismatch { TlsProblem::KeyMismatch } else { TlsProblem::BadKey }
    })
}

fn verifier(
    pem: &[u8],
    clients: ClientCertificates,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsProblem> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate).map_err(|_| TlsProblem::BadCertificate)?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let builder = match clients {
        ClientCertificates::Required => builder,
        ClientCertificates::Optional => builder.allow_unauthenticated(),
    };
    let chain = builder.build().map_err(|_| TlsProblem::BadCertificate)?;
    Ok(Arc::new(NamedClients { chain }))
}

fn server(
    provider: Arc<CryptoProvider>,
    certified: CertifiedKey,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<ServerConfig, TlsProblem> {
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|_| TlsProblem::BadKey)?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"h2".to_vec()];
    // A resumed session would not verify the client certificate again, and a reload could not end it.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// Rejects, besides what the verifier of the chain rejects, certificates that do not name their holder unambiguously.
#[derive(Debug)]
struct NamedClients {
    chain: Arc<dyn ClientCertVerifier>,
}

impl ClientCertVerifier for NamedClients {
    fn offer_client_auth(&self) -> bool {
        self.chain.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.chain.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chain.verify_client_cert(end_entity, intermediates, now)?;
        certificate::named(end_entity).map_err(|error| {
            tracing::warn!(%error, "client certificate of a trusted authority rejected");
            Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
        })?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
