//! The client of one pool for one call: deadline, retries, credentials, and mutations that always run to their end.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::config::retry::RetryConfig;
use aws_sdk_cognitoidentityprovider::config::timeout::TimeoutConfig;
use aws_sdk_cognitoidentityprovider::config::{Builder, SharedCredentialsProvider};
use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cognitoidentityprovider::operation::RequestId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use tracing::Instrument as _;

use crate::api::v1::ErrorReason;
use crate::authz::Permit;
use crate::cognito::breaker::Breaker;
use crate::cognito::exchange::{Exchange, RequestIds};
use crate::cognito::failure;
use crate::cognito::in_flight::InFlight;
use crate::cognito::mutations::Mutations;
use crate::cognito::read_back::{Made, ReadBack};
use crate::cognito::send::{self, NeverRetryLimitExceeded, Sent, recorded};
use crate::cognito::shared_reads::{self, Next, ReadKey, SharedReads, WaitingRead};
use crate::domain::{Deadline, Findings, Operation, Priority};
use crate::error::Error;
use crate::quota::{self, RegionQuota, Subject, Turn};

/// What applies to every call.
#[derive(Clone, Debug)]
pub(super) struct CallSettings {
    pub(super) operation_timeout: Duration,
    pub(super) request_ids: RequestIds,
    /// The mutations in flight. A drain waits for them.
    pub(super) mutations: Mutations,
    /// The operations in flight, which have limits.
    pub(super) in_flight: Arc<InFlight>,
    /// The reads that wait or are in flight.
    pub(super) reads: Arc<SharedReads>,
}

impl CallSettings {
    /// The same settings for another runtime.
    pub(super) fn for_worker(&self) -> Self {
        let (mutations, in_flight) = (self.mutations.for_worker(), Arc::new(self.in_flight.for_worker()));
        Self { mutations, in_flight, reads: Arc::default(), request_ids: self.request_ids.clone(), ..*self }
    }
}

/// The client of a Region, and where it sends requests.
#[derive(Clone, Debug)]
pub(super) struct RegionalClient {
    pub(super) client: Client,
    pub(super) endpoint: Arc<str>,
    /// The quotas of the Region, if there are any.
    pub(super) quota: Option<Arc<RegionQuota>>,
    /// Whether Cognito responds there.
    pub(super) breaker: Arc<Breaker>,
}

/// The client of one pool, until the deadline of one call. Each operation is a method, in the files beside this one.
#[derive(Clone, Debug)]
pub struct PoolClient {
    client: RegionalClient,
    permit: Arc<Permit>,
    deadline: Deadline,
    priority: Priority,
    settings: CallSettings,
    credentials: Option<SharedCredentialsProvider>,
    findings: Arc<Mutex<Findings>>,
    /// Whether operations are retried.
    retries: bool,
}

impl PoolClient {
    /// The client of the permit's pool, which sends through `client`.
    pub(super) fn new(client: RegionalClient, permit: Permit, deadline: Deadline, settings: CallSettings) -> Self {
        let (priority, credentials, findings) = (Priority::default(), None, Arc::default());
        let permit = Arc::new(permit);
        Self { client, permit, deadline, priority, settings, credentials, findings, retries: true }
    }

    /// The same client for a call of this priority.
    #[must_use]
    pub fn with_priority(self, priority: Priority) -> Self {
        Self { priority, ..self }
    }

    /// The same client, signing with the caller's own credentials.
    pub(super) fn with_credentials(self, credentials: SharedCredentialsProvider) -> Self {
        Self { credentials: Some(credentials), ..self }
    }

    /// The pool.
    pub fn user_pool_id(&self) -> &str {
        self.permit.user_pool_id()
    }

    /// Keeps what a read found, for the record of the change that follows it.
    pub(super) fn find(&self, findings: Findings) {
        *self.findings.lock().unwrap_or_else(PoisonError::into_inner) = findings;
    }

    /// Sends what `call` builds. `request` holds the texts of the request, the pool id excepted.
    ///
    /// A mutation runs to its end even when the caller leaves: Cognito may have made the change already, and its outcome must
    /// be recorded.
    pub(super) async fn send<T, E, F>(
        &self,
        operation: Operation,
        request: impl Into<Sent>,
        call: impl FnOnce(&Client, Builder) -> F,
    ) -> Result<T, Error>
    where
        T: RequestId + Clone + Send + Sync + 'static,
        E: ProvideErrorMetadata + RequestId + std::error::Error + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'static,
    {
        self.send_checked(operation, request, call, |_| Ok(())).await
    }

