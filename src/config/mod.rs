//! Every option: a flag and an environment variable each.

mod probe;
mod value;

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::num::NonZero;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use tokio::runtime::Handle;

use crate::admission::CallerRate;
use crate::audit::{AuditTarget, Fsync};
use crate::authn::token::{Audience, CallerPrefix, JwksUrl};
use crate::authz::policy::QueryArgs;
use crate::cognito::{Cognito, Credentials, Endpoint, OperationLimits, RoleArn};
use crate::config::value::{StoreUrlParser, cache_size, delay, duration, operations, workers};
use crate::domain::DeadlineLimits;
use crate::quota::{Broker, QuotaSetting, Quotas, Rate, Share, Sharing, Store, StoreUrl};
use crate::server::connection::ConnectionLife;
use crate::server::connection::tls::ClientCa;
use crate::server::{BodyLimits, DrainTimes, ServerLimits, WatchLimits};

pub use probe::{Probe, ProbeAddress, ProbeTls, RpcHeader};
pub use value::{AwsUrl, Loopback, LoopbackUrl};

/// What applies to every command, a paragraph a line: clap wraps them.
const NOTES: &str = "\
Most options have an environment variable; the flag wins. A duration is a number with `ms`, `s` or `m`, an hour at most.

`RUST_LOG` sets the log level, `info` by default. Errors are always logged, and other crates are capped at INFO, since the \
AWS SDK logs access tokens at TRACE. The AWS SDK's variables for credentials apply; those for endpoints, retries and timeouts \
are ignored. With `LOG_SENSITIVE_BODIES` set, mfagate does not start: the SDK would log secrets.

Exit codes: 0 after a shutdown by signal, or when a check finds no problem; 1 when the command failed (the log says why); 2 \
when options, the files that they name, or policies are wrong, or `policy test` found a difference (the log names every \
problem). `probe` has exit codes of its own.";

/// A gRPC service in front of Amazon Cognito user pools.
#[derive(Debug, Parser)]
#[command(name = "mfagate", version, after_long_help = NOTES)]
pub struct Command {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

impl Command {
    /// Reads the arguments of the program, of which the first is its name.
    pub fn from_arguments(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, UsageError> {
        let mut arguments: Vec<_> = arguments.into_iter().collect();
        let is_probe = arguments.get(1).is_some_and(|command| command == probe::NAME);
        if is_probe {
            let mut program = Self::command();
            program.build();
            if let Some(command) = program.find_subcommand(probe::NAME) {
                arguments = probe::from_go(command, arguments);
            }
        }
        Self::try_parse_from(arguments).map_err(|error| UsageError { error, is_probe })
    }
}

/// The arguments are wrong, or ask for help or the version.
#[derive(Debug)]
pub struct UsageError {
    error: clap::Error,
    is_probe: bool,
}

impl UsageError {
    /// Prints the help or the version to standard output, and what is wrong to standard error.
    pub fn print(&self) -> io::Result<()> {
        self.error.print()
    }

    /// The exit code: 0 unless something is wrong, then 2, and 1 as that of `grpc_health_probe`.
    pub fn exit_code(&self) -> u8 {
        match (self.error.use_stderr(), self.is_probe) {
            (false, _) => 0,
            (true, true) => 1,
            (true, false) => 2,
        }
    }
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Runs the service with an embedded Cognito, a demo pool and an open policy, on loopback only.
    Dev(Box<Dev>),
    /// Runs the service. Requires a way to authenticate callers (`--tls-client-ca`, or a token issuer) and `--policies`.
    Serve(Box<Serve>),
    /// Validates everything that `serve` would, without serving: exit code 0, or 2 with every problem named. What `serve` would start
    /// with but an operator should know is a warning: files that everybody can read or change, a key that can be guessed, an audit log
    /// on a device, options that contradict each other, certificates about to expire, callers in policies that no entities file lists.
    Check(Box<Check>),
    /// Asks a server for its health (`grpc.health.v1.Health/Check`), with the flags, output and exit codes of `grpc_health_probe`: 0 if
    /// it is serving, 1 if options or the files that they name are wrong, 2 if no connection was made in time, 3 if the call failed or
    /// timed out, 4 if it is not serving. Flags may have one dash: `-addr=:50051`. A duration may be written as in Go: `1m30s`.
    #[command(version, args_override_self = true)]
    Probe(Box<Probe>),
    /// Inspects and tests policies.
    #[command(subcommand)]
    Policy(Policy),
    /// Works with audit logs.
    #[command(subcommand)]
    Audit(AuditAction),
}

/// The options of `mfagate dev`.
#[derive(Debug, Args)]
pub struct Dev {
    /// The address to serve gRPC on; must be on loopback.
    #[arg(long, env = "MFAGATE_LISTEN", default_value = "127.0.0.1:50051", value_name = "ADDR")]
    pub listen: Loopback,

