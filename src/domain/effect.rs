//! What a request would do, in the words of policies, the audit record and `policy explain`.

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
    /// The credential of the end user whom the request acts as; `None` if it acts with mfagate's own rights.
    pub end_user: Option<EndUserCredential>,
}

/// The credential that an end user authenticates to Cognito with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndUserCredential {
    /// The access token of a user who is signed in. It names its pool, in which Cognito verifies it.
    AccessToken,
    /// The session of a challenge. Cognito does not say which pool it is of, so the pool is what the caller claims, and only
    /// its Region is certain.
    Session,
}

/// A field of an [`Effect`], under the name that the Cedar schema and the audit record give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EffectValue<'a> {
    /// A set of factors.
    Factors(&'a BTreeSet<Factor>),
    /// A factor.
    Factor(Factor),
    /// A pool's MFA configuration.
    MfaConfiguration(MfaConfiguration),
    /// Whether something is so.
    Bool(bool),
}

impl Effect {
    /// Every field that has a value. This is the one spelling of the effect: what a new field is called, and when it is left
    /// out, is said here.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, EffectValue<'_>)> {
        let Self { factors_enabled, factors_disabled, preferred, mfa_configuration, weakens_mfa, legacy, end_user } =
            self;
        let by_session = *end_user == Some(EndUserCredential::Session);
        [
            Some(("factors_enabled", EffectValue::Factors(factors_enabled))),
            Some(("factors_disabled", EffectValue::Factors(factors_disabled))),
            preferred.map(|factor| ("preferred", EffectValue::Factor(factor))),
            mfa_configuration.map(|value| ("mfa_configuration", EffectValue::MfaConfiguration(value))),
            Some(("weakens_mfa", EffectValue::Bool(*weakens_mfa))),
            Some(("legacy", EffectValue::Bool(*legacy))),
            Some(("for_signed_in_user", EffectValue::Bool(end_user.is_some()))),
            Some(("by_session", EffectValue::Bool(by_session))),
        ]
        .into_iter()
        .flatten()
    }
}
