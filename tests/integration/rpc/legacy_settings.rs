//! Legacy settings: SMS to the phone number, sent to Cognito unchanged.

#![expect(deprecated, reason = "the legacy RPCs are served as long as Cognito has them")]

use mfagate::api::v1::{
    AdminGetUserRequest, AdminSetUserSettingsRequest, DeliveryMedium, GetUserRequest, MfaOption, SetUserSettingsRequest,
};
use serde_json::{Value, json};
use tonic::{Code, Status};

use crate::support::refusal::{invalid_fields, refused};
use crate::support::test_cognito::{NEW_USER, POOL, USER};
use crate::support::test_service::TestService;

fn option(medium: i32, name: &str) -> MfaOption {
    MfaOption { delivery_medium: medium, attribute_name: name.to_owned() }
}

fn sms() -> MfaOption {
    option(DeliveryMedium::Sms.into(), "phone_number")
}

/// With these options, or with `clear_mfa_options` if there are none.
async fn admin_set(service: &TestService, username: &str, mfa_options: Vec<MfaOption>) -> Result<(), Status> {
    let (user_pool_id, username) = (POOL.to_owned(), username.to_owned());
    let clear_mfa_options = mfa_options.is_empty();
    let request = AdminSetUserSettingsRequest { user_pool_id, username, mfa_options, clear_mfa_options };
    service.preferences().admin_set_user_settings(request).await.map(drop)
}

/// As [`admin_set`], as the signed-in user.
async fn set(service: &TestService, access_token: String, mfa_options: Vec<MfaOption>) -> Result<(), Status> {
    let clear_mfa_options = mfa_options.is_empty();
    let request = SetUserSettingsRequest { access_token, mfa_options, clear_mfa_options };
    service.preferences().set_user_settings(request).await.map(drop)
}

/// The legacy options and the factor list of the demo user, which are independent.
async fn read_back(service: &TestService) -> (Vec<MfaOption>, Vec<i32>) {
    let request = AdminGetUserRequest { user_pool_id: POOL.to_owned(), username: USER.to_owned() };
    let user = service.preferences().admin_get_user(request).await.unwrap().into_inner();
    (user.mfa_options, user.user_mfa_setting_list)
}

#[tokio::test]
async fn an_administrator_turns_legacy_sms_on_and_off() {
    let service = TestService::start().await;
    admin_set(&service, USER, vec![sms()]).await.unwrap();
    assert_eq!(read_back(&service).await, (vec![sms()], vec![]));
    admin_set(&service, USER, vec![]).await.unwrap();
    assert_eq!(read_back(&service).await, (vec![], vec![]));
}

#[tokio::test]
async fn a_signed_in_user_turns_legacy_sms_on_and_off() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    set(&service, token.clone(), vec![sms()]).await.unwrap();
    let request = GetUserRequest { access_token: token.clone() };
    assert_eq!(service.preferences().get_user(request).await.unwrap().into_inner().mfa_options, [sms()]);
    set(&service, token, vec![]).await.unwrap();
    assert_eq!(read_back(&service).await.0, []);
}

#[tokio::test]
async fn the_options_reach_cognito_and_cleared_ones_are_sent_as_an_empty_list() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    for options in [vec![sms()], vec![]] {
        admin_set(&service, USER, options.clone()).await.unwrap();
        set(&service, token.clone(), options).await.unwrap();
    }
    let on = json!([{ "DeliveryMedium": "SMS", "AttributeName": "phone_number" }]);
    let sent = |options: &Value| json!({ "UserPoolId": POOL, "Username": USER, "MFAOptions": options });
    assert_eq!(service.cognito.bodies("AdminSetUserSettings").await, [sent(&on), sent(&json!([]))]);
    let sent = |options: &Value| json!({ "AccessToken": token, "MFAOptions": options });
    assert_eq!(service.cognito.bodies("SetUserSettings").await, [sent(&on), sent(&json!([]))]);
}