    /// The address of the embedded Cognito; must be on loopback. Port 0 picks a free port.
    #[arg(long, env = "MFAGATE_EMBEDDED_LISTEN", default_value = "127.0.0.1:0", value_name = "ADDR")]
    pub embedded_listen: Loopback,

    /// Use another Cognito-compatible server on loopback instead of the embedded one.
    #[arg(
        long,
        env = "MFAGATE_COGNITO_ENDPOINT",
        value_name = "URL",
        conflicts_with_all = ["embedded_listen", "embedded_issuer", "data"],
    )]
    pub cognito_endpoint: Option<LoopbackUrl>,

    /// The issuer of the embedded Cognito's tokens. Its discovery document leads to its own keys either way.
    #[arg(long, env = "MFAGATE_EMBEDDED_ISSUER", default_value = "aws", value_name = "ISSUER")]
    pub embedded_issuer: EmbeddedIssuer,

    /// Keep the embedded Cognito's state in this file across restarts. Without it, the state is lost at shutdown.
    #[arg(long, env = "MFAGATE_DATA", value_name = "FILE")]
    pub data: Option<PathBuf>,

    /// Write addresses, demo pool and an access token to this file as JSON once everything is ready, for test suites. It is
    /// removed at the start and at shutdown.
    #[arg(long, env = "MFAGATE_READY_FILE", value_name = "FILE")]
    pub ready_file: Option<PathBuf>,

    /// What every way of running the service has.
    #[command(flatten)]
    pub common: Common,
}

/// The issuer of the embedded Cognito's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EmbeddedIssuer {
    /// AWS's, `https://cognito-idp.us-west-2.amazonaws.com/POOL`.
    Aws,
    /// Its own, `http://127.0.0.1:PORT/POOL`, for clients that find the keys from the issuer.
    Embedded,
}

/// The options of `mfagate serve`, which `mfagate check` takes as well.
#[derive(Debug, Args)]
pub struct Serve {
    /// The address to serve gRPC on.
    #[arg(long, env = "MFAGATE_LISTEN", default_value = "127.0.0.1:50051", value_name = "ADDR")]
    pub listen: SocketAddr,

    /// A Cognito-compatible server to use instead of AWS: `https`, or `http` on loopback.
    #[arg(long, env = "MFAGATE_COGNITO_ENDPOINT", value_name = "URL")]
    pub cognito_endpoint: Option<AwsUrl>,

    /// TLS, and callers with certificates.
    #[command(flatten)]
    pub tls: Tls,

    /// Callers with tokens.
    #[command(flatten)]
    pub jwt: Jwt,

    /// The directory of the `.cedar` policy files. Required.
    #[arg(long, env = "MFAGATE_POLICIES", value_name = "DIR")]
    pub policies: Option<PathBuf>,

    /// The groups of callers and pools that policies refer to, JSON.
    #[arg(long, env = "MFAGATE_ENTITIES", value_name = "FILE")]
    pub entities: Option<PathBuf>,

    /// What is recorded of each decision and each change.
    #[command(flatten)]
    pub audit: Audit,

    /// A role for each caller.
    #[command(flatten)]
    pub role: Role,

    /// How often callers and strangers may come.
    #[command(flatten)]
    pub rates: RateOptions,

    /// How long to serve on at shutdown while health says `NOT_SERVING`, so that load balancers notice before the listener is closed:
    /// longer than their interval of checks. May be `0s`.
    #[arg(long, env = "MFAGATE_DRAIN_DELAY", default_value = "5s", value_name = "DURATION", value_parser = delay)]
    pub drain_delay: Duration,

    /// What every way of running the service has.
    #[command(flatten)]
    pub common: Common,
}

/// The options of `mfagate check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Treat warnings as errors.
    #[arg(long)]
    pub strict: bool,

    /// The options of `serve`.
    #[command(flatten)]
    pub serve: Serve,
}

