//! Builds a TLS configuration from the contents of files, or finds everything that is wrong with them.

use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use aws_lc_rs::digest::SHA256;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{Error, InconsistentKeys, ServerConfig};

use crate::authn::certificate;
use crate::reload::{self, Digest};
use crate::server::connection::tls::authority::{Authority, CallerVerifier, expiry};
use crate::server::connection::tls::error::{TlsError, TlsFileError, TlsProblem};
use crate::server::connection::tls::files::{ClientCa, ClientCertificates, MAX_FILE_BYTES, TlsFiles};

/// The contents of the files at one time.
pub(super) struct Contents {
    certificate: Result<Vec<u8>, TlsProblem>,
    key: Result<Vec<u8>, TlsProblem>,
    client_ca: Vec<Result<Vec<u8>, TlsProblem>>,
}

pub(super) fn read(files: &TlsFiles) -> Contents {
    Contents {
        certificate: contents(&files.certificate),
        key: contents(&files.key),
        client_ca: files.client_ca.iter().map(|ca| contents(&ca.file)).collect(),
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
    for file in [&contents.certificate, &contents.key].into_iter().chain(&contents.client_ca) {
        match file {
            Ok(bytes) => digests.extend_from_slice(aws_lc_rs::digest::digest(&SHA256, bytes).as_ref()),
            Err(problem) => digests.extend_from_slice(problem.to_string().as_bytes()),
        }
        digests.push(b'\n');
    }
    Digest::of(&digests)
}

/// What handshakes use.
#[derive(Debug)]
pub(in crate::server) struct TlsConfig {
    /// The configuration of rustls.
    pub(in crate::server) server: Arc<ServerConfig>,
    /// The verifier of callers' certificates, if callers are asked for them.
    pub(super) callers: Option<Arc<CallerVerifier>>,
    /// When the server's certificate expires.
    pub(super) expires: SystemTime,
}

pub(super) fn build(files: &TlsFiles, contents: &Contents, clients: ClientCertificates) -> Result<TlsConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = contents.certificate.as_deref().map_err(Clone::clone).and_then(chain);
    let key = contents.key.as_deref().map_err(Clone::clone).and_then(|pem| key(pem, &provider));

    let mut errors = Vec::new();
    let mut push = |file: &Path, problem: TlsProblem| errors.push(TlsFileError::new(file, problem));
    let chain = chain.map_err(|problem| push(&files.certificate, problem)).ok();
    let key = key.map_err(|problem| push(&files.key, problem)).ok();
    let certified = match (chain, key) {
        (Some((chain, expires)), Some(key)) => {
            let certified = CertifiedKey::new(chain, key);
            if let Err(problem) = matches(&certified) {
                push(&files.key, problem);
            }
            Some((certified, expires))
        }
        _ => None,
    };
    let mut callers = Vec::new();
    for (ca, pem) in files.client_ca.iter().zip(&contents.client_ca) {
        let pem = pem.as_deref().map_err(Clone::clone);
        match pem.and_then(|pem| authorities(ca, pem, &provider)) {
            Ok(authorities) => callers.extend(authorities),
            Err(problem) => push(&ca.file, problem),
        }
    }
    match certified {
        Some((certified, expires)) if errors.is_empty() => {
            let callers = (!callers.is_empty()).then(|| Arc::new(CallerVerifier::new(callers, clients)));
            let server = server(provider, certified, callers.clone())
                .map_err(|problem| TlsError(vec![TlsFileError::new(&files.certificate, problem)]))?;
            Ok(TlsConfig { server: Arc::new(server), callers, expires })
        }
        _ => Err(TlsError(errors)),
    }
}

/// The chain, and when the first certificate expires.
fn chain(pem: &[u8]) -> Result<(Vec<CertificateDer<'static>>, SystemTime), TlsProblem> {
    let chain = certificates(pem)?;
    let mut expires = None;
    for (position, certificate) in chain.iter().enumerate() {
        let (_, certificate) =
            x509_parser::parse_x509_certificate(certificate).map_err(|_| TlsProblem::BadCertificate)?;
        // The others may be cross-signatures that only some clients need.
        if position == 0 && !certificate.validity().is_valid() {
            return Err(TlsProblem::NotValidNow);
        }
        expires.get_or_insert_with(|| expiry(&certificate));
    }
    expires.map(|expires| (chain, expires)).ok_or(TlsProblem::NoCertificate)
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

fn authorities(ca: &ClientCa, pem: &[u8], provider: &Arc<CryptoProvider>) -> Result<Vec<Authority>, TlsProblem> {
    if ca.trust_domain.as_deref().is_some_and(|domain| !certificate::is_trust_domain(domain)) {
        return Err(TlsProblem::BadTrustDomain);
    }
    let certificates = certificates(pem)?.into_iter();
    certificates.map(|certificate| Authority::new(certificate, ca.trust_domain.clone(), provider)).collect()
}

fn server(
    provider: Arc<CryptoProvider>,
    certified: CertifiedKey,
    callers: Option<Arc<CallerVerifier>>,
) -> Result<ServerConfig, TlsProblem> {
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|_| TlsProblem::BadKey)?;
    let builder = match callers {
        Some(callers) => builder.with_client_cert_verifier(callers),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"h2".to_vec()];
    // A resumed session would not verify the client certificate again, and a reload could not end it.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}
