//! Behaviour of a user's MFA preference through the whole service.

use mfagate::proto::v1::{
    AdminGetUserRequest, AdminSetUserMfaPreferenceRequest, SmsMfaSettings, SoftwareTokenMfaSettings,
};
use tonic::Code;

use crate::support::{NEW_USER, POOL, TestService, USER, refused};

#[tokio::test]
async fn the_sample_request_of_aws_sets_the_preference() {
    let service = TestService::start().await;
    let request = AdminSetUserMfaPreferenceRequest {
        user_pool_id: POOL.to_owned(),
        username: USER.to_owned(),
        sms_mfa_settings: Some(SmsMfaSettings { enabled: true, preferred_mfa: Some(true) }),
        software_token_mfa_settings: Some(SoftwareTokenMfaSettings { enabled: true, preferred_mfa: Some(false) }),
        ..Default::default()
    };
    service.preferences().admin_set_user_mfa_preference(request).await.unwrap();

    let request = AdminGetUserRequest { user_pool_id: POOL.to_owned(), username: USER.to_owned() };
    let user = service.preferences().admin_get_user(request).await.unwrap().into_inner();
    assert_eq!(user.preferred_mfa_setting.as_deref(), Some("SMS_MFA"));
    assert_eq!(user.user_mfa_setting_list, ["SMS_MFA", "SOFTWARE_TOKEN_MFA"]);
}

#[tokio::test]
async fn setting_a_factor_that_the_user_lacks_is_a_failed_precondition() {
    let service = TestService::start().await;
    let request = AdminSetUserMfaPreferenceRequest {
        user_pool_id: POOL.to_owned(),
        username: NEW_USER.to_owned(),
        software_token_mfa_settings: Some(SoftwareTokenMfaSettings { enabled: true, preferred_mfa: Some(true) }),
        ..Default::default()
    };
    let answer = service.preferences().admin_set_user_mfa_preference(request).await;
    let details = refused(answer, Code::FailedPrecondition, "FACTOR_NOT_ENROLLED");
    assert_eq!(details.error_info().unwrap().metadata["factor"], "SOFTWARE_TOKEN_MFA");
}
