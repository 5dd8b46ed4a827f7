//! What all RPCs share: the one operation each calls, and the errors that any of them may return.

use std::sync::Arc;

use mfagate::api::Rpc;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tonic::client::Grpc;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use crate::support::refusal::refused;
use crate::support::rpc_call::{call, operation, takes_token};
use crate::support::test_cognito::{POOL, USER};
use crate::support::test_service::TestService;

/// A Cognito response that satisfies every RPC.
fn any_response() -> Value {
    json!({
        "Username": USER,
        "UserAttributes": [],
        "Status": "SUCCESS",
        "SecretCode": "MFRGGZDFMZTWQ2LK",
        "CredentialCreationOptions": { "challenge": "c" },
        "Credentials": [],
    })
}

/// The results of all RPCs, called at once.
async fn call_all(service: &Arc<TestService>, token: &str) -> Vec<(Rpc, Result<(), Status>)> {
    let mut calls = JoinSet::new();
    for rpc in Rpc::ALL {
        let (service, token) = (Arc::clone(service), token.to_owned());
        calls.spawn(async move { (rpc, call(&service, rpc, &token).await) });
    }
    calls.join_all().await
}

#[tokio::test]
async fn every_rpc_calls_its_one_operation_and_succeeds() {
    for rpc in Rpc::ALL {
        let service = TestService::start().await;
        let token = service.cognito.token(USER).await;
        service.cognito.inject_fault(json!({ "kind": "replace", "body": any_response() })).await;
        call(&service, rpc, &token).await.unwrap();
        assert_eq!(service.cognito.operations().await, [operation(rpc)]);
    }
}

#[tokio::test]
async fn an_rpc_signs_its_request_unless_it_acts_as_the_user() {
    let service = Arc::new(TestService::start().await);
    let token = service.cognito.token(USER).await;
    service.cognito.inject_fault(json!({ "kind": "replace", "body": any_response() })).await;
    call_all(&service, &token).await;
    for rpc in Rpc::ALL {
        let sent = service.cognito.requests(operation(rpc)).await.remove(0);
        let is_signed = sent["Headers"].get("authorization").is_some();
        assert_eq!(is_signed, !takes_token(rpc), "{}", rpc.name());
        assert_eq!(sent["Body"].get("AccessToken").is_some(), takes_token(rpc), "{}", rpc.name());
    }
}

#[tokio::test]
async fn an_empty_request_is_refused_by_every_rpc_and_not_sent() {
    let service = TestService::start().await;
    for rpc in Rpc::ALL {
        let mut client = Grpc::new(service.channel());
        client.ready().await.unwrap();
        let codec = ProstCodec::<(), ()>::default();
        let answer = client.unary(Request::new(()), rpc.path().parse().unwrap(), codec).await;
        let details = refused(answer, Code::InvalidArgument, "REQUEST_INVALID");
        let violations = &details.bad_request().unwrap().field_violations;
        let required = if takes_token(rpc) { ["access_token", "credential"] } else { ["user_pool_id", "username"] };
        assert!(
            violations.iter().any(|violation| required.contains(&violation.field.as_str())),
            "{}: {violations:?}",
            rpc.name()
        );
    }
    assert_eq!(service.cognito.operations().await, Vec::<String>::new());
}

