//! The TLS listener: who may connect, how clients are identified, what handshakes cost, and how files are reloaded.

mod authority;
mod certificate;
mod handshake;
mod reload;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mfagate::authn::PeerIdentity;
use mfagate::domain::CertificateIdentity;
use mfagate::server::connection::tls::{ClientCertificates, TlsAcceptor, TlsFiles};
use mfagate::server::connection::{ConnectionLimits, HandshakeLimits};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::client::TlsStream;
use tokio_stream::Stream;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::support::certificate_authority::{CertificateAndKey, CertificateAuthority};
use crate::support::loopback::listen;

/// A server with a health service, which reports the connection of every request.
struct TestServer {
    authority: CertificateAuthority,
    address: SocketAddr,
    acceptor: Arc<TlsAcceptor>,
    directory: TempDir,
    connections: mpsc::UnboundedReceiver<Option<PeerIdentity>>,
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
            files.client_ca.clear();
        }
        let clients = clients.unwrap_or(ClientCertificates::Required);
        let acceptor = TlsAcceptor::load(files, clients).unwrap();
        Self::serving((authority, directory, acceptor), address, incoming, limits).await
    }

    /// A server with these files and this acceptor.
    async fn serving(
        (authority, directory, acceptor): (CertificateAuthority, TempDir, TlsAcceptor),
        address: SocketAddr,
        incoming: impl Stream<Item = io::Result<TcpStream>> + Send + Unpin + 'static,
        limits: ConnectionLimits,
    ) -> Self {
        let acceptor = Arc::new(acceptor);
        let incoming = mfagate::server::connection::incoming(Some(Arc::clone(&acceptor)), incoming, limits);

        let (reporter, health) = tonic_health::server::health_reporter();
        reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
        let (report, connections) = mpsc::unbounded_channel();
        let seen = move |request: tonic::Request<()>| {
            report.send(request.extensions().get::<PeerIdentity>().cloned()).unwrap();
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
    async fn seen(&mut self, client: Option<&CertificateAndKey>) -> PeerIdentity {
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
    TlsFiles { certificate: path("server.pem"), key: path("server.key"), client_ca: vec![path("ca.pem").into()] }
}

fn write(directory: &TempDir, server: &CertificateAndKey, client_ca: &str) {
    let TlsFiles { certificate, key, client_ca: ca } = files(directory);
    std::fs::write(certificate, &server.certificate).unwrap();
    std::fs::write(key, &server.key).unwrap();
    std::fs::write(&ca[0].file, client_ca).unwrap();
}

async fn check(channel: &Channel) -> Result<(), tonic::Status> {
    let mut client = HealthClient::new(channel.clone());
    client.check(HealthCheckRequest { service: String::new() }).await.map(drop)
}

fn identity(name: &str, trust_domain: Option<&str>) -> CertificateIdentity {
    CertificateIdentity { name: name.to_owned(), trust_domain: trust_domain.map(str::to_owned) }
}

/// Whether the server closes a connection in time, whatever it sends first.
async fn is_closed(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    let read_to_the_end = async { while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {} };
    tokio::time::timeout(Duration::from_secs(20), read_to_the_end).await.is_ok()
}
