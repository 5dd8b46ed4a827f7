//! The emulator, driven by the real SDK and by raw HTTP.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what panics is a failed test, and clippy's allow-in-tests settings do not reach helper functions"
)]

mod administration;
mod app_client;
mod architecture;
mod binary;
mod cognito;
mod constraint;
mod control;
mod fault;
mod guard;
mod legacy_settings;
mod passkey;
mod persistence;
mod pool_config;
mod preference;
mod property;
mod sample;
mod sign_in;
mod software_token;
mod token;
mod wire;