    /// As [`send`](Self::send), for a change whose effect can be read: if its outcome is not known, `read_back` is asked once whether the
    /// state shows it, and has its response if so.
    pub(super) async fn send_and_read_back<T, E, F, R>(
        &self,
        operation: Operation,
        request: impl Into<Sent>,
        call: impl FnOnce(&Client, Builder) -> F,
        read_back: impl FnOnce(Self) -> R + Send + 'static,
    ) -> Result<T, Error>
    where
        T: RequestId + Clone + Send + Sync + 'static,
        E: ProvideErrorMetadata + RequestId + std::error::Error + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'static,
        R: Future<Output = Result<Option<T>, Error>> + Send + 'static,
    {
        let client = Self { retries: false, ..self.clone() };
        let read_back = ReadBack(Some(move || read_back(client)));
        self.perform(operation, request, call, |_| Ok(()), read_back).await
    }

    /// As [`send`](Self::send). What `check` finds wrong with the response is the outcome, recorded as such.
    pub(super) async fn send_checked<T, E, F>(
        &self,
        operation: Operation,
        request: impl Into<Sent>,
        call: impl FnOnce(&Client, Builder) -> F,
        check: impl FnOnce(&T) -> Result<(), Error> + Send + 'static,
    ) -> Result<T, Error>
    where
        T: RequestId + Clone + Send + Sync + 'static,
        E: ProvideErrorMetadata + RequestId + std::error::Error + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'static,
    {
        self.perform(operation, request, call, check, ReadBack::IMPOSSIBLE).await
    }

    async fn perform<T, E, F, B, R>(
        &self,
        operation: Operation,
        request: impl Into<Sent>,
        call: impl FnOnce(&Client, Builder) -> F,
        check: impl FnOnce(&T) -> Result<(), Error> + Send + 'static,
        read_back: ReadBack<B>,
    ) -> Result<T, Error>
    where
        T: RequestId + Clone + Send + Sync + 'static,
        E: ProvideErrorMetadata + RequestId + std::error::Error + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'static,
        B: FnOnce() -> R + Send + 'static,
        R: Future<Output = Result<Option<T>, Error>> + Send + 'static,
    {
        if !operation.serves(self.permit.rpc()) {
            let error = self.error(ErrorReason::MfagateFailed, operation);
            return Err(error.cause("the permit is for an RPC that does not use the operation"));
        }
        let timeout = self.settings.operation_timeout;
        let passage = self.client.breaker.enter().map_err(|pause| {
            let error = self.error(ErrorReason::CognitoCircuitOpen, operation).retry_after(pause);
            error.cause("Cognito has not responded in the Region lately, and nothing was sent")
        })?;
        let mut request = request.into();
        let mut read = (operation.is_read() && self.retries).then(|| self.begin_read(operation, &request));
        let turn = match &mut read {
            None => self.turn(operation).await?,
            Some(read) => match read.next(|| self.turn(operation)).await {
                Next::Send(turn) => turn?,
                Next::Shared(outcome) => return self.shared(operation, outcome),
            },
        };
        let left = self.time_left(operation)?;
        let entered = match self.settings.in_flight.enter(self.permit.region(), self.permit.caller()) {
            Ok(entered) => entered,
            Err(limit) => {
                turn.into_iter().for_each(Turn::give_back);
                let error = self.error(limit.reason(), operation).metadata("limit", Some("operations"));
                return Err(error.cause(limit.to_string()));
            }
        };
        let spender = turn.as_ref().and_then(Turn::spender);
        let exchange = Exchange::<E>::new(operation, self.settings.request_ids.clone(), spender);
        let config = self.config::<E>(operation, left).interceptor(exchange.clone());
        // The SDK's future is large, and would be moved into each one that wraps it.
        let response = Box::pin(call(&self.client.client, config));
        let (pool, endpoint) = (Arc::<str>::from(self.permit.user_pool_id()), Arc::clone(&self.client.endpoint));
        request.texts.push(pool.to_string());
        let placed = {
            let endpoint = Arc::clone(&endpoint);
            move |error: Error| error.user_pool(&pool).endpoint(&endpoint)
        };
        let placed_when_abandoned = placed.clone();
        // Time that ran out before anything was dispatched went into credentials.
        let undispatched = if left < timeout { ErrorReason::NoTimeLeft } else { ErrorReason::MfagateDispatchFailed };
        let abandoned = exchange.clone();
        let outcome = async move {
            // Counted until the operation ends, which may be long after its caller has left.
            let (_entered, _turn) = (entered, turn);
            let response = response.await.map_err(|error| {
                let timed_out = if exchange.was_dispatched() { ErrorReason::DeadlineExceeded } else { undispatched };
                let error = failure::translate(operation, &error, timed_out, &request);
                let unknown = !operation.is_read() && exchange.is_outcome_unknown();
                placed(if unknown { error.outcome_unknown() } else { error })
            });
            passage.end(failure::verdict(response.as_ref().err(), left >= timeout));
            let response = response?;
            check(&response).map_err(placed)?;
            Ok(response)
        };
        if operation.is_read() {
            let sent = read.map(WaitingRead::send);
            let outcome = outcome.await;
            if let Some(sent) = sent.filter(|_| !ran_out(&outcome, left < timeout)) {
                sent.end(&outcome);
            }
            return outcome;
        }
        let findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let kept_by = self.permit.recorder().map(|recorder| (recorder.clone(), findings));
        let signal = self.settings.mutations.abandoned();
        let abandoned = async move {
            signal.await;
            tracing::warn!(operation = operation.name(), endpoint = &*endpoint, "mutation abandoned");
            let error = Error::new(ErrorReason::DeadlineExceeded).operation(operation);
            let error = placed_when_abandoned(error).cause("mfagate ended before Cognito responded");
            Err(if abandoned.is_outcome_unknown() { error.outcome_unknown() } else { error })
        };
        let outcome = async move {
            let outcome = async move {
                match outcome.await {
                    Ok(response) => Ok(Made { response, read_back: false }),
                    Err(error) if error.is_outcome_unknown() => read_back.ask(operation, error).await,
                    Err(error) => Err(error),
                }
            };
            tokio::select! {
                biased;
                outcome = outcome => outcome,
                outcome = abandoned => outcome,
            }
        };
        let recorded = recorded(operation, kept_by, outcome);
        match self.settings.mutations.spawn(recorded.in_current_span()).await {
            Ok(outcome) => outcome,
            // The text of the panic may hold anything.
            Err(_) => Err(self.error(ErrorReason::MfagateFailed, operation).cause("a mutation panicked")),
        }
    }

