//! The program without AWS credentials.

use mfagate::api::v1::mfa_preference_service_client::MfaPreferenceServiceClient;
use mfagate::api::v1::{AdminSetUserMfaPreferenceRequest, AdminSetUserMfaPreferenceResponse, GetUserRequest};
use serde_json::Value;
use tonic::{Code, Response, Status};

use crate::support::policy_fixture::PolicyFixture;
use crate::support::process::Process;
use crate::support::refusal::refused;
use crate::support::rpc_call::ANY_SETTING;
use crate::support::test_cognito::{POOL, TestCognito, USER};

/// An environment that holds no credentials, nor anything that leads to some.
const NO_CREDENTIALS: &[(&str, &str)] = &[
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("AWS_CONFIG_FILE", "/dev/null"),
    ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
];

/// The result of an administrator's RPC through `mfagate serve` without credentials.
pub(crate) async fn set_preference(cognito_url: &str) -> Result<Response<AdminSetUserMfaPreferenceResponse>, Status> {
    let fixture = PolicyFixture::allow_all();
    let mut process = Process::serve(&fixture, cognito_url, NO_CREDENTIALS).await;
    let channel = process.channel().await;
    let mut client = MfaPreferenceServiceClient::with_interceptor(channel, fixture.as_caller("tests"));
    let request = AdminSetUserMfaPreferenceRequest {
        user_pool_id: POOL.to_owned(),
        username: USER.to_owned(),
        sms_mfa_settings: Some(ANY_SETTING),
        ..Default::default()
    };
    client.admin_set_user_mfa_preference(request).await
}

#[tokio::test]
async fn an_administrators_rpc_is_mfagates_own_failure_and_sends_nothing() {
    let cognito = TestCognito::start().await;
    let answer = set_preference(&cognito.url).await;
    let details = refused(answer, Code::Internal, "MFAGATE_DISPATCH_FAILED");
    let metadata = &details.error_info().unwrap().metadata;
    assert_eq!((metadata["fault"].as_str(), metadata["retryable"].as_str()), ("MFAGATE", "false"));
    assert_eq!(cognito.requests("AdminSetUserMFAPreference").await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_signed_in_users_rpc_works() {
    let cognito = TestCognito::start().await;
    let fixture = PolicyFixture::allow_all();
    let mut process = Process::serve(&fixture, &cognito.url, NO_CREDENTIALS).await;
    let channel = process.channel().await;
    let mut client = MfaPreferenceServiceClient::with_interceptor(channel, fixture.as_caller("tests"));
    let request = GetUserRequest { access_token: cognito.token(USER).await };
    assert_eq!(client.get_user(request).await.unwrap().into_inner().username, USER);
}
