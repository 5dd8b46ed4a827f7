//! This module decides whether a caller may make a call, and makes the proof that the Cognito port demands.
//!
//! A call in five steps: the layer finds out who is calling, by certificate and token; it asks the policies whether the caller
//! might use the RPC at all; the service decodes the request and asks the gate about the pool and what the request would do;
//! the gate has the decision recorded; and what it allows becomes a permit, without which the Cognito port does nothing.

mod authentication;
mod call;
mod caller;
pub mod certificate;
mod effect;
mod gate;
mod layer;
mod permit;
pub mod policy;
pub mod token;

pub use authentication::Authentication;
pub use call::Call;
pub use caller::{Caller, CertificateIdentity, TokenIdentity};
pub use effect::{Effect, EndUserProof, Factor};
pub use gate::{Gate, Guard, Intent, Witness};
pub use layer::Authorize;
pub use permit::{Decision, Permit};
