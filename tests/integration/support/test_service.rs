//! The service under test before an embedded Cognito, over real sockets.

use std::net::SocketAddr;
use std::time::Duration;

use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use mfagate::api::v1::mfa_preference_service_client::MfaPreferenceServiceClient;
use mfagate::api::v1::passkey_service_client::PasskeyServiceClient;
use mfagate::api::v1::pool_config_service_client::PoolConfigServiceClient;
use mfagate::api::v1::software_token_service_client::SoftwareTokenServiceClient;
use mfagate::cognito::{Cognito, Credentials, Endpoint, OperationLimits};
use mfagate::domain::DeadlineLimits;
use mfagate::quota::{Broker, Quotas, Shares};
use mfagate::server::{self, DrainTimes, Service};
use tokio::sync::oneshot;
use tonic::transport::{Channel, Endpoint as ClientEndpoint};

use crate::support::loopback::listen;
use crate::support::test_cognito::TestCognito;

/// How long one operation may take unless a test says otherwise.
const UNHURRIED: Duration = Duration::from_secs(30);

/// A client without timers of its own.
pub(crate) type UntimedClient = MfaPreferenceServiceClient<Client<HttpConnector, tonic::body::Body>>;

/// The service under test. It stops when it is dropped.
pub(crate) struct TestService {
    /// Where gRPC is served.
    pub(crate) address: SocketAddr,
    /// The Cognito behind it.
    pub(crate) cognito: TestCognito,
    channel: Channel,
    _end: oneshot::Sender<()>,
}

fn cognito_client(cognito: &TestCognito, operation_timeout: Duration) -> Cognito {
    Cognito::new(Endpoint::Url(cognito.url.clone()), Credentials::for_development(), operation_timeout)
}

impl TestService {
    /// The service before an embedded Cognito of its own, with the demo pool. One operation may take far longer than a
    /// busy machine needs.
    pub(crate) async fn start() -> Self {
        Self::with(TestCognito::start().await, UNHURRIED).await
    }

    /// As [`start`](Self::start), with this limit on one operation.
    pub(crate) async fn with_operation_timeout(operation_timeout: Duration) -> Self {
        Self::with(TestCognito::start().await, operation_timeout).await
    }

    /// The service before the server at `cognito_url`.
    pub(crate) async fn with_cognito_at(cognito_url: &str) -> Self {
        Self::with(TestCognito::at(cognito_url), UNHURRIED).await
    }

    /// As [`with_cognito_at`](Self::with_cognito_at), with this limit on one operation.
    pub(crate) async fn with_cognito_and_timeout(cognito_url: &str, operation_timeout: Duration) -> Self {
        Self::with(TestCognito::at(cognito_url), operation_timeout).await
    }

    /// As [`start`](Self::start), with these limits of operations in flight.
    pub(crate) async fn with_limits(limits: OperationLimits) -> Self {
        Self::with_both(TestCognito::start().await, UNHURRIED, limits).await
    }

    /// As [`with_cognito_and_timeout`](Self::with_cognito_and_timeout), for callers with these deadlines.
    pub(crate) async fn with_times(cognito_url: &str, operation_timeout: Duration, deadlines: DeadlineLimits) -> Self {
        let cognito = TestCognito::at(cognito_url);
        let port = cognito_client(&cognito, operation_timeout);
        Self::serve(cognito, port, deadlines).await
    }

    async fn with(cognito: TestCognito, operation_timeout: Duration) -> Self {
        Self::with_both(cognito, operation_timeout, OperationLimits::default()).await
    }

    /// As [`start`](Self::start), spending from this quota.
    pub(crate) async fn with_quota(quota: &str) -> Self {
        let cognito = TestCognito::start().await;
        let port = cognito_client(&cognito, UNHURRIED);
        let quotas = Quotas::unlimited().with(quota.parse().unwrap());
        Self::serve(cognito, port.with_quota(Broker::new(quotas, Shares::default())), DeadlineLimits::default()).await
    }

    async fn with_both(cognito: TestCognito, operation_timeout: Duration, limits: OperationLimits) -> Self {
        let port = cognito_client(&cognito, operation_timeout).with_limits(limits);
        Self::serve(cognito, port, DeadlineLimits::default()).await
    }

    async fn serve(cognito: TestCognito, port: Cognito, deadlines: DeadlineLimits) -> Self {
        let listener = listen().await;
        let address = listener.local_addr().unwrap();
        let (end, ended) = oneshot::channel();
        let shutdown = async move {
            let _: Result<(), _> = ended.await;
        };
        tokio::spawn(async move {
            let drain = DrainTimes { delay: Duration::ZERO, timeout: Duration::from_secs(1) };
            let service = Service { deadlines, ..Service::open(port, drain) };
            server::serve(listener, service, shutdown).await.unwrap();
        });
        let channel = ClientEndpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
        Self { address, cognito, channel, _end: end }
    }

    /// One connection to the service, shared by the clients below.
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    pub(crate) fn preferences(&self) -> MfaPreferenceServiceClient<Channel> {
        MfaPreferenceServiceClient::new(self.channel())
    }

    /// A client that waits for the service's own response.
    pub(crate) fn untimed_client(&self) -> UntimedClient {
        untimed_client(self.address)
    }

    pub(crate) fn software_tokens(&self) -> SoftwareTokenServiceClient<Channel> {
        SoftwareTokenServiceClient::new(self.channel())
    }

    pub(crate) fn passkeys(&self) -> PasskeyServiceClient<Channel> {
        PasskeyServiceClient::new(self.channel())
    }

    pub(crate) fn pool_configs(&self) -> PoolConfigServiceClient<Channel> {
        PoolConfigServiceClient::new(self.channel())
    }
}

/// A client without timers of its own: tonic's channel ends a call by itself and hides the server's response.
pub(crate) fn untimed_client(address: SocketAddr) -> UntimedClient {
    let http = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    MfaPreferenceServiceClient::with_origin(http, format!("http://{address}").parse().unwrap())
}
