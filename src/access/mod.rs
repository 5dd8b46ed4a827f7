//! This module decides whether a caller may make a call, and makes the proof that the Cognito port demands.

mod caller;
pub mod certificate;
mod effect;
mod permit;
pub mod token;

pub use caller::{Caller, CertificateIdentity, TokenIdentity};
pub use effect::{Effect, Factor};
pub use permit::{Decision, Gate, Permit};
