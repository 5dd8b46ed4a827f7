//! Reading one user: `GetUser` and `GetUserAuthFactors`, and their admin forms.

use mfagate::api::v1::{
    AdminGetUserAuthFactorsRequest, AdminGetUserAuthFactorsResponse, AdminGetUserRequest, AdminGetUserResponse,
    AuthFactor, ContactAttribute, DeliveryMedium, GetUserAuthFactorsRequest, GetUserAuthFactorsResponse,
    GetUserRequest, GetUserResponse, MfaFactor, MfaOption, UserStatus,
};
use serde_json::json;
use tonic::{Code, Status};

use crate::support::refusal::refused;
use crate::support::test_cognito::{NEW_USER, POOL, USER};
use crate::support::test_service::TestService;

async fn admin_get_user(service: &TestService, username: &str) -> Result<AdminGetUserResponse, Status> {
    let request = AdminGetUserRequest { user_pool_id: POOL.to_owned(), username: username.to_owned() };
    service.preferences().admin_get_user(request).await.map(tonic::Response::into_inner)
}

async fn admin_factors(service: &TestService, username: &str) -> Result<AdminGetUserAuthFactorsResponse, Status> {
    let request = AdminGetUserAuthFactorsRequest { user_pool_id: POOL.to_owned(), username: username.to_owned() };
    service.preferences().admin_get_user_auth_factors(request).await.map(tonic::Response::into_inner)
}

async fn get_user(service: &TestService, access_token: String) -> Result<GetUserResponse, Status> {
    service.preferences().get_user(GetUserRequest { access_token }).await.map(tonic::Response::into_inner)
}

async fn factors(service: &TestService, access_token: String) -> Result<GetUserAuthFactorsResponse, Status> {
    let request = GetUserAuthFactorsRequest { access_token };
    service.preferences().get_user_auth_factors(request).await.map(tonic::Response::into_inner)
}

/// Everything that a user can have, in Cognito's words.
fn everything() -> serde_json::Value {
    json!({
        "Username": "jane",
        "UserAttributes": [
            { "Name": "email", "Value": "jane@example.com" },
            { "Name": "email_verified", "Value": "false" },
            { "Name": "phone_number", "Value": "+12065550100" },
            { "Name": "phone_number_verified", "Value": "true" },
        ],
        "Enabled": true,
        "UserStatus": "EXTERNAL_PROVIDER",
        "MFAOptions": [
            { "DeliveryMedium": "SMS", "AttributeName": "phone_number" },
            { "DeliveryMedium": "EMAIL", "AttributeName": "email" },
            { "DeliveryMedium": "PIGEON" },
            {},
        ],
        "PreferredMfaSetting": "SOMETHING_NEW",
        "UserMFASettingList": [
            "SMS_MFA", "SOMETHING_NEW", "SOFTWARE_TOKEN_MFA", "EMAIL_OTP", "WEB_AUTHN", "SOMETHING_NEWER",
        ],
        "ConfiguredUserAuthFactors": [
            "PASSWORD", "EMAIL_OTP", "SMS_OTP", "WEB_AUTHN", "SOFTWARE_TOKEN", "SOMETHING_NEW",
        ],
    })
}

fn every_option() -> Vec<MfaOption> {
    [
        (DeliveryMedium::Sms, "phone_number"),
        (DeliveryMedium::Email, "email"),
        (DeliveryMedium::Unrecognized, ""),
        (DeliveryMedium::Unspecified, ""),
    ]
    .map(|(medium, name)| MfaOption { delivery_medium: medium.into(), attribute_name: name.to_owned() })
    .into()
}

fn every_factor() -> Vec<i32> {
    [
        AuthFactor::Password,
        AuthFactor::EmailOtp,
        AuthFactor::SmsOtp,
        AuthFactor::WebAuthn,
        AuthFactor::SoftwareToken,
        AuthFactor::Unrecognized,
    ]
    .map(i32::from)
    .into()
}

fn every_mfa_factor() -> Vec<i32> {
    [
        MfaFactor::Sms,
        MfaFactor::Unrecognized,
        MfaFactor::SoftwareToken,
        MfaFactor::Email,
        MfaFactor::WebAuthn,
        MfaFactor::Unrecognized,
    ]
    .map(i32::from)
    .into()
}

