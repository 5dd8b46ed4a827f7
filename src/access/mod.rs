//! This module decides whether a caller may make a call, and makes the proof that the Cognito port demands.

mod permit;

pub use permit::{Decision, Gate, Permit};
