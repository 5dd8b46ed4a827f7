//! This module answers the RPCs, one file a service: authorize, parse, call Cognito, reply.

mod effect;
mod mfa_preference;
mod passkey;
mod pool_config;
mod software_token;

use std::sync::Arc;

use crate::api::Rpc;
use crate::authz::{Decision, Gate};
use crate::cognito::Cognito;
use crate::domain::{Call, Effect, Intent};
use crate::error::Error;
use crate::request::credential::claimed_user_pool_id;

/// What all services need: the gate, and the way to Cognito behind it.
#[derive(Debug)]
pub struct Facade {
    gate: Gate,
    cognito: Cognito,
}

impl Facade {
    /// The services of mfagate, with nothing between them and Cognito but `gate`.
    #[must_use]
    pub fn new(gate: Gate, cognito: Cognito) -> Self {
        Self { gate, cognito }
    }

    /// Done when every change that was sent to Cognito has ended. No other may begin.
    pub async fn settle(&self) {
        self.cognito.settle().await;
    }

    /// How many changes have been sent to Cognito and have not ended.
    #[must_use]
    pub fn changes_under_way(&self) -> usize {
        self.cognito.changes_under_way()
    }

    /// The decision on a call for the signed-in user: on the pool that the access token names, or on none.
    async fn authorize_user(
        &self,
        call: &Arc<Call>,
        rpc: Rpc,
        access_token: &str,
        effect: Effect,
    ) -> Result<Decision, Error> {
        let user_pool_id = claimed_user_pool_id(access_token).unwrap_or_default();
        self.gate.authorize(call, Intent::new(rpc, &user_pool_id, None, effect)).await
    }
}

/// What the interceptor found out about the call of a request.
fn call_of<T>(request: &tonic::Request<T>) -> Arc<Call> {
    request.extensions().get::<Arc<Call>>().cloned().unwrap_or_default()
}
