//! The embedded Cognito under test and its control endpoints.

use std::sync::Arc;

use cognito_emulator::{CONTROL_HEADER, Emulator, Options, demo};
use http::request::Builder;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tonic::codegen::Bytes;

use crate::support::loopback::listen;

/// The demo pool, and its users.
pub(crate) const POOL: &str = "us-west-2_EXAMPLE";
/// Confirmed, with phone, e-mail address and software token verified.
pub(crate) const USER: &str = "testuser";
/// Confirmed, without any factor.
pub(crate) const NEW_USER: &str = "newuser";

/// An embedded Cognito and its control endpoints. One that was started here stops with its last clone.
#[derive(Clone, Debug)]
pub(crate) struct TestCognito {
    pub(crate) url: String,
    _embedded: Option<Arc<Emulator>>,
}

impl TestCognito {
    /// Starts one with the demo pool.
    pub(crate) async fn start() -> Self {
        let embedded = Emulator::start(listen().await, Options { demo: true, ..Options::default() }).await.unwrap();
        Self { url: embedded.url(), _embedded: Some(Arc::new(embedded)) }
    }

    /// One that is already running.
    pub(crate) fn at(url: &str) -> Self {
        Self { url: url.to_owned(), _embedded: None }
    }

    /// Adds a fault; see the module documentation of `cognito_emulator` for its form.
    pub(crate) async fn inject_fault(&self, fault: Value) {
        self.call(Method::PUT, "/_embedded/faults", fault).await;
    }

    /// Makes `operation` fail once for each try.
    pub(crate) async fn inject_error(&self, operation: &str, code: &str, message: &str) {
        self.inject_fault(json!({ "kind": "error", "operation": operation, "code": code, "message": message })).await;
    }

    /// Removes all faults.
    pub(crate) async fn clear_faults(&self) {
        self.call(Method::DELETE, "/_embedded/faults", Value::Null).await;
    }

    /// An access token for a user of the demo pool.
    pub(crate) async fn token(&self, username: &str) -> String {
        self.mint_token(json!({ "UserPoolId": POOL, "Username": username })).await
    }

    /// An access token with what the control endpoint lets one choose.
    pub(crate) async fn mint_token(&self, wanted: Value) -> String {
        let minted = self.call(Method::POST, "/_embedded/token", wanted).await;
        minted["AccessToken"].as_str().unwrap().to_owned()
    }

    /// Performs a Cognito operation directly, past the service, as an administrator of us-west-2.
    pub(crate) async fn perform(&self, operation: &str, body: Value) -> Value {
        self.perform_in("us-west-2", operation, body).await
    }

    /// Performs an operation as an administrator of `region`.
    pub(crate) async fn perform_in(&self, region: &str, operation: &str, body: Value) -> Value {
        let signature = format!(
            "AWS4-HMAC-SHA256 Credential=TEST/20261121/{region}/cognito-idp/aws4_request, SignedHeaders=host, Signature=0"
        );
        let request = Request::post(&self.url)
            .header("x-amz-target", format!("AWSCognitoIdentityProviderService.{operation}"))
            .header("content-type", "application/x-amz-json-1.1")
            .header("authorization", signature);
        self.send(request, body).await
    }

    /// Performs an operation on a user of the demo pool as an administrator.
    pub(crate) async fn perform_on(&self, operation: &str, username: &str) -> Value {
        self.perform(operation, json!({ "UserPoolId": POOL, "Username": username })).await
    }

    /// So many new users of the demo pool. Reads of one user at the same time are one request; reads of these are not.
    pub(crate) async fn new_users(&self, number: usize) -> Vec<String> {
        let mut users = Vec::new();
        for number in 0..number {
            let user = format!("user-{number}");
            self.perform("AdminCreateUser", json!({ "UserPoolId": POOL, "Username": user })).await;
            users.push(user);
        }
        users
    }

    /// Begins a sign-in of a user of the demo app client with the password of the demo users.
    pub(crate) async fn sign_in(&self, username: &str) -> Value {
        let request = json!({
            "ClientId": demo::CLIENT_ID,
            "AuthFlow": "USER_PASSWORD_AUTH",
            "AuthParameters": { "USERNAME": username, "PASSWORD": demo::PASSWORD },
        });
        self.perform("InitiateAuth", request).await
    }

    /// Sets the status of a user of the demo pool.
    pub(crate) async fn set_user_status(&self, username: &str, status: &str) {
        let status = json!({ "UserPoolId": POOL, "Username": username, "UserStatus": status });
        self.call(Method::POST, "/_embedded/user", status).await;
    }

    /// The current code of the user's authenticator app.
    pub(crate) async fn totp_code(&self, username: &str) -> String {
        let path = format!("/_embedded/totp?user_pool_id={POOL}&username={username}");
        let answer = self.call(Method::GET, &path, Value::Null).await;
        answer["Code"].as_str().unwrap().to_owned()
    }

    /// Advances the server's clock.
    pub(crate) async fn advance_clock(&self, seconds: u64) {
        self.call(Method::POST, "/_embedded/clock", json!({ "advance_seconds": seconds })).await;
    }

    /// The operations of the last requests that Cognito received, oldest first.
    pub(crate) async fn operations(&self) -> Vec<String> {
        let response = self.call(Method::GET, "/_embedded/requests", Value::Null).await;
        let requests = response["Requests"].as_array().unwrap().iter();
        requests.map(|request| request["Operation"].as_str().unwrap().to_owned()).collect()
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

    /// Calls a control endpoint and returns its JSON response.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Value) -> Value {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        self.send(request.header(CONTROL_HEADER, "1"), body).await
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
