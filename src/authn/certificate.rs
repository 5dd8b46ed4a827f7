//! This file reads who a client certificate names: its SPIFFE ID, else its first DNS name.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use x509_parser::extensions::GeneralName;

use crate::domain::CertificateIdentity;

/// The longest SPIFFE ID, in bytes (SPIFFE-ID 2.3).
const LONGEST_SPIFFE_ID: usize = 2048;

/// The longest trust domain, in bytes (SPIFFE-ID 2.1).
const LONGEST_TRUST_DOMAIN: usize = 255;

/// The longest DNS name, in characters (RFC 1035, 2.3.4).
const LONGEST_DNS_NAME: usize = 253;

/// Whom a client certificate names, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The identity; none where the certificate has neither a SPIFFE ID nor a DNS name.
    pub identity: Option<CertificateIdentity>,
    /// When the certificate expires; none where that is beyond what the system's clock can express.
    pub expires: Option<SystemTime>,
}

/// Why a certificate cannot say whom it names. Such a certificate is refused, whoever signed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityFault {
    /// It is not an X.509 certificate, or its subject alternative names are not readable.
    Unreadable,
    /// It has a SPIFFE ID and another URI: a SPIFFE certificate has exactly one (X.509-SVID 2).
    SeveralUris,
    /// Its URI begins like a SPIFFE ID and is none.
    InvalidSpiffeId,
    /// Its first DNS name is not the name of one host.
    InvalidDnsName,
}

impl fmt::Display for IdentityFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "the certificate or its alternative names are not readable",
            Self::SeveralUris => "the certificate has a SPIFFE ID and another URI",
            Self::InvalidSpiffeId => "the certificate's SPIFFE ID is not valid",
            Self::InvalidDnsName => "the certificate's first DNS name is not the name of one host",
        })
    }
}

impl std::error::Error for IdentityFault {}

/// Whom the certificate in `der` names. It must have been verified, or be about to be: this only reads.
pub fn named(der: &[u8]) -> Result<Named, IdentityFault> {
    let (rest, certificate) = x509_parser::parse_x509_certificate(der).map_err(|_| IdentityFault::Unreadable)?;
    if !rest.is_empty() {
        return Err(IdentityFault::Unreadable);
    }
    let seconds = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or_default();
    let expires = UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    let alternatives = certificate.subject_alternative_name().map_err(|_| IdentityFault::Unreadable)?;
    let names = alternatives.as_ref().map_or(&[][..], |names| &names.value.general_names);
    Ok(Named { identity: identity(names)?, expires })
}

fn identity(names: &[GeneralName<'_>]) -> Result<Option<CertificateIdentity>, IdentityFault> {
    if names.iter().any(|name| matches!(name, GeneralName::Invalid(..))) {
        return Err(IdentityFault::Unreadable);
    }
    let uris: Vec<&str> =
        names.iter().filter_map(|name| if let GeneralName::URI(uri) = name { Some(*uri) } else { None }).collect();
    if uris.iter().any(|uri| claims_spiffe(uri)) {
        return match uris.as_slice() {
            [uri] => spiffe(uri).map(Some),
            _ => Err(IdentityFault::SeveralUris),
        };
    }
    let dns = names.iter().find_map(|name| if let GeneralName::DNSName(dns) = name { Some(*dns) } else { None });
    dns.map(dns_name).transpose()
}

/// Whether a URI's scheme is SPIFFE's in any case: what looks like a SPIFFE ID is one or is refused.
fn claims_spiffe(uri: &str) -> bool {
    uri.split_once(':').is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("spiffe"))
}

/// A workload's SPIFFE ID, as SPIFFE-ID 2 and X.509-SVID 5.2 want it: no port, query, fragment or escape, and a path.
fn spiffe(uri: &str) -> Result<CertificateIdentity, IdentityFault> {
    let parsed = (uri.len() <= LONGEST_SPIFFE_ID)
        .then_some(uri)
        .and_then(|uri| uri.strip_prefix("spiffe://"))
        .and_then(|rest| rest.split_once('/'))
        .filter(|(trust_domain, path)| is_trust_domain(trust_domain) && path.split('/').all(is_segment));
    let (trust_domain, _) = parsed.ok_or(IdentityFault::InvalidSpiffeId)?;
    Ok(CertificateIdentity { name: uri.to_owned(), trust_domain: Some(trust_domain.to_owned()) })
}

fn is_trust_domain(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    (1..=LONGEST_TRUST_DOMAIN).contains(&text.len()) && text.bytes().all(allowed)
}

fn is_segment(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    !matches!(text, "" | "." | "..") && text.bytes().all(allowed)
}

/// A DNS name in lower case, since DNS does not tell cases apart and policies do. Its characters are checked: a certificate
/// could otherwise hold a DNS name that reads like somebody's SPIFFE ID.
fn dns_name(text: &str) -> Result<CertificateIdentity, IdentityFault> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(allowed);
    if text.len() > LONGEST_DNS_NAME || !text.split('.').all(is_label) {
        return Err(IdentityFault::InvalidDnsName);
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

    fn name(names: Vec<SanType>) -> Result<Option<(String, Option<String>)>, IdentityFault> {
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
            assert_eq!(name(vec![uri(id), uri(other)]), Err(IdentityFault::SeveralUris), "{other}");
            assert_eq!(name(vec![uri(other), uri(id)]), Err(IdentityFault::SeveralUris), "{other}");
        }
    }

    #[test]
    fn what_looks_like_a_spiffe_id_and_is_none_is_refused() {
        let long = format!("spiffe://example.com/{}", "a".repeat(LONGEST_SPIFFE_ID));
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
            assert_eq!(name(vec![uri(id), dns("a.example.com")]), Err(IdentityFault::InvalidSpiffeId), "{id}");
        }
    }

    #[test]
    fn a_dns_name_that_is_not_one_host_is_refused() {
        for text in ["*.example.com", "spiffe://example.com/admin", "a..b", "", ".", "a b", "a\n", "a.example.com."] {
            assert_eq!(name(vec![dns(text)]), Err(IdentityFault::InvalidDnsName), "{text:?}");
        }
        assert_eq!(name(vec![dns(&"a.".repeat(127))]), Err(IdentityFault::InvalidDnsName));
    }

    #[test]
    fn what_is_not_exactly_one_certificate_is_refused() {
        let mut der = certificate(vec![dns("a.example.com")]);
        assert!(named(&der).is_ok());
        der.push(0);
        assert_eq!(named(&der), Err(IdentityFault::Unreadable));
        assert_eq!(named(b"abc"), Err(IdentityFault::Unreadable));
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
