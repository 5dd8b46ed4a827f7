//! The integration tests: a real gRPC client, the real SDK, a real HTTP backend.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "what panics is a failed test, and clippy's allow-in-tests settings do not reach helper functions"
)]

mod architecture;
mod audit;
mod authn;
mod authz;
mod documents;
mod error;
mod generated_docs;
mod hostile;
mod process;
mod quota;
mod rpc;
mod secrecy;
mod support;
