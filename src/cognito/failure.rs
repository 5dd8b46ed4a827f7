//! Translates what the SDK reports into an error: by what failed first, and by Cognito's code if it returned one.

use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cognitoidentityprovider::operation::RequestId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::api::v1::ErrorReason;
use crate::cognito::{classify, masking};
use crate::domain::Operation;
use crate::error::{Error, chain};

/// The maximum length of a code, in characters. A foreign endpoint could make it any length.
const MAX_CODE_LEN: usize = 128;

/// The error that `operation` ended with. `timed_out` is the reason of a timeout, and `request` holds the texts that must be
/// masked.
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
        // Missing credentials, a bad endpoint or a failed signature show up as a dispatch failure, too, but no retry by the
        // caller helps.
        SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => {
            Error::new(ErrorReason::CognitoUnreachable)
        }
        SdkError::DispatchFailure(_) => Error::new(ErrorReason::MfagateDispatchFailed),
        SdkError::ResponseError(context) => unreadable(context.raw()),
        SdkError::ServiceError(context) => match context.err().code() {
            Some(code) => recognize(operation, code, context.err().message().unwrap_or_default(), request),
            None => unreadable(context.raw()),
        },
        _ => Error::new(ErrorReason::MfagateFailed),
    };
    let aws_request_id = error.request_id().map(|id| id.chars().take(MAX_CODE_LEN).collect::<String>());
    translated.operation(operation).metadata("aws_request_id", aws_request_id).cause(cause(error, request))
}

fn recognize(operation: Operation, code: &str, text: &str, request: &[String]) -> Error {
    let classified = classify::classify(operation, code, text);
    // The only text of Cognito that is forwarded: nothing else says what is wrong.
    let unrecognized = code == "InvalidParameterException" && classified.reason == ErrorReason::InvalidParameter;
    let message = (unrecognized && !text.is_empty()).then(|| masking::for_caller(text, request));
    // A code that is not Cognito's may be anything, even what was sent.
    let unknown = classified.reason == ErrorReason::CognitoCodeUnrecognized;
    let code = if unknown { masking::without_request(code, request) } else { code.to_owned() };
    let code: String = code.chars().take(MAX_CODE_LEN).collect();
    let error = Error::new(classified.reason).metadata("cognito_code", Some(code)).metadata("cognito_message", message);
    match classified.metadata {
        Some((key, value)) => error.metadata(key, Some(value)),
        None => error,
    }
}

/// A response without a code is not Cognito's: it is that of a proxy or a load balancer, or a part of a response.
fn unreadable(response: &HttpResponse) -> Error {
    let status = response.status().as_u16();
    let reason = if status >= 500 { ErrorReason::CognitoUnavailable } else { ErrorReason::CognitoAnswerUnreadable };
    Error::new(reason).metadata("http_status", Some(status.to_string()))
}

/// The chain of causes, without what the request held. Never `Debug`, which prints whole responses.
pub(super) fn cause(error: &dyn std::error::Error, request: &[String]) -> String {
    masking::without_request(&chain(error), request)
}
