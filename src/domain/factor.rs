//! The MFA factors of a user, and whether a pool asks for one.

/// An MFA factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Factor {
    /// SMS messages.
    SmsMfa,
    /// The software token (TOTP).
    SoftwareTokenMfa,
    /// E-mail messages.
    EmailOtp,
    /// Passkeys.
    WebAuthn,
}

impl Factor {
    /// Every factor.
    pub const ALL: [Self; 4] = [Self::SmsMfa, Self::SoftwareTokenMfa, Self::EmailOtp, Self::WebAuthn];

    /// The factor with a name, if it is one that we know.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|factor| factor.name() == name)
    }

    /// The name in Cognito, in policies and in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SmsMfa => "SMS_MFA",
            Self::SoftwareTokenMfa => "SOFTWARE_TOKEN_MFA",
            Self::EmailOtp => "EMAIL_OTP",
            Self::WebAuthn => "WEB_AUTHN",
        }
    }
}

/// Whether a pool asks its users for a second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MfaConfiguration {
    /// Nobody is asked.
    Off,
    /// Everybody is asked.
    On,
    /// Users with an enabled factor are asked.
    Optional,
}

impl MfaConfiguration {
    /// The name in Cognito, in policies and in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "OFF",
            Self::On => "ON",
            Self::Optional => "OPTIONAL",
        }
    }
}
