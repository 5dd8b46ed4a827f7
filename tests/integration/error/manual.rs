//! The error manual in the proto: the example at each value of `ErrorReason` is what callers receive.

use std::collections::BTreeMap;
use std::time::Duration;

use mfagate::api::v1::associate_software_token_request::Credential;
use mfagate::api::v1::{AdminGetUserRequest, AdminGetUserResponse, AssociateSoftwareTokenRequest, ErrorReason};
use mfagate::api::{FILE_DESCRIPTOR_SET, Rpc};
use mfagate::cognito::OperationLimits;
use mfagate::error::{self, Error};
use prost::Message as _;
use serde_json::{Value, json};
use tonic::client::Grpc;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt as _;

use crate::authz::access;
use crate::hostile::circuit;
use crate::hostile::in_flight::watches;
use crate::process::without_credentials;
use crate::support::loopback::serve;
use crate::support::refusal::{check_pushback, other_details};
use crate::support::rpc_call::{call, operation};
use crate::support::test_cognito::{POOL, USER};
use crate::support::test_service::TestService;

/// The comment at one value of the enum.
struct Entry {
    reason: String,
    comment: String,
    example: Value,
}

/// The manual, read from the comments in the descriptors. A value without an example fails.
fn manual() -> Vec<Entry> {
    let files = prost_types::FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap().file;
    let file = files.iter().find(|file| file.name() == "mfagate/v1/error_reason.proto").unwrap();
    let comments: BTreeMap<&[i32], &str> = file
        .source_code_info
        .iter()
        .flat_map(|info| &info.location)
        .map(|location| (location.path.as_slice(), location.leading_comments()))
        .collect();
    let values = file.enum_type[0].value.iter().enumerate().skip(1);
    values
        .map(|(position, value)| {
            // The path of a value: enum_type (5), the first, value (2), this one.
            let comment = comments[[5, 0, 2, i32::try_from(position).unwrap()].as_slice()].to_owned();
            let start = comment.find("{ \"reason\"").unwrap_or_else(|| panic!("{} has no example", value.name()));
            let mut examples = serde_json::Deserializer::from_str(&comment[start..]).into_iter();
            let example = examples.next().unwrap().unwrap();
            let reason = value.name().strip_prefix("ERROR_REASON_").unwrap().to_owned();
            Entry { reason, comment, example }
        })
        .collect()
}

impl Entry {
    fn metadata(&self, key: &str) -> Option<&str> {
        self.example["metadata"][key].as_str()
    }

    /// The text between "Returned as " and the full stop: the code, and the detail if there is one.
    fn returned_as(&self) -> (String, Option<String>) {
        let sentence = self.comment.split("Returned as ").nth(1).unwrap().split('.').next().unwrap();
        let sentence = sentence.split_whitespace().collect::<Vec<_>>().join(" ");
        let (code, detail) = sentence.split_once(", with ").unwrap_or((&sentence, ""));
        (code.to_owned(), detail.split([' ', ',']).next().filter(|kind| !kind.is_empty()).map(str::to_owned))
    }

    /// The RPC of the example's operation; a change of a pool for operations that mfagate does not call yet.
    fn rpc(&self) -> Rpc {
        let wanted = self.metadata("operation").unwrap();
        Rpc::ALL.into_iter().find(|rpc| operation(*rpc) == wanted).unwrap_or(Rpc::SetUserPoolMfaConfig)
    }

    fn compare(&self, status: &Status) {
        let reason = &self.reason;
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((&info.reason, info.domain.as_str()), (reason, "mfagate"), "{status:?}");
        assert_eq!(
            (self.example["reason"].as_str(), self.example["domain"].as_str()),
            (Some(&**reason), Some("mfagate"))
        );

        let mut answered: BTreeMap<_, _> =
            info.metadata.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
        let documented = self.example["metadata"].as_object().unwrap();
        let mut documented: BTreeMap<_, _> =
            documented.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        assert!(answered.keys().eq(documented.keys()), "{reason}: {answered:?} is documented as {documented:?}");
        // Different in each response, or of an operation that is not called yet.
        for changing in ["aws_request_id", "cognito_message"] {
            answered.remove(changing);
            documented.remove(changing);
        }
        if documented.get("operation").is_some_and(|name| Rpc::ALL.iter().all(|rpc| operation(*rpc) != name)) {
            answered.remove("operation");
            documented.remove("operation");
        }
        assert_eq!(answered, documented, "{reason}");

        // Whatever the reason, in the one place that makes all of them.
        check_pushback(status);
        let answered = (code_name(status.code()), other_details(status));
        let (code, detail) = self.returned_as();
        assert_eq!(answered, (code, detail.iter().map(String::as_str).collect()), "{reason}");
    }
}

/// The name of a code in the protos.
fn code_name(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(letter.to_uppercase());
    }
    name
}

/// Cognito's sentence that tells the reason from others of the same code; any sentence if the code is enough.
fn text(reason: &str) -> &'static str {
    match reason {
        "USER_TOKEN_EXPIRED" => "Access Token has expired",
        "USER_TOKEN_REVOKED" => "Access Token has been revoked",
        "USER_TOKEN_SCOPE_MISSING" => "Access Token does not have required scopes",
        "SESSION_EXPIRED" => "Invalid session for the user, session is expired.",
        "USER_DISABLED" => "User is disabled.",
        "FACTOR_NOT_ENROLLED" => "User does not have delivery config set to turn on SOFTWARE_TOKEN_MFA",
        "POOL_MFA_COMBINATION_INVALID" => "SMS MFA, Email MFA, or Software Token MFA must be enabled",
        "POOL_SETTINGS_CONFLICT" => {
            "Cannot set EmailMfaConfiguration when user pool EmailConfiguration contains an EmailSendingAccount of \
             COGNITO_DEFAULT"
        }
        _ => "said for some reason",
    }
}

