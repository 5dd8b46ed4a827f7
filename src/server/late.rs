//! Ends calls whose deadline has passed: with our own error, whatever they still wait for.
//!
//! What waits for Cognito ends itself a little earlier and knows more, so this is for a process that is overloaded, and for what else
//! a call waits for.

use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service};
use tower::layer::Layer;

use crate::api::Rpc;
use crate::api::v1::ErrorReason;
use crate::domain::Deadline;
use crate::error::{Error, rejection};

/// Adds [`EndLate`].
#[derive(Clone, Copy, Debug)]
pub(super) struct EndLateLayer;

/// Ends calls at their deadline. A change that was sent goes on.
#[derive(Clone, Debug)]
pub(super) struct EndLate<S>(S);

impl<S> Layer<S> for EndLateLayer {
    type Service = EndLate<S>;

    fn layer(&self, inner: S) -> EndLate<S> {
        EndLate(inner)
    }
}

impl<S, B> Service<Request<B>> for EndLate<S>
where
    S: Service<Request<B>, Response = Response<Body>, Future: Send + 'static>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<Response<Body>, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let deadline = request.extensions().get().copied().and_then(Deadline::instant);
        let may_have_changed = Rpc::from_path(request.uri().path()).is_some_and(|rpc| !rpc.is_read());
        let call = self.0.call(request);
        Box::pin(async move {
            let Some(deadline) = deadline else { return call.await };
            if let Ok(ended) = tokio::time::timeout_at(deadline.into(), call).await {
                return ended;
            }
            let late = Error::new(ErrorReason::DeadlineExceeded).cause("the deadline passed before the call had ended");
            Ok(rejection(if may_have_changed { late.outcome_unknown() } else { late }))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::{Duration, Instant};

    use tonic::{Code, Status};
    use tonic_types::StatusExt as _;
    use tower::{ServiceExt as _, service_fn};

    use super::*;
    use crate::error::render;

    /// What a call on a path is told that is never answered.
    async fn late(path: &str) -> Status {
        let never = service_fn(|_: Request<()>| std::future::pending::<Result<Response<Body>, Infallible>>());
        let mut request = Request::builder().uri(path).body(()).unwrap();
        request.extensions_mut().insert(Deadline::at(Instant::now().checked_add(Duration::from_millis(20))));
        let response = EndLateLayer.layer(never).oneshot(request).await.unwrap();
        render(&response, "id").unwrap()
    }

    #[tokio::test]
    async fn a_late_call_is_ended_and_a_change_may_have_been_made() {
        for (rpc, outcome) in [(Rpc::AdminGetUser, None), (Rpc::AdminSetUserMfaPreference, Some("UNKNOWN"))] {
            let status = late(rpc.path()).await;
            let info = status.get_error_details().error_info().unwrap().clone();
            assert_eq!((status.code(), info.reason.as_str()), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
            assert_eq!(info.metadata.get("outcome").map(String::as_str), outcome);
        }
    }
}
