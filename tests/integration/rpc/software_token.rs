//! Enrolling and removing a software token.

use data_encoding::BASE32_NOPAD;
use mfagate::embedded::demo;
use mfagate::proto::v1::{
    AdminDeleteSoftwareTokenRequest, AdminGetUserAuthFactorsRequest, AssociateSoftwareTokenRequest,
    AssociateSoftwareTokenResponse, AuthFactor, VerifySoftwareTokenRequest, VerifySoftwareTokenResponse,
    VerifySoftwareTokenStatus, associate_software_token_request, verify_software_token_request,
};
use serde_json::{Value, json};
use tonic::{Code, Response, Status};
use url::Url;

use crate::support::refusal::refused;
use crate::support::test_cognito::{NEW_USER, POOL, USER};
use crate::support::test_service::TestService;

fn by_token(token: &str) -> AssociateSoftwareTokenRequest {
    let credential = associate_software_token_request::Credential::AccessToken(token.to_owned());
    AssociateSoftwareTokenRequest { credential: Some(credential), ..Default::default() }
}

fn by_session(session: &str) -> AssociateSoftwareTokenRequest {
    let credential = associate_software_token_request::Credential::Session(session.to_owned());
    AssociateSoftwareTokenRequest { credential: Some(credential), user_pool_id: POOL.to_owned(), ..Default::default() }
}

fn code_by_token(token: &str, code: &str) -> VerifySoftwareTokenRequest {
    let credential = verify_software_token_request::Credential::AccessToken(token.to_owned());
    VerifySoftwareTokenRequest { credential: Some(credential), user_code: code.to_owned(), ..Default::default() }
}

fn code_by_session(session: &str, code: &str) -> VerifySoftwareTokenRequest {
    let credential = verify_software_token_request::Credential::Session(session.to_owned());
    VerifySoftwareTokenRequest {
        credential: Some(credential),
        user_pool_id: POOL.to_owned(),
        user_code: code.to_owned(),
        ..Default::default()
    }
}

async fn associate(
    service: &TestService,
    request: AssociateSoftwareTokenRequest,
) -> Result<AssociateSoftwareTokenResponse, Status> {
    service.software_tokens().associate_software_token(request).await.map(Response::into_inner)
}

async fn verify(
    service: &TestService,
    request: VerifySoftwareTokenRequest,
) -> Result<VerifySoftwareTokenResponse, Status> {
    service.software_tokens().verify_software_token(request).await.map(Response::into_inner)
}

async fn delete(service: &TestService, username: &str) -> Result<(), Status> {
    let request = AdminDeleteSoftwareTokenRequest { user_pool_id: POOL.to_owned(), username: username.to_owned() };
    service.software_tokens().admin_delete_software_token(request).await.map(drop)
}

/// Whether the user has a verified software token, read back.
async fn is_enrolled(service: &TestService, username: &str) -> bool {
    let request = AdminGetUserAuthFactorsRequest { user_pool_id: POOL.to_owned(), username: username.to_owned() };
    let read = service.preferences().admin_get_user_auth_factors(request).await.unwrap().into_inner();
    read.configured_user_auth_factors.contains(&AuthFactor::SoftwareToken.into())
}

/// The session of an `MFA_SETUP` challenge for the user without factors.
async fn setup_session(service: &TestService) -> String {
    let config = json!({
        "UserPoolId": POOL,
        "MfaConfiguration": "ON",
        "SmsMfaConfiguration": {},
        "SoftwareTokenMfaConfiguration": { "Enabled": true },
    });
    service.cognito.perform("SetUserPoolMfaConfig", config).await;
    let sign_in = json!({
        "ClientId": demo::CLIENT_ID,
        "AuthFlow": "USER_PASSWORD_AUTH",
        "AuthParameters": { "USERNAME": NEW_USER, "PASSWORD": demo::PASSWORD },
    });
    let challenge = service.cognito.perform("InitiateAuth", sign_in).await;
    assert_eq!(challenge["ChallengeName"], "MFA_SETUP", "{challenge}");
    challenge["Session"].as_str().unwrap().to_owned()
}

