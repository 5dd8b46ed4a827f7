//! This file keeps the SDK clients: one a Region, made once, sharing connections and credentials.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::config::retry::RetryConfig;
use aws_sdk_cognitoidentityprovider::config::timeout::TimeoutConfig;
use aws_sdk_cognitoidentityprovider::config::{
    self, AppName, BehaviorVersion, IdentityCache, Region, SharedCredentialsProvider,
};

use crate::access::Permit;
use crate::cognito::send::{Deadline, PoolClient};

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The first pause before a retry; the SDK doubles it and adds jitter.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// The most tries of one operation, the first included.
const MOST_ATTEMPTS: u32 = 3;

/// The most clients kept. AWS has fewer Regions; what a caller makes up beyond them is not kept.
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
        let chain = aws_config::default_provider::credentials::DefaultCredentialsChain::builder().build().await;
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
    operation_timeout: Duration,
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
        Self { shared, operation_timeout, clients: Mutex::default() }
    }

    /// The way to the pool of `permit`, until `deadline`.
    #[must_use]
    pub fn on(&self, permit: Permit, deadline: Deadline) -> PoolClient {
        PoolClient::new(self.client(permit.region()), permit, deadline, self.operation_timeout)
    }

    fn client(&self, region: &str) -> Client {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(region) {
            return client.clone();
        }
        let region = region.to_owned();
        let client = Client::from_conf(self.shared.clone().region(Region::new(region.clone())).build());
        if clients.len() < MOST_REGIONS {
            clients.insert(region, client.clone());
        }
        client
    }
}