/// The options of TLS. The files are read again when they change.
#[derive(Debug, Args)]
pub struct Tls {
    /// The service's certificate chain, PEM. Requires `--tls-key`.
    #[arg(long, env = "MFAGATE_TLS_CERTIFICATE", value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,

    /// The service's private key, PEM.
    #[arg(long, env = "MFAGATE_TLS_KEY", value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,

    /// The authorities that issue callers' certificates, PEM. Callers must present a certificate, unless tokens are accepted
    /// as well. With `=spiffe://example.org` behind the file, its authorities may name callers of that trust domain only. May be
    /// repeated, or hold several separated by commas. A certificate that is not an authority's or has expired is refused.
    #[arg(
        long,
        env = "MFAGATE_TLS_CLIENT_CA",
        value_name = "FILE[=spiffe://DOMAIN]",
        value_delimiter = ',',
        requires = "tls_certificate"
    )]
    pub tls_client_ca: Vec<ClientCa>,

    /// Serve without TLS outside loopback, because a mesh encrypts the traffic and nothing else can reach the address.
    #[arg(long, env = "MFAGATE_PLAINTEXT_BEHIND_MESH")]
    pub plaintext_behind_mesh: bool,
}

/// The options of bearer tokens.
#[derive(Debug, Args)]
pub struct Jwt {
    /// The issuer (`iss`) of callers' tokens.
    #[arg(long, env = "MFAGATE_JWT_ISSUER", value_name = "ISSUER")]
    pub jwt_issuer: Option<String>,

    /// The audience (`aud`) that tokens must have; or `claim=value`, for tokens without one.
    #[arg(long, env = "MFAGATE_JWT_AUDIENCE", value_name = "AUDIENCE")]
    pub jwt_audience: Option<Audience>,

    /// The URL of the issuer's keys (JWKS): `https`, or `http` on loopback.
    #[arg(long, env = "MFAGATE_JWKS_URL", value_name = "URL", conflicts_with = "jwks_file")]
    pub jwks_url: Option<JwksUrl>,

    /// The file of the issuer's keys (JWKS), instead of `--jwks-url`.
    #[arg(long, env = "MFAGATE_JWKS_FILE", value_name = "FILE")]
    pub jwks_file: Option<PathBuf>,

    /// The claim that names the caller; `client_id` for Cognito's client-credentials tokens.
    #[arg(long, env = "MFAGATE_JWT_CALLER_CLAIM", default_value = "sub", value_name = "CLAIM")]
    pub jwt_caller_claim: String,

    /// A prefix for names from tokens, such as `token:`, so that no token can name a caller that is known by its
    /// certificate.
    #[arg(long, env = "MFAGATE_JWT_CALLER_PREFIX", value_name = "PREFIX")]
    pub jwt_caller_prefix: Option<CallerPrefix>,

    /// How many tokens whose signature is verified are remembered, so that it is not verified again while its key stays the same;
    /// and as many whose signature is wrong. A remembered token's times and certificate are checked whenever it comes. 0 for none.
    #[arg(long, env = "MFAGATE_JWT_CACHE_SIZE", default_value = "1024", value_name = "NUMBER", value_parser = cache_size)]
    pub jwt_cache_size: usize,
}

/// The options of the audit log.
#[derive(Debug, Args)]
pub struct Audit {
    /// The file to record decisions and changes in, or `stdout`.
    #[arg(long, env = "MFAGATE_AUDIT_LOG", default_value = "stdout", value_name = "FILE|stdout")]
    pub audit_log: AuditTarget,

    /// How usernames are recorded.
    #[arg(long, env = "MFAGATE_AUDIT_USERNAME", default_value = "hmac", value_name = "FORM")]
    pub audit_username: AuditUsername,

    /// When records are forced to the disk: `never` (when the operating system does it: records survive the end of the process, and
    /// not a power failure), `interval` (a second after they are written), or `always` (before a change is made, which then takes as
    /// long as the disk).
    #[arg(long, env = "MFAGATE_AUDIT_FSYNC", default_value = "never", value_name = "WHEN")]
    pub audit_fsync: AuditFsync,

    /// The keys of the records.
    #[command(flatten)]
    pub keys: AuditKeys,
}

/// When records are forced to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AuditFsync {
    /// When the operating system does it.
    Never,
    /// A second after they are written.
    Interval,
    /// Before a change is made.
    Always,
}