/// The label and the parameters of a key URI.
fn parts(uri: &str) -> (String, Vec<(String, String)>) {
    let uri = Url::parse(uri).unwrap();
    assert_eq!((uri.scheme(), uri.host_str()), ("otpauth", Some("totp")));
    let label = percent_encoding::percent_decode_str(uri.path()).decode_utf8().unwrap().into_owned();
    (label, uri.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
}

/// The code that an app shows now which read `secret` from the URI.
fn code_of(uri: &str) -> String {
    let (_, parameters) = parts(uri);
    let (_, secret) = parameters.iter().find(|(name, _)| name == "secret").unwrap();
    let secret = BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    totp_rs::Builder::new().with_secret(secret).build().unwrap().generate_current().to_string()
}

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
async fn the_key_uri_names_pool_and_user_unless_the_request_does() {
    let service = TestService::start().await;
    let token = service.cognito.token(NEW_USER).await;
    let secret = associate(&service, by_token(&token)).await.unwrap();
    let parameters = |issuer: &str| {
        vec![("secret".to_owned(), secret.secret_code.clone()), ("issuer".to_owned(), issuer.to_owned())]
    };
    assert_eq!(parts(&secret.otpauth_uri), (format!("/{POOL}:{NEW_USER}"), parameters(POOL)));
}

#[tokio::test]
async fn the_key_uri_is_percent_encoded_and_has_no_plus_for_a_space() {
    let service = TestService::start().await;
    let token = service.cognito.token(NEW_USER).await;
    let (issuer, account_name) = ("Ex & Co/é?#", "jané +1@example.com&secret=A");
    let request = AssociateSoftwareTokenRequest {
        issuer: Some(issuer.to_owned()),
        account_name: Some(account_name.to_owned()),
        ..by_token(&token)
    };
    let secret = associate(&service, request).await.unwrap();
    let wanted = vec![("secret".to_owned(), secret.secret_code), ("issuer".to_owned(), issuer.to_owned())];
    assert_eq!(parts(&secret.otpauth_uri), (format!("/{issuer}:{account_name}"), wanted));
    assert!(secret.otpauth_uri.is_ascii() && !secret.otpauth_uri.contains('+'), "{}", secret.otpauth_uri);
}

#[tokio::test]
async fn the_key_uri_of_a_session_names_the_pool_twice() {
    let service = TestService::start().await;
    let session = setup_session(&service).await;
    let secret = associate(&service, by_session(&session)).await.unwrap();
    assert_eq!(parts(&secret.otpauth_uri).0, format!("/{POOL}:{POOL}"));
}

#[tokio::test]
async fn a_key_uri_label_with_a_colon_is_refused() {
    let service = TestService::start().await;
    let token = service.cognito.token(NEW_USER).await;
    let request = AssociateSoftwareTokenRequest {
        issuer: Some("a:b".to_owned()),
        account_name: Some(String::new()),
        ..by_token(&token)
    };
    let details = refused(associate(&service, request).await, Code::InvalidArgument, "REQUEST_INVALID");
    let violations = &details.bad_request().unwrap().field_violations;
    assert_eq!(violations.iter().map(|v| v.field.as_str()).collect::<Vec<_>>(), ["issuer", "account_name"]);
    assert!(service.cognito.requests("AssociateSoftwareToken").await.is_empty());
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
async fn a_session_is_not_checked_for_an_enrolment() {
    let service = TestService::start().await;
    let session = setup_session(&service).await;
    associate(&service, by_session(&session)).await.unwrap();
    for operation in ["GetUser", "GetUserAuthFactors", "AdminGetUserAuthFactors"] {
        assert!(service.cognito.requests(operation).await.is_empty(), "{operation}");
    }
}

#[tokio::test]
async fn a_used_session_is_unauthenticated() {
    let service = TestService::start().await;
    let session = setup_session(&service).await;
    let next = associate(&service, by_session(&session)).await.unwrap().session.unwrap();
    refused(associate(&service, by_session(&session)).await, Code::Unauthenticated, "SESSION_EXPIRED");
    let code = service.cognito.totp_code(NEW_USER).await;
    verify(&service, code_by_session(&next, &code)).await.unwrap();
    refused(verify(&service, code_by_session(&next, &code)).await, Code::Unauthenticated, "SESSION_EXPIRED");
}

#[tokio::test]
async fn an_expired_session_is_unauthenticated() {
    let service = TestService::start().await;
    let session = setup_session(&service).await;
    let next = associate(&service, by_session(&session)).await.unwrap().session.unwrap();
    service.cognito.advance_clock(180).await;
    let code = service.cognito.totp_code(NEW_USER).await;
    refused(verify(&service, code_by_session(&next, &code)).await, Code::Unauthenticated, "SESSION_EXPIRED");
    refused(associate(&service, by_session(&session)).await, Code::Unauthenticated, "SESSION_EXPIRED");
}

#[tokio::test]
async fn an_unknown_session_is_unauthenticated() {
    let service = TestService::start().await;
    let session = "S".repeat(20);
    refused(associate(&service, by_session(&session)).await, Code::Unauthenticated, "SESSION_EXPIRED");
    refused(verify(&service, code_by_session(&session, "123456")).await, Code::Unauthenticated, "SESSION_EXPIRED");
}

#[tokio::test]
async fn a_token_names_its_pool_and_a_session_needs_one_in_the_request() {
    let service = TestService::start().await;
    let token = service.cognito.token(NEW_USER).await;
    let with_pool = AssociateSoftwareTokenRequest { user_pool_id: POOL.to_owned(), ..by_token(&token) };
    let without = AssociateSoftwareTokenRequest { user_pool_id: String::new(), ..by_session(&"S".repeat(20)) };
    for request in [with_pool, without] {
        let details = refused(associate(&service, request).await, Code::InvalidArgument, "REQUEST_INVALID");
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "user_pool_id");
    }
    let with_pool = VerifySoftwareTokenRequest { user_pool_id: POOL.to_owned(), ..code_by_token(&token, "123456") };
    let without =
        VerifySoftwareTokenRequest { user_pool_id: String::new(), ..code_by_session(&"S".repeat(20), "123456") };
    for request in [with_pool, without] {
        let details = refused(verify(&service, request).await, Code::InvalidArgument, "REQUEST_INVALID");
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "user_pool_id");
    }
}

