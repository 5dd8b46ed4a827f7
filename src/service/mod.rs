//! The RPC handlers, one file per service: authorize, parse, call Cognito, respond.

mod authorized_call;
mod mfa_preference;
mod passkey;
mod pool_config;
mod software_token;

use std::sync::Arc;

use tonic::Request;
use tracing::Span;

use crate::authz::Gate;
use crate::cognito::{Cognito, Mutations};
use crate::domain::{Call, Intent, text};
use crate::error::Error;
use crate::request::intent::HasIntent;
use crate::service::authorized_call::AuthorizedCall;

/// What all services share: the gate, and Cognito behind it.
#[derive(Debug)]
pub struct Facade {
    gate: Gate,
    cognito: Cognito,
}

impl Facade {
    /// The services of mfagate, with nothing between them and Cognito but `gate`.
    pub fn new(gate: Gate, cognito: Cognito) -> Self {
        Self { gate, cognito }
    }

    /// The same services for another runtime, with connections to Cognito of its own.
    #[must_use]
    pub fn for_worker(&self) -> Self {
        Self { gate: self.gate.clone(), cognito: self.cognito.for_worker() }
    }

    /// The mutations in flight.
    pub fn mutations(&self) -> &Mutations {
        self.cognito.mutations()
    }

    /// Authorizes a call by what its message asks for, before anything of it is validated (AIP-211). The message's type says
    /// which RPC it is of, so no handler can be authorized under the permission of another.
    async fn authorize<M: HasIntent>(&self, request: Request<M>) -> Result<(M, AuthorizedCall), Error> {
        let call = request.extensions().get::<Arc<Call>>().cloned().unwrap_or_default();
        let message = request.into_inner();
        let intent = message.intent();
        name_pool(&intent);
        let end_user = intent.effect.end_user;
        let grant = self.gate.authorize(&call, intent).await?;
        Ok((message, AuthorizedCall::new(grant, end_user, &call)))
    }
}

/// Adds the pool to the lines that the log has of the call. What is no pool id may be anything, so it is not logged.
fn name_pool(intent: &Intent<'_>) {
    let is_id = text::user_pool_id(intent.user_pool_id.to_string()).is_ok();
    Span::current().record("user_pool_id", if is_id { &*intent.user_pool_id } else { "none" });
}
