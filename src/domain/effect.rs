//! What a request would do, in the words of policies, the audit record and `policy explain`.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::factor::{Factor, FactorConfiguration, MfaConfiguration, UserVerification};

/// What a request would do. It is read off the request, before validation. Only for the replacement of a pool's configuration
/// is Cognito asked before the decision, by a caller who may read it: flags and sets of factors are then the difference.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Effect {
    /// The factors that the request enables, of a user or of a pool.
    pub factors_enabled: BTreeSet<Factor>,
    /// The factors that the request disables.
    pub factors_disabled: BTreeSet<Factor>,
    /// The factor that becomes the preferred one.
    pub preferred: Option<Factor>,
    /// The pool's new MFA configuration.
    pub mfa_configuration: Option<MfaConfiguration>,
    /// The role that the pool's SMS messages are sent with from now on.
    pub sms_role_arn: Option<String>,
    /// The domain that the pool's passkeys are for from now on.
    pub relying_party_id: Option<String>,
    /// Whether passkeys must verify their user from now on.
    pub user_verification: Option<UserVerification>,
    /// What passkeys count for from now on.
    pub factor_configuration: Option<FactorConfiguration>,
    /// Whether the pool's messages get other texts.
    pub texts_changed: bool,
    /// The SHA-256 of each text that the request sets, by field. Only the audit record has them.
    pub text_hashes: BTreeMap<&'static str, String>,
    /// Whether the request weakens MFA: it disables a factor, deletes a software token or passkey, replaces a working software
    /// token, or weakens a pool ([`PoolMfa::effect`](crate::domain::PoolMfa::effect)).
    pub weakens_mfa: bool,
    /// Whether the RPC is a legacy one.
    pub legacy: bool,
    /// The credential of the end user whom the request acts as; `None` if it acts with mfagate's own rights.
    pub end_user: Option<EndUserCredential>,
}

/// The credential that an end user authenticates to Cognito with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// Whether passkeys must verify their user.
    UserVerification(UserVerification),
    /// What passkeys count for.
    FactorConfiguration(FactorConfiguration),
    /// A text of the request.
    Text(&'a str),
    /// Whether something is so.
    Bool(bool),
}

impl Effect {
    /// Every field that has a value. This is the one spelling of the effect: what a new field is called, and when it is left
    /// out, is said here.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, EffectValue<'_>)> {
        let Self {
            factors_enabled,
            factors_disabled,
            preferred,
            mfa_configuration,
            sms_role_arn,
            relying_party_id,
            user_verification,
            factor_configuration,
            texts_changed,
            text_hashes: _,
            weakens_mfa,
            legacy,
            end_user,
        } = self;
        let sms_role_arn = sms_role_arn.as_deref();
        let by_session = *end_user == Some(EndUserCredential::Session);
        [
            Some(("factors_enabled", EffectValue::Factors(factors_enabled))),
            Some(("factors_disabled", EffectValue::Factors(factors_disabled))),
            preferred.map(|factor| ("preferred", EffectValue::Factor(factor))),
            mfa_configuration.map(|value| ("mfa_configuration", EffectValue::MfaConfiguration(value))),
            sms_role_arn.map(|arn| ("sms_role_arn", EffectValue::Text(arn))),
            sms_role_arn.and_then(account_of_arn).map(|account| ("sms_role_account", EffectValue::Text(account))),
            relying_party_id.as_deref().map(|id| ("relying_party_id", EffectValue::Text(id))),
            user_verification.map(|value| ("user_verification", EffectValue::UserVerification(value))),
            factor_configuration.map(|value| ("factor_configuration", EffectValue::FactorConfiguration(value))),
            Some(("texts_changed", EffectValue::Bool(*texts_changed))),
            Some(("weakens_mfa", EffectValue::Bool(*weakens_mfa))),
            Some(("legacy", EffectValue::Bool(*legacy))),
            Some(("for_signed_in_user", EffectValue::Bool(end_user.is_some()))),
            Some(("by_session", EffectValue::Bool(by_session))),
        ]
        .into_iter()
        .flatten()
    }
}

/// The account of an ARN: `arn:partition:service:region:account:resource`.
pub fn account_of_arn(arn: &str) -> Option<&str> {
    arn.split(':').nth(4).filter(|account| !account.is_empty())
}