#[tokio::test]
async fn every_rpc_returns_the_errors_that_any_may_return() {
    let service = Arc::new(TestService::start().await);
    let token = service.cognito.token(USER).await;
    for (cognito_code, http_status, code, reason) in [
        ("InvalidParameterException", 400, Code::InvalidArgument, "INVALID_PARAMETER"),
        ("ResourceNotFoundException", 400, Code::NotFound, "RESOURCE_NOT_FOUND"),
        ("UserNotFoundException", 400, Code::NotFound, "USER_NOT_FOUND"),
        ("OperationNotEnabledException", 400, Code::FailedPrecondition, "OPERATION_NOT_ENABLED"),
        ("TooManyRequestsException", 400, Code::ResourceExhausted, "RATE_LIMITED"),
        ("LimitExceededException", 400, Code::ResourceExhausted, "ATTEMPT_LIMIT_EXCEEDED"),
        ("ServiceUnavailableException", 503, Code::Unavailable, "COGNITO_UNAVAILABLE"),
        ("UnknownOperationException", 400, Code::Unimplemented, "COGNITO_OPERATION_UNKNOWN"),
        ("SomeNewException", 400, Code::Unknown, "COGNITO_CODE_UNRECOGNIZED"),
        ("InternalErrorException", 500, Code::Internal, "COGNITO_INTERNAL_ERROR"),
        ("UnrecognizedClientException", 400, Code::Internal, "MFAGATE_CREDENTIALS_REJECTED"),
        ("AccessDeniedException", 400, Code::Internal, "MFAGATE_ACCESS_DENIED"),
        ("RequestExpired", 400, Code::Internal, "MFAGATE_CLOCK_SKEWED"),
        ("OptInRequired", 403, Code::Internal, "MFAGATE_ACCOUNT_REFUSED"),
        ("SerializationException", 400, Code::Internal, "MFAGATE_REQUEST_REJECTED"),
    ] {
        service.cognito.inject_fault(json!({ "kind": "error", "code": cognito_code, "status": http_status })).await;
        for (rpc, answer) in call_all(&service, &token).await {
            let details = refused(answer, code, reason);
            assert_eq!(details.error_info().unwrap().metadata["operation"], operation(rpc));
        }
        service.cognito.clear_faults().await;
    }
}

#[tokio::test]
async fn every_users_rpc_reports_why_the_token_is_refused() {
    let service = TestService::start().await;
    let mint = |more: Value| {
        let mut wanted = json!({ "UserPoolId": POOL, "Username": USER });
        wanted.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
        service.cognito.mint_token(wanted)
    };
    let revoked = mint(json!({})).await;
    service.cognito.perform_on("AdminUserGlobalSignOut", USER).await;
    let good = mint(json!({})).await;
    for (token, code, reason) in [
        (mint(json!({ "ExpiresIn": -1 })).await, Code::Unauthenticated, "USER_TOKEN_EXPIRED"),
        (revoked, Code::Unauthenticated, "USER_TOKEN_REVOKED"),
        (mint(json!({ "Scope": "openid email" })).await, Code::PermissionDenied, "USER_TOKEN_SCOPE_MISSING"),
        (format!("{good}x"), Code::Unauthenticated, "USER_TOKEN_REJECTED"),
        ("opaque".to_owned(), Code::Unauthenticated, "USER_TOKEN_REJECTED"),
    ] {
        for rpc in Rpc::ALL.into_iter().filter(|rpc| takes_token(*rpc)) {
            let details = refused(call(&service, rpc, &token).await, code, reason);
            assert_eq!(details.error_info().unwrap().metadata["fault"], "END_USER", "{}", rpc.name());
        }
    }
}

#[tokio::test]
async fn every_users_rpc_reports_a_firewall_and_a_disabled_user() {
    let service = TestService::start().await;
    service.cognito.perform_on("AdminDisableUser", USER).await;
    let token = service.cognito.token(USER).await;
    let of_a_user: Vec<_> = Rpc::ALL.into_iter().filter(|rpc| takes_token(*rpc)).collect();
    for rpc in &of_a_user {
        refused(call(&service, *rpc, &token).await, Code::FailedPrecondition, "USER_DISABLED");
    }
    service.cognito.inject_fault(json!({ "kind": "error", "code": "ForbiddenException" })).await;
    for rpc in &of_a_user {
        refused(call(&service, *rpc, &token).await, Code::PermissionDenied, "WAF_BLOCKED");
    }
}

#[tokio::test]
async fn every_administrators_rpc_reports_a_pool_that_does_not_exist() {
    let service = TestService::start().await;
    for rpc in Rpc::ALL.into_iter().filter(|rpc| !takes_token(*rpc)) {
        let answer = crate::support::rpc_call::call_in_pool(&service, rpc, "us-west-2_NOWHERE", "").await;
        let details = refused(answer, Code::NotFound, "RESOURCE_NOT_FOUND");
        assert_eq!(details.resource_info().unwrap().resource_name, "us-west-2_NOWHERE");
    }
}
