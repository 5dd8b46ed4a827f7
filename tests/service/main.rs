//! The one integration crate: a real gRPC client, the real SDK, a real HTTP backend.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "what panics is a failed test, and clippy's allow-in-tests settings do not reach helper functions"
)]

mod access;
mod audit;
mod audit_manual;
mod authority;
mod binary;
mod bounds;
mod calls;
mod canary;
mod cognito_message;
mod documents;
mod embedded;
mod error_manual;
mod errors;
mod fields;
mod generated_docs;
mod guard;
mod health;
mod hostile_http;
mod hostile_message;
mod identity;
mod issuer;
mod judge;
mod key_server;
mod legacy_settings;
mod log;
mod options;
mod passkey;
mod paths;
mod policy;
mod pool_config;
mod preference;
mod record;
mod reflection;
mod reload;
mod role;
mod rpcs;
mod rule;
mod secrecy;
mod served;
mod serving;
mod software_token;
mod sts;
mod support;
mod timing;
mod tls;
mod token;
mod user;
mod validation;
mod violations;
mod wire;
mod without_credentials;
