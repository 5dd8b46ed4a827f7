//! The authorities of callers: what is one, what each may name, and what becomes of connections when one is removed.

use std::sync::Arc;

use mfagate::reload::Reload;
use mfagate::server::connection::ConnectionLimits;
use mfagate::server::connection::tls::{ClientCa, ClientCertificates, TlsAcceptor, TlsError, TlsFileError, TlsProblem};
use rcgen::{CertificateParams, CustomExtension, IsCa, KeyUsagePurpose};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::transport::server::TcpIncoming;

use super::{TestServer, check, files, is_closed, write};
use crate::support::certificate_authority::{CertificateAuthority, dns, payments, uri};
use crate::support::loopback::listen;

#[tokio::test]
async fn what_is_not_an_authority_or_has_expired_is_refused() {
    let server = TestServer::start(ClientCertificates::Required).await;
    let ca = &server.authority.certificate;
    let other = |change: fn(&mut CertificateParams)| CertificateAuthority::with("other", change).certificate;
    let leaf = server.authority.client(payments()).certificate;
    let not_ca = other(|params| params.is_ca = IsCa::ExplicitNoCa);
    let no_signer = other(|params| params.key_usages = vec![KeyUsagePurpose::CrlSign]);
    let expired = other(|params| params.not_after = OffsetDateTime::now_utc() - time::Duration::DAY);
    let later = other(|params| params.not_before = OffsetDateTime::now_utc() + time::Duration::DAY);
    let file = files(&server.directory).client_ca[0].file.clone();
    for (pem, problem) in [
        (leaf, TlsProblem::NotAnAuthority),
        (not_ca, TlsProblem::NotAnAuthority),
        (no_signer, TlsProblem::NotAnAuthority),
        (expired, TlsProblem::NotValidNow),
        (later, TlsProblem::NotValidNow),
    ] {
        for bundle in [pem.clone(), format!("{ca}{pem}")] {
            std::fs::write(&file, bundle).unwrap();
            let expected = TlsError(vec![TlsFileError { file: file.clone(), problem: problem.clone() }]);
            assert_eq!(server.acceptor.reload(), Err(expected.clone()));
            let loaded = TlsAcceptor::load(files(&server.directory), ClientCertificates::Required);
            assert_eq!(loaded.err(), Some(expected));
        }
    }
    std::fs::write(&file, other(|params| params.key_usages = vec![])).unwrap();
    assert_eq!(server.acceptor.reload(), Ok(Reload::Replaced), "key usages are not required");
}

const URI: u8 = 0x86;
const DNS: u8 = 0x82;

/// Short DER, by hand: rcgen knows no constraints on URIs.
fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = u8::try_from(contents.len()).unwrap();
    assert!(length < 0x80);
    [&[tag, length], contents].concat()
}

/// A server whose callers' authority permits and excludes these names.
async fn constrained(permitted: &[(u8, &str)], excluded: &[(u8, &str)]) -> (TestServer, CertificateAuthority) {
    let server = TestServer::start(ClientCertificates::Required).await;
    let subtrees = |tag: u8, names: &[(u8, &str)]| {
        let subtree = |(tag, name): &(u8, &str)| der(0x30, &der(*tag, name.as_bytes()));
        let subtrees = names.iter().flat_map(subtree).collect::<Vec<_>>();
        if subtrees.is_empty() { Vec::new() } else { der(tag, &subtrees) }
    };
    let constraints = der(0x30, &[subtrees(0xa0, permitted), subtrees(0xa1, excluded)].concat());
    let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 30], constraints);
    extension.set_criticality(true);
    let callers = CertificateAuthority::with("callers", |params| params.custom_extensions = vec![extension]);
    let pair = server.authority.server();
    write(&server.directory, &pair, &callers.certificate);
    assert_eq!(server.acceptor.reload(), Ok(Reload::Replaced));
    (server, callers)
}

#[tokio::test]
async fn constraints_of_an_authority_on_uris_are_kept() {
    let permitted = [(URI, "example.com"), (URI, ".shop.example"), (DNS, "a.example")];
    let (mut server, callers) = constrained(&permitted, &[(URI, "evil.shop.example")]).await;
    for names in [
        payments(),
        vec![uri("spiffe://eu.shop.example/payments")],
        vec![uri("spiffe://example.com/payments"), dns("b.a.example")],
        vec![dns("a.example")],
    ] {
        assert!(server.seen(Some(&callers.client(names))).await.certificate.is_some());
    }
    for names in [
        vec![uri("spiffe://example.org/payments")],
        vec![uri("spiffe://shop.example/payments")],
        vec![uri("spiffe://evil.shop.example/payments")],
        vec![dns("a.example"), uri("https://example.org/")],
    ] {
        let alert = server.alert(Some(&callers.client(names))).await;
        assert!(alert.contains("AccessDenied"), "{alert}");
    }
    // Those on other names are still webpki's to check.
    let alert = server.alert(Some(&callers.client(vec![dns("b.example")]))).await;
    assert!(!alert.contains("AccessDenied"), "{alert}");

    let (mut server, callers) = constrained(&[], &[(URI, "example.org")]).await;
    assert!(server.seen(Some(&callers.client(payments()))).await.certificate.is_some());
    let alert = server.alert(Some(&callers.client(vec![uri("spiffe://example.org/a")]))).await;
    assert!(alert.contains("AccessDenied"), "{alert}");
}

