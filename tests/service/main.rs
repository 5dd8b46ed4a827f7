//! The one integration crate: a real gRPC client, the real SDK, a real HTTP backend.
#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test, and clippy's allow-in-tests settings do not reach helper functions"
)]

mod calls;
mod embedded;
mod errors;
mod legacy_settings;
mod passkey;
mod pool_config;
mod preference;
mod software_token;
mod support;
mod timing;
mod user;
