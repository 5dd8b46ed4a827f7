//! Errors that only Cognito's message tells apart.

use mfagate::api::Rpc;
use mfagate::api::v1::{
    AdminSetUserMfaPreferenceRequest, SetUserMfaPreferenceRequest, SmsMfaSettings, SoftwareTokenMfaSettings,
    VerifySoftwareTokenRequest, verify_software_token_request,
};
use tonic::Code;
use tonic_types::StatusExt as _;

use super::{check, row};
use crate::support::refusal::refused;
use crate::support::rpc_call::{call, operation, takes_token};
use crate::support::test_cognito::{POOL, USER};
use crate::support::test_service::TestService;

use Code::{FailedPrecondition, InvalidArgument, PermissionDenied, ResourceExhausted, Unauthenticated};
use Rpc::{
    AdminDeleteSoftwareToken, AdminSetUserMfaPreference, AssociateSoftwareToken, GetUser, ListWebAuthnCredentials,
    SetUserMfaPreference, SetUserPoolMfaConfig, VerifySoftwareToken,
};

#[tokio::test]
async fn the_message_of_a_refused_token_or_session_distinguishes_the_reasons() {
    let says = |rpc, text| row(rpc, "NotAuthorizedException").saying(text);
    let disabled = |rpc| {
        says(rpc, "User is disabled.").is(FailedPrecondition, "USER_DISABLED", "END_USER").with("PreconditionFailure")
    };
    let locked = |rpc| {
        says(rpc, "User temporarily locked. Try again soon.").is(
            ResourceExhausted,
            "ATTEMPT_LIMIT_EXCEEDED",
            "END_USER",
        )
    };
    check(&[
        says(GetUser, "Access Token has expired").is(Unauthenticated, "USER_TOKEN_EXPIRED", "END_USER"),
        says(GetUser, "Access Token has been revoked").is(Unauthenticated, "USER_TOKEN_REVOKED", "END_USER"),
        says(GetUser, "Invalid Access Token").is(Unauthenticated, "USER_TOKEN_REJECTED", "END_USER"),
        says(SetUserMfaPreference, "Access Token does not have required scopes").is(
            PermissionDenied,
            "USER_TOKEN_SCOPE_MISSING",
            "END_USER",
        ),
        says(AssociateSoftwareToken, "Invalid session for the user, session is expired.").is(
            Unauthenticated,
            "SESSION_EXPIRED",
            "END_USER",
        ),
        says(VerifySoftwareToken, "Invalid session for the user, session can only be used once.").is(
            Unauthenticated,
            "SESSION_EXPIRED",
            "END_USER",
        ),
        says(VerifySoftwareToken, "Invalid session for the user.").is(Unauthenticated, "SESSION_EXPIRED", "END_USER"),
        locked(VerifySoftwareToken),
        locked(GetUser),
        locked(AdminDeleteSoftwareToken),
        disabled(GetUser),
        disabled(AdminSetUserMfaPreference),
        disabled(AdminDeleteSoftwareToken),
    ])
    .await;
}

