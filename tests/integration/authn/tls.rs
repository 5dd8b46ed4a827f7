//! The TLS listener: who may connect, how clients are identified, what handshakes cost, and how files are reloaded.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mfagate::access::CertificateIdentity;
use mfagate::server::tls::{ClientCertificates, Reload, TlsAcceptor, TlsFault, TlsFiles, TlsProblem};
use mfagate::server::{ConnectionInfo, ConnectionLimits, HandshakeLimits, Places};
use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa};
use rustls::ClientConfig;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::client::TlsStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::support::certificate_authority::{
    CertificateAndKey, CertificateAuthority, connector_with, dns, payments, uri,
};
use crate::support::loopback::listen;

/// A server with a health service, which reports the connection of every request.
struct TestServer {
    authority: CertificateAuthority,
    address: SocketAddr,
    acceptor: Arc<TlsAcceptor>,
    directory: TempDir,
    connections: mpsc::UnboundedReceiver<Option<ConnectionInfo>>,
    _end: oneshot::Sender<()>,
}

impl TestServer {
    async fn start(clients: ClientCertificates) -> Self {
        Self::with(clients, HandshakeLimits::default()).await
    }

    async fn with(clients: ClientCertificates, limits: HandshakeLimits) -> Self {
        let listener = listen().await;
        let address = listener.local_addr().unwrap();
        let limits = ConnectionLimits { handshakes: limits, ..ConnectionLimits::default() };
        Self::on(address, TcpIncoming::from(listener), Some(clients), limits).await
    }

    /// A server that accepts clients with and without a certificate.
    async fn limited(limits: ConnectionLimits) -> Self {
        let listener = listen().await;
        let address = listener.local_addr().unwrap();
        Self::on(address, TcpIncoming::from(listener), Some(ClientCertificates::Optional), limits).await
    }

    async fn on(
        address: SocketAddr,
        incoming: impl Stream<Item = io::Result<TcpStream>> + Send + Unpin + 'static,
        clients: Option<ClientCertificates>,
        limits: ConnectionLimits,
    ) -> Self {
        let authority = CertificateAuthority::new("the authority");
        let directory = tempfile::tempdir().unwrap();
        write(&directory, &authority.server(), &authority.certificate);
        let mut files = files(&directory);
        if clients.is_none() {
            files.client_ca = None;
        }
        let clients = clients.unwrap_or(ClientCertificates::Required);
        let acceptor = Arc::new(TlsAcceptor::load(files, clients).unwrap());
        let incoming = mfagate::server::incoming(Some(Arc::clone(&acceptor)), incoming, limits);

        let (reporter, health) = tonic_health::server::health_reporter();
        reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
        let (report, connections) = mpsc::unbounded_channel();
        let seen = move |request: tonic::Request<()>| {
            report.send(request.extensions().get::<ConnectionInfo>().cloned()).unwrap();
            Ok(request)
        };
        let (end, ended) = oneshot::channel::<()>();
        tokio::spawn(async move {
            let serving = Server::builder()
                .layer(tonic::service::InterceptorLayer::new(seen))
                .add_service(health)
                .serve_with_incoming_shutdown(incoming, async {
                    let _: Result<(), _> = ended.await;
                });
            serving.await.unwrap();
        });
        Self { authority, address, acceptor, directory, connections, _end: end }
    }

    async fn connect(&self, client: Option<&CertificateAndKey>) -> io::Result<TlsStream<TcpStream>> {
        self.authority.connect(self.address, client).await
    }

    async fn channel(&self, client: Option<&CertificateAndKey>) -> Result<Channel, tonic::transport::Error> {
        self.authority.channel(self.address, client).await
    }

    /// The connection of a health check that succeeds.
    async fn seen(&mut self, client: Option<&CertificateAndKey>) -> ConnectionInfo {
        let channel = self.channel(client).await.unwrap();
        check(&channel).await.unwrap();
        self.connections.recv().await.unwrap().unwrap()
    }

    async fn alert(&self, client: Option<&CertificateAndKey>) -> String {
        self.authority.alert(self.address, client).await
    }
}

fn files(directory: &TempDir) -> TlsFiles {
    let path = |name: &str| -> PathBuf { directory.path().join(name) };
    TlsFiles { certificate: path("server.pem"), key: path("server.key"), client_ca: Some(path("ca.pem")) }
}

fn write(directory: &TempDir, server: &CertificateAndKey, client_ca: &str) {
    let TlsFiles { certificate, key, client_ca: ca } = files(directory);
    std::fs::write(certificate, &server.certificate).unwrap();
    std::fs::write(key, &server.key).unwrap();
    std::fs::write(ca.unwrap(), client_ca).unwrap();
}

