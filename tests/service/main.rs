//! The one integration crate: a real gRPC client, the real SDK, a real HTTP backend.
#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test, and clippy's allow-in-tests settings do not reach helper functions"
)]

mod audit;
mod embedded;
mod preference;
mod role;
mod support;
