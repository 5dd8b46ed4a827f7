//! The sessions of a sign-in that enrols.

use tonic::Code;

use super::{associate, by_session, code_by_session, setup_session, verify};
use crate::support::refusal::refused;
use crate::support::test_cognito::NEW_USER;
use crate::support::test_service::TestService;

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
