//! An emulator of one test, and calls to it: by the SDK, raw HTTP and the control endpoints.

use std::fmt::Write as _;

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::config::retry::RetryConfig;
use aws_sdk_cognitoidentityprovider::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cognitoidentityprovider::types::{
    AttributeType, AuthFlowType, ExplicitAuthFlowsType, SmsConfigurationType, SmsMfaConfigType,
    SoftwareTokenMfaConfigType, UserPoolMfaType,
};
use cognito_emulator::{Emulator, Options};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The password of every user that these tests make.
pub(crate) const PASSWORD: &str = "Correct-Horse1";

/// A signature of the right form for us-west-2.
pub(crate) const SIGNATURE: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/us-west-2/cognito-idp/aws4_request, \
     SignedHeaders=host;x-amz-date, Signature=0123456789abcdef";

/// What every request to a control endpoint needs.
pub(crate) const CONTROL: (&str, &str) = (cognito_emulator::CONTROL_HEADER, "1");

/// An emulator of one test.
pub(crate) struct Cognito {
    pub(crate) emulator: Emulator,
    pub(crate) sdk: Client,
}

/// A raw HTTP response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (own, value) = line.split_once(": ")?;
            own.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// `__type` and `message` of an error.
    pub(crate) fn error(&self) -> (String, String) {
        let body = self.json();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        (text("__type"), text("message"))
    }
}

impl Cognito {
    pub(crate) async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn demo() -> Self {
        Self::with(Options { demo: true, ..Options::default() }).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let emulator = Emulator::start(listener, options).await.unwrap();
        let sdk = sdk(&emulator.url(), "us-west-2");
        Self { emulator, sdk }
    }

    /// The SDK as configured for another region.
    pub(crate) fn in_region(&self, region: &'static str) -> Client {
        sdk(&self.emulator.url(), region)
    }

    /// Calls an operation by raw HTTP, signed.
    pub(crate) async fn call(&self, operation: &str, body: &Value) -> Response {
        self.post(operation, &body.to_string(), &[("Authorization", SIGNATURE)]).await
    }

    /// The output of an operation, which must accept the call.
    pub(crate) async fn ok(&self, operation: &str, body: Value) -> Value {
        let response = self.call(operation, &body).await;
        assert_eq!(response.status, 200, "{operation} {body}: {}", response.body);
        response.json()
    }

    /// The exception and text of an operation that refuses the call.
    pub(crate) async fn refused(&self, operation: &str, body: Value) -> (String, String) {
        let response = self.call(operation, &body).await;
        assert_eq!(response.status, 400, "{operation} {body}: {}", response.body);
        response.error()
    }

    /// Calls an operation by raw HTTP with this body and these headers.
    pub(crate) async fn post(&self, operation: &str, body: &str, headers: &[(&str, &str)]) -> Response {
        let target = format!("AWSCognitoIdentityProviderService.{operation}");
        let mut all = vec![("X-Amz-Target", target.as_str()), ("Content-Type", "application/x-amz-json-1.1")];
        all.extend_from_slice(headers);
        self.request("POST", "/", body, &all).await.unwrap()
    }

    /// As [`post`](Self::post), `None` if there is no response, or none in this time.
    pub(crate) async fn post_within(
        &self,
        operation: &str,
        body: &str,
        headers: &[(&str, &str)],
        limit: std::time::Duration,
    ) -> Option<Response> {
        let target = format!("AWSCognitoIdentityProviderService.{operation}");
        let all = [&[("X-Amz-Target", target.as_str())], headers].concat();
        tokio::time::timeout(limit, self.request("POST", "/", body, &all)).await.ok()?.ok()
    }

