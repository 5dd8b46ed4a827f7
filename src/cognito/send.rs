//! What goes with sending one operation: whether it was transmitted, what is never retried, and the record of a mutation.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use aws_sdk_cognitoidentityprovider::error::ProvideErrorMetadata;
use aws_sdk_cognitoidentityprovider::operation::RequestId;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{BeforeTransmitInterceptorContextRef, InterceptorContext};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use crate::audit::MutationOutcome;
use crate::authz::MutationRecorder;
use crate::domain::Operation;
use crate::domain::text::{Constraint, Text};
use crate::error::Error;

/// The outcome of a mutation, logged and, where mutations are recorded, recorded.
pub(super) async fn recorded<T: RequestId>(
    operation: Operation,
    recorder: Option<MutationRecorder>,
    outcome: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let started = Instant::now();
    let outcome = outcome.await;
    match &outcome {
        Ok(_) => tracing::info!(operation = operation.name(), "mutation succeeded"),
        Err(error) => tracing::info!(operation = operation.name(), %error, "mutation failed or unknown"),
    }
    if let Some(recorder) = recorder {
        let (aws_request_id, told) = match &outcome {
            Ok(response) => (response.request_id(), MutationOutcome::OK),
            Err(error) => {
                (error.aws_request_id(), MutationOutcome { code: error.code(), reason: Some(error.reason()) })
            }
        };
        recorder.record_outcome(operation, aws_request_id, told, started.elapsed()).await;
    }
    outcome
}

/// Tells whether a request was transmitted, be it to no avail.
#[derive(Clone, Debug, Default)]
pub(super) struct TransmitProbe(Arc<AtomicBool>);

impl TransmitProbe {
    pub(super) fn has_transmitted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[dyn_dispatch_hint]
impl Intercept for TransmitProbe {
    fn name(&self) -> &'static str {
        "transmit probe"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.store(true, Ordering::Relaxed);
        Ok(())
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
