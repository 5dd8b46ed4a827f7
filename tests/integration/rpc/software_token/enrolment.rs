//! Enrolling, by access token and by session, for the first time and again.

use cognito_emulator::demo;
use mfagate::api::v1::{
    AssociateSoftwareTokenRequest, VerifySoftwareTokenRequest, VerifySoftwareTokenResponse, VerifySoftwareTokenStatus,
};
use serde_json::json;
use tonic::Code;

use super::{
    associate, by_session, by_token, code_by_session, code_by_token, code_of, is_enrolled, parts, setup_session, verify,
};
use crate::support::refusal::{invalid_fields, refused};
use crate::support::test_cognito::{NEW_USER, POOL, USER};
use crate::support::test_service::TestService;

#[tokio::test]
async fn a_user_enrols_with_the_key_uri_and_is_read_back_as_enrolled() {
    let service = TestService::start().await;
    let token = service.cognito.token(NEW_USER).await;
    let secret = associate(&service, by_token(&token)).await.unwrap();
    assert_eq!(secret.session, None);
    assert!(!is_enrolled(&service, NEW_USER).await);

    let answer = verify(&service, code_by_token(&token, &code_of(&secret.otpauth_uri))).await.unwrap();
    assert_eq!(
        answer,
        VerifySoftwareTokenResponse { status: VerifySoftwareTokenStatus::Success.into(), session: None }
    );
    assert!(is_enrolled(&service, NEW_USER).await);
}

#[tokio::test]
async fn a_user_enrols_during_a_sign_in_and_completes_it() {
    let service = TestService::start().await;
    let session = setup_session(&service).await;
    let secret = associate(&service, by_session(&session)).await.unwrap();
    let next = secret.session.unwrap();
    assert_ne!(next, session);
    let code = code_of(&secret.otpauth_uri);
    let answer = verify(&service, code_by_session(&next, &code)).await.unwrap();
    assert_eq!(answer.status(), VerifySoftwareTokenStatus::Success);

    let last = answer.session.unwrap();
    let challenge = json!({
        "ClientId": demo::CLIENT_ID,
        "ChallengeName": "MFA_SETUP",
        "Session": last,
        "ChallengeResponses": { "USERNAME": NEW_USER },
    });
    let signed_in = service.cognito.perform("RespondToAuthChallenge", challenge).await;
    assert!(signed_in["AuthenticationResult"]["AccessToken"].is_string(), "{signed_in}");
    let sent = service.cognito.bodies("AssociateSoftwareToken").await;
    assert_eq!(sent, [json!({ "Session": session })]);
    assert_eq!(service.cognito.bodies("VerifySoftwareToken").await, [json!({ "Session": next, "UserCode": code })]);
}

#[tokio::test]
async fn a_second_enrolment_is_refused_though_the_factor_is_not_enabled() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    let details =
        refused(associate(&service, by_token(&token)).await, Code::FailedPrecondition, "TOTP_ALREADY_ENROLLED");
    assert_eq!(details.error_info().unwrap().metadata["operation"], "GetUserAuthFactors");
    assert!(service.cognito.requests("AssociateSoftwareToken").await.is_empty());
}

#[tokio::test]
async fn a_second_enrolment_is_refused_while_only_the_list_of_factors_shows_the_first() {
    let service = TestService::start().await;
    let token = service.cognito.token(NEW_USER).await;
    let body = json!({ "Username": NEW_USER, "UserMFASettingList": ["SOFTWARE_TOKEN_MFA"] });
    service.cognito.inject_fault(json!({ "kind": "replace", "operation": "GetUserAuthFactors", "body": body })).await;
    refused(associate(&service, by_token(&token)).await, Code::FailedPrecondition, "TOTP_ALREADY_ENROLLED");
    assert!(service.cognito.requests("AssociateSoftwareToken").await.is_empty());
}

#[tokio::test]
async fn an_enrolment_is_not_started_if_the_first_read_fails() {
    let service = TestService::start().await;
    let token = service.cognito.token(NEW_USER).await;
    service.cognito.inject_error("GetUserAuthFactors", "UnknownOperationException", "").await;
    refused(associate(&service, by_token(&token)).await, Code::Unimplemented, "COGNITO_OPERATION_UNKNOWN");
    assert!(service.cognito.requests("AssociateSoftwareToken").await.is_empty());
}

#[tokio::test]
async fn a_second_enrolment_proceeds_if_allowed() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    let request = AssociateSoftwareTokenRequest { allow_reenrolment: true, ..by_token(&token) };
    let secret = associate(&service, request).await.unwrap();
    assert_eq!(parts(&secret.otpauth_uri).0, format!("/{POOL}:{USER}"));
    verify(&service, code_by_token(&token, &code_of(&secret.otpauth_uri))).await.unwrap();
    assert!(is_enrolled(&service, USER).await);
}