/// The status for a message on a path, whatever the path accepts.
async fn send<M: prost::Message + 'static>(service: &TestService, path: &'static str, message: M) -> Status {
    let mut client = Grpc::new(service.channel());
    client.ready().await.unwrap();
    let codec = ProstCodec::<M, AdminGetUserResponse>::default();
    client.unary(Request::new(message), path.parse().unwrap(), codec).await.unwrap_err()
}

/// The status of a reason that no code of Cognito leads to. A new reason needs an arm here, or a code in its example.
async fn provoke(reason: &str) -> Status {
    let service = TestService::start().await;
    let admin_get_user = Rpc::AdminGetUser.path();
    let answer_with = async |rpc, fault| {
        service.cognito.inject_fault(fault).await;
        call(&service, rpc, &service.cognito.token(USER).await).await.unwrap_err()
    };
    match reason {
        "REQUEST_INVALID" => send(&service, admin_get_user, ()).await,
        // The first field is a number here, where a text is expected.
        "REQUEST_MALFORMED" => send(&service, admin_get_user, prost_types::Duration { seconds: 1, nanos: 0 }).await,
        "REQUEST_TOO_LARGE" => {
            let username = "a".repeat(5 << 20);
            send(&service, admin_get_user, AdminGetUserRequest { user_pool_id: POOL.to_owned(), username }).await
        }
        "RPC_UNKNOWN" => send(&service, "/mfagate.v1.MfaPreferenceService/Nothing", ()).await,
        "TOTP_ALREADY_ENROLLED" => {
            let credential = Some(Credential::AccessToken(service.cognito.token(USER).await));
            let request = AssociateSoftwareTokenRequest { credential, ..Default::default() };
            service.software_tokens().associate_software_token(request).await.unwrap_err()
        }
        "TOTP_NOT_VERIFIED" => {
            answer_with(Rpc::VerifySoftwareToken, json!({ "kind": "replace", "body": { "Status": "ERROR" } })).await
        }
        "DEADLINE_EXCEEDED" => {
            let service = TestService::with_operation_timeout(Duration::from_secs(2)).await;
            service.cognito.inject_fault(json!({ "kind": "no_answer" })).await;
            call(&service, Rpc::AdminSetUserMfaPreference, "").await.unwrap_err()
        }
        "NO_TIME_LEFT" => {
            let mut request = Request::new(AdminGetUserRequest::default());
            request.metadata_mut().insert("grpc-timeout", MetadataValue::from_static("0m"));
            service.untimed_client().admin_get_user(request).await.unwrap_err()
        }
        "CALLER_LIMIT_EXCEEDED" => watches(service.channel()).await.1,
        "QUOTA_WAIT_TOO_LONG" => {
            let service = TestService::with_quota("USER_READ=1/1").await;
            let request = AdminGetUserRequest { user_pool_id: POOL.to_owned(), username: USER.to_owned() };
            // The second one, but for a machine so slow that a token comes back before.
            loop {
                let mut request = Request::new(request.clone());
                request.metadata_mut().insert("grpc-timeout", MetadataValue::from_static("900m"));
                match service.untimed_client().admin_get_user(request).await {
                    Err(status) if status.code() == Code::ResourceExhausted => break status,
                    Ok(_) | Err(_) => {}
                }
            }
        }
        "COGNITO_CIRCUIT_OPEN" => circuit::refusal().await,
        "SERVICE_LIMIT_EXCEEDED" => {
            let service = TestService::with_limits(OperationLimits { total: 0, ..OperationLimits::default() }).await;
            call(&service, Rpc::AdminGetUser, "").await.unwrap_err()
        }
        "CALLER_UNAUTHENTICATED" => access::expired().await,
        "CALLER_FORBIDDEN" => access::forbidden().await,
        "AUDIT_UNAVAILABLE" => access::unrecorded().await,
        "COGNITO_UNREACHABLE" => answer_with(Rpc::AdminSetUserMfaPreference, json!({ "kind": "reset" })).await,
        "COGNITO_ANSWER_UNREADABLE" => {
            // A web server without that page.
            let pages = axum::Router::new().fallback(|| async { http::StatusCode::NOT_FOUND });
            let service = TestService::with_cognito_at(&serve(pages).await).await;
            call(&service, Rpc::AdminSetUserMfaPreference, "").await.unwrap_err()
        }
        "MFAGATE_DISPATCH_FAILED" => without_credentials::set_preference(&service.cognito.url).await.unwrap_err(),
        // Only a defect leads to it, and no request is known that does.
        "MFAGATE_FAILED" => {
            error::render(&error::rejection::<String>(Error::new(ErrorReason::MfagateFailed)), "request").unwrap()
        }
        _ => panic!("{reason} is new: say here how it comes about, or give its example a cognito_code"),
    }
}

#[tokio::test]
async fn every_reason_is_returned_as_its_example_shows() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    for entry in manual() {
        let status = match entry.metadata("cognito_code") {
            Some(code) => {
                service.cognito.inject_error(operation(entry.rpc()), code, text(&entry.reason)).await;
                let status = call(&service, entry.rpc(), &token).await.unwrap_err();
                service.cognito.clear_faults().await;
                status
            }
            None => provoke(&entry.reason).await,
        };
        entry.compare(&status);
    }
}

#[test]
fn every_reason_says_what_to_do() {
    let manual = manual();
    assert_eq!(manual.len(), (1..).map_while(|number| ErrorReason::try_from(number).ok()).count());
    for entry in manual {
        assert!(entry.comment.contains("To do: "), "{}", entry.reason);
    }
}
