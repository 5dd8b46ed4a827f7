//! This file turns what the SDK reports into an error: by what failed first, and by Cognito's code where it answered one.

use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cognitoidentityprovider::operation::RequestId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::api::v1::ErrorReason;
use crate::cognito::{classify, masking};
use crate::domain::Operation;
use crate::error::Error;

/// The most characters of a code, which a strange endpoint could make as long as it likes.
const LONGEST_CODE: usize = 128;

/// The error that `operation` ended with. `timed_out` says what it means that the time was up, and `request` holds the texts
/// that must not come out again.
pub(super) fn translate<E>(
    operation: Operation,
    error: &SdkError<E, HttpResponse>,
    timed_out: ErrorReason,
    request: &[String],
) -> Error
where
    E: ProvideErrorMetadata + RequestId + std::error::Error + 'static,
{
    let translated = match error {
        SdkError::ConstructionFailure(_) => Error::new(ErrorReason::MfagateRequestRejected),
        SdkError::TimeoutError(_) => Error::new(timed_out),
        // Missing credentials, a bad endpoint or a failed signature come out as a dispatch failure too, but no caller can
        // wait them out.
        SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => {
            Error::new(ErrorReason::CognitoUnreachable)
        }
        SdkError::DispatchFailure(_) => Error::new(ErrorReason::MfagateDispatchFailed),
        SdkError::ResponseError(answer) => unreadable(answer.raw()),
        SdkError::ServiceError(answer) => match answer.err().code() {
            Some(code) => recognise(operation, code, answer.err().message().unwrap_or_default(), request),
            None => unreadable(answer.raw()),
        },
        _ => Error::new(ErrorReason::MfagateFailed),
    };
    let aws_request_id = error.request_id().map(|id| id.chars().take(LONGEST_CODE).collect::<String>());
    translated.operation(operation).metadata("aws_request_id", aws_request_id).cause(cause(error, request))
}

fn recognise(operation: Operation, code: &str, text: &str, request: &[String]) -> Error {
    let meaning = classify::classify(operation, code, text);
    // The only text of Cognito that is forwarded: nothing else says what is wrong.
    let unrecognised = code == "InvalidParameterException" && meaning.reason == ErrorReason::InvalidParameter;
    let message = (unrecognised && !text.is_empty()).then(|| masking::for_caller(text, request));
    // A code that is none of Cognito's may be anything, even what was sent.
    let unknown = meaning.reason == ErrorReason::CognitoCodeUnrecognized;
    let code = if unknown { masking::without_request(code, request) } else { code.to_owned() };
    let code: String = code.chars().take(LONGEST_CODE).collect();
    let error = Error::new(meaning.reason).metadata("cognito_code", Some(code)).metadata("cognito_message", message);
    match meaning.metadata {
        Some((key, value)) => error.metadata(key, Some(value)),
        None => error,
    }
}

/// An answer without a code is not one of Cognito: a proxy, a load balancer, or a part of an answer.
fn unreadable(answer: &HttpResponse) -> Error {
    let status = answer.status().as_u16();
    let reason = if status >= 500 { ErrorReason::CognitoUnavailable } else { ErrorReason::CognitoAnswerUnreadable };
    Error::new(reason).metadata("http_status", Some(status.to_string()))
}

/// The chain of causes in words, without what the request held. Never `Debug`, which prints whole answers.
pub(super) fn cause(error: &dyn std::error::Error, request: &[String]) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        words.push_str(": ");
        words.push_str(&error.to_string());
        next = error.source();
    }
    masking::without_request(&words, request)
}
