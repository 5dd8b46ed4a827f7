//! The Cognito client: the only module that calls Cognito, only with a permit, and the only one that knows AWS's error codes.

mod breaker;
mod classify;
mod client;
mod convert;
mod credentials;
mod document;
mod exchange;
mod failure;
mod in_flight;
pub mod masking;
mod mutations;
mod passkey;
mod pool_client;
mod pool_config;
mod read_back;
mod role;
mod sdk;
mod send;
mod session_name;
mod shared_reads;
mod software_token;
mod transport;
mod upstream;
mod user;

pub use client::Cognito;
pub use credentials::{Credentials, Endpoint};
pub use in_flight::OperationLimits;
pub use mutations::Mutations;
pub use pool_client::PoolClient;
pub use role::{AssumedRole, RoleArn, RoleOptions};
pub use session_name::SessionName;
pub use upstream::Upstream;
