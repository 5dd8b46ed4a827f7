//! The tests' helpers: harnesses, fixtures, fake servers, oracles.

pub(crate) mod authenticator;
pub(crate) mod certificate_authority;
pub(crate) mod constraint_oracle;
pub(crate) mod disk;
pub(crate) mod fake_sts;
pub(crate) mod faulty_proxy;
pub(crate) mod grpcurl;
pub(crate) mod handler_harness;
pub(crate) mod jwks_server;
pub(crate) mod loopback;
pub(crate) mod policy_fixture;
pub(crate) mod pool_config;
pub(crate) mod process;
pub(crate) mod raw_cognito;
pub(crate) mod raw_h2;
pub(crate) mod reflection;
pub(crate) mod refusal;
pub(crate) mod request_fields;
pub(crate) mod rpc_call;
pub(crate) mod seeded;
pub(crate) mod serve_harness;
pub(crate) mod test_cognito;
pub(crate) mod test_service;
pub(crate) mod token_issuer;
pub(crate) mod wire_bytes;
pub(crate) mod wire_requests;
