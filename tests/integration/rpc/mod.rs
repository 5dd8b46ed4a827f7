//! The RPCs, behind a real client and before an embedded Cognito.

mod every_rpc;
mod health;
mod legacy_settings;
mod omission;
pub(crate) mod passkey;
mod pool_config;
mod preference;
mod reflection;
mod software_token;
mod timing;
mod user;
mod validation;
mod violations;
