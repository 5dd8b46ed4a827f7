//! A role assumed for each caller (STS `AssumeRole`), so that `CloudTrail` names the caller of each change.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future;
use aws_sdk_sts::Client;
use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::timeout::TimeoutConfig;
use aws_sdk_sts::config::{
    AppName, BehaviorVersion, Config, Credentials as Keys, ProvideCredentials, Region, SharedCredentialsProvider,
};
use aws_sdk_sts::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use regex::Regex;
use thiserror::Error;
use tracing::Instrument as _;

use crate::cognito::credentials::{Credentials, Endpoint};
use crate::cognito::failure;
use crate::cognito::masking;
use crate::cognito::sdk;
use crate::cognito::session_name::SessionName;

/// How long before they expire credentials are renewed.
const RENEW_BEFORE: Duration = Duration::from_mins(5);
/// The maximum number of callers whose credentials are kept; the least recently seen makes room.
const MAX_CALLERS: usize = 256;
/// Credentials with less than this left are not used: a request could arrive after they have expired.
const MIN_LIFETIME: Duration = Duration::from_secs(30);
/// The timeout of STS, retries included. The request continues when the call that needed it has ended.
const STS_TIMEOUT: Duration = Duration::from_secs(5);
/// The maximum number of attempts, the first included.
const MAX_ATTEMPTS: u32 = 2;
/// How long a failure of STS is remembered before STS is asked again; each further failure doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest that a failure is remembered: a corrected trust policy works after this time.
const MAX_PAUSE: Duration = Duration::from_mins(1);

/// The role to assume, and how STS is reached.
#[derive(Clone, Debug)]
pub struct RoleOptions {
    /// The role.
    pub arn: RoleArn,
    /// The Region of STS. Its credentials are valid in every Region of the partition.
    pub region: String,
    /// The endpoint of STS.
    pub endpoint: Endpoint,
}

/// The ARN of an IAM role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleArn(String);

impl FromStr for RoleArn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        #[expect(clippy::expect_used, reason = "the pattern is a constant, and a test uses it")]
        static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\x21-\x7e]{1,575}\z")
                .expect("a constant pattern is valid")
        });
        if PATTERN.is_match(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err("must be the ARN of a role: arn:aws:iam::ACCOUNT:role/NAME".to_owned())
        }
    }
}

impl RoleArn {
    /// A Region of the role's partition, if the partition is known (AWS general reference, ARNs).
    pub fn region(&self) -> Option<&'static str> {
        match self.0.split(':').nth(1)? {
            "aws" => Some("us-east-1"),
            "aws-cn" => Some("cn-north-1"),
            "aws-us-gov" => Some("us-gov-west-1"),
            _ => None,
        }
    }
}

/// The role, assumed once for each caller.
#[derive(Debug)]
pub struct AssumedRole {
    sts: Client,
    endpoint: Arc<str>,
    arn: RoleArn,
    first_pause: Duration,
    sessions: Mutex<Sessions>,
}

#[derive(Debug, Default)]
struct Sessions {
    by_caller: HashMap<String, (Arc<Session>, u64)>,
    /// Counts uses, to find the least recently used.
    uses: u64,
}

