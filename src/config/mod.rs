//! This module declares every option: a flag and an environment variable each.

mod value;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::audit::AuditTarget;
use crate::authn::token::{Audience, CallerPrefix, KeySetUrl};
use crate::cognito::RoleArn;
use crate::config::value::duration;

pub use value::{AwsUrl, Loopback, LoopbackUrl};

/// A gRPC service in front of Amazon Cognito user pools.
#[derive(Debug, Parser)]
#[command(name = "mfagate", version)]
pub struct Command {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Runs the service with an embedded Cognito, a demo pool and an open policy, on loopback only.
    Dev(Dev),
    /// Runs the service.
    Serve(Box<Serve>),
    /// Validates all that `serve` would, without serving: exit code 0, or 2 with every fault named.
    Check(Box<Serve>),
    /// Looks into policies.
    #[command(subcommand)]
    Policy(Policy),
}

/// The options of `mfagate dev`.
#[derive(Debug, Args)]
pub struct Dev {
    /// The address that gRPC is served on; it must be on loopback.
    #[arg(long, env = "MFAGATE_LISTEN", default_value = "127.0.0.1:50051", value_name = "ADDR")]
    pub listen: Loopback,

    /// The address of the embedded Cognito; it must be on loopback. Port 0 takes a free one.
    #[arg(long, env = "MFAGATE_EMBEDDED_LISTEN", default_value = "127.0.0.1:0", value_name = "ADDR")]
    pub embedded_listen: Loopback,

    /// Use another Cognito-compatible server on loopback instead of the embedded one.
    #[arg(long, env = "MFAGATE_COGNITO_ENDPOINT", value_name = "URL", conflicts_with_all = ["embedded_listen", "data"])]
    pub cognito_endpoint: Option<LoopbackUrl>,

    /// Keep the state of the embedded Cognito in this file across restarts. Without it, the state is lost at the end.
    #[arg(long, env = "MFAGATE_DATA", value_name = "FILE")]
    pub data: Option<PathBuf>,

    /// What every way of running the service has.
    #[command(flatten)]
    pub common: Common,
}

/// The options of `mfagate serve` and `mfagate check`.
#[derive(Debug, Args)]
pub struct Serve {
    /// The address that gRPC is served on.
    #[arg(long, env = "MFAGATE_LISTEN", default_value = "127.0.0.1:50051", value_name = "ADDR")]
    pub listen: SocketAddr,

    /// Where Cognito is, if not in AWS: `https`, or `http` on loopback.
    #[arg(long, env = "MFAGATE_COGNITO_ENDPOINT", value_name = "URL")]
    pub cognito_endpoint: Option<AwsUrl>,

    /// TLS, and callers with certificates.
    #[command(flatten)]
    pub tls: Tls,

    /// Callers with tokens.
    #[command(flatten)]
    pub jwt: Jwt,

    /// The directory of the `.cedar` files that say who may do what. Required.
    #[arg(long, env = "MFAGATE_POLICIES", value_name = "DIR")]
    pub policies: Option<PathBuf>,

    /// The JSON file of the groups of callers and of pools that policies name.
    #[arg(long, env = "MFAGATE_ENTITIES", value_name = "FILE")]
    pub entities: Option<PathBuf>,

    /// What is recorded of each decision and each change.
    #[command(flatten)]
    pub audit: Audit,

    /// A role for each caller.
    #[command(flatten)]
    pub role: Role,

    /// What every way of running the service has.
    #[command(flatten)]
    pub common: Common,
}

/// The options of TLS. The files are read again when they change.
#[derive(Debug, Args)]
pub struct Tls {
    /// The certificate chain of the service, PEM.
    #[arg(long, env = "MFAGATE_TLS_CERTIFICATE", value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,

    /// The private key of the service, PEM.
    #[arg(long, env = "MFAGATE_TLS_KEY", value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,

    /// The certificate authorities of callers, PEM. Callers are known by their certificates then; one is required unless
    /// tokens are accepted as well.
    #[arg(long, env = "MFAGATE_TLS_CLIENT_CA", value_name = "FILE", requires = "tls_certificate")]
    pub tls_client_ca: Option<PathBuf>,

    /// Serve in the clear on an address that is not loopback, because something else encrypts and nobody else can reach it.
    #[arg(long, env = "MFAGATE_PLAINTEXT_BEHIND_MESH")]
    pub plaintext_behind_mesh: bool,
}

/// The options of bearer tokens.
#[derive(Debug, Args)]
pub struct Jwt {
    /// The issuer (`iss`) whose tokens name callers.
    #[arg(long, env = "MFAGATE_JWT_ISSUER", value_name = "ISSUER")]
    pub jwt_issuer: Option<String>,

    /// The audience (`aud`) that tokens must be meant for; or, for tokens without one, `claim=value`.
    #[arg(long, env = "MFAGATE_JWT_AUDIENCE", value_name = "AUDIENCE")]
    pub jwt_audience: Option<Audience>,

    /// Where the issuer's keys are: `https`, or `http` on loopback.
    #[arg(long, env = "MFAGATE_JWKS_URL", value_name = "URL", conflicts_with = "jwks_file")]
    pub jwks_url: Option<KeySetUrl>,

    /// The file of the issuer's keys.
    #[arg(long, env = "MFAGATE_JWKS_FILE", value_name = "FILE")]
    pub jwks_file: Option<PathBuf>,

