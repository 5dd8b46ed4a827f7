//! Budgets that several replicas share, in Redis or Valkey: one script, which takes tokens by the server's clock.
//!
//! The store decides about time only. It holds a number for each category and Region, and no name of a caller, a user or a pool.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo as _, RedisError, Script};
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use crate::quota::bucket::{Nanos, Pace};

/// How long one request may take. Calls wait for tokens meanwhile, so a store that is slower is none.
pub(super) const TIMEOUT: Duration = Duration::from_millis(250);

/// How long it may take to connect: by TLS, and to a store that is far away. No call waits for it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The generic cell rate algorithm, as in `bucket.rs`, in microseconds of the server's clock.
///
/// Tokens of the near future are granted as well, so that replicas need not ask for each. Charges are owed for a second at most. So a time
/// that is further ahead than tokens, at a tenth of the pace, and charges can bring it is that of a clock that was set back, and means
/// nothing.
const SCRIPT: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, tolerance, ahead = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local wanted, charged, emptied = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6] == '1'
local most = tolerance + 11 * tonumber(ARGV[7]) + 1500000
local full = tonumber(redis.call('GET', KEYS[1])) or 0
if full < now or full > now + most then full = now end
full = math.min(full + charged * interval, math.max(full, now + tolerance + 1000000))
if emptied then full = math.max(full, now + tolerance + interval) end
local first, granted = full - now, 0
while granted < wanted and full - tolerance <= now + ahead do
  full = full + interval
  granted = granted + 1
end
if granted > 0 or charged > 0 or emptied then
  redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((most + full - now) / 1000))
end
return {granted, string.format('%.0f', first)}
";

/// The URL of a store: `redis://` or, encrypted, `rediss://`. It may hold a password, which is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl(String);

/// The address only.
impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_str().into_connection_info() {
            Ok(info) => fmt::Display::fmt(info.addr(), f),
            Err(_) => f.write_str("redis"),
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUrl({self})")
    }
}

impl StoreUrl {
    /// Whether others on the network can read and change what is sent.
    pub fn is_plaintext_beyond_loopback(&self) -> bool {
        match self.0.as_str().into_connection_info().as_ref().map(redis::ConnectionInfo::addr) {
            Ok(ConnectionAddr::Tcp(host, _)) => {
                let is_loopback = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
                !is_loopback && host != "localhost"
            }
            _ => false,
        }
    }
}

impl FromStr for StoreUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The errors of the library may repeat the URL, and so a password.
        let error = || "must be redis://HOST[:PORT][/DATABASE], or rediss:// with TLS".to_owned();
        if !text.starts_with("redis://") && !text.starts_with("rediss://") {
            return Err(error());
        }
        Client::open(text).map(|_| Self(text.to_owned())).map_err(|_| error())
    }
}

/// What a replica asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) pace: Pace,
    /// The time between two tokens while Cognito does not throttle.
    pub(super) whole_interval: Nanos,
    /// How far in the future tokens may be.
    pub(super) ahead: Duration,
    /// How many tokens are wanted.
    pub(super) wanted: u32,
    /// How many tokens were used without having been asked for.
    pub(super) charged: u32,
    /// Whether Cognito has throttled, so that no token is left.
    pub(super) emptied: bool,
}

/// What it gets: so many tokens, the first of them when the bucket is full but for this time. It may be before now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Granted {
    pub(super) tokens: u32,
    /// In microseconds, from the time of the server.
    pub(super) full_in: u64,
}

/// Why the store did not respond with tokens.
#[derive(Debug, Error)]
pub(super) enum StoreError {
    #[error("the store took longer than {TIMEOUT:?}")]
    Timeout,
    #[error("no connection within {CONNECT_TIMEOUT:?}")]
    Connect,
    #[error(transparent)]
    Redis(#[from] RedisError),
}

/// A store of buckets. Clones share its connection.
#[derive(Clone)]
pub struct Store(Arc<Shared>);

struct Shared {
    url: StoreUrl,
    /// Where the tasks run that ask for tokens.
    runtime: Handle,
    script: Script,
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.0.url).finish()
    }
}

impl Store {
    /// The store at this URL, which is connected to when tokens are needed. Asks for them in this runtime.
    pub fn new(url: StoreUrl, runtime: Handle) -> Self {
        let (script, connection) = (Script::new(SCRIPT), Mutex::default());
        Self(Arc::new(Shared { url, runtime, script, connection }))
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.0.runtime
    }

    pub(super) fn url(&self) -> &StoreUrl {
        &self.0.url
    }

    /// Takes tokens of the bucket of this name. After a failure, the next request connects anew.
    pub(super) async fn take(&self, bucket: &str, request: Request) -> Result<Granted, StoreError> {
        let taken = self.try_take(bucket, request).await;
        if taken.is_err() {
            *self.0.connection.lock().await = None;
        }
        taken
    }

    async fn try_take(&self, bucket: &str, request: Request) -> Result<Granted, StoreError> {
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, self.connection()).await;
        let mut connection = connecting.map_err(|_| StoreError::Connect)??;
        let Request { pace, whole_interval, ahead, wanted, charged, emptied } = request;
        let micros = |nanos: u64| nanos.div_ceil(1000).max(1);
        let mut invocation = self.0.script.prepare_invoke();
        invocation
            .key(format!("mfagate:quota:{bucket}"))
            .arg(micros(pace.interval))
            .arg(pace.tolerance / 1000)
            .arg(u64::try_from(ahead.as_micros()).unwrap_or(u64::MAX))
            .arg(wanted)
            .arg(charged)
            .arg(u8::from(emptied))
            .arg(micros(whole_interval));
        let taken = tokio::time::timeout(TIMEOUT, invocation.invoke_async(&mut connection)).await;
        let (tokens, full_in): (u32, u64) = taken.map_err(|_| StoreError::Timeout)??;
        Ok(Granted { tokens, full_in })
    }

    async fn connection(&self) -> Result<MultiplexedConnection, RedisError> {
        let mut connection = self.0.connection.lock().await;
        if let Some(connection) = &*connection {
            return Ok(connection.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(TIMEOUT));
        let client = Client::open(self.0.url.0.as_str())?;
        let opened = client.get_multiplexed_async_connection_with_config(&config).await?;
        *connection = Some(opened.clone());
        Ok(opened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_printed_without_its_password() {
        for url in ["redis://user:canary@cache.example:6380/2", "rediss://:canary@cache.example:6380"] {
            let url: StoreUrl = url.parse().unwrap();
            for printed in [url.to_string(), format!("{url:?}")] {
                assert!(printed.contains("cache.example:6380") && !printed.contains("canary"), "{printed}");
            }
        }
        for text in ["", "cache.example", "http://cache.example", "redis://", "redis://:canary@[", "unix:///canary"] {
            let error = text.parse::<StoreUrl>().unwrap_err();
            assert!(error.starts_with("must be redis://") && !error.contains("canary"), "{text}: {error}");
        }
    }

    #[test]
    fn plaintext_is_for_loopback() {
        for (url, beyond) in [
            ("redis://127.0.0.1", false),
            ("redis://localhost:1", false),
            ("redis://[::1]", false),
            ("redis://cache.example", true),
            ("rediss://cache.example", false),
        ] {
            assert_eq!(url.parse::<StoreUrl>().unwrap().is_plaintext_beyond_loopback(), beyond, "{url}");
        }
    }
}
