//! The one integration crate: a real gRPC client, the real SDK, a real HTTP backend.
#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test, and clippy's allow-in-tests settings do not reach helper functions"
)]

mod embedded;
mod issuer;
mod key_server;
mod preference;
mod support;
mod tls;
mod token;
