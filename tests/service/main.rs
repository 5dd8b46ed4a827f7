//! The one integration crate: a real gRPC client, the real SDK, a real HTTP backend.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what panics is a failed test, and clippy's allow-in-tests settings do not reach helper functions"
)]

mod calls;
mod cognito_message;
mod embedded;
mod error_manual;
mod errors;
mod legacy_settings;
mod passkey;
mod pool_config;
mod preference;
mod rpcs;
mod software_token;
mod support;
mod timing;
mod user;
mod without_credentials;
