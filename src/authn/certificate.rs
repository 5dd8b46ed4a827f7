//! The identity in a client certificate: its SPIFFE ID, or else its first DNS name.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64URL_NOPAD;
use thiserror::Error;
use x509_parser::extensions::GeneralName;

use crate::domain::CertificateIdentity;

/// The maximum length of a SPIFFE ID, in bytes (SPIFFE-ID 2.3).
const MAX_SPIFFE_ID_BYTES: usize = 2048;

/// The maximum length of a trust domain, in bytes (SPIFFE-ID 2.1).
const MAX_TRUST_DOMAIN_BYTES: usize = 255;

/// The maximum length of a DNS name, in characters (RFC 1035, 2.3.4).
const MAX_DNS_NAME_LEN: usize = 253;

/// The holder that a client certificate names, and when the certificate expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The identity; `None` if the certificate has neither a SPIFFE ID nor a DNS name.
    pub identity: Option<CertificateIdentity>,
    /// When the certificate expires; `None` if that is beyond what the system's clock can express.
    pub expires: Option<SystemTime>,
}

/// Why a certificate does not name its holder. Such a certificate is rejected, whoever signed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CertificateIdentityError {
    /// It is not an X.509 certificate, or its subject alternative names are unreadable.
    #[error("the certificate or its alternative names are unreadable")]
    Unreadable,
    /// It has a SPIFFE ID and another URI: a SPIFFE certificate has exactly one (X.509-SVID 2).
    #[error("the certificate has a SPIFFE ID and another URI")]
    SeveralUris,
    /// Its URI has the scheme of a SPIFFE ID and is not one.
    #[error("the certificate's SPIFFE ID is not valid")]
    InvalidSpiffeId,
    /// Its first DNS name is not the name of one host.
    #[error("the certificate's first DNS name is not the name of one host")]
    InvalidDnsName,
}

/// The SHA-256 of a certificate in base64url, as the `x5t#S256` of a token that is bound to it has it (RFC 8705, 3.1).
pub fn thumbprint(der: &[u8]) -> String {
    BASE64URL_NOPAD.encode(digest(&SHA256, der).as_ref())
}

/// The holder that the certificate in `der` names. This only reads: the certificate must have been verified, or be about to be.
pub fn named(der: &[u8]) -> Result<Named, CertificateIdentityError> {
    let (rest, certificate) =
        x509_parser::parse_x509_certificate(der).map_err(|_| CertificateIdentityError::Unreadable)?;
    if !rest.is_empty() {
        return Err(CertificateIdentityError::Unreadable);
    }
    let seconds = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or_default();
    let expires = UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    let alternatives = certificate.subject_alternative_name().map_err(|_| CertificateIdentityError::Unreadable)?;
    let names = alternatives.as_ref().map_or(&[][..], |names| &names.value.general_names);
    Ok(Named { identity: identity(names)?, expires })
}

fn identity(names: &[GeneralName<'_>]) -> Result<Option<CertificateIdentity>, CertificateIdentityError> {
    if names.iter().any(|name| matches!(name, GeneralName::Invalid(..))) {
        return Err(CertificateIdentityError::Unreadable);
    }
    let uris: Vec<&str> =
        names.iter().filter_map(|name| if let GeneralName::URI(uri) = name { Some(*uri) } else { None }).collect();
    if uris.iter().any(|uri| claims_spiffe(uri)) {
        return match uris.as_slice() {
            [uri] => spiffe(uri).map(Some),
            _ => Err(CertificateIdentityError::SeveralUris),
        };
    }
    let dns = names.iter().find_map(|name| if let GeneralName::DNSName(dns) = name { Some(*dns) } else { None });
    dns.map(dns_name).transpose()
}

/// Whether a URI has SPIFFE's scheme, in any case: what looks like a SPIFFE ID is one or is rejected.
fn claims_spiffe(uri: &str) -> bool {
    uri.split_once(':').is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("spiffe"))
}

/// A workload's SPIFFE ID, as SPIFFE-ID 2 and X.509-SVID 5.2 require it: no port, query, fragment or escape, and a path.
fn spiffe(uri: &str) -> Result<CertificateIdentity, CertificateIdentityError> {
    let parsed = (uri.len() <= MAX_SPIFFE_ID_BYTES)
        .then_some(uri)
        .and_then(|uri| uri.strip_prefix("spiffe://"))
        .and_then(|rest| rest.split_once('/'))
        .filter(|(trust_domain, path)| is_trust_domain(trust_domain) && path.split('/').all(is_segment));
    let (trust_domain, _) = parsed.ok_or(CertificateIdentityError::InvalidSpiffeId)?;
    Ok(CertificateIdentity { name: uri.to_owned(), trust_domain: Some(trust_domain.to_owned()) })
}

/// Whether a text is a trust domain (SPIFFE-ID 2.1).
pub fn is_trust_domain(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    (1..=MAX_TRUST_DOMAIN_BYTES).contains(&text.len()) && text.bytes().all(allowed)
}

fn is_segment(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    !matches!(text, "" | "." | "..") && text.bytes().all(allowed)
}

