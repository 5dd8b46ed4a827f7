//! mfagate: a gRPC service in front of Amazon Cognito user pools.
//!
//! The modules, in the order in which a call meets them.

pub mod api;

mod reload;

pub mod domain;

pub mod error;

pub mod request;

pub mod authn;

pub mod authz;

pub mod audit;

pub mod cognito;

pub mod service;

pub mod server;

pub mod config;

pub mod telemetry;

pub mod command;