const NEW_FACTORS: [&str; 2] = ["SOMETHING_NEW", "SOMETHING_NEWER"];

#[tokio::test]
async fn an_administrator_reads_the_mfa_settings_of_a_user() {
    let service = TestService::start().await;
    let proven = Some(ContactAttribute { present: true, verified: true });
    let wanted = AdminGetUserResponse {
        username: USER.to_owned(),
        enabled: true,
        user_status: UserStatus::Confirmed.into(),
        phone_number: proven,
        email: proven,
        ..Default::default()
    };
    assert_eq!(admin_get_user(&service, USER).await.unwrap(), wanted);
}

#[tokio::test]
async fn a_user_without_phone_and_email_is_read_as_having_none() {
    let service = TestService::start().await;
    let none = Some(ContactAttribute { present: false, verified: false });
    let user = admin_get_user(&service, NEW_USER).await.unwrap();
    assert_eq!((user.phone_number, user.email), (none, none));
    let user = get_user(&service, service.cognito.token(NEW_USER).await).await.unwrap();
    assert_eq!((user.phone_number, user.email), (none, none));
}

#[tokio::test]
async fn a_signed_in_user_reads_their_own_mfa_settings() {
    let service = TestService::start().await;
    let proven = Some(ContactAttribute { present: true, verified: true });
    let wanted =
        GetUserResponse { username: USER.to_owned(), phone_number: proven, email: proven, ..Default::default() };
    assert_eq!(get_user(&service, service.cognito.token(USER).await).await.unwrap(), wanted);
}

#[tokio::test]
async fn an_administrator_reads_a_users_auth_factors() {
    let service = TestService::start().await;
    let read = admin_factors(&service, USER).await.unwrap();
    assert_eq!(read.username, USER);
    assert_eq!(read.configured_user_auth_factors, [AuthFactor::Password, AuthFactor::SoftwareToken].map(i32::from));
}

#[tokio::test]
async fn a_signed_in_user_reads_their_own_auth_factors() {
    let service = TestService::start().await;
    let read = factors(&service, service.cognito.token(NEW_USER).await).await.unwrap();
    assert_eq!(read.username, NEW_USER);
    assert_eq!(read.configured_user_auth_factors, [i32::from(AuthFactor::Password)]);
}

#[tokio::test]
async fn a_user_is_found_by_sub_and_returned_with_the_username() {
    let service = TestService::start().await;
    let read = service.cognito.perform_on("AdminGetUser", USER).await;
    let attributes = read["UserAttributes"].as_array().unwrap();
    let sub = attributes.iter().find(|attribute| attribute["Name"] == "sub").unwrap()["Value"].as_str().unwrap();
    assert_eq!(admin_get_user(&service, sub).await.unwrap().username, USER);
}

#[tokio::test]
async fn every_member_of_an_admin_read_is_returned() {
    let service = TestService::start().await;
    service.cognito.inject_fault(json!({ "kind": "replace", "body": everything() })).await;
    let wanted = AdminGetUserResponse {
        username: "jane".to_owned(),
        enabled: true,
        user_status: UserStatus::ExternalProvider.into(),
        preferred_mfa_setting: Some(MfaFactor::Unrecognized.into()),
        unrecognized_preferred_mfa_setting: Some("SOMETHING_NEW".to_owned()),
        user_mfa_setting_list: every_mfa_factor(),
        unrecognized_user_mfa_setting_list: NEW_FACTORS.map(str::to_owned).into(),
        mfa_options: every_option(),
        phone_number: Some(ContactAttribute { present: true, verified: true }),
        email: Some(ContactAttribute { present: true, verified: false }),
    };
    assert_eq!(admin_get_user(&service, USER).await.unwrap(), wanted);
    let wanted = AdminGetUserAuthFactorsResponse {
        username: "jane".to_owned(),
        preferred_mfa_setting: Some(MfaFactor::Unrecognized.into()),
        unrecognized_preferred_mfa_setting: Some("SOMETHING_NEW".to_owned()),
        user_mfa_setting_list: every_mfa_factor(),
        unrecognized_user_mfa_setting_list: NEW_FACTORS.map(str::to_owned).into(),
        configured_user_auth_factors: every_factor(),
    };
    assert_eq!(admin_factors(&service, USER).await.unwrap(), wanted);
}