impl AssumedRole {
    /// The role, assumed with the credentials of `source`. STS is not called before the first call.
    ///
    /// As for Cognito, nothing is taken from the SDK's environment.
    pub fn new(options: RoleOptions, source: &Credentials) -> Self {
        let RoleOptions { arn, region, endpoint } = options;
        let timeout =
            TimeoutConfig::builder().connect_timeout(sdk::CONNECT_TIMEOUT).operation_timeout(STS_TIMEOUT).build();
        let shown = match &endpoint {
            Endpoint::Aws => format!("STS in {region}").into(),
            Endpoint::Url(url) => url.as_str().into(),
        };
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(sdk::http_client())
            .credentials_provider(source.0.clone())
            .retry_config(RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS))
            .timeout_config(timeout)
            .region(Region::new(region));
        config.set_app_name(AppName::new("mfagate").ok());
        if let Endpoint::Url(url) = endpoint {
            config = config.endpoint_url(url);
        }
        let sts = Client::from_conf(config.build());
        Self { sts, endpoint: shown, arn, first_pause: FIRST_PAUSE, sessions: Mutex::default() }
    }

    /// The same role, whose first failure is remembered for `first_pause`.
    #[must_use]
    pub fn with_first_pause(self, first_pause: Duration) -> Self {
        Self { first_pause, ..self }
    }

    /// The credentials for requests on behalf of `caller`: those of a session with the caller's name.
    ///
    /// Put it into the configuration of the one operation. The SDK then gives that operation an identity cache of its own
    /// (1.144), so callers' credentials never mix; the cache across operations is here.
    pub fn for_caller(&self, caller: &str) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(ForCaller(self.session(caller)))
    }

    fn session(&self, caller: &str) -> Arc<Session> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.uses += 1;
        let now = sessions.uses;
        if let Some((session, used)) = sessions.by_caller.get_mut(caller) {
            *used = now;
            return Arc::clone(session);
        }
        if sessions.by_caller.len() >= MAX_CALLERS {
            let oldest = sessions.by_caller.iter().min_by_key(|(_, (_, used))| *used).map(|(caller, _)| caller.clone());
            if let Some(oldest) = oldest {
                sessions.by_caller.remove(&oldest);
            }
        }
        let session = Arc::new(Session {
            sts: self.sts.clone(),
            endpoint: Arc::clone(&self.endpoint),
            arn: self.arn.clone(),
            name: SessionName::of(caller),
            first_pause: self.first_pause,
            held: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        });
        sessions.by_caller.insert(caller.to_owned(), (Arc::clone(&session), now));
        session
    }
}

/// Why there are no credentials for a caller. Every cause is mfagate's own, never the caller's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
enum RoleError {
    /// STS refused, with this code: because of the role's trust policy, or of our own credentials.
    #[error("sts refused to assume the role: {0}")]
    Refused(String),
    /// STS did not respond in time, or not at all, or our own credentials are missing.
    #[error("sts is unreachable: {0}")]
    Unreachable(String),
    /// STS returned no credentials.
    #[error("sts returned no credentials")]
    Unreadable,
    /// The request was aborted.
    #[error("the request to sts was aborted")]
    Aborted,
}

impl From<SdkError<AssumeRoleError, HttpResponse>> for RoleError {
    fn from(error: SdkError<AssumeRoleError, HttpResponse>) -> Self {
        if let SdkError::ServiceError(context) = &error {
            return Self::Refused(match context.err().code() {
                // What is not STS could print anything as its code.
                Some(code) => masking::without_request(code, &[]).chars().take(128).collect(),
                // Not a response of STS: that of a proxy, or of another server at the endpoint.
                None => format!("no code, HTTP status {}", context.raw().status().as_u16()),
            });
        }
        Self::Unreachable(failure::cause(&error, &[]))
    }
}

/// The session of one caller.
struct Session {
    sts: Client,
    /// Where STS is, for the log.
    endpoint: Arc<str>,
    arn: RoleArn,
    name: SessionName,
    first_pause: Duration,
    held: Mutex<Held>,
    /// Held while STS is called.
    turn: tokio::sync::Mutex<()>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What STS has returned.
#[derive(Clone, Default)]
struct Held {
    keys: Option<Keys>,
    /// The number of responses, so that those who waited for one take it, even a failure.
    responses: u64,
    failure: Option<Failure>,
}

/// A failure that is remembered.
#[derive(Clone)]
struct Failure {
    error: RoleError,
    pause: Duration,
    ends: Instant,
}

impl Held {
    /// The last failure, while it is remembered.
    fn recent_failure(&self) -> Option<RoleError> {
        self.failure.as_ref().filter(|failure| Instant::now() < failure.ends).map(|failure| failure.error.clone())
    }

