//! This file says what a request would do, in the words of policies and the audit record.

use std::collections::BTreeSet;

use crate::domain::factor::{Factor, MfaConfiguration};

/// What a request would do. It is read off the request alone, before validation: Cognito is not asked before the decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// The factors that the request enables, of a user or of a pool.
    pub factors_enabled: BTreeSet<Factor>,
    /// The factors that the request disables.
    pub factors_disabled: BTreeSet<Factor>,
    /// The factor that becomes the preferred one.
    pub preferred: Option<Factor>,
    /// The pool's new MFA configuration.
    pub mfa_configuration: Option<MfaConfiguration>,
    /// Whether the request weakens MFA: it disables a factor, deletes a software token or passkey, replaces a working software
    /// token, or sets a pool to anything but ON, whatever it is now. A pool's configuration is replaced as a whole, so a
    /// factor that it leaves out is disabled.
    pub weakens_mfa: bool,
    /// Whether the RPC is a legacy one.
    pub legacy: bool,
    /// How the end user whom the request acts as proves to be that user; none where it acts with mfagate's own rights.
    pub end_user: Option<EndUserProof>,
}

/// What proves an end user to Cognito.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndUserProof {
    /// The access token of a user who is signed in. It names its pool, in which Cognito verifies it.
    AccessToken,
    /// The session of a challenge. Cognito does not say which pool it is of, so the pool is what the caller says it is, and
    /// only its Region is certain.
    Session,
}

impl Effect {
    /// Whether the request acts as the end user whose own credential it carries.
    #[must_use]
    pub fn for_signed_in_user(&self) -> bool {
        self.end_user.is_some()
    }

    /// Whether that credential is the session of a challenge.
    #[must_use]
    pub fn by_session(&self) -> bool {
        self.end_user == Some(EndUserProof::Session)
    }
}