#[tokio::test]
async fn a_client_that_does_not_ask_for_http_2_is_refused() {
    let server = TestServer::start(ClientCertificates::Required).await;
    let client = server.authority.client(payments());
    let mut config = ClientConfig::clone(server.authority.connector(Some(&client)).config());
    config.alpn_protocols.clear();
    let stream = TcpStream::connect(server.address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await;
    if let Ok(mut stream) = stream {
        assert!(!stream.read(&mut [0; 1]).await.is_ok_and(|read| read > 0), "the server speaks to it");
    }
}

fn bound(file: &ClientCa, domain: &str) -> ClientCa {
    ClientCa { trust_domain: Some(domain.to_owned()), ..file.clone() }
}

#[test]
fn an_authority_is_bound_by_what_follows_its_file() {
    let parse = |text: &str| text.parse::<ClientCa>().unwrap();
    assert_eq!(parse("ca.pem"), ClientCa { file: "ca.pem".into(), trust_domain: None });
    assert_eq!(parse("a=b.pem=spiffe://example.org"), bound(&parse("a=b.pem"), "example.org"));
    assert_eq!(parse("ca=spiffe://x/ca.pem"), ClientCa { file: "ca=spiffe://x/ca.pem".into(), trust_domain: None });
}

#[tokio::test]
async fn a_bound_authority_names_callers_of_its_trust_domain_only() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (CertificateAuthority::new("one"), CertificateAuthority::new("other"));
    write(&directory, &one.server(), &one.certificate);
    let mut files = files(&directory);
    let second = ClientCa::from(directory.path().join("other.pem"));
    std::fs::write(&second.file, &other.certificate).unwrap();
    files.client_ca =
        vec![bound(&files.client_ca[0], "example.com"), bound(&second, "example.org"), bound(&second, "b.example")];
    let acceptor = TlsAcceptor::load(files.clone(), ClientCertificates::Required).unwrap();
    let listener = listen().await;
    let address = listener.local_addr().unwrap();
    let (incoming, limits) = (TcpIncoming::from(listener), ConnectionLimits::default());
    let server = TestServer::serving((one, directory, acceptor), address, incoming, limits).await;
    for (client, names, is_accepted) in [
        (&server.authority.client(payments()), "example.com of one", true),
        (&server.authority.client(vec![uri("spiffe://example.org/payments")]), "example.org of one", false),
        (&server.authority.client(vec![dns("payments.example.com")]), "a DNS name of one", false),
        (&other.client(payments()), "example.com of other", false),
        (&other.client(vec![uri("spiffe://example.org/payments")]), "example.org of other", true),
        (&other.client(vec![uri("spiffe://b.example/payments")]), "b.example of other", true),
    ] {
        // In TLS 1.3, a refused client learns of it when it reads.
        let answered = async { check(&server.channel(Some(client)).await.ok()?).await.ok() };
        assert_eq!(answered.await.is_some(), is_accepted, "{names}");
    }

    files.client_ca = vec![bound(&files.client_ca[0], "Example.com:443")];
    let expected = TlsFileError { file: files.client_ca[0].file.clone(), problem: TlsProblem::BadTrustDomain };
    assert_eq!(TlsAcceptor::load(files, ClientCertificates::Required).err(), Some(TlsError(vec![expected])));
}

#[tokio::test]
async fn a_removed_authority_ends_the_connections_that_it_let_in_and_no_others() {
    let mut server = TestServer::start(ClientCertificates::Optional).await;
    let (kept, removed) = (server.authority.certificate.clone(), CertificateAuthority::new("removed"));
    let pair = server.authority.server();
    write(&server.directory, &pair, &format!("{kept}{}", removed.certificate));
    assert_eq!(server.acceptor.reload(), Ok(Reload::Replaced));
    let of_kept = server.channel(Some(&server.authority.client(payments()))).await.unwrap();
    let of_nobody = server.channel(None).await.unwrap();
    check(&of_kept).await.unwrap();
    check(&of_nobody).await.unwrap();
    let mut addresses = Vec::new();
    for _ in 0..2 {
        addresses.push(server.connections.recv().await.unwrap().unwrap().address);
    }
    let mut of_removed = server.connect(Some(&removed.client(payments()))).await.unwrap();
    of_removed.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();

    write(&server.directory, &pair, &kept);
    assert_eq!(server.acceptor.reload(), Ok(Reload::Replaced));
    assert!(is_closed(&mut of_removed).await);
    check(&of_kept).await.unwrap();
    check(&of_nobody).await.unwrap();
    for address in addresses {
        assert_eq!(server.connections.recv().await.unwrap().unwrap().address, address, "the connection stayed");
    }
}
