//! Users: profile, factors, preferences, sign-ins.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::password::PasswordHash;
use crate::protocol::{Failure, timestamp};

/// Wrong codes before the lock begins.
const FREE_FAILURES: u32 = 5;

/// The longest lock after wrong codes.
const MAX_LOCK: Duration = Duration::from_mins(15);

/// `UserStatus` of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Status {
    Unconfirmed,
    Confirmed,
    ResetRequired,
    ForceChangePassword,
    ExternalProvider,
    Archived,
    Compromised,
    Unknown,
}

impl Status {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Unconfirmed => "UNCONFIRMED",
            Self::Confirmed => "CONFIRMED",
            Self::ResetRequired => "RESET_REQUIRED",
            Self::ForceChangePassword => "FORCE_CHANGE_PASSWORD",
            Self::ExternalProvider => "EXTERNAL_PROVIDER",
            Self::Archived => "ARCHIVED",
            Self::Compromised => "COMPROMISED",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// A second factor that a user can turn on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Factor {
    Sms,
    SoftwareToken,
    Email,
    WebAuthn,
}

impl Factor {
    /// The name in `UserMFASettingList`, `PreferredMfaSetting` and challenges.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sms => "SMS_MFA",
            Self::SoftwareToken => "SOFTWARE_TOKEN_MFA",
            Self::Email => "EMAIL_OTP",
            Self::WebAuthn => "WEB_AUTHN",
        }
    }

    /// The factor of a challenge or of a response to `SELECT_MFA_TYPE`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "SMS_MFA" => Some(Self::Sms),
            "SOFTWARE_TOKEN_MFA" => Some(Self::SoftwareToken),
            // The documentation of RespondToAuthChallenge has both names.
            "EMAIL_OTP" | "EMAIL_MFA" => Some(Self::Email),
            "WEB_AUTHN" => Some(Self::WebAuthn),
            _ => None,
        }
    }
}

/// A user's authenticator app.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SoftwareToken {
    /// In base32.
    pub(crate) secret: String,
    /// Whether a code has proved that the user has it.
    pub(crate) verified: bool,
    /// Whether it is to replace a verified one, which stopped working (T4).
    #[serde(default)]
    pub(crate) replaces_verified: bool,
    /// The `FriendlyDeviceName` of its verification.
    #[serde(default)]
    pub(crate) device_name: Option<String>,
    /// The last step whose code was accepted.
    pub(crate) used_step: Option<u64>,
}

/// A registered passkey.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Passkey {
    /// In base64url.
    pub(crate) id: String,
    pub(crate) friendly_name: String,
    pub(crate) relying_party_id: String,
    pub(crate) attachment: Option<String>,
    pub(crate) transports: Vec<String>,
    pub(crate) created: Duration,
}

/// The challenge of a pending passkey registration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PasskeyChallenge {
    /// In base64url.
    pub(crate) challenge: String,
    pub(crate) client_id: String,
    pub(crate) expires: Duration,
}

/// A sign-in: the tokens with its `origin_jti` are valid as long as it lasts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SignIn {
    pub(crate) origin_jti: String,
    pub(crate) client_id: String,
    pub(crate) refresh_token: Option<String>,
    pub(crate) at: Duration,
    pub(crate) expires: Duration,
}

/// Wrong codes in a row.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Failures {
    count: u32,
    locked_until: Duration,
}

impl Failures {
    pub(crate) fn locked(&self, now: Duration) -> bool {
        now < self.locked_until
    }

    /// Adds a failure. From the sixth on, each locks for 2^(n-5) seconds, at most 15 minutes.
    pub(crate) fn add(&mut self, now: Duration) {
        self.count = self.count.saturating_add(1);
        if let Some(exponent) = self.count.checked_sub(FREE_FAILURES).filter(|over| *over > 0) {
            let lock = Duration::from_secs(1_u64.checked_shl(exponent).unwrap_or(u64::MAX));
            self.locked_until = now.saturating_add(lock.min(MAX_LOCK));
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The refusal of a code while a user is locked, right or wrong (T13).
pub(crate) fn temporarily_locked() -> Failure {
    Failure::not_authorized("User temporarily locked. Try again soon.")
}

/// One entry of the legacy `MFAOptions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct MfaOption {
    pub(crate) delivery_medium: String,
    pub(crate) attribute_name: String,
}

/// A user of a pool.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) username: String,
    /// With `sub` among them.
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) created: Duration,
    pub(crate) modified: Duration,
    pub(crate) enabled: bool,
    pub(crate) status: Status,
    pub(crate) password: Option<PasswordHash>,
    pub(crate) software_token: Option<SoftwareToken>,
    /// The factors turned on, in the order of [`Factor`].
    pub(crate) factors: Vec<Factor>,
    pub(crate) preferred: Option<Factor>,
    /// Independent of `factors`: the legacy record is never synchronised.
    pub(crate) mfa_options: Vec<MfaOption>,
    pub(crate) passkeys: Vec<Passkey>,
    pub(crate) passkey_challenge: Option<PasskeyChallenge>,
    pub(crate) sign_ins: Vec<SignIn>,
    pub(crate) failures: Failures,
}