async fn check(channel: &Channel) -> Result<(), tonic::Status> {
    let mut client = HealthClient::new(channel.clone());
    client.check(HealthCheckRequest { service: String::new() }).await.map(drop)
}

fn identity(name: &str, trust_domain: Option<&str>) -> CertificateIdentity {
    CertificateIdentity { name: name.to_owned(), trust_domain: trust_domain.map(str::to_owned) }
}

#[tokio::test]
async fn the_caller_is_named_by_its_certificate() {
    let mut server = TestServer::start(ClientCertificates::Required).await;
    let client = server.authority.client(vec![dns("a.example.com"), uri("spiffe://example.com/payments")]);
    let seen = server.seen(Some(&client)).await;
    assert_eq!(seen.certificate, Some(identity("spiffe://example.com/payments", Some("example.com"))));
    assert!(seen.peer.ip().is_loopback() && seen.peer != server.address);

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
    let limits = HandshakeLimits { timeout: Duration::from_mins(10), most: 16 };
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

/// Waits for the server to close a connection, whatever it sends first.
async fn is_closed(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    let read_to_the_end = async { while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {} };
    tokio::time::timeout(Duration::from_secs(20), read_to_the_end).await.is_ok()
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_is_aborted() {
    let limits = HandshakeLimits { timeout: Duration::from_millis(20), most: 16 };
    let server = TestServer::with(ClientCertificates::Required, limits).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    assert!(is_closed(&mut stream).await);
}

#[tokio::test]
async fn a_client_that_is_silent_after_the_handshake_is_disconnected() {
    let limits = ConnectionLimits { patience: Duration::from_millis(20), ..ConnectionLimits::default() };
    let server = TestServer::limited(limits).await;
    let mut stream = server.connect(None).await.unwrap();
    assert!(is_closed(&mut stream).await);
}

#[tokio::test]
async fn a_client_that_has_spoken_http_2_may_be_idle_afterwards() {
    let limits = ConnectionLimits { patience: Duration::from_secs(1), ..ConnectionLimits::default() };
    let mut server = TestServer::limited(limits).await;
    let channel = server.channel(None).await.unwrap();
    check(&channel).await.unwrap();
    let first = server.connections.recv().await.unwrap().unwrap().peer;
    // Another client that is silent from now on is disconnected later than the first would be.
    let mut silent = server.connect(None).await.unwrap();
    assert!(is_closed(&mut silent).await);
    check(&channel).await.unwrap();
    assert_eq!(server.connections.recv().await.unwrap().unwrap().peer, first);
}

#[tokio::test]
async fn unauthenticated_clients_do_not_keep_out_authenticated_ones() {
    let limits = ConnectionLimits { places: Places::new(4), ..ConnectionLimits::default() };
    let mut server = TestServer::limited(limits).await;
    let client = server.authority.client(payments());
    let known = server.channel(Some(&client)).await.unwrap();
    check(&known).await.unwrap();
    let first = server.connections.recv().await.unwrap().unwrap().peer;
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
    assert_eq!(server.connections.recv().await.unwrap().unwrap().peer, first, "the known client kept its connection");
    assert!(server.seen(Some(&client)).await.certificate.is_some(), "and makes another");
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

#[tokio::test]
async fn new_files_apply_to_new_connections_and_open_connections_stay() {
    let mut server = TestServer::start(ClientCertificates::Required).await;
    let old_client = server.authority.client(payments());
    let old_channel = server.channel(Some(&old_client)).await.unwrap();
    check(&old_channel).await.unwrap();
    assert_eq!(server.acceptor.reload(), Ok(Reload::Unchanged));

    // A new server certificate of the same authority, and another authority for clients.
    let new_clients = CertificateAuthority::new("another authority");
    let new_pair = server.authority.server();
    write(&server.directory, &new_pair, &new_clients.certificate);
    assert_eq!(server.acceptor.reload(), Ok(Reload::Changed));
    assert_eq!(server.acceptor.reload(), Ok(Reload::Unchanged));

    check(&old_channel).await.unwrap();
    assert!(server.alert(Some(&old_client)).await.contains("UnknownCA"));
    let new_client = new_clients.client(payments());
    let stream = server.connect(Some(&new_client)).await.unwrap();
    assert_eq!(stream.get_ref().1.peer_certificates().unwrap()[0], new_pair.der);
    check(&old_channel).await.unwrap();
    while server.connections.try_recv().is_ok() {}
    assert!(server.seen(Some(&new_client)).await.certificate.is_some());
}

/// The two forms in which openssl writes a key that needs a passphrase.
const ENCRYPTED_PKCS_8: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIHsMFcG\n-----END ENCRYPTED PRIVATE KEY-----\n";
const ENCRYPTED_SEC_1: &str = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,C3ADCB62\n\n\
                               8TXMZQM2\n-----END EC PRIVATE KEY-----\n";

#[tokio::test]
async fn a_bad_new_certificate_is_refused_and_the_old_one_stays_in_use() {
    let mut server = TestServer::start(ClientCertificates::Required).await;
    let client = server.authority.client(payments());
    let good = server.authority.server();
    let mut mixed = server.authority.server();
    mixed.key = good.key.clone();
    let expired = server.authority.sign(vec![dns("localhost")], |params| {
        params.not_after = OffsetDateTime::now_utc() - time::Duration::DAY;
    });
    let changed = |change: fn(&mut CertificateAndKey)| {
        let mut pair = good.clone();
        change(&mut pair);
        pair
    };
    let TlsFiles { certificate, key, client_ca } = files(&server.directory);
    let client_ca = client_ca.unwrap();
    let ca = server.authority.certificate.clone();
    for (pair, ca, file, problem) in [
        (mixed, ca.as_str(), &key, TlsProblem::KeyMismatch),
        (expired, &ca, &certificate, TlsProblem::NotValidNow),
        (changed(|pair| pair.certificate = String::new()), &ca, &certificate, TlsProblem::NoCertificate),
        (changed(|pair| pair.certificate = pair.key.clone()), &ca, &certificate, TlsProblem::NoCertificate),
        (changed(|pair| pair.certificate.truncate(200)), &ca, &certificate, TlsProblem::NotPem),
        (changed(|pair| pair.key = String::new()), &ca, &key, TlsProblem::NoKey),
        (changed(|pair| pair.key = pair.certificate.clone()), &ca, &key, TlsProblem::NoKey),
        (changed(|pair| pair.key = ENCRYPTED_PKCS_8.to_owned()), &ca, &key, TlsProblem::EncryptedKey),
        (changed(|pair| pair.key = ENCRYPTED_SEC_1.to_owned()), &ca, &key, TlsProblem::EncryptedKey),
        (changed(|pair| pair.key = "x".repeat(1024 * 1024 + 1)), &ca, &key, TlsProblem::TooLarge),
        (good.clone(), "", &client_ca, TlsProblem::NoCertificate),
        (
            good.clone(),
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            &client_ca,
            TlsProblem::BadCertificate,
        ),
    ] {
        write(&server.directory, &pair, ca);
        let fault = TlsFault { file: file.clone(), problem };
        assert_eq!(server.acceptor.reload(), Err(vec![fault.clone()]));
        assert_eq!(server.acceptor.reload(), Err(vec![fault.clone()]), "and again");
        assert_eq!(TlsAcceptor::load(files(&server.directory), ClientCertificates::Required).err(), Some(vec![fault]));
        assert!(server.seen(Some(&client)).await.certificate.is_some());
    }
    write(&server.directory, &good, &ca);
    assert_eq!(server.acceptor.reload(), Ok(Reload::Changed));
}

#[tokio::test]
async fn an_endless_key_file_is_not_read() {
    let server = TestServer::start(ClientCertificates::Required).await;
    let key = files(&server.directory).key;
    std::fs::remove_file(&key).unwrap();
    assert!(Command::new("mkfifo").arg(&key).status().await.unwrap().success());
    let acceptor = Arc::clone(&server.acceptor);
    // Not on a thread of the runtime, which would block on it.
    let (done, reloaded) = oneshot::channel();
    std::thread::spawn(move || done.send(acceptor.reload()));
    let reloaded = tokio::time::timeout(Duration::from_secs(30), reloaded).await;
    assert_eq!(reloaded.unwrap().unwrap(), Err(vec![TlsFault { file: key, problem: TlsProblem::NotAFile }]));
}

#[tokio::test]
async fn every_problem_is_reported_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let faults = TlsAcceptor::load(files(&directory), ClientCertificates::Required).unwrap_err();
    let TlsFiles { certificate, key, client_ca } = files(&directory);
    let unreadable = |file| TlsFault { file, problem: TlsProblem::Unreadable(io::ErrorKind::NotFound) };
    assert_eq!(faults, [certificate, key, client_ca.unwrap()].map(unreadable));
}

#[tokio::test]
async fn changed_files_are_noticed() {
    let server = TestServer::start(ClientCertificates::Optional).await;
    tokio::spawn(Arc::clone(&server.acceptor).watch(Duration::from_millis(1)));
    let pair = server.authority.server();
    write(&server.directory, &pair, &server.authority.certificate);
    let noticed =
        async { while server.connect(None).await.unwrap().get_ref().1.peer_certificates().unwrap()[0] != pair.der {} };
    tokio::time::timeout(Duration::from_secs(30), noticed).await.expect("the change is noticed");
}
