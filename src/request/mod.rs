//! Requests parsed into typed values with Cognito's constraints proven, or into all of their violations.

mod check;
pub mod credential;
pub mod intent;
pub mod passkey;
pub mod pool_config;
mod pool_mfa;
pub mod preference;

pub use check::{MAX_VIOLATIONS, Violations};
