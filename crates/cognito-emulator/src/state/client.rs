//! App clients: flows, secret, token validity.

use std::time::Duration;

use aws_lc_rs::hmac;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::input::Input;
use crate::protocol::Failure;

/// An app client of a pool.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) secret: Option<String>,
    pub(crate) created: Duration,
    /// The members of `CreateUserPoolClient` as they were sent.
    pub(crate) settings: Map<String, Value>,
}

impl Client {
    fn input(&self) -> Input<'_> {
        Input(&self.settings)
    }

    /// Whether `ExplicitAuthFlows` has one of these.
    pub(crate) fn allows(&self, flows: &[&str]) -> bool {
        self.input().texts("ExplicitAuthFlows").iter().any(|allowed| flows.contains(allowed))
    }

    /// Whether an unknown user is refused like a wrong password.
    pub(crate) fn hides_users(&self) -> bool {
        self.input().optional_text("PreventUserExistenceErrors") == Some("ENABLED")
    }

    pub(crate) fn access_token_validity(&self) -> Duration {
        self.validity("AccessTokenValidity", "AccessToken", "hours").unwrap_or(Duration::from_hours(1))
    }

    pub(crate) fn id_token_validity(&self) -> Duration {
        self.validity("IdTokenValidity", "IdToken", "hours").unwrap_or(Duration::from_hours(1))
    }

    pub(crate) fn refresh_token_validity(&self) -> Duration {
        self.validity("RefreshTokenValidity", "RefreshToken", "days").unwrap_or(Duration::from_hours(30 * 24))
    }

    pub(crate) fn session_validity(&self) -> Duration {
        let minutes = self.input().integer("AuthSessionValidity").unwrap_or(3);
        Duration::from_secs(u64::try_from(minutes).unwrap_or(3).saturating_mul(60))
    }

    /// `None` for a validity of zero, which means Cognito's default.
    fn validity(&self, name: &str, unit_name: &str, default_unit: &str) -> Option<Duration> {
        let count = u64::try_from(self.input().integer(name)?).ok().filter(|count| *count > 0)?;
        let units = self.input().structure("TokenValidityUnits");
        let seconds = match units.and_then(|units| units.optional_text(unit_name)).unwrap_or(default_unit) {
            "seconds" => 1,
            "minutes" => 60,
            "hours" => 3600,
            _ => 86400,
        };
        Some(Duration::from_secs(count.saturating_mul(seconds)))
    }

    /// Refuses a call without the right `SECRET_HASH` if the client has a secret.
    pub(crate) fn check_secret_hash(&self, username: &str, hash: Option<&str>) -> Result<(), Failure> {
        let Some(secret) = &self.secret else {
            return Ok(());
        };
        let Some(hash) = hash else {
            return Err(Failure::not_authorized(format!(
                "Client {} is configured with secret but SECRET_HASH was not received",
                self.id
            )));
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let given = BASE64.decode(hash.as_bytes()).unwrap_or_default();
        hmac::verify(&key, format!("{username}{}", self.id).as_bytes(), &given)
            .map_err(|_| Failure::not_authorized(format!("Unable to verify secret hash for client {}", self.id)))
    }
}