    /// Calls a control endpoint.
    pub(crate) async fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let response = self.request(method, &format!("/_embedded/{path}"), &body, &[CONTROL]).await.unwrap();
        assert_eq!(response.status, 200, "{response:?}");
        response.json()
    }

    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> std::io::Result<Response> {
        let mut stream = TcpStream::connect(self.emulator.address()).await?;
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).await?;
        let mut response = String::new();
        stream.read_to_string(&mut response).await?;
        let (head, body) = response.split_once("\r\n\r\n").unwrap_or((&response, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Ok(Response {
            status: status.ok_or(std::io::ErrorKind::UnexpectedEof)?,
            head: head.to_owned(),
            body: body.to_owned(),
        })
    }

    /// A pool that offers nothing.
    pub(crate) async fn plain_pool(&self) -> String {
        let created = self.sdk.create_user_pool().pool_name("plain").send().await.unwrap();
        created.user_pool.unwrap().id.unwrap()
    }

    /// A pool with SMS and authenticator apps.
    pub(crate) async fn pool(&self, mode: UserPoolMfaType) -> String {
        let pool_id = self.plain_pool().await;
        self.offer(&pool_id, mode).await;
        pool_id
    }

    pub(crate) async fn offer(&self, pool_id: &str, mode: UserPoolMfaType) {
        self.sdk
            .set_user_pool_mfa_config()
            .user_pool_id(pool_id)
            .mfa_configuration(mode)
            .sms_mfa_configuration(sms())
            .software_token_mfa_configuration(SoftwareTokenMfaConfigType::builder().enabled(true).build())
            .send()
            .await
            .unwrap();
    }

    /// A client that allows the password flows.
    pub(crate) async fn client(&self, pool_id: &str) -> String {
        let created = self
            .sdk
            .create_user_pool_client()
            .user_pool_id(pool_id)
            .client_name("test")
            .explicit_auth_flows(ExplicitAuthFlowsType::AllowUserPasswordAuth)
            .explicit_auth_flows(ExplicitAuthFlowsType::AllowAdminUserPasswordAuth)
            .explicit_auth_flows(ExplicitAuthFlowsType::AllowRefreshTokenAuth)
            .send()
            .await
            .unwrap();
        created.user_pool_client.unwrap().client_id.unwrap()
    }

    /// A confirmed user with a password and these attributes.
    pub(crate) async fn user(&self, pool_id: &str, name: &str, attributes: &[(&str, &str)]) {
        let attributes =
            attributes.iter().map(|(name, value)| AttributeType::builder().name(*name).value(*value).build().unwrap());
        self.sdk
            .admin_create_user()
            .user_pool_id(pool_id)
            .username(name)
            .set_user_attributes(Some(attributes.collect()))
            .send()
            .await
            .unwrap();
        self.sdk
            .admin_set_user_password()
            .user_pool_id(pool_id)
            .username(name)
            .password(PASSWORD)
            .permanent(true)
            .send()
            .await
            .unwrap();
    }

    /// An access token, without a sign-in.
    pub(crate) async fn token(&self, pool_id: &str, username: &str) -> String {
        self.minted(json!({ "UserPoolId": pool_id, "Username": username })).await
    }

    pub(crate) async fn minted(&self, request: Value) -> String {
        let minted = self.control("POST", "token", &request).await;
        minted["AccessToken"].as_str().unwrap().to_owned()
    }

    /// The current code of the user's authenticator app.
    pub(crate) async fn totp(&self, pool_id: &str, username: &str) -> String {
        let path = format!("totp?user_pool_id={pool_id}&username={username}");
        self.control("GET", &path, &Value::Null).await["Code"].as_str().unwrap().to_owned()
    }

    /// The last code that was sent to the user.
    pub(crate) async fn sent_code(&self, pool_id: &str, username: &str) -> String {
        let path = format!("outbox?user_pool_id={pool_id}&username={username}");
        let outbox = self.control("GET", &path, &Value::Null).await;
        let letter = outbox["Letters"].as_array().unwrap().last().unwrap().clone();
        letter["Code"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn advance(&self, seconds: u64) {
        self.control("POST", "clock", &json!({ "advance_seconds": seconds })).await;
    }

    /// Associates and verifies an authenticator app.
    pub(crate) async fn enrol(&self, pool_id: &str, username: &str) {
        let token = self.token(pool_id, username).await;
        self.sdk.associate_software_token().access_token(&token).send().await.unwrap();
        let code = self.totp(pool_id, username).await;
        let verified = self.sdk.verify_software_token().access_token(&token).user_code(code).send().await;
        assert_eq!(verified.unwrap().status.unwrap().as_str(), "SUCCESS");
        // So that the next code is one that was not used.
        self.advance(30).await;
    }

    /// The output of a sign-in by password.
    pub(crate) async fn sign_in(
        &self,
        client_id: &str,
        username: &str,
    ) -> aws_sdk_cognitoidentityprovider::operation::initiate_auth::InitiateAuthOutput {
        self.sdk
            .initiate_auth()
            .client_id(client_id)
            .auth_flow(AuthFlowType::UserPasswordAuth)
            .auth_parameters("USERNAME", username)
            .auth_parameters("PASSWORD", PASSWORD)
            .send()
            .await
            .unwrap()
    }

    /// How a sign-in with this password is refused.
    pub(crate) async fn refused_sign_in(&self, client_id: &str, username: &str, password: &str) -> (String, String) {
        self.refused("InitiateAuth", sign_in_body(client_id, username, password)).await
    }
}

/// The request of a sign-in with this password.
pub(crate) fn sign_in_body(client_id: &str, username: &str, password: &str) -> Value {
    json!({
        "AuthFlow": "USER_PASSWORD_AUTH",
        "ClientId": client_id,
        "AuthParameters": { "USERNAME": username, "PASSWORD": password },
    })
}

/// An SMS block with a channel.
pub(crate) fn sms() -> SmsMfaConfigType {
    let channel = SmsConfigurationType::builder().sns_caller_arn("arn:aws:iam::123456789012:role/sms");
    SmsMfaConfigType::builder().sms_configuration(channel.build()).build()
}

/// Code and text of a refusal.
pub(crate) fn refusal<T, E: ProvideErrorMetadata>(result: Result<T, SdkError<E>>) -> (String, String) {
    let Err(error) = result else {
        panic!("the call was accepted");
    };
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    (text(error.code()), text(error.message()))
}

/// The SDK for an emulator at this URL.
pub(crate) fn sdk(url: &str, region: &'static str) -> Client {
    let config = aws_sdk_cognitoidentityprovider::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region))
        .endpoint_url(url)
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}
