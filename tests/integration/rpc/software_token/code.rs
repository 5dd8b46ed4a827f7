//! The code that verifies an enrolment.

use mfagate::api::v1::VerifySoftwareTokenRequest;
use serde_json::{Value, json};
use tonic::Code;

use super::{
    associate, by_session, by_token, code_by_session, code_by_token, code_of, is_enrolled, setup_session, verify,
};
use crate::support::refusal::{refused, violated_fields};
use crate::support::test_cognito::{NEW_USER, POOL, USER};
use crate::support::test_service::TestService;

#[tokio::test]
async fn a_wrong_code_is_an_invalid_argument_on_its_field() {
    let service = TestService::start().await;
    let token = service.cognito.token(NEW_USER).await;
    let uri = associate(&service, by_token(&token)).await.unwrap().otpauth_uri;
    let code = wrong_code(&code_of(&uri));
    let details =
        refused(verify(&service, code_by_token(&token, &code)).await, Code::InvalidArgument, "USER_CODE_MISMATCH");
    assert_eq!(violated_fields(&details), ["user_code"]);
    assert_eq!(details.error_info().unwrap().metadata["cognito_code"], "EnableSoftwareTokenMFAException");
    assert!(!is_enrolled(&service, NEW_USER).await);
}

#[tokio::test]
async fn a_wrong_code_during_a_sign_in_is_an_invalid_argument_on_its_field() {
    let service = TestService::start().await;
    let session = setup_session(&service).await;
    let secret = associate(&service, by_session(&session)).await.unwrap();
    let code = wrong_code(&code_of(&secret.otpauth_uri));
    let answer = verify(&service, code_by_session(&secret.session.unwrap(), &code)).await;
    let details = refused(answer, Code::InvalidArgument, "USER_CODE_MISMATCH");
    assert_eq!(details.error_info().unwrap().metadata["cognito_code"], "CodeMismatchException");
}

/// A code that is none of the three that are accepted now.
fn wrong_code(right: &str) -> String {
    let number: u32 = right.parse().unwrap();
    format!("{:06}", (number + 500_000) % 1_000_000)
}

#[tokio::test]
async fn a_code_is_not_accepted_twice() {
    let service = TestService::start().await;
    let token = service.cognito.token(NEW_USER).await;
    associate(&service, by_token(&token)).await.unwrap();
    let code = service.cognito.totp_code(NEW_USER).await;
    verify(&service, code_by_token(&token, &code)).await.unwrap();
    refused(verify(&service, code_by_token(&token, &code)).await, Code::InvalidArgument, "USER_CODE_MISMATCH");
}

#[tokio::test]
async fn a_code_keeps_its_leading_zeros() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    refused(verify(&service, code_by_token(&token, "000012")).await, Code::InvalidArgument, "USER_CODE_MISMATCH");
    assert_eq!(service.cognito.bodies("VerifySoftwareToken").await[0]["UserCode"], "000012");
}

#[tokio::test]
async fn the_name_of_the_device_reaches_cognito() {
    let service = TestService::start().await;
    let token = service.cognito.token(NEW_USER).await;
    associate(&service, by_token(&token)).await.unwrap();
    let code = service.cognito.totp_code(NEW_USER).await;
    let friendly_device_name = Some("Jané's phone".to_owned());
    verify(&service, VerifySoftwareTokenRequest { friendly_device_name, ..code_by_token(&token, &code) })
        .await
        .unwrap();
    let sent = json!({ "AccessToken": token, "UserCode": code, "FriendlyDeviceName": "Jané's phone" });
    assert_eq!(service.cognito.bodies("VerifySoftwareToken").await, [sent]);
}

#[tokio::test]
async fn a_response_with_a_status_other_than_success_is_an_error() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    for body in [json!({ "Status": "ERROR" }), json!({}), json!({ "Status": "SOMETHING_NEW" })] {
        service
            .cognito
            .inject_fault(json!({ "kind": "replace", "operation": "VerifySoftwareToken", "count": 1, "body": body }))
            .await;
        let answer = verify(&service, code_by_token(&token, "123456")).await;
        let details = refused(answer, Code::InvalidArgument, "TOTP_NOT_VERIFIED");
        assert_eq!(violated_fields(&details), ["user_code"], "{body}");
        let id = service.cognito.requests("VerifySoftwareToken").await.pop().unwrap()["RequestId"].take();
        assert_eq!(Value::from(details.error_info().unwrap().metadata["aws_request_id"].as_str()), id);
    }
}

#[tokio::test]
async fn many_wrong_codes_lock_the_user_which_is_no_matter_of_the_token() {
    let service = TestService::start().await;
    let token = service.cognito.mint_token(json!({ "UserPoolId": POOL, "Username": USER, "ExpiresIn": 86400 })).await;
    // The lock doubles with each code from the sixth on; this many make it longer than any test.
    for _ in 0..15 {
        service.cognito.advance_clock(900).await;
        let code = wrong_code(&service.cognito.totp_code(USER).await);
        refused(verify(&service, code_by_token(&token, &code)).await, Code::InvalidArgument, "USER_CODE_MISMATCH");
    }
    let right = service.cognito.totp_code(USER).await;
    let locked = verify(&service, code_by_token(&token, &right)).await;
    refused(locked, Code::ResourceExhausted, "ATTEMPT_LIMIT_EXCEEDED");
}

#[tokio::test]
async fn a_code_without_a_started_enrolment_is_a_failed_precondition() {
    let service = TestService::start().await;
    let token = service.cognito.token(NEW_USER).await;
    let answer = verify(&service, code_by_token(&token, "123456")).await;
    refused(answer, Code::FailedPrecondition, "TOTP_NOT_ENROLLED");
}

#[tokio::test]
async fn the_state_of_a_user_who_verifies_is_a_failed_precondition() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    for (status, reason) in [("UNCONFIRMED", "USER_NOT_CONFIRMED"), ("RESET_REQUIRED", "PASSWORD_RESET_REQUIRED")] {
        service.cognito.set_user_status(USER, status).await;
        refused(verify(&service, code_by_token(&token, "123456")).await, Code::FailedPrecondition, reason);
    }
}

#[tokio::test]
async fn the_token_of_a_deleted_user_cannot_verify() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    service.cognito.perform_on("AdminDeleteUser", USER).await;
    refused(verify(&service, code_by_token(&token, "123456")).await, Code::NotFound, "USER_NOT_FOUND");
}

#[tokio::test]
async fn an_old_code_is_not_accepted() {
    let service = TestService::start().await;
    let token = service.cognito.token(NEW_USER).await;
    associate(&service, by_token(&token)).await.unwrap();
    let code = service.cognito.totp_code(NEW_USER).await;
    service.cognito.advance_clock(90).await;
    refused(verify(&service, code_by_token(&token, &code)).await, Code::InvalidArgument, "USER_CODE_MISMATCH");
    let code = service.cognito.totp_code(NEW_USER).await;
    verify(&service, code_by_token(&token, &code)).await.unwrap();
}
