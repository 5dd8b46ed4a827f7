//! What goes with sending one operation: the request's texts, what is never retried, and the record of a mutation.

use std::fmt;
use std::marker::PhantomData;
use std::time::Instant;

use aws_sdk_cognitoidentityprovider::error::ProvideErrorMetadata;
use aws_sdk_cognitoidentityprovider::operation::RequestId;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};

use crate::api::v1::ErrorReason;
use crate::audit::MutationOutcome;
use crate::authz::MutationRecorder;
use crate::cognito::read_back::Made;
use crate::domain::text::{Constraint, Text};
use crate::domain::{Findings, Operation};
use crate::error::Error;

/// The outcome of a mutation, logged and, where mutations are recorded, recorded.
pub(super) async fn recorded<T: RequestId>(
    operation: Operation,
    recorder: Option<(MutationRecorder, Findings)>,
    outcome: impl Future<Output = Result<Made<T>, Error>>,
) -> Result<T, Error> {
    let started = Instant::now();
    let outcome = outcome.await;
    match &outcome {
        // The record says the same.
        Ok(_) if recorder.is_some() => tracing::debug!(operation = operation.name(), "mutation succeeded"),
        Ok(_) => tracing::info!(operation = operation.name(), "mutation succeeded"),
        Err(error) if error.is_outcome_unknown() => {
            tracing::info!(operation = operation.name(), %error, "mutation outcome unknown");
        }
        Err(error) => tracing::info!(operation = operation.name(), %error, "mutation failed"),
    }
    if let Some((recorder, findings)) = recorder {
        let (aws_request_id, told) = match &outcome {
            Ok(Made { response, read_back }) => {
                (response.request_id(), MutationOutcome { read_back: *read_back, ..MutationOutcome::OK })
            }
            Err(error) => {
                let (code, reason) = (error.code(), Some(error.reason()));
                let outcome =
                    MutationOutcome { code, reason, change_unknown: error.is_outcome_unknown(), read_back: false };
                (error.aws_request_id(), outcome)
            }
        };
        recorder.record_outcome(operation, aws_request_id, told, started.elapsed(), findings).await;
    }
    outcome.map(|made| made.response)
}

/// Rejects a response without a required member. The SDK fills in an empty value (1.144), and a response that is not Cognito's
/// would pass for a user without a name.
pub(super) fn require(operation: Operation, member: &str, is_present: bool) -> Result<(), Error> {
    if is_present {
        return Ok(());
    }
    let error = Error::new(ErrorReason::CognitoAnswerUnreadable).operation(operation);
    let error = if operation.is_read() { error } else { error.outcome_unknown() };
    Err(error.cause(format!("the response has no {member}")))
}

/// What mfagate must know of a request beyond the request itself.
#[derive(Default)]
pub(super) struct Sent {
    /// The texts that the caller sent, which are masked where Cognito repeats them.
    pub(super) texts: Vec<String>,
    /// How many entries of a list it asks for.
    pub(super) page_size: Option<i32>,
    /// Whether it acts with a session. Cognito has one code for rejected tokens and sessions.
    pub(super) in_session: bool,
    /// Whether it disables factors and enables none.
    pub(super) only_disables: bool,
}

impl From<Vec<String>> for Sent {
    fn from(texts: Vec<String>) -> Self {
        Self { texts, ..Self::default() }
    }
}

/// The texts of a request, to be masked in Cognito's response.
pub(super) fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).into()
}

/// The text of an optional member.
pub(super) fn owned<C: Constraint>(text: Option<&Text<C>>) -> Option<String> {
    text.map(|text| text.as_str().to_owned())
}

/// Keeps the SDK from retrying `LimitExceededException`. The SDK treats it as throttling, but in Cognito it is a limit that
/// does not pass within seconds.
pub(super) struct NeverRetryLimitExceeded<E>(pub(super) PhantomData<fn() -> E>);

impl<E> fmt::Debug for NeverRetryLimitExceeded<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NeverRetryLimitExceeded")
    }
}

impl<E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static> ClassifyRetry for NeverRetryLimitExceeded<E> {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context.output_or_error().and_then(Result::err);
        let error = error.and_then(|error| error.as_operation_error()).and_then(|error| error.downcast_ref::<E>());
        match error.and_then(ProvideErrorMetadata::code) {
            Some("LimitExceededException") => RetryAction::RetryForbidden,
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "limit exceeded"
    }
}
