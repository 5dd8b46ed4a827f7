//! This file is the authz interceptor: on every path it finds out who is calling and whether they may use the RPC at all.
//!
//! The decision is taken on exactly the paths that the router knows. Whatever else a path is, a variant of one of them with
//! doubled slashes, dots, percent signs or other capitals included, is denied before the router sees it. A query is no part of
//! the path for either of them, and a fragment is cut off before both.

use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, Request, Response};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::BoxFuture;
use tower_http::auth::AsyncAuthorizeRequest;

use crate::api::Rpc;
use crate::audit::Asked;
use crate::authn::{Authentication, PeerIdentity};
use crate::authz::{Gate, Guard};
use crate::domain::{Call, CertificateIdentity, RequestId, TraceId};
use crate::error::Error;

/// Lets requests in, or answers them itself.
#[derive(Clone, Debug)]
pub struct Authorize {
    gate: Gate,
    authentication: Arc<Authentication>,
}

/// What is served on a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Surface {
    /// One of our RPCs.
    Rpc(Rpc),
    /// Health checks, which are public: load balancers prove nothing.
    Health,
    /// Reflection, which needs a permission of its own.
    Reflection,
    /// Nothing.
    Nothing,
}

impl Surface {
    fn of(path: &str) -> Self {
        match path {
            "/grpc.health.v1.Health/Check" | "/grpc.health.v1.Health/Watch" => Self::Health,
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
            | "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo" => Self::Reflection,
            path => Rpc::from_path(path).map_or(Self::Nothing, Self::Rpc),
        }
    }

    fn asked(self) -> Asked {
        match self {
            Self::Rpc(rpc) => rpc.into(),
            Self::Reflection => Asked::other("ServerReflection", "ReadReflection"),
            Self::Health | Self::Nothing => Asked::UNKNOWN,
        }
    }
}

impl Authorize {
    /// Lets in what `gate` allows to callers that `authentication` names.
    #[must_use]
    pub fn new(gate: Gate, authentication: Arc<Authentication>) -> Self {
        Self { gate, authentication }
    }
}

impl<B: Send + 'static> AsyncAuthorizeRequest<B> for Authorize {
    type RequestBody = B;
    type ResponseBody = Body;
    type Future = BoxFuture<Request<B>, Response<Body>>;

    fn authorize(&mut self, mut request: Request<B>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let mut call = call(&request);
            if let Gate::Guarded(guard) = &this.gate {
                let peer = request.extensions().get::<PeerIdentity>();
                let certificate = peer.and_then(|peer| peer.certificate.clone());
                let surface = Surface::of(request.uri().path());
                let admitted = this.admit(guard, surface, certificate, request.headers(), &mut call).await;
                if let Some(peer) = peer.filter(|_| call.caller.is_some()) {
                    peer.authenticated.set();
                }
                admitted.map_err(|error| Status::from(error).into_http())?;
            }
            request.extensions_mut().insert(Arc::new(call));
            Ok(request)
        })
    }
}

impl Authorize {
    /// Names the caller in `call` and lets it in, or says why not. An unknown path is refused like a forbidden one, and only
    /// to callers that are known: others learn that they are not.
    async fn admit(
        &self,
        guard: &Guard,
        surface: Surface,
        certificate: Option<CertificateIdentity>,
        headers: &HeaderMap,
        call: &mut Call,
    ) -> Result<(), Error> {
        let started = Instant::now();
        if surface == Surface::Health {
            return Ok(());
        }
        let caller = match self.authentication.caller(certificate, headers).await {
            Ok(caller) => caller,
            Err(error) => {
                guard.unauthenticated(call, surface.asked(), started.elapsed()).await;
                return Err(error);
            }
        };
        call.caller = Some(caller.clone());
        match surface {
            Surface::Rpc(rpc) => guard.may_ever(call, &caller, rpc).await,
            Surface::Reflection => guard.may_reflect(call, &caller).await,
            Surface::Health | Surface::Nothing => Err(guard.unknown_path(call).await),
        }
    }
}

/// What is known of a call from its headers and its connection.
fn call<B>(request: &Request<B>) -> Call {
    let extensions = request.extensions();
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let peer = extensions.get::<PeerIdentity>().map(|peer| peer.address);
    let request_id =
        extensions.get::<tower_http::request_id::RequestId>().and_then(|id| id.header_value().to_str().ok());
    Call {
        request_id: request_id.and_then(RequestId::parse),
        trace_id: header("traceparent").and_then(TraceId::from_traceparent),
        peer,
        caller: None,
        deadline: extensions.get().copied().unwrap_or_default(),
    }
}
