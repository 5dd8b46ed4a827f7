//! Everything that the emulator remembers, and its clock.

pub(crate) mod client;
pub(crate) mod pool;
pub(crate) mod session;
pub(crate) mod user;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::issuer::Issuers;
use crate::protocol::Failure;
use crate::random;
use crate::state::client::Client;
use crate::state::pool::Pool;
use crate::state::session::{Session, Step, invalid_session};
use crate::state::user::User;

/// Messages kept for `/_embedded/outbox`; older ones are dropped.
const MAX_LETTERS: usize = 256;

/// How long a session lasts whose app client is gone.
const DEFAULT_SESSION_VALIDITY: Duration = Duration::from_mins(3);

/// How far the clock can be ahead: no sum of times that are within this overflows.
pub(crate) const MAX_AHEAD: Duration = Duration::from_hours(24 * 365 * 100);

/// What a data file keeps besides the key.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    /// How far `/_embedded/clock` has advanced the clock.
    #[serde(default)]
    ahead: Duration,
    pub(crate) pools: BTreeMap<String, Pool>,
    pub(crate) sessions: BTreeMap<String, Session>,
    pub(crate) outbox: VecDeque<Letter>,
    #[serde(skip)]
    pub(crate) issuers: Issuers,
}

/// A message with a code that AWS would have sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Letter {
    pub(crate) user_pool_id: String,
    pub(crate) username: String,
    /// `SMS` or `EMAIL`.
    pub(crate) delivery_medium: String,
    /// The phone number or e-mail address.
    pub(crate) destination: String,
    pub(crate) code: String,
    /// In seconds since the epoch.
    pub(crate) sent_at: f64,
}

impl State {
    /// The time since the epoch on the emulator's clock, by which everything expires.
    pub(crate) fn now(&self) -> Duration {
        // A clock before 1970 counts as 1970. A data file can say anything.
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + self.ahead.min(MAX_AHEAD)
    }

    pub(crate) fn advance(&mut self, by: Duration) -> Result<(), Failure> {
        let ahead = self.ahead.min(MAX_AHEAD).saturating_add(by);
        if ahead > MAX_AHEAD {
            return Err(Failure::invalid_parameter(format!(
                "the clock can be ahead by {} seconds, no more",
                MAX_AHEAD.as_secs()
            )));
        }
        self.ahead = ahead;
        Ok(())
    }

    /// The issuer of a pool's tokens, `None` for an unknown pool.
    pub(crate) fn issuer(&self, pool_id: &str) -> Option<String> {
        let pool = self.pools.get(pool_id)?;
        Some(self.issuers.of(&pool.region, &pool.id))
    }

    /// The pool of this id, as seen from the region that the request was signed for.
    pub(crate) fn pool(&mut self, id: &str, region: Option<&str>) -> Result<&mut Pool, Failure> {
        self.pools
            .get_mut(id)
            .filter(|pool| region.is_none_or(|region| pool.region == region))
            .ok_or_else(|| Failure::resource_not_found(format!("User pool {id} does not exist.")))
    }

    /// The pool that has this app client.
    pub(crate) fn pool_of_client(&mut self, client_id: &str) -> Result<&mut Pool, Failure> {
        self.pools
            .values_mut()
            .find(|pool| pool.clients.contains_key(client_id))
            .ok_or_else(|| Failure::resource_not_found(format!("User pool client {client_id} does not exist.")))
    }

    /// The user of a session or token, who may have been deleted since.
    pub(crate) fn user(&mut self, pool_id: &str, username: &str) -> Result<&mut User, Failure> {
        self.pool(pool_id, None)?.users.get_mut(username).ok_or_else(Failure::user_not_found)
    }

    pub(crate) fn send(&mut self, letter: Letter) {
        self.outbox.push_back(letter);
        while self.outbox.len() > MAX_LETTERS {
            self.outbox.pop_front();
        }
    }

    /// Starts the next step of a sign-in and returns its session, an opaque name.
    pub(crate) fn open_session(
        &mut self,
        pool_id: &str,
        username: &str,
        client_id: &str,
        step: Step,
    ) -> Result<String, Failure> {
        let now = self.now();
        self.sessions.retain(|_, session| !session.is_forgotten(now));
        let client = self.pool(pool_id, None)?.clients.get(client_id);
        let validity = client.map_or(DEFAULT_SESSION_VALIDITY, Client::session_validity);
        let name = random::opaque()?;
        let session = Session::new(pool_id, username, client_id, step, now.saturating_add(validity));
        self.sessions.insert(name.clone(), session);
        Ok(name)
    }

    /// The session of this name, unless it was used or has expired.
    pub(crate) fn session(&self, name: &str) -> Result<Session, Failure> {
        let session = self.sessions.get(name).ok_or_else(|| invalid_session(""))?;
        session.must_be_usable(self.now())?;
        Ok(session.clone())
    }

    /// Spends a session: the next step has a new one.
    pub(crate) fn use_session(&mut self, name: &str) {
        if let Some(session) = self.sessions.get_mut(name) {
            session.mark_used();
        }
    }
}
