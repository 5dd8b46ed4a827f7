//! This file starts the service before an embedded Cognito and speaks to both over real sockets.

use std::net::SocketAddr;
use std::time::Duration;

use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use mfagate::access::Gate;
use mfagate::cognito::{Cognito, Credentials, Endpoint};
use mfagate::embedded::{Embedded, Options};
use mfagate::proto::v1::mfa_preference_service_client::MfaPreferenceServiceClient;
use mfagate::proto::v1::passkey_service_client::PasskeyServiceClient;
use mfagate::proto::v1::pool_config_service_client::PoolConfigServiceClient;
use mfagate::proto::v1::software_token_service_client::SoftwareTokenServiceClient;
use mfagate::server;
use mfagate::service::Facade;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::codegen::Bytes;
use tonic::transport::{Channel, Endpoint as ClientEndpoint};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// The demo pool, and its users.
pub(crate) const POOL: &str = "us-west-2_EXAMPLE";
/// Confirmed, with phone, e-mail address and software token verified.
pub(crate) const USER: &str = "testuser";
/// Confirmed, without any factor.
pub(crate) const NEW_USER: &str = "newuser";

/// The service under test. It ends when it is dropped.
pub(crate) struct TestService {
    /// Where gRPC is served.
    pub(crate) address: SocketAddr,
    /// The Cognito behind it.
    pub(crate) cognito: CognitoControl,
    channel: Channel,
    embedded: Option<Embedded>,
    _end: oneshot::Sender<()>,
}

impl TestService {
    /// The service before an embedded Cognito of its own, with the demo pool.
    pub(crate) async fn start() -> Self {
        let embedded = Embedded::start(any_port().await, Options { data: None, demo: true }).await.unwrap();
        let url = embedded.url();
        Self { embedded: Some(embedded), ..Self::before(&url, Duration::from_secs(5)).await }
    }

    /// The service before whatever answers at `cognito_url`, with the limit of one operation.
    pub(crate) async fn before(cognito_url: &str, operation_timeout: Duration) -> Self {
        let endpoint = Endpoint::Url(cognito_url.to_owned());
        let cognito = Cognito::new(endpoint, Credentials::for_development(), operation_timeout);
        let listener = any_port().await;
        let address = listener.local_addr().unwrap();
        let (end, ended) = oneshot::channel();
        let shutdown = async move {
            let _: Result<(), _> = ended.await;
        };
        tokio::spawn(async move {
            server::serve(listener, Facade::new(Gate::Open, cognito), Duration::from_secs(1), shutdown).await.unwrap();
        });
        let channel = ClientEndpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
        let cognito = CognitoControl { url: cognito_url.to_owned() };
        Self { address, cognito, channel, embedded: None, _end: end }
    }

    /// The embedded Cognito, where there is one.
    pub(crate) fn embedded(&self) -> &Embedded {
        self.embedded.as_ref().unwrap()
    }

    /// One connection to the service, shared by the clients below.
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    pub(crate) fn preferences(&self) -> MfaPreferenceServiceClient<Channel> {
        MfaPreferenceServiceClient::new(self.channel())
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

/// The control endpoints of the embedded Cognito.
#[derive(Clone, Debug)]
pub(crate) struct CognitoControl {
    /// Where it is.
    pub(crate) url: String,
}

impl CognitoControl {
    /// Adds a fault; see the module documentation of `mfagate::embedded` for its form.
    pub(crate) async fn fault(&self, fault: Value) {
        self.call(Method::PUT, "/_embedded/faults", fault).await;
    }

    /// Makes `operation` answer an error once for each try.
    pub(crate) async fn answer_error(&self, operation: &str, code: &str, message: &str) {
        self.fault(json!({ "kind": "error", "operation": operation, "code": code, "message": message })).await;
    }

    /// An access token for a user of the demo pool.
    pub(crate) async fn token(&self, username: &str) -> String {
        let minted =
            self.call(Method::POST, "/_embedded/token", json!({ "UserPoolId": POOL, "Username": username })).await;
        minted["AccessToken"].as_str().unwrap().to_owned()
    }

    /// The current code of the user's authenticator app.
    pub(crate) async fn totp(&self, username: &str) -> String {
        let path = format!("/_embedded/totp?user_pool_id={POOL}&username={username}");
        let answer = self.call(Method::GET, &path, Value::Null).await;
        answer["Code"].as_str().or_else(|| answer["code"].as_str()).unwrap().to_owned()
    }

    /// Moves the server's clock on.
    pub(crate) async fn advance(&self, seconds: u64) {
        self.call(Method::POST, "/_embedded/clock", json!({ "advance_seconds": seconds })).await;
    }

    /// The last requests that Cognito received for `operation`, oldest first.
    pub(crate) async fn requests(&self, operation: &str) -> Vec<Value> {
        let path = format!("/_embedded/requests?operation={operation}");
        let answer = self.call(Method::GET, &path, Value::Null).await;
        answer["Requests"].as_array().unwrap().clone()
    }

    /// Calls a control endpoint and gives its JSON answer.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Value) -> Value {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let request =
            Request::builder().method(method).uri(format!("{}{path}", self.url)).body(Full::new(body)).unwrap();
        let answer = Client::builder(TokioExecutor::new()).build_http().request(request).await.unwrap();
        let status = answer.status();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(status.is_success(), "{path} answered {status}: {}", String::from_utf8_lossy(&bytes));
        if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() }
    }
}

/// What every error must carry, checked; gives the details for more.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, reason: &str) -> ErrorDetails {
    let status = answer.unwrap_err();
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    assert_eq!((status.code(), info.reason.as_str()), (code, reason), "{status:?} {info:?}");
    assert_eq!(info.domain, "mfagate");
    for key in ["fault", "retryable"] {
        assert!(info.metadata.contains_key(key), "no {key} in {info:?}");
    }
    assert!(details.request_info().is_some_and(|info| !info.request_id.is_empty()), "no request id in {details:?}");
    let kinds = status.get_error_details_vec();
    let infos = kinds.iter().filter(|kind| matches!(kind, tonic_types::ErrorDetail::ErrorInfo(_))).count();
    assert_eq!(infos, 1, "exactly one ErrorInfo");
    details
}

async fn any_port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}
