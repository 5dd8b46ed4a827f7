//! mfagate: a gRPC service in front of Amazon Cognito user pools.
//!
//! The modules, in the order of their dependencies: a module imports only modules above it, which a test checks
//! (`tests/integration/architecture.rs`).

/// The generated code: messages, services, the table of RPCs.
pub mod api;

/// What an operator sees of a running process: the application log.
pub mod telemetry;

/// Values that are replaced while the service runs.
pub mod reload;

/// The nouns of the service: no I/O, no SDK, no tonic, no Cedar.
pub mod domain;

/// What can go wrong, and the only place that builds a status that callers see.
pub mod error;

/// Requests, parsed into typed values or into all of their violations.
pub mod request;

/// The audit record: one line for each decision and each mutation.
pub mod audit;

/// Cognito's request rate quotas: whose turn it is.
pub mod quota;

/// How often callers and strangers may come.
pub mod admission;

/// Who is calling.
pub mod authn;

/// Whether the caller may, and the permit that proves it.
pub mod authz;

/// The Cognito client: the only module that knows the AWS SDK and Cognito's error codes.
pub mod cognito;

/// The RPC handlers.
pub mod service;

/// The gRPC server: connections, middleware, shutdown.
pub mod server;

/// The command line and its options.
pub mod config;

/// The commands: what the program does.
pub mod command;
