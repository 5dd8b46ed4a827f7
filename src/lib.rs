//! mfagate: a gRPC service in front of Amazon Cognito user pools.

pub mod embedded;
pub mod proto;