#[tokio::test]
async fn every_member_of_a_users_own_read_is_returned() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    service.cognito.inject_fault(json!({ "kind": "replace", "body": everything() })).await;
    let wanted = GetUserResponse {
        username: "jane".to_owned(),
        preferred_mfa_setting: Some(MfaFactor::Unrecognized.into()),
        unrecognized_preferred_mfa_setting: Some("SOMETHING_NEW".to_owned()),
        user_mfa_setting_list: every_mfa_factor(),
        unrecognized_user_mfa_setting_list: NEW_FACTORS.map(str::to_owned).into(),
        mfa_options: every_option(),
        phone_number: Some(ContactAttribute { present: true, verified: true }),
        email: Some(ContactAttribute { present: true, verified: false }),
    };
    assert_eq!(get_user(&service, token.clone()).await.unwrap(), wanted);
    let wanted = GetUserAuthFactorsResponse {
        username: "jane".to_owned(),
        preferred_mfa_setting: Some(MfaFactor::Unrecognized.into()),
        unrecognized_preferred_mfa_setting: Some("SOMETHING_NEW".to_owned()),
        user_mfa_setting_list: every_mfa_factor(),
        unrecognized_user_mfa_setting_list: NEW_FACTORS.map(str::to_owned).into(),
        configured_user_auth_factors: every_factor(),
    };
    assert_eq!(factors(&service, token).await.unwrap(), wanted);
}

#[tokio::test]
async fn every_status_of_a_user_has_a_value_of_its_own() {
    let service = TestService::start().await;
    for (name, status) in [
        ("UNCONFIRMED", UserStatus::Unconfirmed),
        ("CONFIRMED", UserStatus::Confirmed),
        ("ARCHIVED", UserStatus::Archived),
        ("COMPROMISED", UserStatus::Compromised),
        ("UNKNOWN", UserStatus::Unknown),
        ("RESET_REQUIRED", UserStatus::ResetRequired),
        ("FORCE_CHANGE_PASSWORD", UserStatus::ForceChangePassword),
        ("EXTERNAL_PROVIDER", UserStatus::ExternalProvider),
    ] {
        service.cognito.set_user_status(NEW_USER, name).await;
        assert_eq!(admin_get_user(&service, NEW_USER).await.unwrap().user_status(), status, "{name}");
    }
}

#[tokio::test]
async fn a_status_that_mfagate_does_not_know_is_unrecognized_and_an_absent_one_unspecified() {
    let service = TestService::start().await;
    for (body, status) in [
        (json!({ "Username": "jane", "UserStatus": "SOMETHING_NEW" }), UserStatus::Unrecognized),
        (json!({ "Username": "jane" }), UserStatus::Unspecified),
    ] {
        service.cognito.inject_fault(json!({ "kind": "replace", "count": 1, "body": body })).await;
        assert_eq!(admin_get_user(&service, USER).await.unwrap().user_status(), status);
    }
}

#[tokio::test]
async fn a_preferred_factor_that_mfagate_knows_is_its_value_alone() {
    let service = TestService::start().await;
    for (name, factor) in [
        ("SMS_MFA", MfaFactor::Sms),
        ("SOFTWARE_TOKEN_MFA", MfaFactor::SoftwareToken),
        ("EMAIL_OTP", MfaFactor::Email),
        ("WEB_AUTHN", MfaFactor::WebAuthn),
    ] {
        let body = json!({ "Username": "jane", "UserAttributes": [], "PreferredMfaSetting": name });
        service.cognito.inject_fault(json!({ "kind": "replace", "count": 2, "body": body })).await;
        let wanted = (Some(factor.into()), None);
        let user = admin_get_user(&service, USER).await.unwrap();
        assert_eq!((user.preferred_mfa_setting, user.unrecognized_preferred_mfa_setting), wanted, "{name}");
        let user = admin_factors(&service, USER).await.unwrap();
        assert_eq!((user.preferred_mfa_setting, user.unrecognized_preferred_mfa_setting), wanted, "{name}");
    }
}

