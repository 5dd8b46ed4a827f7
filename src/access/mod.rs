//! This module decides whether a caller may make a call, and makes the proof that the Cognito port demands.

mod caller;
mod effect;
mod permit;
pub mod policy;

pub use caller::{Caller, CertificateIdentity, TokenIdentity};
pub use effect::{Effect, Factor};
pub use permit::{Decision, Gate, Permit};
