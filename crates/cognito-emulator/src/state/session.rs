//! This file holds a session: the thread between the steps of one sign-in.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::State;
use super::user::Factor;
use crate::protocol::Failure;
use crate::random;

/// How long a session that is over is remembered, to tell why it is refused.
const REMEMBERED: Duration = Duration::from_hours(1);

/// What the user of a session has to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Step {
    /// Choose a password of their own.
    NewPassword,
    /// Choose one of these factors.
    ChooseFactor(Vec<Factor>),
    /// Answer with this code, which was sent.
    SentCode(Factor, String),
    /// Answer with a code of the authenticator app.
    SoftwareTokenCode,
    /// Set up an authenticator app: associate and verify.
    SetUp,
    /// Answer `MFA_SETUP`: the authenticator app is verified.
    SetUpDone,
}

impl Step {
    /// The challenge that the step answers.
    pub(crate) const fn challenge_name(&self) -> &'static str {
        match self {
            Self::NewPassword => "NEW_PASSWORD_REQUIRED",
            Self::ChooseFactor(_) => "SELECT_MFA_TYPE",
            Self::SentCode(factor, _) => factor.name(),
            Self::SoftwareTokenCode => Factor::SoftwareToken.name(),
            Self::SetUp | Self::SetUpDone => "MFA_SETUP",
        }
    }
}

/// A step of a sign-in under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) pool_id: String,
    pub(crate) username: String,
    pub(crate) client_id: String,
    pub(crate) step: Step,
    expires: Duration,
    used: bool,
}

impl State {
    /// Starts the next step and gives its session's secret name.
    pub(crate) fn open_session(
        &mut self,
        pool_id: &str,
        username: &str,
        client_id: &str,
        step: Step,
    ) -> Result<String, Failure> {
        let now = self.now();
        self.sessions.retain(|_, session| now < session.expires + REMEMBERED);
        let validity = self
            .pool(pool_id, None)?
            .clients
            .get(client_id)
            .map_or(Duration::from_mins(3), super::client::Client::session_validity);
        let name = random::opaque()?;
        let session = Session {
            pool_id: pool_id.to_owned(),
            username: username.to_owned(),
            client_id: client_id.to_owned(),
            step,
            expires: now + validity,
            used: false,
        };
        self.sessions.insert(name.clone(), session);
        Ok(name)
    }

    /// The session of this name, if it is neither used nor expired.
    pub(crate) fn session(&self, name: &str) -> Result<Session, Failure> {
        let refused = |why: &str| Err(Failure::not_authorized(format!("Invalid session for the user{why}.")));
        match self.sessions.get(name) {
            None => refused(""),
            Some(session) if session.used => refused(", session can only be used once"),
            Some(session) if session.expires <= self.now() => refused(", session is expired"),
            Some(session) => Ok(session.clone()),
        }
    }

    /// Spends a session: whatever comes next has a new one.
    pub(crate) fn use_session(&mut self, name: &str) {
        if let Some(session) = self.sessions.get_mut(name) {
            session.used = true;
        }
    }
}