impl From<AuditFsync> for Fsync {
    fn from(fsync: AuditFsync) -> Self {
        match fsync {
            AuditFsync::Never => Self::Never,
            AuditFsync::Interval => Self::Interval,
            AuditFsync::Always => Self::Always,
        }
    }
}

/// The options of how often callers and strangers may come.
#[derive(Clone, Debug, Args)]
pub struct RateOptions {
    /// How many calls a second, and how many at once, a caller may make, whatever they ask for: `payments=50` or `payments=50/100`. `*=20`
    /// is for each caller that is not named; without it, those have no limit. By default a fifth of the rate may come at once. May be
    /// repeated, or hold several separated by commas.
    #[arg(long, env = "MFAGATE_RATE", value_name = "CALLER=RATE[/BURST]", value_delimiter = ',')]
    pub rate: Vec<CallerRate>,

    /// How many calls a second from one address that do not authenticate are refused, recorded and logged one by one. More are told to
    /// wait, and are counted in one record and one line every five seconds.
    #[arg(long, env = "MFAGATE_STRANGER_RATE", default_value = "100/200", value_name = "RATE[/BURST]")]
    pub stranger_rate: Rate,
}

/// The keys of the audit log.
#[derive(Clone, Debug, Args)]
pub struct AuditKeys {
    /// The key for the hashes of usernames, at least 32 bytes. Required with `hmac`.
    #[arg(long, env = "MFAGATE_AUDIT_USERNAME_KEY_FILE", value_name = "FILE")]
    pub audit_username_key_file: Option<PathBuf>,

    /// The key that chains the records, at least 32 bytes, so that who knows the key for usernames cannot forge the chain. By
    /// default it is derived from the key for usernames; with neither, records are not chained.
    #[arg(long, env = "MFAGATE_AUDIT_CHAIN_KEY_FILE", value_name = "FILE")]
    pub audit_chain_key_file: Option<PathBuf>,
}

/// The options of the role that is assumed for each caller.
#[derive(Debug, Args)]
pub struct Role {
    /// A role to assume, once per caller, so that CloudTrail names the caller.
    #[arg(long, env = "MFAGATE_ASSUME_ROLE", value_name = "ARN")]
    pub assume_role: Option<RoleArn>,

    /// The Region whose STS to use. By default the first Region of the role's partition: us-east-1, cn-north-1 or
    /// us-gov-west-1.
    #[arg(long, env = "MFAGATE_ASSUME_ROLE_REGION", value_name = "REGION", requires = "assume_role")]
    pub assume_role_region: Option<String>,

    /// An STS endpoint of your own network to use instead of AWS's: `https`, or `http` on loopback.
    #[arg(long, env = "MFAGATE_STS_ENDPOINT", value_name = "URL", requires = "assume_role")]
    pub sts_endpoint: Option<AwsUrl>,
}

/// How usernames are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AuditUsername {
    /// As they are.
    Plain,
    /// As a keyed hash, which identifies the same user without naming it.
    Hmac,
    /// Not at all.
    None,
}

/// The options that every way of running the service has.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// The time limit of one Cognito operation, retries included. A caller's deadline can only shorten it.
    #[arg(long, env = "MFAGATE_OPERATION_TIMEOUT", default_value = "5s", value_name = "DURATION", value_parser = duration)]
    pub operation_timeout: Duration,

    /// How long a caller waits that sets no deadline (`grpc-timeout`).
    #[arg(long, env = "MFAGATE_DEFAULT_DEADLINE", default_value = "15s", value_name = "DURATION", value_parser = duration)]
    pub default_deadline: Duration,

    /// The longest that a caller may wait. One that sets a later deadline has this one.
    #[arg(long, env = "MFAGATE_MAX_DEADLINE", default_value = "1m", value_name = "DURATION", value_parser = duration)]
    pub max_deadline: Duration,

    /// The number of threads that serve calls, each with connections to Cognito of its own. By default as many as the CPUs that the
    /// process may use, by its affinity and its cgroup's quota.
    #[arg(long, env = "MFAGATE_WORKERS", value_name = "NUMBER", value_parser = workers)]
    pub workers: Option<NonZero<usize>>,

    /// The limits of operations in flight.
    #[command(flatten)]
    pub operations: Operations,

    /// Cognito's quotas, and whose turn it is.
    #[command(flatten)]
    pub quotas: QuotaOptions,

    /// How long connections live.
    #[command(flatten)]
    pub connections: Connections,

    /// The limits of connections, streams and bytes.
    #[command(flatten)]
    pub limits: Limits,

    /// How long calls in flight at shutdown may continue, after the delay.
    #[arg(long, env = "MFAGATE_DRAIN_TIMEOUT", default_value = "10s", value_name = "DURATION", value_parser = duration)]
    pub drain_timeout: Duration,
}

