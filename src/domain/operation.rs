//! This file lists the Cognito operations that mfagate calls, and what is true of each.

use crate::api::Rpc;

/// A Cognito operation behind one of our RPCs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `AdminDeleteSoftwareToken`.
    AdminDeleteSoftwareToken,
    /// `AdminGetUser`.
    AdminGetUser,
    /// `AdminGetUserAuthFactors`.
    AdminGetUserAuthFactors,
    /// `AdminSetUserMFAPreference`.
    AdminSetUserMfaPreference,
    /// `AdminSetUserSettings`.
    AdminSetUserSettings,
    /// `AssociateSoftwareToken`.
    AssociateSoftwareToken,
    /// `CompleteWebAuthnRegistration`.
    CompleteWebAuthnRegistration,
    /// `DeleteWebAuthnCredential`.
    DeleteWebAuthnCredential,
    /// `GetUser`.
    GetUser,
    /// `GetUserAuthFactors`.
    GetUserAuthFactors,
    /// `GetUserPoolMfaConfig`.
    GetUserPoolMfaConfig,
    /// `ListWebAuthnCredentials`.
    ListWebAuthnCredentials,
    /// `SetUserMFAPreference`.
    SetUserMfaPreference,
    /// `SetUserPoolMfaConfig`.
    SetUserPoolMfaConfig,
    /// `SetUserSettings`.
    SetUserSettings,
    /// `StartWebAuthnRegistration`.
    StartWebAuthnRegistration,
    /// `VerifySoftwareToken`.
    VerifySoftwareToken,
}

/// Whose credential an operation acts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActsAs {
    /// mfagate's IAM credentials: the request is signed.
    Iam,
    /// The end user's access token or session: the request is not signed.
    User,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 17] = [
        Self::AdminDeleteSoftwareToken,
        Self::AdminGetUser,
        Self::AdminGetUserAuthFactors,
        Self::AdminSetUserMfaPreference,
        Self::AdminSetUserSettings,
        Self::AssociateSoftwareToken,
        Self::CompleteWebAuthnRegistration,
        Self::DeleteWebAuthnCredential,
        Self::GetUser,
        Self::GetUserAuthFactors,
        Self::GetUserPoolMfaConfig,
        Self::ListWebAuthnCredentials,
        Self::SetUserMfaPreference,
        Self::SetUserPoolMfaConfig,
        Self::SetUserSettings,
        Self::StartWebAuthnRegistration,
        Self::VerifySoftwareToken,
    ];

    /// The name on the wire, in IAM policies and in CloudTrail.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AdminDeleteSoftwareToken => "AdminDeleteSoftwareToken",
            Self::AdminGetUser => "AdminGetUser",
            Self::AdminGetUserAuthFactors => "AdminGetUserAuthFactors",
            Self::AdminSetUserMfaPreference => "AdminSetUserMFAPreference",
            Self::AdminSetUserSettings => "AdminSetUserSettings",
            Self::AssociateSoftwareToken => "AssociateSoftwareToken",
            Self::CompleteWebAuthnRegistration => "CompleteWebAuthnRegistration",
            Self::DeleteWebAuthnCredential => "DeleteWebAuthnCredential",
            Self::GetUser => "GetUser",
            Self::GetUserAuthFactors => "GetUserAuthFactors",
            Self::GetUserPoolMfaConfig => "GetUserPoolMfaConfig",
            Self::ListWebAuthnCredentials => "ListWebAuthnCredentials",
            Self::SetUserMfaPreference => "SetUserMFAPreference",
            Self::SetUserPoolMfaConfig => "SetUserPoolMfaConfig",
            Self::SetUserSettings => "SetUserSettings",
            Self::StartWebAuthnRegistration => "StartWebAuthnRegistration",
            Self::VerifySoftwareToken => "VerifySoftwareToken",
        }
    }

    /// Whether calls of `rpc` use the operation: it is the one behind the RPC, or a read that the RPC makes first.
    #[must_use]
    pub fn serves(self, rpc: Rpc) -> bool {
        match rpc {
            Rpc::AdminDeleteSoftwareToken => self == Self::AdminDeleteSoftwareToken,
            Rpc::AdminGetUser => self == Self::AdminGetUser,
            Rpc::AdminGetUserAuthFactors => self == Self::AdminGetUserAuthFactors,
            Rpc::AdminSetUserMfaPreference => matches!(self, Self::AdminSetUserMfaPreference | Self::AdminGetUser),
            Rpc::AdminSetUserSettings => self == Self::AdminSetUserSettings,
            Rpc::AssociateSoftwareToken => {
                matches!(self, Self::AssociateSoftwareToken | Self::GetUserAuthFactors | Self::GetUser)
            }
            Rpc::CompleteWebAuthnRegistration => self == Self::CompleteWebAuthnRegistration,
            Rpc::DeleteWebAuthnCredential => self == Self::DeleteWebAuthnCredential,
            Rpc::GetUser => self == Self::GetUser,
            Rpc::GetUserAuthFactors => self == Self::GetUserAuthFactors,
            Rpc::GetUserPoolMfaConfig => self == Self::GetUserPoolMfaConfig,
            Rpc::ListWebAuthnCredentials => self == Self::ListWebAuthnCredentials,
            Rpc::SetUserMfaPreference => matches!(self, Self::SetUserMfaPreference | Self::GetUser),
            Rpc::SetUserPoolMfaConfig => self == Self::SetUserPoolMfaConfig,
            Rpc::SetUserSettings => self == Self::SetUserSettings,
            Rpc::StartWebAuthnRegistration => self == Self::StartWebAuthnRegistration,
            Rpc::VerifySoftwareToken => self == Self::VerifySoftwareToken,
        }
    }

    /// Whose credential the operation acts with.
    #[must_use]
    pub const fn acts_as(self) -> ActsAs {
        match self {
            Self::AdminDeleteSoftwareToken
            | Self::AdminGetUser
            | Self::AdminGetUserAuthFactors
            | Self::AdminSetUserMfaPreference
            | Self::AdminSetUserSettings
            | Self::GetUserPoolMfaConfig
            | Self::SetUserPoolMfaConfig => ActsAs::Iam,
            Self::AssociateSoftwareToken
            | Self::CompleteWebAuthnRegistration
            | Self::DeleteWebAuthnCredential
            | Self::GetUser
            | Self::GetUserAuthFactors
            | Self::ListWebAuthnCredentials
            | Self::SetUserMfaPreference
            | Self::SetUserSettings
            | Self::StartWebAuthnRegistration
            | Self::VerifySoftwareToken => ActsAs::User,
        }
    }

    /// Whether the operation changes nothing.
    #[must_use]
    pub const fn is_read(self) -> bool {
        matches!(
            self,
            Self::AdminGetUser
                | Self::AdminGetUserAuthFactors
                | Self::GetUser
                | Self::GetUserAuthFactors
                | Self::GetUserPoolMfaConfig
                | Self::ListWebAuthnCredentials
        )
    }

    /// Whether a second call with the same arguments leaves things as the first did, so that it may be repeated.
    ///
    /// Associate makes another secret each time; Verify and Complete use up what they are given.
    #[must_use]
    pub const fn is_idempotent(self) -> bool {
        !matches!(self, Self::AssociateSoftwareToken | Self::VerifySoftwareToken | Self::CompleteWebAuthnRegistration)
    }
}
