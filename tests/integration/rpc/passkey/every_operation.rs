//! Errors that every passkey operation reports.

use serde_json::json;
use tonic::Code;

use super::{complete, delete, list, start};
use crate::support::refusal::refused;
use crate::support::rpc_call::any_credential;
use crate::support::test_cognito::{POOL, USER};
use crate::support::test_service::TestService;

#[tokio::test]
async fn a_user_who_must_reset_the_password_is_a_failed_precondition() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    service.cognito.set_user_status(USER, "RESET_REQUIRED").await;
    let (code, reason) = (Code::FailedPrecondition, "PASSWORD_RESET_REQUIRED");
    refused(start(&service, &token).await, code, reason);
    refused(complete(&service, &token, any_credential()).await, code, reason);
    refused(list(&service, &token).await, code, reason);
    refused(delete(&service, &token, "first").await, code, reason);
}

#[tokio::test]
async fn every_passkey_operation_reports_the_attempt_limit() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    service.cognito.inject_fault(json!({ "kind": "error", "code": "LimitExceededException" })).await;
    let (code, reason) = (Code::ResourceExhausted, "ATTEMPT_LIMIT_EXCEEDED");
    refused(start(&service, &token).await, code, reason);
    refused(complete(&service, &token, any_credential()).await, code, reason);
    refused(list(&service, &token).await, code, reason);
    refused(delete(&service, &token, "first").await, code, reason);
}

#[tokio::test]
async fn an_expired_token_cannot_use_passkeys() {
    let service = TestService::start().await;
    let token = service.cognito.mint_token(json!({ "UserPoolId": POOL, "Username": USER, "ExpiresIn": -1 })).await;
    let (code, reason) = (Code::Unauthenticated, "USER_TOKEN_EXPIRED");
    refused(start(&service, &token).await, code, reason);
    refused(complete(&service, &token, any_credential()).await, code, reason);
    refused(list(&service, &token).await, code, reason);
    refused(delete(&service, &token, "first").await, code, reason);
}
