//! Whether a caller may make a call, and the proof that the Cognito client requires.
//!
//! A call in five steps: the interceptor authenticates the caller; it asks the policies whether the caller might use the RPC at
//! all; the service decodes the request and asks the gate about the pool and what the request would do; the gate has the
//! decision recorded; and what it allows becomes a `Permit`, without which the Cognito client does nothing.

mod discard;
mod gate;
mod interceptor;
mod permit;
pub mod policy;
mod recorder;

pub use gate::{Gate, PolicyEnforcer};
pub use interceptor::AuthzInterceptor;
pub use permit::{Grant, Permit};
pub use recorder::MutationRecorder;