    /// The claim that names the caller; `client_id` for Cognito's client-credentials tokens.
    #[arg(long, env = "MFAGATE_JWT_CALLER_CLAIM", default_value = "sub", value_name = "CLAIM")]
    pub jwt_caller_claim: String,

    /// What is put before the name in a token, such as `token:`, so that no token can name a caller that is known by its
    /// certificate.
    #[arg(long, env = "MFAGATE_JWT_CALLER_PREFIX", value_name = "PREFIX")]
    pub jwt_caller_prefix: Option<CallerPrefix>,
}

/// The options of the audit log.
#[derive(Debug, Args)]
pub struct Audit {
    /// The file that each decision and each change is recorded in, or `stdout`.
    #[arg(long, env = "MFAGATE_AUDIT_LOG", default_value = "stdout", value_name = "FILE|stdout")]
    pub audit_log: AuditTarget,

    /// How usernames are recorded: as they are, as a keyed hash, or not at all.
    #[arg(long, env = "MFAGATE_AUDIT_USERNAME", default_value = "hmac", value_name = "FORM")]
    pub audit_username: AuditUsername,

    /// The file of the key for the hashes of usernames: at least 32 bytes. Required with `hmac`.
    #[arg(long, env = "MFAGATE_AUDIT_USERNAME_KEY_FILE", value_name = "FILE")]
    pub audit_username_key_file: Option<PathBuf>,
}

/// The options of the role that is assumed for each caller.
#[derive(Debug, Args)]
pub struct Role {
    /// The role to assume, once for each caller, so that CloudTrail names the caller.
    #[arg(long, env = "MFAGATE_ASSUME_ROLE", value_name = "ARN")]
    pub assume_role: Option<RoleArn>,

    /// The Region whose STS is asked for the role. Without it, the first Region of the role's partition: us-east-1,
    /// cn-north-1 or us-gov-west-1.
    #[arg(long, env = "MFAGATE_ASSUME_ROLE_REGION", value_name = "REGION", requires = "assume_role")]
    pub assume_role_region: Option<String>,

    /// Where STS is, if not in AWS or behind an endpoint of your own network: `https`, or `http` on loopback.
    #[arg(long, env = "MFAGATE_STS_ENDPOINT", value_name = "URL", requires = "assume_role")]
    pub sts_endpoint: Option<AwsUrl>,
}

/// How usernames are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AuditUsername {
    /// As they are.
    Plain,
    /// As a keyed hash: the same user is seen to be the same, and is not named.
    Hmac,
    /// Not at all.
    None,
}

/// The options that every way of running the service has.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// How long one Cognito operation may take, retries included. A caller's own deadline can only shorten it.
    #[arg(long, env = "MFAGATE_OPERATION_TIMEOUT", default_value = "5s", value_name = "DURATION", value_parser = duration)]
    pub operation_timeout: Duration,

    /// How long calls that are under way at the end may go on.
    #[arg(long, env = "MFAGATE_DRAIN_TIMEOUT", default_value = "10s", value_name = "DURATION", value_parser = duration)]
    pub drain_timeout: Duration,
}

/// Looking into policies.
#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Prints the Cedar schema that policies are written against.
    Schema,
    /// Prints what is decided on a call, and the policies that decide it.
    Explain(Box<Explain>),
    /// Decides a table of calls and compares with what it expects: exit code 0, or 2 with every difference named.
    Test(Test),
}

/// The policies to look into.
#[derive(Debug, Args)]
pub struct PolicyFiles {
    /// The directory of the `.cedar` files.
    #[arg(long, env = "MFAGATE_POLICIES", value_name = "DIR")]
    pub policies: PathBuf,

    /// The JSON file of the groups of callers and of pools.
    #[arg(long, env = "MFAGATE_ENTITIES", value_name = "FILE")]
    pub entities: Option<PathBuf>,
}

/// The options of `mfagate policy explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The policies.
    #[command(flatten)]
    pub files: PolicyFiles,

    /// Who calls: a SPIFFE ID or another name.
    #[arg(long, value_name = "NAME")]
    pub caller: String,

    /// The name is that of a certificate although it is no SPIFFE ID.
    #[arg(long)]
    pub certificate: bool,

    /// A scope in the caller's token. May be repeated.
    #[arg(long = "scope", value_name = "SCOPE")]
    pub scopes: Vec<String>,

    /// A group in the caller's token. May be repeated.
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<String>,

    /// Who issued the caller's token.
    #[arg(long, value_name = "ISSUER")]
    pub issuer: Option<String>,

    /// The name in the caller's token, where the caller has a certificate as well.
    #[arg(long, value_name = "NAME")]
    pub token: Option<String>,

    /// The permission that the call needs, as the RPC declares it.
    #[arg(long, value_name = "PERMISSION")]
    pub action: String,

    /// The pool that the call is on.
    #[arg(long, value_name = "POOL")]
    pub pool: Option<String>,

    /// What the request would do, in the words of the schema. May be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub context: Vec<String>,
}

/// The options of `mfagate policy test`.
#[derive(Debug, Args)]
pub struct Test {
    /// The policies.
    #[command(flatten)]
    pub files: PolicyFiles,

    /// The table of expected decisions.
    #[arg(value_name = "FILE")]
    pub table: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_consistent() {
        use clap::CommandFactory as _;
        Command::command().debug_assert();
    }
}