    /// Adds a response of STS.
    fn add(&mut self, outcome: &Result<Keys, RoleError>, first_pause: Duration) {
        self.responses += 1;
        match outcome {
            Ok(keys) => {
                self.keys = Some(keys.clone());
                self.failure = None;
            }
            Err(error) => {
                let pause =
                    self.failure.as_ref().map_or(first_pause, |last| last.pause.saturating_mul(2).min(MAX_PAUSE));
                self.failure = Some(Failure { error: error.clone(), pause, ends: Instant::now() + pause });
            }
        }
    }
}

#[derive(Debug)]
struct ForCaller(Arc<Session>);

impl Session {
    /// Credentials that are still valid. They are renewed while the old ones are used, so that STS may fail for a while.
    async fn keys(self: Arc<Self>) -> Result<Keys, RoleError> {
        let held = self.held();
        let (recent_failure, responses) = (held.recent_failure(), held.responses);
        match held.keys {
            Some(keys) if left(&keys) > RENEW_BEFORE => return Ok(keys),
            Some(keys) if left(&keys) > MIN_LIFETIME => {
                if recent_failure.is_none() && self.turn.try_lock().is_ok() {
                    tokio::spawn(self.refresh(responses).in_current_span());
                }
                return Ok(keys);
            }
            Some(_) | None => {}
        }
        if let Some(error) = recent_failure {
            return Err(error);
        }
        // A task of its own, so that the response is kept even if the call that needed it could not wait.
        tokio::spawn(self.refresh(responses).in_current_span()).await.unwrap_or(Err(RoleError::Aborted))
    }

    /// Calls STS, unless it has responded since `seen` responses: then that response is everybody's.
    async fn refresh(self: Arc<Self>, seen: u64) -> Result<Keys, RoleError> {
        let _turn = self.turn.lock().await;
        let Held { keys, responses, failure } = self.held();
        if responses != seen {
            return match (failure, keys) {
                (Some(failure), _) => Err(failure.error),
                (None, Some(keys)) => Ok(keys),
                (None, None) => Err(RoleError::Unreadable),
            };
        }
        let outcome = self.assume().await;
        match &outcome {
            Ok(_) => tracing::info!(session = self.name.as_str(), "role assumed"),
            Err(error) => tracing::warn!(
                session = self.name.as_str(),
                operation = "AssumeRole",
                endpoint = &*self.endpoint,
                cause = %error,
                "role not assumed"
            ),
        }
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.add(&outcome, self.first_pause);
        outcome
    }

    async fn assume(&self) -> Result<Keys, RoleError> {
        let call = self.sts.assume_role().role_arn(&self.arn.0).role_session_name(self.name.as_str());
        let keys = call.send().await?.credentials.ok_or(RoleError::Unreadable)?;
        let end = SystemTime::try_from(keys.expiration).map_err(|_| RoleError::Unreadable)?;
        let token = Some(keys.session_token);
        Ok(Keys::new(keys.access_key_id, keys.secret_access_key, token, Some(end), "assumed role"))
    }

    fn held(&self) -> Held {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The remaining lifetime of credentials.
fn left(keys: &Keys) -> Duration {
    keys.expiry().and_then(|end| end.duration_since(SystemTime::now()).ok()).unwrap_or_default()
}

impl ProvideCredentials for ForCaller {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let session = Arc::clone(&self.0);
        future::ProvideCredentials::new(async move { session.keys().await.map_err(CredentialsError::provider_error) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_arn_of_a_role_is_one_and_its_partition_has_a_region() {
        for arn in [
            "arn:aws:iam::123456789012:role/mfagate",
            "arn:aws-us-gov:iam::123456789012:role/path/to/mfagate",
            "arn:aws-cn:iam::123456789012:role/a+b=c,d.e@f-g_h",
        ] {
            assert_eq!(arn.parse::<RoleArn>().map(|role| role.0).as_deref(), Ok(arn));
        }
        for (partition, region) in [
            ("aws", Some("us-east-1")),
            ("aws-cn", Some("cn-north-1")),
            ("aws-us-gov", Some("us-gov-west-1")),
            ("aws-iso", None),
        ] {
            let arn: RoleArn = format!("arn:{partition}:iam::123456789012:role/mfagate").parse().unwrap();
            assert_eq!(arn.region(), region, "{partition}");
        }
        for text in [
            "",
            "mfagate",
            "arn:aws:iam::123456789012:user/mfagate",
            "arn:aws:iam::12345678901:role/mfagate",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role/a b",
            "arn:aws:iam::123456789012:role/a\n",
            "arn:aws:sts::123456789012:assumed-role/mfagate/x",
        ] {
            assert!(text.parse::<RoleArn>().is_err(), "{text:?}");
        }
    }
}
