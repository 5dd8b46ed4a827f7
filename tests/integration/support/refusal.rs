//! What every error must carry.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetail, ErrorDetails, StatusExt as _};

/// Checks an error for its code, its reason and what every error carries, and returns its details.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, reason: &str) -> ErrorDetails {
    let status = answer.unwrap_err();
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    assert_eq!((status.code(), info.reason.as_str()), (code, reason), "{status:?} {info:?}");
    assert_eq!(info.domain, "mfagate");
    for key in ["fault", "retryable"] {
        assert!(info.metadata.contains_key(key), "no {key} in {info:?}");
    }
    assert!(details.request_info().is_some_and(|info| !info.request_id.is_empty()), "no request id in {details:?}");
    other_details(&status);
    check_pushback(&status);
    details
}

/// Checks what tells a client's retry policy (gRFC A6) against what the details say: never, or when.
#[track_caller]
pub(crate) fn check_pushback(status: &Status) {
    let details = status.get_error_details();
    let retryable = &details.error_info().unwrap().metadata["retryable"];
    let pushback = status.metadata().get("grpc-retry-pushback-ms").map(|value| value.to_str().unwrap().to_owned());
    let delay = details.retry_info().map(|retry| retry.retry_delay.unwrap().as_millis().to_string());
    assert_eq!(pushback, delay.or((retryable == "false").then(|| "-1".to_owned())), "{status:?}");
}

/// Checks that mfagate itself refuses a request, and returns the paths of the fields that it names.
#[track_caller]
pub(crate) fn invalid_fields<T: std::fmt::Debug>(answer: Result<T, Status>) -> Vec<String> {
    violated_fields(&refused(answer, Code::InvalidArgument, "REQUEST_INVALID"))
}

/// The paths of the fields that an error names, in order.
pub(crate) fn violated_fields(details: &ErrorDetails) -> Vec<String> {
    let violations = details.bad_request().map_or(&[][..], |bad_request| &bad_request.field_violations);
    violations.iter().map(|violation| violation.field.clone()).collect()
}

/// The kinds of the details other than `ErrorInfo` and `RequestInfo`, which every error has once. None may be empty.
#[track_caller]
pub(crate) fn other_details(status: &Status) -> Vec<&'static str> {
    let kinds = status.get_error_details_vec();
    let (mut infos, mut requests, mut beside) = (0, 0, Vec::new());
    for kind in &kinds {
        #[expect(clippy::wildcard_enum_match_arm, reason = "ErrorDetail is non-exhaustive")]
        let (name, says_something) = match kind {
            ErrorDetail::ErrorInfo(_) => {
                infos += 1;
                continue;
            }
            ErrorDetail::RequestInfo(_) => {
                requests += 1;
                continue;
            }
            ErrorDetail::BadRequest(request) => ("BadRequest", !request.field_violations.is_empty()),
            ErrorDetail::PreconditionFailure(failure) => ("PreconditionFailure", !failure.violations.is_empty()),
            ErrorDetail::ResourceInfo(resource) => ("ResourceInfo", !resource.resource_type.is_empty()),
            ErrorDetail::RetryInfo(retry) => ("RetryInfo", retry.retry_delay > Some(Duration::ZERO)),
            other => panic!("a detail that is not documented: {other:?}"),
        };
        assert!(says_something, "{kinds:?}");
        beside.push(name);
    }
    assert_eq!((infos, requests), (1, 1), "{kinds:?}");
    beside
}
