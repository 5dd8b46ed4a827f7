//! The authorities that issue callers' certificates: what each must be, and what it may name.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

use crate::authn::certificate;
use crate::server::connection::tls::error::TlsProblem;
use crate::server::connection::tls::files::ClientCertificates;
use crate::server::connection::tls::name_constraints::{UriConstraints, without_uris};

/// One authority, and what it may name.
#[derive(Debug)]
pub(super) struct Authority {
    /// Verifies the chain up to this authority and no other.
    chain: Arc<dyn ClientCertVerifier>,
    /// The subject of its certificate.
    subject: String,
    uris: UriConstraints,
    /// The trust domain of every name that the authority may issue, if it is bound to one.
    trust_domain: Option<String>,
    /// When the authority's own certificate expires.
    pub(super) expires: SystemTime,
}

impl Authority {
    /// The authority with this certificate. It must be one: the holder of any other certificate could sign for every name.
    pub(super) fn new(
        der: CertificateDer<'static>,
        trust_domain: Option<String>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, TlsProblem> {
        let (_, parsed) = x509_parser::parse_x509_certificate(&der).map_err(|_| TlsProblem::BadCertificate)?;
        if !is_authority(&parsed) {
            return Err(TlsProblem::NotAnAuthority);
        }
        if !parsed.validity().is_valid() {
            return Err(TlsProblem::NotValidNow);
        }
        let uris = UriConstraints::of(&parsed).ok_or(TlsProblem::BadCertificate)?;
        let expires = expiry(&parsed);
        let mut roots = RootCertStore::empty();
        let subject = format!("authority {}", parsed.subject());
        roots.add(der).map_err(|_| TlsProblem::BadCertificate)?;
        for root in &mut roots.roots {
            root.name_constraints =
                root.name_constraints.take().and_then(|contents| without_uris(&contents)).map(Into::into);
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        let chain = builder.build().map_err(|_| TlsProblem::BadCertificate)?;
        Ok(Self { chain, subject, uris, trust_domain, expires })
    }

    /// The authority's own name.
    pub(super) fn subject(&self) -> String {
        self.subject.clone()
    }

    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chain.verify_client_cert(end_entity, intermediates, now)?;
        if self.expires <= UNIX_EPOCH + Duration::from_secs(now.as_secs()) {
            return Err(rejected("the authority's certificate has expired"));
        }
        for der in intermediates.iter().chain([end_entity]) {
            if !uris(der).is_some_and(|uris| uris.iter().all(|uri| self.uris.permit(uri))) {
                return Err(rejected("the authority's name constraints do not permit a URI in the certificate"));
            }
        }
        let named = certificate::named(end_entity).map_err(|error| rejected(&error.to_string()))?;
        let is_bound = |domain: &String| named.identity.is_none_or(|name| name.trust_domain.as_ref() == Some(domain));
        if !self.trust_domain.as_ref().is_none_or(is_bound) {
            return Err(rejected("the authority may not name callers outside its trust domain"));
        }
        Ok(verified)
    }
}

/// Whether a certificate may sign others. One without key usages may: RFC 5280 wants them of authorities, and some old ones have
/// none.
fn is_authority(certificate: &X509Certificate<'_>) -> bool {
    let may_sign = match certificate.key_usage() {
        Ok(usage) => usage.is_none_or(|usage| usage.value.key_cert_sign()),
        Err(_) => false,
    };
    certificate.is_ca() && may_sign
}

/// When a certificate expires.
pub(super) fn expiry(certificate: &X509Certificate<'_>) -> SystemTime {
    let seconds = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or_default();
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// The URIs in the alternative names of a certificate; `None` if they are unreadable.
fn uris(der: &[u8]) -> Option<Vec<String>> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    let names = certificate.subject_alternative_name().ok()?;
    let names = names.as_ref().map_or(&[][..], |names| &names.value.general_names);
    let uri = |name: &GeneralName<'_>| if let GeneralName::URI(uri) = name { Some((*uri).to_owned()) } else { None };
    Some(names.iter().filter_map(uri).collect())
}

fn rejected(cause: &str) -> Error {
    tracing::warn!(cause, "client certificate of a trusted authority rejected");
    Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
}

/// Accepts the certificates of callers, if one of the authorities issued them and may name their holder.
#[derive(Debug)]
pub(super) struct CallerVerifier {
    authorities: Vec<Authority>,
    subjects: Vec<DistinguishedName>,
    clients: ClientCertificates,
}

impl CallerVerifier {
    /// Accepts certificates of these authorities, of which there is one at least.
    pub(super) fn new(authorities: Vec<Authority>, clients: ClientCertificates) -> Self {
        let subjects = authorities.iter().flat_map(|one| one.chain.root_hint_subjects()).cloned().collect();
        Self { authorities, subjects, clients }
    }

    /// The authorities.
    pub(super) fn authorities(&self) -> &[Authority] {
        &self.authorities
    }

    /// Verifies a chain again, after a reload.
    pub(super) fn accepts(&self, chain: &[CertificateDer<'_>]) -> bool {
        let Some((end_entity, intermediates)) = chain.split_first() else { return false };
        self.verify_client_cert(end_entity, intermediates, UnixTime::now()).is_ok()
    }

    /// Any of the verifiers: signatures are verified alike by all.
    fn signatures(&self) -> Result<&Arc<dyn ClientCertVerifier>, Error> {
        let first = self.authorities.first().map(|authority| &authority.chain);
        first.ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))
    }
}

impl ClientCertVerifier for CallerVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.clients == ClientCertificates::Required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.subjects
    }

    /// The error is that of the authority that came closest: all others did not issue the certificate.
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let unknown = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let mut closest = unknown.clone();
        for authority in &self.authorities {
            match authority.verify(end_entity, intermediates, now) {
                Ok(verified) => return Ok(verified),
                Err(error) if error != unknown => closest = error,
                Err(_) => {}
            }
        }
        Err(closest)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signatures()?.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signatures()?.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signatures().map(|verifier| verifier.supported_verify_schemes()).unwrap_or_default()
    }
}
