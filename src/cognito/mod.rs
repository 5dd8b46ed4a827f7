//! This module is the Cognito port: it alone calls Cognito, and only with a permit.

mod classify;
mod convert;
mod document;
mod failure;
pub mod masking;
mod passkey;
mod pool_config;
mod preference;
mod region;
mod role;
mod send;
mod session_name;
mod software_token;

pub use region::{Cognito, Credentials, Endpoint};
pub use role::{AssumedRole, RoleArn, RoleOptions};
pub use send::PoolClient;
pub use session_name::SessionName;
