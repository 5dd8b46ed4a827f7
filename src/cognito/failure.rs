//! Translates what the SDK reports into an error: by what failed first, and by Cognito's code if it returned one.

use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cognitoidentityprovider::operation::RequestId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::api::v1::ErrorReason;
use crate::cognito::breaker::Verdict;
use crate::cognito::send::Sent;
use crate::cognito::transport::{Unreadable, source_of};
use crate::cognito::{classify, masking};
use crate::domain::{AwsRequestId, Operation};
use crate::error::{Error, chain};

/// The maximum length of a code, in characters. A foreign endpoint could make it any length.
const MAX_CODE_LEN: usize = 128;

/// The error that `operation` ended with. `timed_out` is the reason of a timeout.
pub(super) fn translate<E>(
    operation: Operation,
    error: &SdkError<E, HttpResponse>,
    timed_out: ErrorReason,
    request: &Sent,
) -> Error
where
    E: ProvideErrorMetadata + RequestId + std::error::Error + 'static,
{
    let translated = match error {
        SdkError::ConstructionFailure(_) => Error::new(ErrorReason::MfagateRequestRejected),
        SdkError::TimeoutError(_) => Error::new(timed_out),
        SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => {
            Error::new(ErrorReason::CognitoUnreachable)
        }
        // Missing credentials, a bad endpoint or a failed signature show up as a dispatch failure, too, but no retry by the
        // caller helps.
        SdkError::DispatchFailure(failure) => {
            match failure.as_connector_error().and_then(|error| source_of::<Unreadable>(error)) {
                Some(Unreadable { http_status, .. }) => unreadable(*http_status),
                None => Error::new(ErrorReason::MfagateDispatchFailed),
            }
        }
        SdkError::ResponseError(context) => unreadable(Some(context.raw().status().as_u16())),
        SdkError::ServiceError(context) => match context.err().code() {
            Some(code) => recognize(operation, code, context.err().message().unwrap_or_default(), request),
            None => unreadable(Some(context.raw().status().as_u16())),
        },
        _ => Error::new(ErrorReason::MfagateFailed),
    };
    // What is no id of AWS could be anything, even a token.
    let aws_request_id = error.request_id().and_then(AwsRequestId::parse);
    let aws_request_id = aws_request_id.as_ref().map(AwsRequestId::as_str);
    translated.operation(operation).metadata("aws_request_id", aws_request_id).cause(cause(error, &request.texts))
}

/// What the end of an operation tells of its Region. One caller must not make the Region look down for all: neither by a user for whom
/// Cognito has an internal error each time, nor by deadlines within which it cannot respond.
pub(super) fn verdict(error: Option<&Error>, had_full_time: bool) -> Verdict {
    use ErrorReason as R;
    let Some(reason) = error.map(Error::reason) else { return Verdict::Responded };
    let failed = matches!(reason, R::CognitoUnreachable | R::CognitoUnavailable | R::CognitoAnswerUnreadable);
    let not_responded = matches!(
        reason,
        R::DeadlineExceeded
            | R::NoTimeLeft
            | R::CognitoInternalError
            | R::MfagateDispatchFailed
            | R::MfagateRequestRejected
            | R::MfagateFailed
    );
    if failed || (reason == R::DeadlineExceeded && had_full_time) {
        Verdict::Failed
    } else if not_responded {
        Verdict::Unknown
    } else {
        Verdict::Responded
    }
}

fn recognize(operation: Operation, code: &str, text: &str, request: &Sent) -> Error {
    let classified = classify::classify(operation, code, text).in_context(request);
    let request = &request.texts;
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
fn unreadable(http_status: Option<u16>) -> Error {
    let is_server_error = http_status.is_some_and(|status| status >= 500);
    let reason = if is_server_error { ErrorReason::CognitoUnavailable } else { ErrorReason::CognitoAnswerUnreadable };
    Error::new(reason).metadata("http_status", http_status.map(|status| status.to_string()))
}

/// The chain of causes, without what the request held. Never `Debug`, which prints whole responses.
pub(super) fn cause(error: &dyn std::error::Error, request: &[String]) -> String {
    masking::without_request(&chain(error), request)
}