    /// Begins a read, which may have the response to an identical one.
    fn begin_read(&self, operation: Operation, request: &Sent) -> WaitingRead {
        self.settings.reads.begin(ReadKey {
            operation,
            user_pool_id: self.user_pool_id().to_owned(),
            signer: self.credentials.as_ref().and(self.permit.caller()).map(ToOwned::to_owned),
            texts: request.texts.clone(),
            page_size: request.page_size,
        })
    }

    /// The outcome of a read, from that of an identical one.
    fn shared<T: Clone + 'static>(
        &self,
        operation: Operation,
        outcome: Result<shared_reads::Response, Error>,
    ) -> Result<T, Error> {
        tracing::debug!(operation = operation.name(), "read shared with an identical one");
        shared_reads::downcast(&outcome?).ok_or_else(|| {
            self.error(ErrorReason::MfagateFailed, operation).cause("an identical read has a response of another type")
        })
    }

    /// Waits for the operation's turn, where its quota is limited.
    async fn turn(&self, operation: Operation) -> Result<Option<Turn>, Error> {
        let left = self.time_left(operation)?;
        let Some(quota) = &self.client.quota else { return Ok(None) };
        let subject = Subject { user_pool_id: self.permit.user_pool_id(), user: self.permit.user() };
        let client = quota::Client { caller: self.permit.caller().unwrap_or_default(), priority: self.priority };
        let turn = quota.turn(operation, subject, client, left).await;
        turn.map(Some).map_err(|too_long| {
            let error = self.error(ErrorReason::QuotaWaitTooLong, operation).retry_after(too_long.retry_after);
            error.metadata("quota", Some(too_long.quota.name())).cause(too_long.to_string())
        })
    }

    /// How long an operation may take that begins now.
    fn time_left(&self, operation: Operation) -> Result<Duration, Error> {
        let left = self.deadline.left(self.settings.operation_timeout);
        if left.is_zero() {
            return Err(self.error(ErrorReason::NoTimeLeft, operation).cause("no time left to call Cognito"));
        }
        Ok(left)
    }

    /// An error of `operation` on this pool.
    pub(super) fn error(&self, reason: ErrorReason, operation: Operation) -> Error {
        self.placed(Error::new(reason).operation(operation))
    }

    /// The error with this pool and the endpoint, for the log.
    fn placed(&self, error: Error) -> Error {
        error.user_pool(self.user_pool_id()).endpoint(&self.client.endpoint)
    }

    /// As [`send::require`], for what was read of this pool.
    pub(super) fn require(&self, operation: Operation, member: &str, is_present: bool) -> Result<(), Error> {
        send::require(operation, member, is_present).map_err(|error| self.placed(error))
    }

    /// What is specific to one operation, which may take as long as `left`. The SDK gives an operation with its own
    /// credentials its own identity cache, too (1.144).
    fn config<E>(&self, operation: Operation, left: Duration) -> Builder
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let mut config = Builder::new()
            .timeout_config(TimeoutConfig::builder().operation_timeout(left).build())
            .retry_classifier(NeverRetryLimitExceeded::<E>(PhantomData));
        if !(self.retries && operation.is_idempotent()) {
            config = config.retry_config(RetryConfig::disabled());
        }
        config.set_credentials_provider(self.credentials.clone());
        config
    }
}

/// Whether an operation failed because its caller had less time than others may have.
fn ran_out<T>(outcome: &Result<T, Error>, has_less: bool) -> bool {
    let is_late = |error: &Error| matches!(error.reason(), ErrorReason::DeadlineExceeded | ErrorReason::NoTimeLeft);
    has_less && outcome.as_ref().is_err_and(is_late)
}
