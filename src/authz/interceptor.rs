//! The authz interceptor: on every path, authenticates the caller and checks that it may use the RPC at all.
//!
//! The decision is taken on exactly the paths that the router knows. Any other path is denied before the router sees it,
//! including variants of the known ones with doubled slashes, dots, percent signs or other capitals. Neither of them looks at a
//! query, and a fragment is cut off before both.

use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, Request, Response};
use http_body::Body as HttpBody;
use tonic::body::Body;
use tonic::codegen::BoxFuture;
use tower_http::auth::AsyncAuthorizeRequest;
use tracing::Span;

use crate::api::Rpc;
use crate::audit::Target;
use crate::authn::{Authenticator, PeerIdentity};
use crate::authz::discard::discard;
use crate::authz::gate::{Gate, PolicyEnforcer};
use crate::domain::{Call, CallerRequestId, RequestId, TraceId};
use crate::error::{Error, rejection};

/// Who calls, in the log, where nobody is named.
const ANONYMOUS: &str = "anonymous";

/// Admits requests, or rejects them.
#[derive(Clone, Debug)]
pub struct AuthzInterceptor {
    gate: Gate,
    authenticator: Arc<Authenticator>,
}

/// What is served on a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint {
    /// One of our RPCs.
    Rpc(Rpc),
    /// Health checks, which are public: load balancers have no credentials.
    Health,
    /// Reflection, which needs a permission of its own.
    Reflection,
    /// Nothing.
    Unknown,
}

impl Endpoint {
    fn of(path: &str) -> Self {
        match path {
            "/grpc.health.v1.Health/Check" | "/grpc.health.v1.Health/Watch" => Self::Health,
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
            | "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo" => Self::Reflection,
            path => Rpc::from_path(path).map_or(Self::Unknown, Self::Rpc),
        }
    }

    fn target(self) -> Target {
        match self {
            Self::Rpc(rpc) => rpc.into(),
            Self::Reflection => Target::REFLECTION,
            Self::Health | Self::Unknown => Target::UNKNOWN,
        }
    }
}

impl AuthzInterceptor {
    /// Admits what `gate` allows to callers that `authenticator` names.
    pub fn new(gate: Gate, authenticator: Arc<Authenticator>) -> Self {
        Self { gate, authenticator }
    }
}

impl<B: HttpBody + Send + 'static> AsyncAuthorizeRequest<B> for AuthzInterceptor {
    type RequestBody = B;
    type ResponseBody = Body;
    type Future = BoxFuture<Request<B>, Response<Body>>;

    fn authorize(&mut self, mut request: Request<B>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let mut call = call(&request);
            if matches!(this.gate, Gate::AllowAll) {
                Span::current().record("caller", ANONYMOUS);
            }
            if let Gate::Enforced(enforcer) = &this.gate {
                let peer = request.extensions().get::<PeerIdentity>();
                let endpoint = Endpoint::of(request.uri().path());
                let admitted = this.admit(enforcer, endpoint, peer, request.headers(), &mut call).await;
                if let Some(peer) = peer.filter(|_| call.caller.is_some()) {
                    peer.authenticated.set();
                }
                if let Err(error) = admitted {
                    discard(request.into_body()).await;
                    return Err(rejection(error));
                }
            }
            request.extensions_mut().insert(Arc::new(call));
            Ok(request)
        })
    }
}

impl AuthzInterceptor {
    /// Names the caller in `call` and admits it, or says why not. An unknown path is denied like a forbidden one, and only to
    /// authenticated callers: others learn that they are not authenticated.
    async fn admit(
        &self,
        enforcer: &PolicyEnforcer,
        endpoint: Endpoint,
        peer: Option<&PeerIdentity>,
        headers: &HeaderMap,
        call: &mut Call,
    ) -> Result<(), Error> {
        let started = Instant::now();
        if endpoint == Endpoint::Health {
            return Ok(());
        }
        let caller = match self.authenticator.caller(peer, headers).await {
            Ok(caller) => caller,
            Err(error) => {
                Span::current().record("caller", ANONYMOUS);
                return Err(enforcer.refuse_stranger(call, endpoint.target(), error, started.elapsed()).await);
            }
        };
        Span::current().record("caller", caller.name.as_str());
        call.caller = Some(caller.clone());
        enforcer.admit(&caller)?;
        match endpoint {
            Endpoint::Rpc(rpc) => enforcer.precheck(call, &caller, rpc).await,
            Endpoint::Reflection => enforcer.authorize_reflection(call, &caller).await,
            Endpoint::Health | Endpoint::Unknown => Err(enforcer.deny_unknown_path(call).await),
        }
    }
}

/// What is known of a call from its headers and its connection.
fn call<B>(request: &Request<B>) -> Call {
    let extensions = request.extensions();
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let peer = extensions.get::<PeerIdentity>().map(|peer| peer.address);
    let id = extensions.get::<tower_http::request_id::RequestId>().and_then(|id| id.header_value().to_str().ok());
    Call {
        request_id: id.and_then(RequestId::parse),
        caller_request_id: extensions.get::<CallerRequestId>().map(|id| id.0.clone()),
        trace_id: header("traceparent").and_then(TraceId::from_traceparent),
        peer,
        caller: None,
        deadline: extensions.get().copied().unwrap_or_default(),
        priority: extensions.get().copied().unwrap_or_default(),
    }
}
