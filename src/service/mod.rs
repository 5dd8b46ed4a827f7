//! This module answers the RPCs, one file a service: authorize, parse, call Cognito, reply.

mod mfa_preference;
mod passkey;
mod pool_config;
mod software_token;

use tonic::Request;

use crate::access::{Decision, Gate};
use crate::cognito::{Cognito, Deadline};
use crate::error::Error;
use crate::proto::Rpc;
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
    fn authorize_user(&self, rpc: Rpc, access_token: &str) -> Result<Decision, Error> {
        self.gate.authorize(rpc, &claimed_user_pool_id(access_token).unwrap_or_default())
    }
}

/// When the caller stops waiting, as the server noted when the call came in.
fn deadline<T>(request: &Request<T>) -> Deadline {
    request.extensions().get().copied().unwrap_or_default()
}