#[tokio::test]
async fn an_allowed_second_enrolment_with_a_name_reads_nothing() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    let request = AssociateSoftwareTokenRequest {
        allow_reenrolment: true,
        account_name: Some("jane".to_owned()),
        ..by_token(&token)
    };
    associate(&service, request).await.unwrap();
    for operation in ["GetUser", "GetUserAuthFactors"] {
        assert!(service.cognito.requests(operation).await.is_empty(), "{operation}");
    }
}

#[tokio::test]
async fn a_token_names_its_pool_and_a_session_needs_one_in_the_request() {
    let service = TestService::start().await;
    let token = service.cognito.token(NEW_USER).await;
    let with_pool = AssociateSoftwareTokenRequest { user_pool_id: POOL.to_owned(), ..by_token(&token) };
    let without = AssociateSoftwareTokenRequest { user_pool_id: String::new(), ..by_session(&"S".repeat(20)) };
    for request in [with_pool, without] {
        assert_eq!(invalid_fields(associate(&service, request).await), ["user_pool_id"]);
    }
    let with_pool = VerifySoftwareTokenRequest { user_pool_id: POOL.to_owned(), ..code_by_token(&token, "123456") };
    let without =
        VerifySoftwareTokenRequest { user_pool_id: String::new(), ..code_by_session(&"S".repeat(20), "123456") };
    for request in [with_pool, without] {
        assert_eq!(invalid_fields(verify(&service, request).await), ["user_pool_id"]);
    }
}

#[tokio::test]
async fn a_request_without_token_and_session_is_refused() {
    let service = TestService::start().await;
    assert_eq!(invalid_fields(associate(&service, AssociateSoftwareTokenRequest::default()).await), ["credential"]);
    let request = VerifySoftwareTokenRequest { user_code: "123456".to_owned(), ..Default::default() };
    assert_eq!(invalid_fields(verify(&service, request).await), ["credential"]);
}

#[tokio::test]
async fn a_pool_without_software_tokens_does_not_offer_the_enrolment() {
    let service = TestService::start().await;
    service.cognito.perform("SetUserPoolMfaConfig", json!({ "UserPoolId": POOL, "MfaConfiguration": "OFF" })).await;
    let token = service.cognito.token(NEW_USER).await;
    refused(associate(&service, by_token(&token)).await, Code::FailedPrecondition, "TOTP_NOT_OFFERED");
    let answer = verify(&service, code_by_token(&token, "123456")).await;
    refused(answer, Code::FailedPrecondition, "TOTP_NOT_OFFERED");
}

#[tokio::test]
async fn a_revoked_token_can_neither_associate_nor_verify() {
    let service = TestService::start().await;
    let token = service.cognito.token(NEW_USER).await;
    service.cognito.perform_on("AdminUserGlobalSignOut", NEW_USER).await;
    refused(associate(&service, by_token(&token)).await, Code::Unauthenticated, "USER_TOKEN_REVOKED");
    refused(verify(&service, code_by_token(&token, "123456")).await, Code::Unauthenticated, "USER_TOKEN_REVOKED");
}

#[tokio::test]
async fn the_other_refusals_of_an_enrolment_are_distinguished() {
    let service = TestService::start().await;
    let token = service.cognito.token(NEW_USER).await;
    for (operation, cognito_code, code, reason) in [
        ("AssociateSoftwareToken", "ConcurrentModificationException", Code::Aborted, "CONCURRENT_MODIFICATION"),
        ("VerifySoftwareToken", "LimitExceededException", Code::ResourceExhausted, "ATTEMPT_LIMIT_EXCEEDED"),
        (
            "VerifySoftwareToken",
            "InvalidUserPoolConfigurationException",
            Code::FailedPrecondition,
            "POOL_CONFIGURATION_INVALID",
        ),
    ] {
        service.cognito.inject_error(operation, cognito_code, "").await;
        let answer = if operation == "VerifySoftwareToken" {
            verify(&service, code_by_token(&token, "123456")).await.map(drop)
        } else {
            associate(&service, by_token(&token)).await.map(drop)
        };
        refused(answer, code, reason);
        service.cognito.clear_faults().await;
    }
    let text = "Software Token MFA does not exist for the user.";
    service.cognito.inject_error("AssociateSoftwareToken", "SoftwareTokenMFANotFoundException", text).await;
    refused(associate(&service, by_token(&token)).await, Code::FailedPrecondition, "TOTP_NOT_ENROLLED");
}
