//! Client certificates: which are accepted, and whom they name.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mfagate::server::connection::ConnectionLimits;
use mfagate::server::connection::tls::ClientCertificates;
use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa};
use rustls::ClientConfig;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::transport::server::TcpIncoming;

use super::{TestServer, identity, is_closed};
use crate::support::certificate_authority::{CertificateAndKey, CertificateAuthority, dns, payments, uri};
use crate::support::loopback::listen;

#[tokio::test]
async fn the_caller_is_named_by_its_certificate() {
    let mut server = TestServer::start(ClientCertificates::Required).await;
    let client = server.authority.client(vec![dns("a.example.com"), uri("spiffe://example.com/payments")]);
    let seen = server.seen(Some(&client)).await;
    assert_eq!(seen.certificate, Some(identity("spiffe://example.com/payments", Some("example.com"))));
    assert!(seen.address.ip().is_loopback() && seen.address != server.address);

    let client = server.authority.client(vec![dns("a.example.com"), dns("b.example.com")]);
    assert_eq!(server.seen(Some(&client)).await.certificate, Some(identity("a.example.com", None)));
}

#[tokio::test]
async fn a_certificate_without_a_name_leaves_the_peer_unauthenticated() {
    let mut server = TestServer::start(ClientCertificates::Required).await;
    let client = server.authority.client(vec![]);
    assert_eq!(server.seen(Some(&client)).await.certificate, None);
}

#[tokio::test]
async fn a_client_without_a_certificate_is_accepted_only_if_certificates_are_optional() {
    let server = TestServer::start(ClientCertificates::Required).await;
    assert!(server.alert(None).await.contains("CertificateRequired"));
    let mut server = TestServer::start(ClientCertificates::Optional).await;
    assert_eq!(server.seen(None).await.certificate, None);
    let client = server.authority.client(payments());
    assert!(server.seen(Some(&client)).await.certificate.is_some());
}

#[tokio::test]
async fn without_an_authority_no_certificate_is_requested() {
    let listener = listen().await;
    let address = listener.local_addr().unwrap();
    let mut server = TestServer::on(address, TcpIncoming::from(listener), None, ConnectionLimits::default()).await;
    let client = CertificateAuthority::new("the authority").client(payments());
    assert_eq!(server.seen(Some(&client)).await.certificate, None);
}

#[tokio::test]
async fn a_bad_client_certificate_is_refused_even_if_certificates_are_optional() {
    let day = time::Duration::DAY;
    for clients in [ClientCertificates::Required, ClientCertificates::Optional] {
        let server = TestServer::start(clients).await;
        let authority = &server.authority;
        let expired = authority.client_with(payments(), |params| params.not_after = OffsetDateTime::now_utc() - day);
        assert!(server.alert(Some(&expired)).await.contains("CertificateExpired"));
        let later = authority.client_with(payments(), |params| params.not_before = OffsetDateTime::now_utc() + day);
        // TLS has one alert for both.
        assert!(server.alert(Some(&later)).await.contains("CertificateExpired"));
        let of_another_authority = CertificateAuthority::new("another authority").client(payments());
        assert!(server.alert(Some(&of_another_authority)).await.contains("UnknownCA"));
        let of_a_false_authority = CertificateAuthority::new("the authority").client(payments());
        assert!(server.alert(Some(&of_a_false_authority)).await.contains("DecryptError"));
        let for_servers = authority.client_with(payments(), |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        });
        assert!(server.alert(Some(&for_servers)).await.contains("UnsupportedCertificate"));
        let an_authority = authority.client_with(payments(), |params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        });
        assert!(server.alert(Some(&an_authority)).await.contains("CertificateUnknown"));
        let mut stolen = authority.client(payments());
        stolen.key_der = authority.client(payments()).key_der;
        assert!(certificate_without_its_key(&server, &stolen).await.contains("DecryptError"));
        for names in [
            vec![uri("spiffe://example.com/payments"), uri("spiffe://example.com/admin")],
            vec![uri("spiffe://example.com/a/../admin")],
            vec![dns("spiffe://example.com/admin")],
        ] {
            let client = authority.client(names);
            assert!(server.alert(Some(&client)).await.contains("AccessDenied"));
        }
    }
}

/// The alert to a client that presents a certificate and signs with another key, which rustls' client does not do.
async fn certificate_without_its_key(server: &TestServer, client: &CertificateAndKey) -> String {
    use rustls::sign::{CertifiedKey, SingleCertAndKey};
    let key = PrivateKeyDer::try_from(client.key_der.clone()).unwrap();
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).unwrap();
    let certified = CertifiedKey::new(vec![client.der.clone()], key);
    let roots = server.authority.roots();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    let stream = TcpStream::connect(server.address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let read = async {
        let mut stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await?;
        stream.read(&mut [0; 1]).await
    };
    read.await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_connection_ends_when_the_certificate_of_its_client_expires() {
    let mut server = TestServer::start(ClientCertificates::Required).await;
    // Certificates count whole seconds, so this is two to three seconds away.
    let expires = SystemTime::now() + Duration::from_secs(3);
    let client = server.authority.client_with(payments(), |params| params.not_after = expires.into());
    let mut stream = server.connect(Some(&client)).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    assert!(is_closed(&mut stream).await, "the connection outlives the certificate");
    let early = expires.duration_since(SystemTime::now()).unwrap_or_default();
    assert!(early <= Duration::from_secs(1), "the connection ended {early:?} too early");
    let client = server.authority.client(payments());
    assert!(server.seen(Some(&client)).await.certificate.is_some());
}