/// The limits of operations in flight. Each is refused at once when it is exceeded.
#[derive(Clone, Copy, Debug, Args)]
pub struct Operations {
    /// How many operations of Cognito may be in flight. Each may hold a connection, and so a file descriptor, for as long as
    /// `--operation-timeout`.
    #[arg(long, env = "MFAGATE_MAX_OPERATIONS", default_value = "512", value_name = "NUMBER", value_parser = operations)]
    pub max_operations: NonZero<usize>,

    /// How many of them may be in one Region, so that a Region that does not respond leaves room for the others.
    #[arg(long, env = "MFAGATE_MAX_OPERATIONS_PER_REGION", default_value = "384", value_name = "NUMBER", value_parser = operations)]
    pub max_operations_per_region: NonZero<usize>,

    /// How many of them may be of one caller, so that no caller takes the room of all others.
    #[arg(long, env = "MFAGATE_MAX_OPERATIONS_PER_CALLER", default_value = "256", value_name = "NUMBER", value_parser = operations)]
    pub max_operations_per_caller: NonZero<usize>,
}

/// The options of connections.
#[derive(Clone, Copy, Debug, Args)]
pub struct Connections {
    /// How long a connection may have no call in flight. One on which no caller has authenticated has 30 s at most.
    #[arg(long, env = "MFAGATE_CONNECTION_IDLE", default_value = "5m", value_name = "DURATION", value_parser = duration)]
    pub connection_idle: Duration,

    /// How old a connection becomes, give or take a tenth. Then its client is told to open another (GOAWAY), which may be to a
    /// replica that has come since, and calls in flight have `--max-deadline` to end.
    #[arg(long, env = "MFAGATE_CONNECTION_MAX_AGE", default_value = "30m", value_name = "DURATION", value_parser = duration)]
    pub connection_max_age: Duration,
}

/// The limits of connections, streams and bytes. Each is refused at once when it is exceeded.
#[derive(Clone, Copy, Debug, Args)]
pub struct Limits {
    /// How many connections may be open. When all are taken, whoever has most gives one up. By default half of the file descriptors that
    /// the process may have, 8192 at most.
    #[arg(long, env = "MFAGATE_MAX_CONNECTIONS", value_name = "NUMBER")]
    pub max_connections: Option<NonZero<usize>>,

    /// How many of them may be of one caller with a certificate, or of one address, which may be that of a proxy. By default all.
    #[arg(long, env = "MFAGATE_MAX_CONNECTIONS_PER_PEER", value_name = "NUMBER")]
    pub max_connections_per_peer: Option<NonZero<usize>>,

    /// How many calls may be in flight on one connection. Clients hold back what is more.
    #[arg(long, env = "MFAGATE_MAX_STREAMS", default_value = "256", value_name = "NUMBER")]
    pub max_streams: NonZero<u32>,

    /// How many calls of health may be in flight on a connection on which no caller has authenticated, in `serve`.
    #[arg(long, env = "MFAGATE_MAX_STRANGER_STREAMS", default_value = "4", value_name = "NUMBER")]
    pub max_stranger_streams: NonZero<usize>,

    /// How many watches of health may be open. Each takes about 8 KiB.
    #[arg(long, env = "MFAGATE_MAX_WATCHES", default_value = "1024", value_name = "NUMBER")]
    pub max_watches: NonZero<usize>,

    /// How many of them may be from one address, which may be that of a proxy.
    #[arg(long, env = "MFAGATE_MAX_WATCHES_PER_ADDRESS", default_value = "64", value_name = "NUMBER")]
    pub max_watches_per_address: NonZero<usize>,

    /// How many of them may be on a connection on which no caller has authenticated, in `serve`. gRPC clients have one a connection.
    #[arg(long, env = "MFAGATE_MAX_STRANGER_WATCHES", default_value = "1", value_name = "NUMBER")]
    pub max_stranger_watches: NonZero<usize>,