#[tokio::test]
async fn the_message_about_a_factor_that_is_not_enrolled_names_the_factor() {
    let lacks = |rpc, factor, text| {
        row(rpc, "InvalidParameterException")
            .saying(text)
            .is(FailedPrecondition, "FACTOR_NOT_ENROLLED", "END_USER")
            .with("PreconditionFailure")
            .naming("factor", factor)
    };
    let totp = "SOFTWARE_TOKEN_MFA";
    check(&[
        lacks(AdminSetUserMfaPreference, totp, "User does not have delivery config set to turn on SOFTWARE_TOKEN_MFA"),
        lacks(SetUserMfaPreference, "SMS_MFA", "User does not have delivery config set to turn on SMS_MFA"),
        lacks(SetUserMfaPreference, "EMAIL_OTP", "User does not have delivery config set to turn on EMAIL_OTP"),
        lacks(SetUserMfaPreference, totp, "User has not set up software token mfa"),
        lacks(SetUserMfaPreference, totp, "User has not verified software token mfa"),
        lacks(AdminSetUserMfaPreference, "SMS_MFA", "User does not have a phone_number set to turn on SMS MFA"),
        row(VerifySoftwareToken, "EnableSoftwareTokenMFAException")
            .saying("Code mismatch and fail enable Software Token MFA")
            .is(InvalidArgument, "USER_CODE_MISMATCH", "END_USER")
            .with("BadRequest"),
        row(AssociateSoftwareToken, "SoftwareTokenMFANotFoundException")
            .saying("Software Token MFA has not been enabled by the userPool")
            .is(FailedPrecondition, "TOTP_NOT_OFFERED", "POOL_OPERATOR")
            .with("PreconditionFailure"),
        row(VerifySoftwareToken, "SoftwareTokenMFANotFoundException")
            .saying("Software Token MFA has not been enabled by the userPool")
            .is(FailedPrecondition, "TOTP_NOT_OFFERED", "POOL_OPERATOR")
            .with("PreconditionFailure"),
        row(AssociateSoftwareToken, "SoftwareTokenMFANotFoundException")
            .saying("Software Token MFA does not exist for the user.")
            .is(FailedPrecondition, "TOTP_NOT_ENROLLED", "END_USER")
            .with("PreconditionFailure"),
        row(VerifySoftwareToken, "SoftwareTokenMFANotFoundException")
            .saying("Software Token MFA does not exist for the user.")
            .is(FailedPrecondition, "TOTP_NOT_ENROLLED", "END_USER")
            .with("PreconditionFailure"),
        row(ListWebAuthnCredentials, "LimitExceededException")
            .saying("Attempt limit exceeded, please try after some time.")
            .is(ResourceExhausted, "ATTEMPT_LIMIT_EXCEEDED", "END_USER"),
    ])
    .await;
}

#[tokio::test]
async fn the_message_about_a_pools_configuration_distinguishes_request_and_settings() {
    let combination = |text| {
        row(SetUserPoolMfaConfig, "InvalidParameterException").saying(text).is(
            InvalidArgument,
            "POOL_MFA_COMBINATION_INVALID",
            "CALLER",
        )
    };
    let conflict = |with, text| {
        row(SetUserPoolMfaConfig, "InvalidParameterException")
            .saying(text)
            .is(FailedPrecondition, "POOL_SETTINGS_CONFLICT", "POOL_OPERATOR")
            .with("PreconditionFailure")
            .naming("conflict", with)
    };
    check(&[
        combination("Invalid MFA configuration given, can't turn off MFA and configure an MFA together."),
        combination("SMS MFA, Email MFA, or Software Token MFA must be enabled"),
        combination("can't disable all MFAs with a required or optional configuration"),
        conflict(
            "AUTO_VERIFIED_PHONE_NUMBER",
            "SMS configuration is required when phone_number is selected for auto verification",
        ),
        conflict(
            "EMAIL_SENDING_ACCOUNT",
            "Cannot set EmailMfaConfiguration when user pool EmailConfiguration contains an EmailSendingAccount of \
             COGNITO_DEFAULT",
        ),
        conflict(
            "ACCOUNT_RECOVERY",
            "Cannot set EmailMfaConfiguration when user pool AccountRecoverySetting is not set or contains only \
             verified_email",
        ),
        conflict(
            "FIRST_AUTH_FACTORS",
            "Only PASSWORD and WEB_AUTHN (if configured) can be enabled as an auth factor if MFA is enabled",
        ),
        conflict(
            "ACCOUNT_RECOVERY",
            "Account Recovery Setting cannot use verified_phone_number as a recovery mechanism when SMS MFA is \
             configured",
        ),
        conflict(
            "WEB_AUTHN_FACTOR",
            "Cannot set WebAuthn factor configuration to SINGLE_FACTOR if MFA is required and WebAuthn is an allowed first \
             auth factor",
        ),
        conflict(
            "WEB_AUTHN_FACTOR",
            "WEB_AUTHN cannot be used as an auth factor when MFA is enabled if not configured for MFA.",
        ),
        conflict("POOL_ALREADY_CREATED", "Cannot turn MFA functionality ON, once the user pool has been created"),
        conflict("SMS_CONFIGURATION", "Can't turn off SMS_MFA when SMS configuration is set for the user pool"),
    ])
    .await;
}