#[tokio::test]
async fn a_request_without_token_and_session_is_refused() {
    let service = TestService::start().await;
    let details = refused(
        associate(&service, AssociateSoftwareTokenRequest::default()).await,
        Code::InvalidArgument,
        "REQUEST_INVALID",
    );
    assert_eq!(details.bad_request().unwrap().field_violations[0].field, "credential");
    let request = VerifySoftwareTokenRequest { user_code: "123456".to_owned(), ..Default::default() };
    let details = refused(verify(&service, request).await, Code::InvalidArgument, "REQUEST_INVALID");
    assert_eq!(details.bad_request().unwrap().field_violations[0].field, "credential");
}

#[tokio::test]
async fn a_wrong_code_is_an_invalid_argument_on_its_field() {
    let service = TestService::start().await;
    let token = service.cognito.token(NEW_USER).await;
    let uri = associate(&service, by_token(&token)).await.unwrap().otpauth_uri;
    let code = wrong_code(&code_of(&uri));
    let details =
        refused(verify(&service, code_by_token(&token, &code)).await, Code::InvalidArgument, "USER_CODE_MISMATCH");
    assert_eq!(details.bad_request().unwrap().field_violations[0].field, "user_code");
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
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "user_code", "{body}");
        let id = service.cognito.requests("VerifySoftwareToken").await.pop().unwrap()["RequestId"].take();
        assert_eq!(Value::from(details.error_info().unwrap().metadata["aws_request_id"].as_str()), id);
    }
}

#[tokio::test]
async fn many_wrong_codes_end_in_a_status_that_is_an_error() {
    let service = TestService::start().await;
    let token = service.cognito.mint_token(json!({ "UserPoolId": POOL, "Username": USER, "ExpiresIn": 86400 })).await;
    // The lock doubles with each code from the sixth on; this many make it longer than any test.
    for _ in 0..15 {
        service.cognito.advance_clock(900).await;
        let code = wrong_code(&service.cognito.totp_code(USER).await);
        refused(verify(&service, code_by_token(&token, &code)).await, Code::InvalidArgument, "USER_CODE_MISMATCH");
    }
    let right = service.cognito.totp_code(USER).await;
    refused(verify(&service, code_by_token(&token, &right)).await, Code::InvalidArgument, "TOTP_NOT_VERIFIED");
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
    service.cognito.perform("AdminDeleteUser", json!({ "UserPoolId": POOL, "Username": USER })).await;
    refused(verify(&service, code_by_token(&token, "123456")).await, Code::NotFound, "USER_NOT_FOUND");
}

#[tokio::test]
async fn a_revoked_token_can_neither_associate_nor_verify() {
    let service = TestService::start().await;
    let token = service.cognito.token(NEW_USER).await;
    service.cognito.perform("AdminUserGlobalSignOut", json!({ "UserPoolId": POOL, "Username": NEW_USER })).await;
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

#[tokio::test]
async fn an_administrator_deletes_a_software_token() {
    let service = TestService::start().await;
    delete(&service, USER).await.unwrap();
    assert!(!is_enrolled(&service, USER).await);
    let sent = json!({ "UserPoolId": POOL, "Username": USER });
    assert_eq!(service.cognito.bodies("AdminDeleteSoftwareToken").await, [sent]);
}

#[tokio::test]
async fn a_deleted_software_token_can_be_enrolled_again() {
    let service = TestService::start().await;
    delete(&service, USER).await.unwrap();
    let token = service.cognito.token(USER).await;
    associate(&service, by_token(&token)).await.unwrap();
}

#[tokio::test]
async fn the_software_token_of_a_user_that_does_not_exist_is_not_found() {
    let service = TestService::start().await;
    refused(delete(&service, "nobody").await, Code::NotFound, "USER_NOT_FOUND");
}

#[tokio::test]
async fn a_software_token_is_not_deleted_in_a_state_that_forbids_it() {
    let service = TestService::start().await;
    service.cognito.inject_error("AdminDeleteSoftwareToken", "NotAuthorizedException", "not now").await;
    refused(delete(&service, USER).await, Code::FailedPrecondition, "TARGET_REFUSED");
    service.cognito.clear_faults().await;
    service.cognito.set_user_status(USER, "UNCONFIRMED").await;
    refused(delete(&service, USER).await, Code::FailedPrecondition, "USER_NOT_CONFIRMED");
    service.cognito.perform("AdminDisableUser", json!({ "UserPoolId": POOL, "Username": USER })).await;
    refused(delete(&service, USER).await, Code::FailedPrecondition, "USER_DISABLED");
    assert!(is_enrolled(&service, USER).await);
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
