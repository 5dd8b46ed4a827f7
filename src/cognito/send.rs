//! This file sends one operation: deadline, retries, and mutations that run to their end.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::config::retry::RetryConfig;
use aws_sdk_cognitoidentityprovider::config::timeout::TimeoutConfig;
use aws_sdk_cognitoidentityprovider::config::{Builder, SharedCredentialsProvider};
use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cognitoidentityprovider::operation::RequestId;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{BeforeTransmitInterceptorContextRef, InterceptorContext};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::api::v1::ErrorReason;
use crate::audit::Outcome;
use crate::authz::{Permit, Witness};
use crate::cognito::failure;
use crate::domain::text::{Constraint, Text};
use crate::domain::{Deadline, Operation};
use crate::error::Error;

/// What bounds operations, and the changes under way.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) operation_timeout: Duration,
    pub(super) changes: TaskTracker,
}

/// The way to one pool, until the deadline of one call: an operation a function, in the files beside this one.
#[derive(Debug)]
pub struct PoolClient {
    client: Client,
    permit: Permit,
    deadline: Deadline,
    operation_timeout: Duration,
    changes: TaskTracker,
    credentials: Option<SharedCredentialsProvider>,
}

impl PoolClient {
    /// The way to the pool of `permit` through `client`. Changes are made under `changes`, so that the end of the program
    /// can wait for them.
    pub(super) fn new(client: Client, permit: Permit, deadline: Deadline, limits: &Limits) -> Self {
        let Limits { operation_timeout, changes } = limits.clone();
        Self { client, permit, deadline, operation_timeout, changes, credentials: None }
    }

    /// The same, signing with credentials of the caller's own.
    #[must_use]
    pub(super) fn signing_with(self, credentials: SharedCredentialsProvider) -> Self {
        Self { credentials: Some(credentials), ..self }
    }

    /// The pool that everything is about.
    #[must_use]
    pub fn user_pool_id(&self) -> &str {
        self.permit.user_pool_id()
    }

    /// Sends what `call` builds. `request` holds the texts of the request, the pool id apart, to be masked where Cognito
    /// repeats them.
    ///
    /// A mutation runs to its end even when the caller leaves: Cognito may have done it already, and somebody must see
    /// what became of it.
    pub(super) async fn send<T, E, F>(
        &self,
        operation: Operation,
        mut request: Vec<String>,
        call: impl FnOnce(&Client, Builder) -> F,
    ) -> Result<T, Error>
    where
        T: RequestId + Send + 'static,
        E: ProvideErrorMetadata + RequestId + std::error::Error + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'static,
    {
        if !operation.serves(self.permit.rpc()) {
            let error = Error::new(ErrorReason::FacadeFailed).of(operation);
            return Err(error.because("the permit is for an RPC that does not use the operation"));
        }
        let left = self.deadline.left(self.operation_timeout);
        if left.is_zero() {
            let error = Error::new(ErrorReason::NoTimeLeft).of(operation);
            return Err(error.because("no time was left to call Cognito"));
        }
        let sent = Sent::default();
        let config = self.config::<E>(operation, left).interceptor(sent.clone());
        let answer = call(&self.client, config);
        let pool = self.permit.user_pool_id().to_owned();
        request.push(pool.clone());
        // Time that ran out before anything was sent went into credentials, and no change can have been made.
        let unsent =
            if left < self.operation_timeout { ErrorReason::NoTimeLeft } else { ErrorReason::FacadeDispatchFailed };
        let outcome = async move {
            answer.await.map_err(|error| {
                let timed_out = if sent.is_sent() { ErrorReason::DeadlineExceeded } else { unsent };
                failure::translate(operation, &error, timed_out, &request).about(&pool)
            })
        };
        if operation.is_read() {
            return outcome.await;
        }
        let ended = witnessed(operation, self.permit.witness().cloned(), outcome);
        match self.changes.spawn(ended.in_current_span()).await {
            Ok(outcome) => outcome,
            // The panic's text may hold anything.
            Err(_) => Err(Error::new(ErrorReason::FacadeFailed).of(operation).because("a change panicked")),
        }
    }

    /// What is special to one operation, which may take as long as this. The SDK gives an operation with credentials of its
    /// own an identity cache of its own, too (1.144).
    fn config<E>(&self, operation: Operation, left: Duration) -> Builder
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let mut config = Builder::new()
            .timeout_config(TimeoutConfig::builder().operation_timeout(left).build())
            .retry_classifier(NotRetried::<E>(PhantomData));
        if !operation.is_idempotent() {
            config = config.retry_config(RetryConfig::disabled());
        }
        config.set_credentials_provider(self.credentials.clone());
        config
    }
}

/// The outcome of a change, logged and, where changes are recorded, recorded.
async fn witnessed<T: RequestId>(
    operation: Operation,
    witness: Option<Witness>,
    outcome: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let started = Instant::now();
    let outcome = outcome.await;
    match &outcome {
        Ok(_) => tracing::info!(operation = operation.name(), "cognito made a change"),
        Err(error) => tracing::info!(operation = operation.name(), %error, "cognito made no known change"),
    }
    if let Some(witness) = witness {
        let (aws_request_id, told) = match &outcome {
            Ok(answer) => (answer.request_id(), Outcome::DONE),
            Err(error) => (error.aws_request_id(), Outcome { code: error.code(), reason: Some(error.reason()) }),
        };
        witness.mutation_ended(operation, aws_request_id, told, started.elapsed()).await;
    }
    outcome
}

/// Whether a request has left for Cognito, be it to no avail.
#[derive(Clone, Debug, Default)]
struct Sent(Arc<AtomicBool>);

impl Sent {
    fn is_sent(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[dyn_dispatch_hint]
impl Intercept for Sent {
    fn name(&self) -> &'static str {
        "sent"
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

/// Refuses an answer without a required member: the SDK fills in an empty one (1.144), so the caller would take an answer
/// that is not Cognito's for a user without a name.
pub(super) fn require(operation: Operation, member: &str, is_there: bool) -> Result<(), Error> {
    if is_there {
        return Ok(());
    }
    Err(Error::new(ErrorReason::CognitoAnswerUnreadable).of(operation).because(format!("the answer has no {member}")))
}

/// The texts of a request, to be masked in what Cognito answers.
pub(super) fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).into()
}

/// The text of an optional member.
pub(super) fn owned<C: Constraint>(text: Option<&Text<C>>) -> Option<String> {
    text.map(|text| text.as_str().to_owned())
}

/// Keeps the SDK from repeating what `LimitExceededException` refused: it takes it for throttling, but in Cognito it is a
/// limit that does not pass within seconds.
pub(super) struct NotRetried<E>(PhantomData<fn() -> E>);

impl<E> fmt::Debug for NotRetried<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NotRetried")
    }
}

impl<E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static> ClassifyRetry for NotRetried<E> {
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
