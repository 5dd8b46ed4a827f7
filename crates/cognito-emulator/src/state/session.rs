//! Sessions, which connect the steps of a sign-in.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::protocol::Failure;
use crate::state::user::Factor;

/// How long an ended session is kept, to say why it is refused.
const REMEMBERED: Duration = Duration::from_hours(1);

/// What the user of a session has to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Step {
    /// Choose a new password.
    NewPassword,
    /// Choose one of these factors.
    ChooseFactor(Vec<Factor>),
    /// Enter this code, which was sent.
    SentCode(Factor, String),
    /// Enter a code of the authenticator app.
    SoftwareTokenCode,
    /// Set up an authenticator app: associate and verify.
    SetUp,
    /// Complete `MFA_SETUP`: the authenticator app is verified.
    SetUpDone,
}

impl Step {
    /// The challenge of the step.
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

/// A pending step of a sign-in.
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
    /// A step to be completed before `expires`.
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
        self.expires.saturating_add(REMEMBERED) <= now
    }

    pub(super) fn mark_used(&mut self) {
        self.used = true;
    }
}

/// The refusal of a session; AWS appends why, for a session that it knows.
pub(super) fn invalid_session(why: &str) -> Failure {
    Failure::not_authorized(format!("Invalid session for the user{why}."))
}
