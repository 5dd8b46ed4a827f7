//! Responses without an error code, broken connections, and no response at all.

use std::collections::BTreeMap;
use std::time::Duration;

use mfagate::api::Rpc;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::Code;
use tonic_types::StatusExt as _;

use super::marker_count;
use crate::support::loopback::{listen, unused_url, url_of};
use crate::support::refusal::other_details;
use crate::support::rpc_call::{call, operation, unsigned_token};
use crate::support::test_cognito::{POOL, USER};
use crate::support::test_service::TestService;

use Code::{DeadlineExceeded, Internal, Unavailable};
use Rpc::{
    AdminGetUser, AdminGetUserAuthFactors, AssociateSoftwareToken, GetUser, GetUserAuthFactors, GetUserPoolMfaConfig,
    SetUserMfaPreference, SetUserPoolMfaConfig, StartWebAuthnRegistration, VerifySoftwareToken,
};

/// Serves the same bytes to every request, and returns the URL.
async fn serve_bytes(answer: String) -> String {
    let listener = listen().await;
    let url = url_of(&listener);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"}") && stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {}
                // A client that does not wait for the response is not part of the test.
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    url
}

/// The code, reason and metadata that `rpc` returns before a server of this HTTP response.
async fn status_before(rpc: Rpc, http_status: &str, body: &str) -> (Code, String, BTreeMap<String, String>) {
    let answer = format!(
        "HTTP/1.1 {http_status}\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let service = TestService::with_cognito_at(&serve_bytes(answer).await).await;
    let status = call(&service, rpc, &unsigned_token(POOL)).await.unwrap_err();
    assert_eq!(marker_count(&status), 0, "{status:?}");
    assert!(other_details(&status).is_empty(), "{status:?}");
    let info = status.get_error_details().error_info().unwrap().clone();
    (status.code(), info.reason, info.metadata.into_iter().collect())
}

fn unreadable_metadata(rpc: Rpc, http_status: &str, retryable: bool) -> BTreeMap<String, String> {
    [
        ("fault", "AWS".to_owned()),
        ("retryable", retryable.to_string()),
        ("operation", operation(rpc).to_owned()),
        ("http_status", http_status.to_owned()),
    ]
    .into_iter()
    .chain((!rpc.is_read()).then(|| ("outcome", "UNKNOWN".to_owned())))
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

#[tokio::test]
async fn a_server_error_without_a_code_is_unavailable() {
    for (rpc, body, retryable) in [
        (AdminGetUser, "<html>Upstream-Marker</html>", true),
        (AdminGetUser, "", true),
        (SetUserMfaPreference, "{\"message\": \"Upstream-Marker\"}", true),
        (AssociateSoftwareToken, "<html>Upstream-Marker</html>", false),
    ] {
        let answered = status_before(rpc, "503 Service Unavailable", body).await;
        let wanted = (Unavailable, "COGNITO_UNAVAILABLE".to_owned(), unreadable_metadata(rpc, "503", retryable));
        assert_eq!(answered, wanted, "{} {body}", rpc.name());
    }
}

#[tokio::test]
async fn a_response_that_is_not_cognitos_is_internal() {
    for (rpc, http_status, body, retryable) in [
        (AdminGetUser, "404", "<html>Upstream-Marker</html>", true),
        (AdminGetUser, "400", "", true),
        (AdminGetUser, "400", "{\"message\": \"Upstream-Marker\"}", true),
        (AssociateSoftwareToken, "403", "Upstream-Marker", false),
        (AdminGetUser, "200", "{\"Username\": \"Upstream-Mar", true),
        (AdminGetUser, "200", "<html>Upstream-Marker</html>", true),
        (AdminGetUser, "200", "\"Upstream-Marker\"", true),
        (AdminGetUser, "200", "{\"Username\": {\"Upstream-Marker\": 1}}", true),
        (GetUserPoolMfaConfig, "200", "[1, 2", true),
        (AssociateSoftwareToken, "200", "{\"SecretCode\": 1}", false),
    ] {
        let answered = status_before(rpc, http_status, body).await;
        let wanted =
            (Internal, "COGNITO_ANSWER_UNREADABLE".to_owned(), unreadable_metadata(rpc, http_status, retryable));
        assert_eq!(answered, wanted, "{} {http_status} {body}", rpc.name());
    }
}

#[tokio::test]
async fn a_response_without_a_required_member_is_unreadable() {
    for rpc in [
        AdminGetUser,
        AdminGetUserAuthFactors,
        GetUser,
        GetUserAuthFactors,
        AssociateSoftwareToken,
        StartWebAuthnRegistration,
    ] {
        for body in ["", "{}"] {
            let (code, reason, _) = status_before(rpc, "200", body).await;
            assert_eq!((code, reason.as_str()), (Internal, "COGNITO_ANSWER_UNREADABLE"), "{} {body:?}", rpc.name());
        }
    }
}

#[tokio::test]
async fn a_refused_connection_is_unavailable() {
    let url = unused_url();
    let service = TestService::with_cognito_at(&url).await;
    for (rpc, retryable) in [(AdminGetUser, "true"), (AssociateSoftwareToken, "false")] {
        let status = call(&service, rpc, &unsigned_token(POOL)).await.unwrap_err();
        let info = status.get_error_details().error_info().unwrap().clone();
        assert_eq!((status.code(), info.reason.as_str()), (Unavailable, "COGNITO_UNREACHABLE"), "{}", rpc.name());
        assert_eq!((info.metadata["fault"].as_str(), info.metadata["retryable"].as_str()), ("AWS", retryable));
        assert!(!format!("{status:?}").contains(url.trim_start_matches("http://")), "the address came through");
    }
}

#[tokio::test]
async fn a_broken_connection_is_unavailable() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    service.cognito.inject_fault(json!({ "kind": "reset" })).await;
    for (rpc, retryable) in [(SetUserPoolMfaConfig, "true"), (VerifySoftwareToken, "false")] {
        let status = call(&service, rpc, &token).await.unwrap_err();
        let info = status.get_error_details().error_info().unwrap().clone();
        assert_eq!((status.code(), info.reason.as_str()), (Unavailable, "COGNITO_UNREACHABLE"), "{}", rpc.name());
        assert_eq!(info.metadata["retryable"], retryable);
    }
}

#[tokio::test]
async fn a_response_that_never_comes_exceeds_the_deadline() {
    let service = TestService::with_operation_timeout(Duration::from_secs(2)).await;
    let token = service.cognito.token(USER).await;
    service.cognito.inject_fault(json!({ "kind": "no_answer" })).await;
    for (rpc, retryable) in [(AdminGetUser, "true"), (SetUserMfaPreference, "true"), (AssociateSoftwareToken, "false")]
    {
        let status = call(&service, rpc, &token).await.unwrap_err();
        let info = status.get_error_details().error_info().unwrap().clone();
        assert_eq!((status.code(), info.reason.as_str()), (DeadlineExceeded, "DEADLINE_EXCEEDED"), "{}", rpc.name());
        assert_eq!((info.metadata["fault"].as_str(), info.metadata["retryable"].as_str()), ("AWS", retryable));
    }
}
