//! The URIs that an authority may name (RFC 5280, 4.2.1.10).
//!
//! rustls-webpki 0.103 rejects every certificate with a URI below an authority with constraints on URIs, whether they permit it or
//! not. So the constraints of authorities in a file are taken from what webpki sees, and checked here. Those of intermediate
//! certificates stay, and webpki rejects what is below them.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, GeneralSubtree};

/// The tag of a URI in a `GeneralName`.
const URI: u8 = 0x86;

/// The hosts that the URIs of a certificate may have. The host of a SPIFFE ID is its trust domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct UriConstraints {
    /// `None` permits every host.
    permitted: Option<Vec<String>>,
    excluded: Vec<String>,
}

impl UriConstraints {
    /// The constraints in the certificate of an authority; `None` if they are unreadable.
    pub(super) fn of(authority: &X509Certificate<'_>) -> Option<Self> {
        let Some(constraints) = authority.name_constraints().ok()? else { return Some(Self::default()) };
        let hosts = |subtrees: &Option<Vec<GeneralSubtree<'_>>>| {
            let uri = |subtree: &GeneralSubtree<'_>| {
                if let GeneralName::URI(host) = subtree.base { Some(host.to_ascii_lowercase()) } else { None }
            };
            subtrees.iter().flatten().filter_map(uri).collect::<Vec<_>>()
        };
        let permitted = hosts(&constraints.value.permitted_subtrees);
        let permitted = (!permitted.is_empty()).then_some(permitted);
        Some(Self { permitted, excluded: hosts(&constraints.value.excluded_subtrees) })
    }

    /// Whether a certificate with this URI may be issued. Where there are constraints, a URI without a host may not.
    pub(super) fn permit(&self, uri: &str) -> bool {
        if *self == Self::default() {
            return true;
        }
        let Some(host) = host(uri) else { return false };
        let matches = |constraint: &String| match constraint.strip_prefix('.') {
            Some(domain) => host.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
            None => host == *constraint,
        };
        self.permitted.as_ref().is_none_or(|permitted| permitted.iter().any(matches))
            && !self.excluded.iter().any(matches)
    }
}

/// The host of a URI, in lower case. An address is no host that a constraint could be about.
fn host(uri: &str) -> Option<String> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    let is_address = host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok();
    (!host.is_empty() && !is_address).then(|| host.to_ascii_lowercase())
}

/// The contents of a `NameConstraints` without those on URIs; `None` if none is left. What is not DER stays, for webpki to reject.
pub(super) fn without_uris(contents: &[u8]) -> Option<Vec<u8>> {
    let mut kept = Vec::new();
    let mut rest = contents;
    while !rest.is_empty() {
        let Some((tag, mut subtrees, after)) = element(rest) else { return Some(contents.to_vec()) };
        let mut others = Vec::new();
        while !subtrees.is_empty() {
            let Some((_, base, next)) = element(subtrees) else { return Some(contents.to_vec()) };
            if base.first() != Some(&URI) {
                others.extend_from_slice(subtrees.get(..subtrees.len() - next.len()).unwrap_or_default());
            }
            subtrees = next;
        }
        if !others.is_empty() {
            kept.push(tag);
            kept.extend(length(others.len()));
            kept.extend(others);
        }
        rest = after;
    }
    (!kept.is_empty()).then_some(kept)
}

/// The tag and contents of the first element of DER, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f)).filter(|(bytes, _)| bytes.len() <= 4)?;
        (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
    };
    let (contents, after) = rest.split_at_checked(length)?;
    Some((tag, contents, after))
}

/// A length in DER.
fn length(length: usize) -> Vec<u8> {
    let bytes = length.to_be_bytes();
    let bytes: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    match bytes.as_slice() {
        [] => vec![0],
        [byte @ 0..0x80] => vec![*byte],
        // At most eight.
        _ => [vec![0x80 | u8::try_from(bytes.len()).unwrap_or_default()], bytes].concat(),
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;

    fn constraints(permitted: Option<&[&str]>, excluded: &[&str]) -> UriConstraints {
        let owned = |hosts: &[&str]| hosts.iter().map(|&host| host.to_owned()).collect();
        UriConstraints { permitted: permitted.map(owned), excluded: owned(excluded) }
    }

    #[test]
    fn a_host_or_every_host_below_a_domain_is_permitted() {
        let permitted = constraints(Some(&["example.org", ".shop.example"]), &[".evil.shop.example"]);
        for uri in ["spiffe://example.org/a", "https://user@EXAMPLE.org:443?x", "spiffe://a.b.shop.example/x"] {
            assert!(permitted.permit(uri), "{uri}");
        }
        for uri in [
            "spiffe://a.example.org/a",
            "spiffe://example.org.evil/a",
            "spiffe://shop.example/a",
            "spiffe://.shop.example/a",
            "spiffe://xshop.example/a",
            "spiffe://a.evil.shop.example/a",
            "https://192.0.2.1/",
            "https://[::1]/",
            "urn:example.org",
            "spiffe:///a",
        ] {
            assert!(!permitted.permit(uri), "{uri}");
        }
        assert!(constraints(None, &[]).permit("urn:a"));
        assert!(constraints(None, &["a.example"]).permit("spiffe://b.example/a"));
        assert!(!constraints(None, &["a.example"]).permit("spiffe://a.example/a"));
    }

    #[test]
    fn constraints_on_uris_are_taken_out_and_no_others() {
        let subtree = |tag: u8, name: &[u8]| {
            let base = [&[tag][..], &length(name.len()), name].concat();
            [&[0x30][..], &length(base.len()), &base].concat()
        };
        let list = |tag: u8, subtrees: &[Vec<u8>]| {
            let subtrees = subtrees.concat();
            [vec![tag], length(subtrees.len()), subtrees].concat()
        };
        let (uri, dns, long) = (subtree(URI, b"a.example"), subtree(0x82, b"b.example"), subtree(0x82, &[b'x'; 300]));
        let both = [list(0xa0, &[uri.clone(), dns.clone(), long.clone()]), list(0xa1, from_ref(&uri))].concat();
        assert_eq!(without_uris(&both), Some(list(0xa0, &[dns.clone(), long])));
        assert_eq!(without_uris(&list(0xa0, &[uri])), None);
        assert_eq!(without_uris(&list(0xa1, from_ref(&dns))), Some(list(0xa1, &[dns])));
        assert_eq!(without_uris(&[0xa0, 0x82]), Some(vec![0xa0, 0x82]));
        assert_eq!(without_uris(&[]), None);
    }
}