#[tokio::test]
async fn an_empty_preference_is_none() {
    let service = TestService::start().await;
    let body = json!({ "Username": "jane", "UserAttributes": [], "PreferredMfaSetting": "" });
    service.cognito.inject_fault(json!({ "kind": "replace", "body": body })).await;
    assert_eq!(admin_get_user(&service, USER).await.unwrap().preferred_mfa_setting, None);
    assert_eq!(admin_factors(&service, USER).await.unwrap().preferred_mfa_setting, None);
}

#[tokio::test]
async fn a_disabled_user_is_read_as_disabled() {
    let service = TestService::start().await;
    service.cognito.perform_on("AdminDisableUser", USER).await;
    assert!(!admin_get_user(&service, USER).await.unwrap().enabled);
}

#[tokio::test]
async fn a_user_that_does_not_exist_is_not_found_in_its_pool() {
    let service = TestService::start().await;
    for details in [
        refused(admin_get_user(&service, "nobody").await, Code::NotFound, "USER_NOT_FOUND"),
        refused(admin_factors(&service, "nobody").await, Code::NotFound, "USER_NOT_FOUND"),
    ] {
        let resource = details.resource_info().unwrap();
        assert_eq!((resource.resource_type.as_str(), resource.owner.as_str()), ("user", POOL));
        assert_eq!(resource.resource_name, "", "the username reaches no log");
    }
}

#[tokio::test]
async fn a_pool_that_does_not_exist_is_not_found_by_its_id() {
    let service = TestService::start().await;
    let request = AdminGetUserRequest { user_pool_id: "us-west-2_NOWHERE".to_owned(), username: USER.to_owned() };
    let details = refused(service.preferences().admin_get_user(request).await, Code::NotFound, "RESOURCE_NOT_FOUND");
    let resource = details.resource_info().unwrap();
    assert_eq!((resource.resource_type.as_str(), resource.resource_name.as_str()), ("user_pool", "us-west-2_NOWHERE"));
}

#[tokio::test]
async fn an_expired_token_is_unauthenticated() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    service.cognito.advance_clock(3601).await;
    refused(get_user(&service, token.clone()).await, Code::Unauthenticated, "USER_TOKEN_EXPIRED");
    refused(factors(&service, token).await, Code::Unauthenticated, "USER_TOKEN_EXPIRED");
}

#[tokio::test]
async fn a_token_revoked_by_a_global_sign_out_is_unauthenticated() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    service.cognito.perform_on("AdminUserGlobalSignOut", USER).await;
    refused(get_user(&service, token.clone()).await, Code::Unauthenticated, "USER_TOKEN_REVOKED");
    refused(factors(&service, token).await, Code::Unauthenticated, "USER_TOKEN_REVOKED");
}

#[tokio::test]
async fn a_token_without_the_scope_is_permission_denied() {
    let service = TestService::start().await;
    let token = service.cognito.mint_token(json!({ "UserPoolId": POOL, "Username": USER, "Scope": "openid" })).await;
    refused(get_user(&service, token).await, Code::PermissionDenied, "USER_TOKEN_SCOPE_MISSING");
}

#[tokio::test]
async fn a_token_signed_by_another_is_rejected_by_cognito() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    let (signed, _) = token.rsplit_once('.').unwrap();
    let details =
        refused(get_user(&service, format!("{signed}.AAAA")).await, Code::Unauthenticated, "USER_TOKEN_REJECTED");
    assert_eq!(details.error_info().unwrap().metadata["operation"], "GetUser");
}

#[tokio::test]
async fn a_token_that_names_no_pool_is_rejected_without_a_call_to_cognito() {
    let service = TestService::start().await;
    for token in ["opaque", "a.b.c", "e30.e30.e30"] {
        let details = refused(get_user(&service, token.to_owned()).await, Code::Unauthenticated, "USER_TOKEN_REJECTED");
        assert!(!details.error_info().unwrap().metadata.contains_key("operation"));
    }
    assert!(service.cognito.requests("GetUser").await.is_empty());
}

