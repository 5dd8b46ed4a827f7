//! The SDK clients of Cognito: one per Region, made once, sharing connections and credentials.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
use aws_sdk_cognitoidentityprovider::config::retry::RetryConfig;
use aws_sdk_cognitoidentityprovider::config::timeout::TimeoutConfig;
use aws_sdk_cognitoidentityprovider::config::{
    self, AppName, BehaviorVersion, IdentityCache, Region, StalledStreamProtectionConfig,
};

use crate::authz::Permit;
use crate::cognito::credentials::{Credentials, Endpoint};
use crate::cognito::exchange::RequestIds;
use crate::cognito::in_flight::{InFlight, OperationLimits};
use crate::cognito::mutations::Mutations;
use crate::cognito::pool_client::{CallSettings, PoolClient, RegionalClient};
use crate::cognito::role::AssumedRole;
use crate::cognito::sdk;
use crate::cognito::upstream::Upstream;
use crate::domain::Deadline;
use crate::quota::{Broker, Quotas, Shares};

/// The first pause before a retry; the SDK doubles it and adds jitter.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// The maximum number of attempts of one operation, the first included.
const MAX_ATTEMPTS: u32 = 3;

/// The maximum number of clients kept. AWS has fewer Regions, but a caller can make more up.
const MAX_REGIONS: usize = 64;

/// Cognito in every Region.
#[derive(Debug)]
pub struct Cognito {
    shared: config::Builder,
    endpoint: Endpoint,
    settings: CallSettings,
    quota: Broker,
    upstream: Upstream,
    role: Option<Arc<AssumedRole>>,
    clients: Mutex<HashMap<String, RegionalClient>>,
}

impl Cognito {
    /// Nothing is connected to until the first call.
    ///
    /// The configuration is written out here and not taken from the SDK's environment: a stray `AWS_ENDPOINT_URL` would
    /// send access tokens elsewhere, and `AWS_MAX_ATTEMPTS` would multiply the load on a fixed quota.
    pub fn new(endpoint: Endpoint, credentials: Credentials, operation_timeout: Duration) -> Self {
        let retry = RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS).with_initial_backoff(FIRST_BACKOFF);
        let timeout =
            TimeoutConfig::builder().connect_timeout(sdk::CONNECT_TIMEOUT).operation_timeout(operation_timeout);
        let mut shared = config::Builder::new()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(sdk::http_client())
            .identity_cache(IdentityCache::lazy().build())
            .credentials_provider(credentials.0)
            .retry_config(retry)
            // For streams: requests and responses here are small, and the timeouts end what stalls.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .timeout_config(timeout.build());
        shared.set_app_name(AppName::new("mfagate").ok());
        if let Endpoint::Url(url) = &endpoint {
            shared = shared.endpoint_url(url);
        }
        let settings = CallSettings {
            operation_timeout,
            request_ids: RequestIds::Required,
            mutations: Mutations::default(),
            in_flight: Arc::new(InFlight::new(OperationLimits::default())),
            reads: Arc::default(),
        };
        let quota = Broker::new(Quotas::unlimited(), Shares::default());
        let upstream = Upstream::default();
        Self { shared, endpoint, settings, quota, upstream, role: None, clients: Mutex::default() }
    }

    /// The same client, assuming a role for each caller.
    #[must_use]
    pub fn with_role(self, role: Option<AssumedRole>) -> Self {
        Self { role: role.map(Arc::new), ..self }
    }

    /// The same client, spending from these quotas.
    #[must_use]
    pub fn with_quota(self, quota: Broker) -> Self {
        Self { quota, ..self }
    }

    /// The same client with these limits of operations in flight.
    #[must_use]
    pub fn with_limits(mut self, limits: OperationLimits) -> Self {
        self.settings.in_flight = Arc::new(InFlight::new(limits));
        self
    }

    /// The same client before an emulator, which may send no request ids. That is logged once.
    #[must_use]
    pub fn with_optional_request_ids(mut self) -> Self {
        self.settings.request_ids = RequestIds::Optional(Arc::new(Once::new()));
        self
    }

    /// The same client for another runtime: connections of its own, and everything else shared.
    #[must_use]
    pub fn for_worker(&self) -> Self {
        Self {
            shared: self.shared.clone().http_client(sdk::http_client()),
            endpoint: self.endpoint.clone(),
            settings: self.settings.for_worker(),
            quota: self.quota.clone(),
            upstream: self.upstream.clone(),
            role: self.role.clone(),
            clients: Mutex::default(),
        }
    }

    /// Whether Cognito responds.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// The mutations in flight.
    pub fn mutations(&self) -> &Mutations {
        &self.settings.mutations
    }

    /// The client of the permit's pool, until `deadline`.
    pub fn pool(&self, permit: Permit, deadline: Deadline) -> PoolClient {
        let credentials = self.role.as_ref().zip(permit.caller()).map(|(role, caller)| role.for_caller(caller));
        let client = PoolClient::new(self.client(permit.region()), permit, deadline, self.settings.clone());
        match credentials {
            Some(credentials) => client.with_credentials(credentials),
            None => client,
        }
    }

    fn client(&self, region: &str) -> RegionalClient {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(region) {
            return client.clone();
        }
        let upstream = self.upstream.region(region);
        let (region, quota) = (region.to_owned(), self.quota.region(region));
        let endpoint = match &self.endpoint {
            Endpoint::Url(url) => url.as_str().into(),
            Endpoint::Aws => aws_endpoint(&region).unwrap_or_else(|| format!("AWS in {region}")).into(),
        };
        let config = self.shared.clone().region(Region::new(region.clone())).retry_partition(upstream.retries.clone());
        let breaker = upstream.breaker;
        let client = RegionalClient { client: Client::from_conf(config.build()), endpoint, quota, breaker };
        if clients.len() >= MAX_REGIONS {
            // Clients are cheap to make again, and connections are not theirs.
            clients.clear();
        }
        clients.insert(region, client.clone());
        client
    }
}

/// The endpoint of Cognito in a Region, as the SDK resolves it: from its own table, so the future is ready at once.
fn aws_endpoint(region: &str) -> Option<String> {
    let resolver = DefaultResolver::new();
    let params = Params::builder().region(region).build().ok()?;
    match pin!(resolver.resolve_endpoint(&params)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(endpoint)) => Some(endpoint.url().to_owned()),
        Poll::Ready(Err(_)) | Poll::Pending => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_of_a_region_is_that_of_its_partition() {
        for (region, endpoint) in [
            ("eu-west-1", "https://cognito-idp.eu-west-1.amazonaws.com"),
            ("cn-north-1", "https://cognito-idp.cn-north-1.amazonaws.com.cn"),
        ] {
            assert_eq!(aws_endpoint(region).as_deref(), Some(endpoint));
        }
    }
}
