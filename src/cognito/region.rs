//! This file keeps the SDK clients: one a Region, made once, sharing connections and credentials.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::config::retry::RetryConfig;
use aws_sdk_cognitoidentityprovider::config::timeout::TimeoutConfig;
use aws_sdk_cognitoidentityprovider::config::{
    self, AppName, BehaviorVersion, IdentityCache, Region, SharedCredentialsProvider,
};

use tokio_util::task::TaskTracker;

use crate::authz::Permit;
use crate::cognito::role::AssumedRole;
use crate::cognito::send::{Limits, PoolClient};
use crate::domain::Deadline;

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The first pause before a retry; the SDK doubles it and adds jitter.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// The most tries of one operation, the first included.
const MOST_ATTEMPTS: u32 = 3;

/// The most clients kept. AWS has fewer Regions, but a caller can make more up.
const MOST_REGIONS: usize = 64;

/// Where Cognito is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// AWS: the endpoint of the pool's Region.
    Aws,
    /// Something that speaks Cognito's protocol, for every Region.
    Url(String),
}

/// What mfagate signs its requests with.
#[derive(Clone, Debug)]
pub struct Credentials(pub(super) SharedCredentialsProvider);

impl Credentials {
    /// What the environment holds: the SDK's default chain (variables, profile, web identity, container, instance).
    pub async fn from_environment() -> Self {
        // Named here, since the chain would else ask the instance's metadata service for a Region before anything is served.
        let region = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new()).or_else("us-east-1");
        let chain = DefaultCredentialsChain::builder().region(region).build().await;
        Self(SharedCredentialsProvider::new(chain))
    }

    /// The same words for everybody, for a backend that does not look at them.
    #[must_use]
    pub fn for_development() -> Self {
        let credentials = config::Credentials::new("development", "development", None, None, "development");
        Self(SharedCredentialsProvider::new(credentials))
    }
}

/// The way to Cognito in all Regions.
#[derive(Debug)]
pub struct Cognito {
    shared: config::Builder,
    limits: Limits,
    role: Option<AssumedRole>,
    clients: Mutex<HashMap<String, Client>>,
}

impl Cognito {
    /// Nothing is connected to until the first call.
    ///
    /// The configuration is written out here and not taken from the SDK's environment: a stray `AWS_ENDPOINT_URL` would
    /// send access tokens elsewhere, and `AWS_MAX_ATTEMPTS` would multiply the load on a fixed quota.
    #[must_use]
    pub fn new(endpoint: Endpoint, credentials: Credentials, operation_timeout: Duration) -> Self {
        let retry = RetryConfig::standard().with_max_attempts(MOST_ATTEMPTS).with_initial_backoff(FIRST_BACKOFF);
        let timeout = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_timeout(operation_timeout);
        let mut shared = config::Builder::new()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(
                aws_smithy_http_client::Builder::new()
                    .tls_provider(aws_smithy_http_client::tls::Provider::Rustls(
                        aws_smithy_http_client::tls::rustls_provider::CryptoMode::AwsLc,
                    ))
                    .build_https(),
            )
            .identity_cache(IdentityCache::lazy().build())
            .credentials_provider(credentials.0)
            .retry_config(retry)
            .timeout_config(timeout.build());
        shared.set_app_name(AppName::new("mfagate").ok());
        if let Endpoint::Url(url) = endpoint {
            shared = shared.endpoint_url(url);
        }
        let limits = Limits { operation_timeout, changes: TaskTracker::new() };
        Self { shared, limits, role: None, clients: Mutex::default() }
    }

    /// The same, assuming a role for each caller.
    #[must_use]
    pub fn assuming(self, role: Option<AssumedRole>) -> Self {
        Self { role, ..self }
    }

    /// Done when every change that was sent has ended, whether or not its caller is still there. No other may begin.
    pub async fn settle(&self) {
        self.limits.changes.close();
        self.limits.changes.wait().await;
    }

    /// How many changes have been sent and have not ended.
    #[must_use]
    pub fn changes_under_way(&self) -> usize {
        self.limits.changes.len()
    }

    /// The way to the pool of `permit`, until `deadline`.
    #[must_use]
    pub fn on(&self, permit: Permit, deadline: Deadline) -> PoolClient {
        let credentials = self.role.as_ref().zip(permit.caller()).map(|(role, caller)| role.for_caller(caller));
        let client = PoolClient::new(self.client(permit.region()), permit, deadline, &self.limits);
        match credentials {
            Some(credentials) => client.signing_with(credentials),
            None => client,
        }
    }

    fn client(&self, region: &str) -> Client {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(region) {
            return client.clone();
        }
        let region = region.to_owned();
        let client = Client::from_conf(self.shared.clone().region(Region::new(region.clone())).build());
        if clients.len() >= MOST_REGIONS {
            // Clients are cheap to make again, and connections are not theirs.
            clients.clear();
        }
        clients.insert(region, client.clone());
        client
    }
}