#[tokio::test]
async fn no_text_of_a_refusal_by_iam_makes_an_admin_rpc_blame_the_callers_credential() {
    let service = TestService::start().await;
    for rpc in Rpc::ALL.into_iter().filter(|rpc| !takes_token(*rpc)) {
        for text in ["Access Token has expired", "Access Token does not have required scopes", "Invalid session", ""] {
            service.cognito.inject_error(operation(rpc), "NotAuthorizedException", text).await;
            let status = call(&service, rpc, "").await.unwrap_err();
            service.cognito.clear_faults().await;
            assert_eq!(status.code(), FailedPrecondition, "{} {text}: {status:?}", rpc.name());
        }
    }
}

#[tokio::test]
async fn a_request_that_only_disables_is_never_told_to_enrol_a_factor() {
    let service = TestService::start().await;
    let access_token = service.cognito.token(USER).await;
    let (user_pool_id, username) = (POOL.to_owned(), USER.to_owned());
    let text = "User does not have delivery config set to turn on SOFTWARE_TOKEN_MFA";
    for operation in ["AdminSetUserMFAPreference", "SetUserMFAPreference"] {
        service.cognito.inject_error(operation, "InvalidParameterException", text).await;
    }
    for (sms, reason) in [(false, "INVALID_PARAMETER"), (true, "FACTOR_NOT_ENROLLED")] {
        // `preferred_mfa` is given, so that the preference is not read first.
        let sms_mfa_settings = Some(SmsMfaSettings { enabled: Some(sms), preferred_mfa: Some(sms) });
        let software_token_mfa_settings = Some(SoftwareTokenMfaSettings { enabled: Some(false), preferred_mfa: None });
        let by_admin = AdminSetUserMfaPreferenceRequest {
            user_pool_id: user_pool_id.clone(),
            username: username.clone(),
            sms_mfa_settings,
            software_token_mfa_settings,
            ..Default::default()
        };
        let by_user = SetUserMfaPreferenceRequest {
            access_token: access_token.clone(),
            sms_mfa_settings,
            software_token_mfa_settings,
            ..Default::default()
        };
        for status in [
            service.preferences().admin_set_user_mfa_preference(by_admin).await.unwrap_err(),
            service.preferences().set_user_mfa_preference(by_user).await.unwrap_err(),
        ] {
            let details = status.get_error_details();
            let info = details.error_info().unwrap();
            assert_eq!((info.reason.as_str(), info.metadata.contains_key("factor")), (reason, sms), "{status:?}");
            assert_eq!(info.metadata.get("cognito_message").map(String::as_str), (!sms).then_some(text), "{status:?}");
        }
    }
}

#[tokio::test]
async fn a_lock_is_not_a_rejected_session() {
    let service = TestService::start().await;
    let operation = "VerifySoftwareToken";
    service.cognito.inject_error(operation, "NotAuthorizedException", "User temporarily locked. Try again soon.").await;
    let credential = Some(verify_software_token_request::Credential::Session("s".repeat(20)));
    let request = VerifySoftwareTokenRequest {
        credential,
        user_pool_id: POOL.to_owned(),
        user_code: "123456".to_owned(),
        ..Default::default()
    };
    let answer = service.software_tokens().verify_software_token(request).await;
    refused(answer, ResourceExhausted, "ATTEMPT_LIMIT_EXCEEDED");
}
