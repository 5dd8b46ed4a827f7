//! This file holds a session: the thread between the steps of one sign-in.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::protocol::Failure;
use crate::state::user::Factor;

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

impl Session {
    /// A step to be answered before `expires`.
    pub(super) fn new(pool_id: &str, username: &str, client_id: &str, step: Step, expires: Duration) -> Self {
        Self {
            pool_id: pool_id.to_owned(),
            username: username.to_owned(),
            client_id: client_id.to_owned(),
            step,
            expires,
            used: false,
        }
    }

    /// Refuses a session that was used or has expired.
    pub(super) fn must_be_usable(&self, now: Duration) -> Result<(), Failure> {
        if self.used {
            return Err(invalid_session(", session can only be used once"));
        }
        if self.expires <= now {
            return Err(invalid_session(", session is expired"));
        }
        Ok(())
    }

    /// Whether nothing needs to be remembered of it.
    pub(super) fn is_forgotten(&self, now: Duration) -> bool {
        self.expires + REMEMBERED <= now
    }

    pub(super) fn mark_used(&mut self) {
        self.used = true;
    }
}

/// The refusal of a session; AWS appends why, for a session that it knows.
pub(super) fn invalid_session(why: &str) -> Failure {
    Failure::not_authorized(format!("Invalid session for the user{why}."))
}
