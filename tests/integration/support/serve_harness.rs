//! `mfagate serve` before an embedded Cognito, and calls of its callers.

use std::fmt::Debug;

use mfagate::api::v1::mfa_preference_service_client::MfaPreferenceServiceClient;
use mfagate::api::v1::{AdminGetUserRequest, AdminSetUserMfaPreferenceRequest, SmsMfaSettings};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::support::certificate_authority::{CertificateAndKey, CertificateAuthority};
use crate::support::policy_fixture::PolicyFixture;
use crate::support::process::Process;
use crate::support::refusal::refused;
use crate::support::test_cognito::{POOL, TestCognito, USER};

/// The AWS credentials of the program.
pub(crate) const AWS_CREDENTIALS: &[(&str, &str)] = &[("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];

/// `mfagate serve` before an embedded Cognito, and a connection to it.
pub(crate) struct ServeHarness {
    pub(crate) fixture: PolicyFixture,
    pub(crate) cognito: TestCognito,
    pub(crate) process: Process,
    pub(crate) channel: Channel,
}

impl ServeHarness {
    /// With these policies, and callers with tokens.
    pub(crate) async fn with(policies: &str) -> Self {
        let fixture = PolicyFixture::with(policies);
        let options = fixture.options();
        Self::with_options(fixture, options).await
    }

    /// With these options.
    pub(crate) async fn with_options(fixture: PolicyFixture, options: Vec<String>) -> Self {
        let cognito = TestCognito::start().await;
        let mut process = Process::serve_with(&options, &cognito.url, AWS_CREDENTIALS).await;
        let channel = process.channel().await;
        Self { fixture, cognito, process, channel }
    }

    /// With these policies, over TLS: callers may have a certificate of `authority`, a token, or both. The connection
    /// presents `client`.
    pub(crate) async fn with_tls(
        policies: &str,
        authority: &CertificateAuthority,
        client: Option<&CertificateAndKey>,
    ) -> Self {
        let fixture = PolicyFixture::with(policies);
        fixture.write_tls(&authority.server(), &authority.certificate);
        let options = [fixture.options(), fixture.tls_options()].concat();
        let cognito = TestCognito::start().await;
        let mut process = Process::serve_with(&options, &cognito.url, AWS_CREDENTIALS).await;
        let channel = authority.channel(process.address().await, client).await.unwrap();
        Self { fixture, cognito, process, channel }
    }

    /// Reads the demo user in a pool, with this `authorization` header.
    pub(crate) async fn read(&self, authorization: Option<&str>, user_pool_id: &str) -> Result<String, Status> {
        read_user(self.channel.clone(), authorization, user_pool_id).await
    }

    /// Reads the demo user as the caller `name`.
    pub(crate) async fn read_as(&self, name: &str, user_pool_id: &str) -> Result<String, Status> {
        self.read(Some(&self.fixture.bearer(name)), user_pool_id).await
    }

    /// Enables or disables SMS messages of the demo user as the caller `name`.
    pub(crate) async fn set_sms_as(&self, name: &str, enabled: bool) -> Result<(), Status> {
        let authorization = self.fixture.bearer(name);
        set_sms(self.channel.clone(), &authorization, enabled, "set").await
    }
}

/// Reads the demo user in a pool over that connection, with this `authorization` header.
pub(crate) async fn read_user(
    channel: Channel,
    authorization: Option<&str>,
    user_pool_id: &str,
) -> Result<String, Status> {
    read_user_named(channel, authorization, user_pool_id, USER).await
}

/// As [`read_user`], of another user: reads of one user at the same time are one request to Cognito.
pub(crate) async fn read_user_named(
    channel: Channel,
    authorization: Option<&str>,
    user_pool_id: &str,
    username: &str,
) -> Result<String, Status> {
    let request = AdminGetUserRequest { user_pool_id: user_pool_id.to_owned(), username: username.to_owned() };
    let mut request = Request::new(request);
    if let Some(authorization) = authorization {
        request.metadata_mut().insert("authorization", authorization.parse().unwrap());
    }
    let answer = MfaPreferenceServiceClient::new(channel).admin_get_user(request).await?;
    Ok(answer.into_inner().username)
}

/// Enables or disables SMS messages of the demo user over that connection, with this header and request id.
pub(crate) async fn set_sms(channel: Channel, authorization: &str, enabled: bool, id: &str) -> Result<(), Status> {
    let request = AdminSetUserMfaPreferenceRequest {
        user_pool_id: POOL.to_owned(),
        username: USER.to_owned(),
        sms_mfa_settings: Some(SmsMfaSettings { enabled: Some(enabled), preferred_mfa: Some(enabled) }),
        ..Default::default()
    };
    let mut request = Request::new(request);
    request.metadata_mut().insert("authorization", authorization.parse().unwrap());
    request.metadata_mut().insert("x-request-id", id.parse().unwrap());
    MfaPreferenceServiceClient::new(channel).admin_set_user_mfa_preference(request).await.map(|_| ())
}

/// What an unauthenticated caller is told about its credential.
#[track_caller]
pub(crate) fn credential_problem<T: Debug>(answer: Result<T, Status>) -> String {
    let details = refused(answer, Code::Unauthenticated, "CALLER_UNAUTHENTICATED");
    details.error_info().unwrap().metadata["credential"].clone()
}
