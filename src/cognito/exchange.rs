//! What became of the requests of one operation: whether one was sent, whether each was answered, and whether the answer is
//! Cognito's.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use aws_sdk_cognitoidentityprovider::error::{ErrorMetadata, ProvideErrorMetadata};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::api::v1::ErrorReason;
use crate::cognito::classify::classify;
use crate::cognito::transport::SentFlag;
use crate::domain::{AwsRequestId, Operation};
use crate::quota::Spender;

/// The header with AWS's id of a request.
const REQUEST_ID: &str = "x-amzn-requestid";

/// Whether a success must carry Cognito's request id.
#[derive(Clone, Debug)]
pub(super) enum RequestIds {
    /// It must: nothing else tells Cognito's success from that of a proxy.
    Required,
    /// It need not, before an emulator. That is logged once.
    Optional(Arc<Once>),
}

/// Why a success is not one of Cognito.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
enum NotCognito {
    #[error("the HTTP status of a success is not 200")]
    Status,
    #[error("a success without Cognito's request id")]
    NoRequestId,
    #[error("a success with another body than Cognito's")]
    Body,
}

/// The requests of one operation, as an interceptor of the SDK. `E` is the operation's error.
pub(super) struct Exchange<E> {
    operation: Operation,
    request_ids: RequestIds,
    /// What retries are charged to.
    spender: Option<Spender>,
    state: Arc<Mutex<State>>,
    error: PhantomData<fn() -> E>,
}

#[derive(Debug, Default)]
struct State {
    /// Whether the SDK got as far as handing a request to the HTTP client.
    dispatched: bool,
    /// The attempt in flight.
    attempt: Option<SentFlag>,
    /// Whether an attempt was sent and what became of it is not known.
    unknown: bool,
}

impl<E> Exchange<E> {
    pub(super) fn new(operation: Operation, request_ids: RequestIds, spender: Option<Spender>) -> Self {
        Self { operation, request_ids, spender, state: Arc::default(), error: PhantomData }
    }

    /// Whether credentials and signature were there, so that time or the connection is what a request failed for.
    pub(super) fn was_dispatched(&self) -> bool {
        self.state().dispatched
    }

    /// Whether Cognito may have performed the operation without having said so.
    pub(super) fn is_outcome_unknown(&self) -> bool {
        let state = self.state();
        state.unknown || state.attempt.as_ref().is_some_and(SentFlag::is_set)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// AWS documents an empty body for an operation without a result and sends an empty object. Members are checked where they
    /// are converted; an object may have more than this version knows, but no error type.
    fn check(&self, response: &HttpResponse) -> Result<(), NotCognito> {
        if response.status().as_u16() != 200 {
            return Err(NotCognito::Status);
        }
        let body = response.body().bytes().unwrap_or_default().trim_ascii();
        let is_cognitos = body.is_empty()
            || serde_json::from_slice::<Map<String, Value>>(body).is_ok_and(|object| !object.contains_key("__type"));
        if !is_cognitos {
            return Err(NotCognito::Body);
        }
        if response.headers().get(REQUEST_ID).and_then(AwsRequestId::parse).is_some() {
            return Ok(());
        }
        match &self.request_ids {
            RequestIds::Required => Err(NotCognito::NoRequestId),
            RequestIds::Optional(once) => {
                once.call_once(|| tracing::warn!("the endpoint sends no request ids, so it is not Cognito"));
                Ok(())
            }
        }
    }
}

impl<E> Clone for Exchange<E> {
    fn clone(&self) -> Self {
        Self {
            operation: self.operation,
            request_ids: self.request_ids.clone(),
            spender: self.spender.clone(),
            state: Arc::clone(&self.state),
            error: PhantomData,
        }
    }
}

impl<E> fmt::Debug for Exchange<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("operation", &self.operation).finish_non_exhaustive()
    }
}

#[dyn_dispatch_hint]
impl<E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static> Intercept for Exchange<E> {
    fn name(&self) -> &'static str {
        "exchange"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let sent = SentFlag::default();
        context.request_mut().add_extension(sent.clone());
        let mut state = self.state();
        if let Some(spender) = self.spender.as_ref().filter(|_| state.dispatched) {
            spender.retried();
        }
        state.dispatched = true;
        state.attempt = Some(sent);
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        if response.status().is_success() { Ok(self.check(response)?) } else { Ok(()) }
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let error = context.output_or_error().and_then(Result::err).and_then(|error| error.as_operation_error());
        let meta = error.and_then(|error| error.downcast_ref::<E>()).map(ProvideErrorMetadata::meta);
        let reason = meta.and_then(|meta| reason(self.operation, meta));
        let refused = reason.is_some_and(|reason| is_refusal(reason, context.response()));
        if let Some(spender) = self.spender.as_ref().filter(|_| reason == Some(ErrorReason::RateLimited)) {
            spender.throttled();
        }
        let succeeded = context.output_or_error().is_some_and(|outcome| outcome.is_ok());
        let mut state = self.state();
        let sent = state.attempt.take().is_some_and(|attempt| attempt.is_set());
        state.unknown |= sent && !refused && !succeeded;
        Ok(())
    }
}

/// Why Cognito has failed the operation, if it said so.
fn reason(operation: Operation, error: &ErrorMetadata) -> Option<ErrorReason> {
    Some(classify(operation, error.code()?, error.message().unwrap_or_default()).reason)
}

/// Whether an error says that nothing was done. An internal error and an unavailable service do not.
fn is_refusal(reason: ErrorReason, response: Option<&HttpResponse>) -> bool {
    let is_unknown = reason == ErrorReason::CognitoCodeUnrecognized;
    let is_client_error = response.is_some_and(|response| response.status().is_client_error());
    !matches!(reason, ErrorReason::CognitoInternalError | ErrorReason::CognitoUnavailable)
        && (is_client_error || !is_unknown)
}