#[tokio::test]
async fn options_are_either_given_or_cleared_and_nothing_else_is_sent() {
    let service = TestService::start().await;
    let access_token = service.cognito.token(USER).await;
    for (mfa_options, clear_mfa_options, field) in
        [(vec![], false, "mfa_options"), (vec![sms()], true, "clear_mfa_options")]
    {
        let request = AdminSetUserSettingsRequest {
            user_pool_id: POOL.to_owned(),
            username: USER.to_owned(),
            mfa_options: mfa_options.clone(),
            clear_mfa_options,
        };
        assert_eq!(invalid_fields(service.preferences().admin_set_user_settings(request).await), [field]);
        let request = SetUserSettingsRequest { access_token: access_token.clone(), mfa_options, clear_mfa_options };
        assert_eq!(invalid_fields(service.preferences().set_user_settings(request).await), [field]);
    }
    assert_eq!(service.cognito.operations().await, Vec::<String>::new());
}

#[tokio::test]
async fn anything_but_sms_to_the_phone_number_is_refused_with_all_violations_and_not_sent() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    let options = vec![
        sms(),
        option(DeliveryMedium::Email.into(), "email"),
        option(DeliveryMedium::Unrecognized.into(), "phone_number"),
        option(77, "phone_number"),
        MfaOption::default(),
    ];
    let paths = [
        "mfa_options[1].delivery_medium",
        "mfa_options[1].attribute_name",
        "mfa_options[2].delivery_medium",
        "mfa_options[3].delivery_medium",
        "mfa_options[4].delivery_medium",
        "mfa_options[4].attribute_name",
    ];
    for answer in [admin_set(&service, USER, options.clone()).await, set(&service, token, options).await] {
        assert_eq!(invalid_fields(answer), paths);
    }
    for operation in ["AdminSetUserSettings", "SetUserSettings"] {
        assert!(service.cognito.requests(operation).await.is_empty(), "{operation}");
    }
}

#[tokio::test]
async fn the_settings_of_a_user_that_does_not_exist_are_not_found() {
    let service = TestService::start().await;
    refused(admin_set(&service, "nobody", vec![]).await, Code::NotFound, "USER_NOT_FOUND");
    let token = service.cognito.token(USER).await;
    service.cognito.perform_on("AdminDeleteUser", USER).await;
    refused(set(&service, token, vec![]).await, Code::NotFound, "USER_NOT_FOUND");
}

#[tokio::test]
async fn the_settings_of_a_disabled_user_are_a_failed_precondition() {
    let service = TestService::start().await;
    service.cognito.perform_on("AdminDisableUser", USER).await;
    refused(admin_set(&service, USER, vec![]).await, Code::FailedPrecondition, "USER_DISABLED");
    let token = service.cognito.token(USER).await;
    refused(set(&service, token, vec![]).await, Code::FailedPrecondition, "USER_DISABLED");
}

#[tokio::test]
async fn the_settings_of_a_user_in_another_state_are_a_failed_precondition() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    for (status, reason) in [("UNCONFIRMED", "USER_NOT_CONFIRMED"), ("RESET_REQUIRED", "PASSWORD_RESET_REQUIRED")] {
        service.cognito.set_user_status(USER, status).await;
        refused(set(&service, token.clone(), vec![]).await, Code::FailedPrecondition, reason);
    }
}

#[tokio::test]
async fn a_missing_phone_number_is_a_factor_that_is_not_enrolled() {
    let service = TestService::start().await;
    let token = service.cognito.token(NEW_USER).await;
    let text = "User does not have delivery config set to turn on SMS_MFA";
    for operation in ["AdminSetUserSettings", "SetUserSettings"] {
        service.cognito.inject_error(operation, "InvalidParameterException", text).await;
    }
    for answer in [admin_set(&service, NEW_USER, vec![sms()]).await, set(&service, token, vec![sms()]).await] {
        let details = refused(answer, Code::FailedPrecondition, "FACTOR_NOT_ENROLLED");
        assert_eq!(details.error_info().unwrap().metadata["factor"], "SMS_MFA");
    }
}

#[tokio::test]
async fn a_refusal_of_the_target_is_a_failed_precondition() {
    let service = TestService::start().await;
    service.cognito.inject_error("AdminSetUserSettings", "NotAuthorizedException", "not now").await;
    refused(admin_set(&service, USER, vec![]).await, Code::FailedPrecondition, "TARGET_REFUSED");
}