    /// How many bytes of requests may have arrived in part, each counted at its whole size. One that arrives at once is not counted.
    #[arg(long, env = "MFAGATE_MAX_BODY_BYTES", default_value = "67108864", value_name = "BYTES")]
    pub max_body_bytes: NonZero<usize>,

    /// How many of them may be of one caller.
    #[arg(long, env = "MFAGATE_MAX_BODY_BYTES_PER_CALLER", default_value = "16777216", value_name = "BYTES")]
    pub max_body_bytes_per_caller: NonZero<usize>,
}

impl From<Limits> for ServerLimits {
    fn from(limits: Limits) -> Self {
        let total = limits.max_watches.get();
        let (per_address, per_stranger) = (limits.max_watches_per_address.get(), limits.max_stranger_watches.get());
        Self {
            connections: limits.max_connections.map(NonZero::get),
            connections_per_peer: limits.max_connections_per_peer.map(NonZero::get),
            streams: limits.max_streams.get(),
            stranger_streams: limits.max_stranger_streams.get(),
            watches: WatchLimits { total, per_address, per_stranger },
            bodies: BodyLimits {
                total: limits.max_body_bytes.get(),
                per_caller: limits.max_body_bytes_per_caller.get(),
            },
        }
    }
}

/// The options of Cognito's request rate quotas.
#[derive(Clone, Debug, Args)]
pub struct QuotaOptions {
    /// How many calls a second, and how many at once, mfagate sends to Cognito in a Region: `USER_READ=240`, `USER_READ=240/48` or
    /// `USER_READ=unlimited`, or `ALL=unlimited`. The categories are those of `annotations.proto`; `ONE_USER_READ`, `ONE_USER_WRITE`,
    /// `ONE_POOL_READ` and `ONE_POOL_UPDATE` are the limits of a single user, and of a single pool's configuration. `serve` has
    /// Cognito's documented defaults, `dev` none. By default a fifth of the rate may come at once. May be repeated, or hold several
    /// separated by commas.
    #[arg(long, env = "MFAGATE_QUOTA", value_name = "CATEGORY=RATE[/BURST]", value_delimiter = ',')]
    pub quota: Vec<QuotaSetting>,

    /// The share of a caller in quotas that are in use: `payments=3` has three turns where others have one. Callers that are not
    /// named have 1. What a caller does not use, others have. May be repeated, or hold several separated by commas.
    #[arg(long, env = "MFAGATE_SHARE", value_name = "CALLER=SHARE", value_delimiter = ',')]
    pub share: Vec<Share>,

    /// Keep the categories' budgets in Redis or Valkey, so that all replicas with this option share them: `redis://HOST:PORT`, or
    /// `rediss://` with TLS. It decides about time only, and holds no names. While it is away, each replica has its part by `--replicas`.
    #[arg(
        long,
        env = "MFAGATE_QUOTA_STORE",
        value_name = "URL",
        requires = "replicas",
        hide_env_values = true,
        value_parser = StoreUrlParser
    )]
    pub quota_store: Option<StoreUrl>,

    /// The number of replicas. Without `--quota-store`, or while it is away, each has an equal part of the quotas. By default 1.
    #[arg(long, env = "MFAGATE_REPLICAS", value_name = "NUMBER")]
    pub replicas: Option<NonZero<u32>>,
}

impl From<Operations> for OperationLimits {
    fn from(operations: Operations) -> Self {
        let Operations { max_operations, max_operations_per_region, max_operations_per_caller } = operations;
        Self {
            total: max_operations.get(),
            per_region: max_operations_per_region.get(),
            per_caller: max_operations_per_caller.get(),
        }
    }
}

/// What the common options come to.
#[derive(Debug)]
pub struct Settings {
    /// The time limit of one Cognito operation.
    pub operation_timeout: Duration,
    /// The limits of operations in flight.
    pub operation_limits: OperationLimits,
    /// Cognito's quotas.
    pub quota: Broker,
    /// How long callers may wait.
    pub deadlines: DeadlineLimits,
    /// How long connections live.
    pub life: ConnectionLife,
    /// How much one connection, one peer, one caller, and all together may take.
    pub limits: ServerLimits,
    /// How long the phases of a shutdown take.
    pub drain: DrainTimes,
    /// The number of workers: as many as were asked for, or as there are CPUs. One where that is not known.
    pub workers: NonZero<usize>,
}

