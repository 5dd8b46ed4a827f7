//! The one integration crate: a real gRPC client, the real SDK, a real HTTP backend.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a failed unwrap, panic or index is a failed test, and clippy's allow-in-tests settings do not reach helper functions"
)]

mod binary;
mod canary;
mod embedded;
mod fields;
mod health;
mod hostile_http;
mod hostile_message;
mod judge;
mod options;
mod preference;
mod reflection;
mod rule;
mod secrecy;
mod serving;
mod support;
mod validation;
mod violations;
mod wire;