impl User {
    pub(crate) fn new(username: String, sub: String, status: Status, now: Duration) -> Self {
        Self {
            username,
            attributes: BTreeMap::from([("sub".to_owned(), sub)]),
            created: now,
            modified: now,
            enabled: true,
            status,
            password: None,
            software_token: None,
            factors: Vec::new(),
            preferred: None,
            mfa_options: Vec::new(),
            passkeys: Vec::new(),
            passkey_challenge: None,
            sign_ins: Vec::new(),
            failures: Failures::default(),
        }
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(crate) fn sub(&self) -> &str {
        self.attributes.get("sub").map_or("", String::as_str)
    }

    pub(crate) fn has_verified(&self, name: &str) -> bool {
        self.attribute(name).is_some() && self.attribute(&format!("{name}_verified")) == Some("true")
    }

    /// Whether the user has a verified authenticator app.
    pub(crate) fn has_software_token(&self) -> bool {
        self.software_token.as_ref().is_some_and(|token| token.verified)
    }

    /// Whether the user has ever set one up: B2, a replacement that waits for its code leaves the preference as it is.
    pub(crate) fn has_set_up_software_token(&self) -> bool {
        self.software_token.as_ref().is_some_and(|token| token.verified || token.replaces_verified)
    }

    pub(crate) fn has_factor(&self, factor: Factor) -> bool {
        self.factors.contains(&factor)
    }

    pub(crate) fn turn_on(&mut self, factor: Factor) {
        if !self.has_factor(factor) {
            self.factors.push(factor);
            self.factors.sort_unstable();
        }
    }

    pub(crate) fn turn_off(&mut self, factor: Factor) {
        self.factors.retain(|on| *on != factor);
        if self.preferred == Some(factor) {
            self.preferred = None;
        }
    }

    pub(crate) fn touch(&mut self, now: Duration) {
        self.modified = now;
    }

    /// Ends every sign-in, so that no token issued until now is accepted.
    pub(crate) fn sign_out(&mut self) {
        self.sign_ins.clear();
    }

    /// Refuses a disabled user.
    pub(crate) fn must_be_enabled(&self) -> Result<(), Failure> {
        if self.enabled { Ok(()) } else { Err(Failure::not_authorized("User is disabled.")) }
    }

    /// Refuses a user who has not confirmed the account.
    pub(crate) fn must_be_confirmed(&self) -> Result<(), Failure> {
        if self.status == Status::Unconfirmed {
            return Err(Failure::new("UserNotConfirmedException", "User is not confirmed."));
        }
        Ok(())
    }

    /// Refuses a user whose password an administrator has reset.
    pub(crate) fn must_not_need_reset(&self) -> Result<(), Failure> {
        if self.status == Status::ResetRequired {
            return Err(Failure::new("PasswordResetRequiredException", "Password reset required for the user"));
        }
        Ok(())
    }

    /// The attributes as `AttributeListType`.
    pub(crate) fn attribute_list(&self) -> Value {
        let sub = self.attributes.get_key_value("sub");
        let others = self.attributes.iter().filter(|(name, _)| *name != "sub");
        sub.into_iter().chain(others).map(|(name, value)| json!({ "Name": name, "Value": value })).collect()
    }

    /// The profile as `UserType`, which `AdminCreateUser` and `ListUsers` return.
    pub(crate) fn profile(&self) -> Value {
        let mut profile = json!({
            "Username": self.username,
            "Attributes": self.attribute_list(),
            "UserCreateDate": timestamp(self.created),
            "UserLastModifiedDate": timestamp(self.modified),
            "Enabled": self.enabled,
            "UserStatus": self.status.name(),
        });
        if let (false, Some(members)) = (self.mfa_options.is_empty(), profile.as_object_mut()) {
            members.insert("MFAOptions".to_owned(), json!(self.mfa_options));
        }
        profile
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_begins_at_the_sixth_failure_and_doubles_up_to_15_minutes() {
        let now = Duration::from_secs(1_000_000);
        let mut failures = Failures::default();
        for _ in 0..5 {
            failures.add(now);
            assert!(!failures.locked(now));
        }
        for seconds in [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
            failures.add(now);
            assert!(failures.locked(now + Duration::from_secs(seconds - 1)), "{seconds}");
            assert!(!failures.locked(now + Duration::from_secs(seconds)), "{seconds}");
        }
        failures.clear();
        assert!(!failures.locked(now));
    }
}