#[tokio::test]
async fn the_token_of_a_deleted_user_is_not_found() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    service.cognito.perform_on("AdminDeleteUser", USER).await;
    refused(get_user(&service, token).await, Code::NotFound, "USER_NOT_FOUND");
}

#[tokio::test]
async fn the_state_of_a_signed_in_user_is_a_failed_precondition() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    for (status, reason) in [("UNCONFIRMED", "USER_NOT_CONFIRMED"), ("RESET_REQUIRED", "PASSWORD_RESET_REQUIRED")] {
        service.cognito.set_user_status(USER, status).await;
        refused(get_user(&service, token.clone()).await, Code::FailedPrecondition, reason);
        refused(factors(&service, token.clone()).await, Code::FailedPrecondition, reason);
    }
}

#[tokio::test]
async fn a_disabled_user_who_reads_is_a_failed_precondition() {
    let service = TestService::start().await;
    service.cognito.perform_on("AdminDisableUser", USER).await;
    // Disabling revokes the existing tokens, so this is a later one.
    let token = service.cognito.token(USER).await;
    refused(get_user(&service, token).await, Code::FailedPrecondition, "USER_DISABLED");
}

#[tokio::test]
async fn an_admin_call_is_signed_for_the_region_of_its_pool_and_a_token_call_is_not_signed() {
    let service = TestService::start().await;
    for pool in ["us-west-2_EXAMPLE", "eu-central-1_AbCd123"] {
        let body = json!({ "Username": "jane" });
        service.cognito.inject_fault(json!({ "kind": "replace", "match": { "UserPoolId": pool }, "body": body })).await;
        let request = AdminGetUserRequest { user_pool_id: pool.to_owned(), username: "jane".to_owned() };
        service.preferences().admin_get_user(request).await.unwrap();
    }
    let scopes: Vec<String> = service
        .cognito
        .requests("AdminGetUser")
        .await
        .iter()
        .map(|request| {
            let authorization = request["Headers"]["authorization"].as_str().unwrap();
            let scope: Vec<_> = authorization.split(['=', ',']).nth(1).unwrap().split('/').skip(2).collect();
            scope.join("/")
        })
        .collect();
    assert_eq!(scopes, ["us-west-2/cognito-idp/aws4_request", "eu-central-1/cognito-idp/aws4_request"]);

    get_user(&service, service.cognito.token(USER).await).await.unwrap();
    let sent = &service.cognito.requests("GetUser").await[0]["Headers"];
    assert!(sent.get("authorization").is_none(), "{sent}");
}

#[tokio::test]
async fn a_pool_of_another_region_is_read_there() {
    let service = TestService::start().await;
    let created = service.cognito.perform_in("eu-central-1", "CreateUserPool", json!({ "PoolName": "europe" })).await;
    let pool = created["UserPool"]["Id"].as_str().unwrap().to_owned();
    assert!(pool.starts_with("eu-central-1_"), "{pool}");
    let jane = json!({ "UserPoolId": pool, "Username": "jane" });
    service.cognito.perform_in("eu-central-1", "AdminCreateUser", jane.clone()).await;

    let request = AdminGetUserRequest { user_pool_id: pool, username: "jane".to_owned() };
    let read = service.preferences().admin_get_user(request).await.unwrap().into_inner();
    assert_eq!(read.user_status(), UserStatus::ForceChangePassword);
    let read = get_user(&service, service.cognito.mint_token(jane).await).await.unwrap();
    assert_eq!(read.username, "jane");
}

#[tokio::test]
async fn a_read_that_cognito_refuses_is_about_the_target() {
    let service = TestService::start().await;
    for (text, reason) in [("User is disabled.", "USER_DISABLED"), ("not now", "TARGET_REFUSED")] {
        for operation in ["AdminGetUser", "AdminGetUserAuthFactors"] {
            service.cognito.inject_error(operation, "NotAuthorizedException", text).await;
        }
        refused(admin_get_user(&service, USER).await, Code::FailedPrecondition, reason);
        refused(admin_factors(&service, USER).await, Code::FailedPrecondition, reason);
        service.cognito.clear_faults().await;
    }
}
