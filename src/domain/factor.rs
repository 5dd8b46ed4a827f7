//! The MFA factors of a user, and whether a pool asks for one.

/// An MFA factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

    /// How often users are asked, as a number to compare.
    pub const fn strength(self) -> u8 {
        match self {
            Self::Off => 0,
            Self::Optional => 1,
            Self::On => 2,
        }
    }
}

/// Whether a passkey must verify its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UserVerification {
    /// Passkeys that cannot verify their user are refused.
    Required,
    /// Passkeys that cannot verify their user are accepted.
    Preferred,
}

impl UserVerification {
    /// Every value.
    pub const ALL: [Self; 2] = [Self::Required, Self::Preferred];

    /// The name in policies and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Required => "REQUIRED",
            Self::Preferred => "PREFERRED",
        }
    }
}

/// What a passkey counts for at sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FactorConfiguration {
    /// A passkey is one factor.
    SingleFactor,
    /// A passkey that verified its user satisfies MFA by itself.
    MultiFactorWithUserVerification,
}

impl FactorConfiguration {
    /// Every value.
    pub const ALL: [Self; 2] = [Self::SingleFactor, Self::MultiFactorWithUserVerification];

    /// The name in Cognito, in policies and in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SingleFactor => "SINGLE_FACTOR",
            Self::MultiFactorWithUserVerification => "MULTI_FACTOR_WITH_USER_VERIFICATION",
        }
    }
}
