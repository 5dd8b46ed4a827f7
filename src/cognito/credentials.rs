//! Where AWS is and what mfagate signs its requests with.

use std::time::SystemTime;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_sdk_cognitoidentityprovider::config::{self, ProvideCredentials as _, SharedCredentialsProvider};

use crate::error::chain;

/// Where an AWS service is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// AWS: the Region's own endpoint.
    Aws,
    /// A server that speaks the service's protocol, for every Region.
    Url(String),
}

/// What mfagate signs its requests with.
#[derive(Clone, Debug)]
pub struct Credentials(pub(super) SharedCredentialsProvider);

impl Credentials {
    /// What the environment holds: the SDK's default chain (variables, profile, web identity, container, instance).
    pub async fn from_environment() -> Self {
        // Named here: the chain would otherwise ask the instance metadata service for a Region before anything is served.
        let region = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new()).or_else("us-east-1");
        let chain = DefaultCredentialsChain::builder().region(region).build().await;
        Self(SharedCredentialsProvider::new(chain))
    }

    /// When the credentials that there are now expire, if they do; or why there are none.
    pub async fn expiry(&self) -> Result<Option<SystemTime>, String> {
        let found = self.0.provide_credentials().await;
        found.map(|credentials| credentials.expiry()).map_err(|error| chain(&error))
    }

    /// Fixed credentials, for a backend that does not check them.
    pub fn for_development() -> Self {
        let credentials = config::Credentials::new("development", "development", None, None, "development");
        Self(SharedCredentialsProvider::new(credentials))
    }
}
