//! This file starts the service before an embedded Cognito and speaks to both over real sockets.

use std::net::SocketAddr;
use std::time::Duration;

use cognito_emulator::{Emulator, Options};
use http::request::Builder;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use mfagate::cognito::{Cognito, Credentials, Endpoint};
use mfagate::proto::v1::mfa_preference_service_client::MfaPreferenceServiceClient;
use mfagate::proto::v1::passkey_service_client::PasskeyServiceClient;
use mfagate::proto::v1::pool_config_service_client::PoolConfigServiceClient;
use mfagate::proto::v1::software_token_service_client::SoftwareTokenServiceClient;
use mfagate::server::{self, Service};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::codegen::Bytes;
use tonic::transport::{Channel, Endpoint as ClientEndpoint};
use tonic::{Code, Status};
use tonic_types::{ErrorDetail, ErrorDetails, StatusExt as _};

/// The demo pool, and its users.
pub(crate) const POOL: &str = "us-west-2_EXAMPLE";
/// Confirmed, with phone, e-mail address and software token verified.
pub(crate) const USER: &str = "testuser";
/// Confirmed, without any factor.
pub(crate) const NEW_USER: &str = "newuser";

/// A client that waits for the server's own answer.
pub(crate) type PatientClient = MfaPreferenceServiceClient<Client<HttpConnector, tonic::body::Body>>;

/// The service under test. It ends when it is dropped.
pub(crate) struct TestService {
    /// Where gRPC is served.
    pub(crate) address: SocketAddr,
    /// The Cognito behind it.
    pub(crate) cognito: CognitoControl,
    channel: Channel,
    _embedded: Option<Emulator>,
    _end: oneshot::Sender<()>,
}

impl TestService {
    /// The service before an embedded Cognito of its own, with the demo pool. One operation may take far longer than a
    /// busy machine needs.
    pub(crate) async fn start() -> Self {
        Self::limited_to(Duration::from_secs(30)).await
    }