/// A DNS name in lower case, since DNS ignores case and policies do not. Its characters are checked: a certificate could
/// otherwise hold a DNS name that reads like a SPIFFE ID.
fn dns_name(text: &str) -> Result<CertificateIdentity, CertificateIdentityError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(allowed);
    if text.len() > MAX_DNS_NAME_LEN || !text.split('.').all(is_label) {
        return Err(CertificateIdentityError::InvalidDnsName);
    }
    Ok(CertificateIdentity { name: text.to_ascii_lowercase(), trust_domain: None })
}

#[cfg(test)]
mod tests {
    use rcgen::string::Ia5String;
    use rcgen::{CertificateParams, KeyPair, SanType, date_time_ymd};

    use super::*;

    fn certificate(names: Vec<SanType>) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn uri(text: &str) -> SanType {
        SanType::URI(Ia5String::try_from(text).unwrap())
    }

    fn dns(text: &str) -> SanType {
        SanType::DnsName(Ia5String::try_from(text).unwrap())
    }

    fn name(names: Vec<SanType>) -> Result<Option<(String, Option<String>)>, CertificateIdentityError> {
        let identity = named(&certificate(names))?.identity;
        Ok(identity.map(|identity| (identity.name, identity.trust_domain)))
    }

    #[test]
    fn the_spiffe_id_names_the_caller_before_any_dns_name() {
        let id = "spiffe://example.com/ns/prod/sa/payments";
        let answer = name(vec![dns("payments.example.com"), uri(id)]);
        assert_eq!(answer, Ok(Some((id.to_owned(), Some("example.com".to_owned())))));
    }

    #[test]
    fn without_a_spiffe_id_the_first_dns_name_names_the_caller_in_lower_case() {
        let names = vec![uri("https://example.com/x"), dns("Payments.Example.com"), dns("other.example.com")];
        assert_eq!(name(names), Ok(Some(("payments.example.com".to_owned(), None))));
    }

    #[test]
    fn a_certificate_without_either_names_nobody() {
        assert_eq!(name(vec![]), Ok(None));
        assert_eq!(name(vec![SanType::IpAddress([127, 0, 0, 1].into()), uri("https://example.com")]), Ok(None));
    }

    #[test]
    fn a_spiffe_id_beside_another_uri_is_refused() {
        let id = "spiffe://example.com/payments";
        for other in ["spiffe://example.com/admin", "https://example.com", id] {
            assert_eq!(name(vec![uri(id), uri(other)]), Err(CertificateIdentityError::SeveralUris), "{other}");
            assert_eq!(name(vec![uri(other), uri(id)]), Err(CertificateIdentityError::SeveralUris), "{other}");
        }
    }

    #[test]
    fn what_looks_like_a_spiffe_id_and_is_none_is_refused() {
        let long = format!("spiffe://example.com/{}", "a".repeat(MAX_SPIFFE_ID_BYTES));
        let long_domain = format!("spiffe://{}/a", "a".repeat(256));
        for id in [
            "spiffe://example.com",
            "spiffe://example.com/",
            "spiffe:///payments",
            "spiffe://Example.com/payments",
            "SPIFFE://example.com/payments",
            "spiffe:example.com/payments",
            "spiffe://example.com:443/payments",
            "spiffe://user@example.com/payments",
            "spiffe://example.com/a//b",
            "spiffe://example.com/a/",
            "spiffe://example.com/./a",
            "spiffe://example.com/a/../admin",
            "spiffe://example.com/a%2Fb",
            "spiffe://example.com/a?b",
            "spiffe://example.com/a#b",
            "spiffe://example.com/a b",
            &long,
            &long_domain,
        ] {
            assert_eq!(
                name(vec![uri(id), dns("a.example.com")]),
                Err(CertificateIdentityError::InvalidSpiffeId),
                "{id}"
            );
        }
    }

    #[test]
    fn a_dns_name_that_is_not_one_host_is_refused() {
        for text in ["*.example.com", "spiffe://example.com/admin", "a..b", "", ".", "a b", "a\n", "a.example.com."] {
            assert_eq!(name(vec![dns(text)]), Err(CertificateIdentityError::InvalidDnsName), "{text:?}");
        }
        assert_eq!(name(vec![dns(&"a.".repeat(127))]), Err(CertificateIdentityError::InvalidDnsName));
    }

    #[test]
    fn what_is_not_exactly_one_certificate_is_refused() {
        let mut der = certificate(vec![dns("a.example.com")]);
        assert!(named(&der).is_ok());
        der.push(0);
        assert_eq!(named(&der), Err(CertificateIdentityError::Unreadable));
        assert_eq!(named(b"abc"), Err(CertificateIdentityError::Unreadable));
    }

    #[test]
    fn the_end_of_the_certificate_is_known() {
        let mut params = CertificateParams::default();
        params.not_after = date_time_ymd(2030, 1, 1);
        let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
        let expires = UNIX_EPOCH + Duration::from_hours(525_960);
        assert_eq!(named(&der).unwrap().expires, Some(expires));
    }
}
