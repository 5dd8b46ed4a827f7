//! The embedded Cognito, driven by the real SDK and by raw HTTP.
#![expect(clippy::indexing_slicing, clippy::panic, reason = "a failed index is a failed test, as a failed unwrap is")]

mod administration;
mod app_client;
mod cognito;
mod constraint;
mod fault;
mod legacy_settings;
mod passkey;
mod persistence;
mod pool_config;
mod preference;
mod property;
mod sign_in;
mod software_token;
mod token;
mod wire;