    /// As [`start`](Self::start), with the limit of one operation.
    pub(crate) async fn limited_to(operation_timeout: Duration) -> Self {
        let embedded = Emulator::start(any_port().await, Options { data: None, demo: true }).await.unwrap();
        let url = embedded.url();
        Self { _embedded: Some(embedded), ..Self::before(&url, operation_timeout).await }
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
            server::serve(listener, Service::open(cognito, Duration::from_secs(1)), shutdown).await.unwrap();
        });
        let channel = ClientEndpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
        let cognito = CognitoControl { url: cognito_url.to_owned() };
        Self { address, cognito, channel, _embedded: None, _end: end }
    }

    /// One connection to the service, shared by the clients below.
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    pub(crate) fn preferences(&self) -> MfaPreferenceServiceClient<Channel> {
        MfaPreferenceServiceClient::new(self.channel())
    }

    /// A client that waits for the service's own answer.
    pub(crate) fn patient(&self) -> PatientClient {
        patient(self.address)
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

/// A client without timers of its own: tonic's channel ends a call by itself and hides what the server answers.
pub(crate) fn patient(address: SocketAddr) -> PatientClient {
    let http = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    MfaPreferenceServiceClient::with_origin(http, format!("http://{address}").parse().unwrap())
}

/// The control endpoints of the embedded Cognito.
#[derive(Clone, Debug)]
pub(crate) struct CognitoControl {
    /// Where it is.
    pub(crate) url: String,
}

impl CognitoControl {
    /// Adds a fault; see the module documentation of `cognito_emulator` for its form.
    pub(crate) async fn fault(&self, fault: Value) {
        self.call(Method::PUT, "/_embedded/faults", fault).await;
    }

    /// Makes `operation` answer an error once for each try.
    pub(crate) async fn answer_error(&self, operation: &str, code: &str, message: &str) {
        self.fault(json!({ "kind": "error", "operation": operation, "code": code, "message": message })).await;
    }

    /// Ends all faults.
    pub(crate) async fn heal(&self) {
        self.call(Method::DELETE, "/_embedded/faults", Value::Null).await;
    }

    /// An access token for a user of the demo pool.
    pub(crate) async fn token(&self, username: &str) -> String {
        self.mint(json!({ "UserPoolId": POOL, "Username": username })).await
    }

    /// An access token with what the control endpoint lets one choose.
    pub(crate) async fn mint(&self, wanted: Value) -> String {
        let minted = self.call(Method::POST, "/_embedded/token", wanted).await;
        minted["AccessToken"].as_str().unwrap().to_owned()
    }

    /// Performs an operation of Cognito's own, past the service, as an administrator of us-west-2 does.
    pub(crate) async fn operate(&self, operation: &str, body: Value) -> Value {
        self.operate_in("us-west-2", operation, body).await
    }

    /// Performs an operation as an administrator of `region` does.
    pub(crate) async fn operate_in(&self, region: &str, operation: &str, body: Value) -> Value {
        let signature = format!(
            "AWS4-HMAC-SHA256 Credential=TEST/20261121/{region}/cognito-idp/aws4_request, SignedHeaders=host, Signature=0"
        );
        let request = Request::post(&self.url)
            .header("x-amz-target", format!("AWSCognitoIdentityProviderService.{operation}"))
            .header("content-type", "application/x-amz-json-1.1")
            .header("authorization", signature);
        self.send(request, body).await
    }

    /// Puts a user of the demo pool into a status.
    pub(crate) async fn set_status(&self, username: &str, status: &str) {
        let status = json!({ "UserPoolId": POOL, "Username": username, "UserStatus": status });
        self.call(Method::POST, "/_embedded/user", status).await;
    }

    /// The current code of the user's authenticator app.
    pub(crate) async fn totp(&self, username: &str) -> String {
        let path = format!("/_embedded/totp?user_pool_id={POOL}&username={username}");
        let answer = self.call(Method::GET, &path, Value::Null).await;
        answer["Code"].as_str().unwrap().to_owned()
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

    /// The bodies of those requests.
    pub(crate) async fn bodies(&self, operation: &str) -> Vec<Value> {
        self.requests(operation).await.into_iter().map(|mut request| request["Body"].take()).collect()
    }

    /// Calls a control endpoint and gives its JSON answer.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Value) -> Value {
        self.send(Request::builder().method(method).uri(format!("{}{path}", self.url)), body).await
    }

    async fn send(&self, request: Builder, body: Value) -> Value {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let request = request.body(Full::new(body)).unwrap();
        let asked = format!("{request:?}");
        let answer = Client::builder(TokioExecutor::new()).build_http().request(request).await.unwrap();
        let status = answer.status();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(status.is_success(), "{asked} was answered {status}: {}", String::from_utf8_lossy(&bytes));
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
    details_beside(&status);
    details
}

/// The kinds of details beside the one `ErrorInfo` and the one `RequestInfo` that every error has. Each says something.
#[track_caller]
pub(crate) fn details_beside(status: &Status) -> Vec<&'static str> {
    let kinds = status.get_error_details_vec();
    let (mut infos, mut requests, mut beside) = (0, 0, Vec::new());
    for kind in &kinds {
        #[expect(clippy::wildcard_enum_match_arm, reason = "ErrorDetail is non-exhaustive")]
        let (name, says_something) = match kind {
            ErrorDetail::ErrorInfo(_) => {
                infos += 1;
                continue;
            }
            ErrorDetail::RequestInfo(_) => {
                requests += 1;
                continue;
            }
            ErrorDetail::BadRequest(request) => ("BadRequest", !request.field_violations.is_empty()),
            ErrorDetail::PreconditionFailure(failure) => ("PreconditionFailure", !failure.violations.is_empty()),
            ErrorDetail::ResourceInfo(resource) => ("ResourceInfo", !resource.resource_type.is_empty()),
            ErrorDetail::RetryInfo(retry) => ("RetryInfo", retry.retry_delay > Some(Duration::ZERO)),
            other => panic!("a detail that is not documented: {other:?}"),
        };
        assert!(says_something, "{kinds:?}");
        beside.push(name);
    }
    assert_eq!((infos, requests), (1, 1), "{kinds:?}");
    beside
}

async fn any_port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}