impl Common {
    /// The settings, with these quotas where no option has another, and this delay before the drain. A store of quotas is asked in the
    /// runtime that this is called in.
    pub fn settings(self, quotas: Quotas, drain_delay: Duration) -> Settings {
        let Self {
            operation_timeout,
            default_deadline,
            max_deadline,
            workers,
            operations,
            quotas: QuotaOptions { quota, share, quota_store, replicas },
            connections: Connections { connection_idle: idle, connection_max_age: max_age },
            limits,
            drain_timeout,
        } = self;
        let sharing = Sharing {
            store: quota_store.map(|url| Store::new(url, Handle::current())),
            replicas: replicas.unwrap_or(NonZero::<u32>::MIN),
        };
        let unauthenticated_idle = ConnectionLife::default().unauthenticated_idle.min(idle);
        let workers = workers.or_else(|| thread::available_parallelism().ok());
        Settings {
            operation_timeout,
            operation_limits: operations.into(),
            quota: Broker::shared(quota.into_iter().fold(quotas, Quotas::with), share.into_iter().collect(), sharing),
            deadlines: DeadlineLimits { default: default_deadline, max: max_deadline },
            life: ConnectionLife { idle, unauthenticated_idle, max_age, grace: max_deadline },
            limits: limits.into(),
            drain: DrainTimes { delay: drain_delay, timeout: drain_timeout },
            workers: workers.unwrap_or(NonZero::<usize>::MIN),
        }
    }
}

impl Settings {
    /// Cognito at this endpoint, within the limits.
    pub fn cognito(&self, endpoint: Endpoint, credentials: Credentials) -> Cognito {
        let cognito = Cognito::new(endpoint, credentials, self.operation_timeout);
        cognito.with_limits(self.operation_limits).with_quota(self.quota.clone())
    }
}

/// Working with audit logs.
#[derive(Debug, Subcommand)]
pub enum AuditAction {
    /// Checks the chain of the records in files, oldest first: exit code 0, or 2 with every break named.
    Verify(AuditVerify),
    /// Prints usernames in the form in which records have them.
    Hash(AuditHash),
}

/// The options of `mfagate audit verify`.
#[derive(Debug, Args)]
pub struct AuditVerify {
    /// The key of the chain, or the one that it is derived from.
    #[command(flatten)]
    pub keys: AuditKeys,

    /// The files, oldest first: a rotated file is continued by the next one.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

/// The options of `mfagate audit hash`.
#[derive(Debug, Args)]
pub struct AuditHash {
    /// The key for the hashes of usernames.
    #[arg(long, env = "MFAGATE_AUDIT_USERNAME_KEY_FILE", value_name = "FILE")]
    pub audit_username_key_file: PathBuf,

    /// The usernames, aliases or `sub`s. Without any, they are read from standard input, one a line.
    #[arg(value_name = "USERNAME")]
    pub usernames: Vec<String>,
}

/// Inspecting policies.
#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Prints the Cedar schema that policies are written against.
    Schema,
    /// Prints the decision on a call, and the policies that determine it.
    Explain(Box<Explain>),
    /// Compares the decisions on a table of calls with the expected ones: exit code 0, or 2 with every difference named.
    Test(Test),
}

/// The policies to inspect.
#[derive(Debug, Args)]
pub struct PolicyFiles {
    /// The directory of the `.cedar` files.
    #[arg(long, env = "MFAGATE_POLICIES", value_name = "DIR")]
    pub policies: PathBuf,

    /// The groups of callers and pools, JSON.
    #[arg(long, env = "MFAGATE_ENTITIES", value_name = "FILE")]
    pub entities: Option<PathBuf>,
}

/// The options of `mfagate policy explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The policies.
    #[command(flatten)]
    pub files: PolicyFiles,

    /// Take the query from this line of the audit log, a decision; the other options have precedence. Records lack the scopes
    /// and groups of tokens.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,

    /// The query.
    #[command(flatten)]
    pub query: QueryArgs,
}

/// The options of `mfagate policy test`.
#[derive(Debug, Args)]
pub struct Test {
    /// The policies.
    #[command(flatten)]
    pub files: PolicyFiles,

    /// Fail if a policy names a caller that no entities file lists, which may be misspelled.
    #[arg(long)]
    pub strict: bool,

    /// The table of expected decisions.
    #[arg(value_name = "FILE")]
    pub table: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_consistent() {
        Command::command().debug_assert();
    }
}
