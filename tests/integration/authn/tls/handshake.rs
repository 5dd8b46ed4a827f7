//! Handshakes and connections: versions, limits, silence, and errors.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use mfagate::server::connection::tls::ClientCertificates;
use mfagate::server::connection::{ConnectionLimits, ConnectionSlots, HandshakeLimits};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_stream::StreamExt as _;
use tonic::transport::Endpoint;
use tonic::transport::server::TcpIncoming;

use super::{TestServer, check, is_closed};
use crate::support::certificate_authority::{connector_with, payments, uri};
use crate::support::loopback::listen;

#[tokio::test]
async fn both_versions_of_tls_speak_http_2_and_nothing_else() {
    let server = TestServer::start(ClientCertificates::Required).await;
    let client = server.authority.client(payments());
    let roots = server.authority.roots();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let connector = connector_with(Some(&client), &[version], roots.clone());
        let stream = TcpStream::connect(server.address).await.unwrap();
        let stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
        let connection = stream.get_ref().1;
        assert_eq!(connection.protocol_version(), Some(version.version));
        assert_eq!(connection.alpn_protocol(), Some(&b"h2"[..]));
    }
    let mut config = ClientConfig::clone(server.authority.connector(Some(&client)).config());
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let stream = TcpStream::connect(server.address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let refused = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap_err();
    assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");
}

#[tokio::test]
async fn no_session_is_resumed_so_that_every_handshake_verifies_the_client() {
    let server = TestServer::start(ClientCertificates::Required).await;
    let client = server.authority.client(payments());
    let roots = server.authority.roots();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        // One connector, which remembers sessions.
        let connector = connector_with(Some(&client), &[version], roots.clone());
        for _ in 0..3 {
            let stream = TcpStream::connect(server.address).await.unwrap();
            let mut stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
            // Tickets come after the handshake, before the server's first frame.
            stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
            assert!(stream.read(&mut [0; 64]).await.unwrap() > 0);
            let kind = stream.get_ref().1.handshake_kind();
            assert!(matches!(kind, Some(kind) if kind != rustls::HandshakeKind::Resumed), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn plaintext_to_the_tls_port_is_never_answered_as_grpc() {
    let mut server = TestServer::start(ClientCertificates::Optional).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut answer = Vec::new();
    // The server may reset the connection instead of closing it.
    let _: io::Result<usize> = stream.read_to_end(&mut answer).await;
    // A TLS alert record at most.
    assert!(answer.is_empty() || answer[0] == 0x15, "{answer:?}");
    let plain = Endpoint::from_shared(format!("http://{}", server.address)).unwrap().connect().await;
    if let Ok(channel) = plain {
        assert!(check(&channel).await.is_err());
    }
    assert!(server.connections.try_recv().is_err(), "no request came through");
    assert_eq!(server.seen(None).await.certificate, None);
}

#[tokio::test]
async fn handshakes_that_never_finish_do_not_keep_others_out() {
    let limits = HandshakeLimits { timeout: Duration::from_mins(10), max_pending: 16 };
    let mut server = TestServer::with(ClientCertificates::Required, limits).await;
    let client = server.authority.client(payments());
    let mut half_open = Vec::new();
    for round in 0..300 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        if round % 2 == 0 {
            // The beginning of a client hello, whose rest never comes.
            stream.write_all(&[0x16, 3, 1, 2, 0]).await.unwrap();
        }
        half_open.push(stream);
    }
    assert!(server.seen(Some(&client)).await.certificate.is_some());
    // The oldest were evicted: their connections are closed.
    for stream in &mut half_open[..200] {
        assert!(is_closed(stream).await);
    }
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_is_aborted() {
    let limits = HandshakeLimits { timeout: Duration::from_millis(20), max_pending: 16 };
    let server = TestServer::with(ClientCertificates::Required, limits).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    assert!(is_closed(&mut stream).await);
}

#[tokio::test]
async fn a_client_that_is_silent_after_the_handshake_is_disconnected() {
    let limits = ConnectionLimits { preface_timeout: Duration::from_millis(20), ..ConnectionLimits::default() };
    let server = TestServer::limited(limits).await;
    let mut stream = server.connect(None).await.unwrap();
    assert!(is_closed(&mut stream).await);
}

#[tokio::test]
async fn a_client_that_has_spoken_http_2_may_be_idle_afterwards() {
    let limits = ConnectionLimits { preface_timeout: Duration::from_secs(1), ..ConnectionLimits::default() };
    let mut server = TestServer::limited(limits).await;
    let channel = server.channel(None).await.unwrap();
    check(&channel).await.unwrap();
    let first = server.connections.recv().await.unwrap().unwrap().address;
    // Another client that is silent from now on is disconnected later than the first would be.
    let mut silent = server.connect(None).await.unwrap();
    assert!(is_closed(&mut silent).await);
    check(&channel).await.unwrap();
    assert_eq!(server.connections.recv().await.unwrap().unwrap().address, first);
}

#[tokio::test]
async fn unauthenticated_clients_do_not_keep_out_authenticated_ones() {
    let limits = ConnectionLimits { slots: ConnectionSlots::new(4), ..ConnectionLimits::default() };
    let mut server = TestServer::limited(limits).await;
    let client = server.authority.client(payments());
    let known = server.channel(Some(&client)).await.unwrap();
    check(&known).await.unwrap();
    let first = server.connections.recv().await.unwrap().unwrap().address;
    let mut idle = Vec::new();
    for _ in 0..12 {
        let mut stream = server.connect(None).await.unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        idle.push(stream);
    }
    for stream in &mut idle[..9] {
        assert!(is_closed(stream).await);
    }
    check(&known).await.unwrap();
    assert_eq!(
        server.connections.recv().await.unwrap().unwrap().address,
        first,
        "the known client kept its connection"
    );
    assert!(server.seen(Some(&client)).await.certificate.is_some(), "and makes another");
}

#[tokio::test]
async fn a_caller_that_holds_every_connection_does_not_keep_out_another() {
    let limits = ConnectionLimits { slots: ConnectionSlots::new(4), ..ConnectionLimits::default() };
    let mut server = TestServer::limited(limits).await;
    let greedy = server.authority.client(payments());
    let mut held = Vec::new();
    for _ in 0..4 {
        let channel = server.channel(Some(&greedy)).await.unwrap();
        check(&channel).await.unwrap();
        held.push(channel);
        server.connections.recv().await.unwrap().unwrap();
    }
    let other = server.authority.client(vec![uri("spiffe://example.org/support")]);
    for _ in 0..2 {
        let seen = server.seen(Some(&other)).await;
        assert_eq!(seen.certificate.unwrap().name, "spiffe://example.org/support");
    }
}

#[tokio::test]
async fn accept_errors_do_not_stop_the_server() {
    let listener = listen().await;
    let address = listener.local_addr().unwrap();
    // What accept returns without file descriptors (EMFILE, ENFILE), without memory, and for a client that left.
    let errors = [24, 23, 12].map(io::Error::from_raw_os_error);
    let errors = errors.into_iter().chain([io::ErrorKind::ConnectionAborted.into()]);
    let incoming = tokio_stream::iter(errors.map(Err)).chain(TcpIncoming::from(listener));
    let clients = Some(ClientCertificates::Required);
    let mut server = TestServer::on(address, incoming, clients, ConnectionLimits::default()).await;
    let client = server.authority.client(payments());
    assert!(server.seen(Some(&client)).await.certificate.is_some());
}
