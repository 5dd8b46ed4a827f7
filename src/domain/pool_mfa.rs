//! The MFA configuration of a pool as policies and the audit record see it, and the effect of replacing one by another.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::effect::Effect;
use crate::domain::factor::{Factor, FactorConfiguration, MfaConfiguration, UserVerification};

/// The MFA configuration of a pool. Texts that a policy does not need are kept as SHA-256, in hexadecimal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolMfa {
    /// Whether users are asked for a second factor.
    pub mfa_configuration: Option<MfaConfiguration>,
    /// The factors that the pool offers.
    pub factors: BTreeSet<Factor>,
    /// The role that SMS messages are sent with.
    pub sms_role_arn: Option<String>,
    /// The domain that passkeys are for.
    pub relying_party_id: Option<String>,
    /// Whether a passkey must verify its user.
    pub user_verification: Option<UserVerification>,
    /// What a passkey counts for.
    pub factor_configuration: Option<FactorConfiguration>,
    /// The texts of the messages that users get, by field.
    pub texts: BTreeMap<&'static str, String>,
    /// The external id of the SMS role.
    pub sms_external_id: Option<String>,
}

impl PoolMfa {
    /// The effect of replacing `before` by this configuration. `None` if it is not known what was there: what could weaken
    /// MFA then counts as weakening it.
    pub fn effect(&self, before: Option<&Self>) -> Effect {
        let (no_factor, every_factor) = (BTreeSet::new(), BTreeSet::from(Factor::ALL));
        let (had, could_have_had) =
            before.map_or((&no_factor, &every_factor), |before| (&before.factors, &before.factors));
        let factors_enabled: BTreeSet<_> = self.factors.difference(had).copied().collect();
        let factors_disabled: BTreeSet<_> = could_have_had.difference(&self.factors).copied().collect();
        let weakens_mfa = !factors_disabled.is_empty()
            || self.asks_less_often(before)
            || self.replaces(before, |pool| pool.sms_role_arn.as_deref())
            || self.replaces(before, |pool| pool.relying_party_id.as_deref())
            || self.verifies_less(before)
            || self.counts_for_less(before);
        Effect {
            factors_enabled,
            factors_disabled,
            mfa_configuration: self.mfa_configuration,
            sms_role_arn: self.sms_role_arn.clone(),
            relying_party_id: self.relying_party_id.clone(),
            user_verification: self.user_verification,
            factor_configuration: self.factor_configuration,
            texts_changed: self.texts_changed(before),
            text_hashes: self.text_hashes(),
            weakens_mfa,
            ..Effect::default()
        }
    }

    /// The hash of each text by its field, the external id included.
    pub fn text_hashes(&self) -> BTreeMap<&'static str, String> {
        let external_id = self.sms_external_id.iter().map(|hash| ("sms_external_id", hash.clone()));
        self.texts.iter().map(|(field, hash)| (*field, hash.clone())).chain(external_id).collect()
    }

    /// Whether a text is set and is not known to have been there before.
    fn replaces(&self, before: Option<&Self>, text: fn(&Self) -> Option<&str>) -> bool {
        text(self).is_some() && before.is_none_or(|before| text(before) != text(self))
    }

    fn offers_passkeys(&self) -> bool {
        self.factors.contains(&Factor::WebAuthn)
    }

    /// A configuration that is not known could be the strongest.
    fn asks_less_often(&self, before: Option<&Self>) -> bool {
        let before = before.and_then(|pool| pool.mfa_configuration).unwrap_or(MfaConfiguration::On);
        self.mfa_configuration.is_none_or(|now| now.strength() < before.strength())
    }

    /// Whether passkeys without verification of the user are accepted from now on. That is Cognito's default.
    fn verifies_less(&self, before: Option<&Self>) -> bool {
        let accepts =
            |pool: &Self| pool.offers_passkeys() && pool.user_verification != Some(UserVerification::Required);
        accepts(self) && !before.is_some_and(accepts)
    }

    /// Whether passkeys may have satisfied MFA by themselves, and do so no longer. A single factor is Cognito's default.
    fn counts_for_less(&self, before: Option<&Self>) -> bool {
        const ALONE: Option<FactorConfiguration> = Some(FactorConfiguration::MultiFactorWithUserVerification);
        self.offers_passkeys()
            && self.factor_configuration != ALONE
            && before.is_none_or(|before| before.factor_configuration == ALONE)
    }

    /// Whether a message gets another text. A message that is not sent any more has none.
    fn texts_changed(&self, before: Option<&Self>) -> bool {
        let Some(before) = before else { return !self.texts.is_empty() };
        let sent = |field: &str| {
            let factor = if field.starts_with("sms_") { Factor::SmsMfa } else { Factor::EmailOtp };
            self.factors.contains(&factor)
        };
        let fields: BTreeSet<_> = self.texts.keys().chain(before.texts.keys()).copied().collect();
        fields.into_iter().any(|field| sent(field) && self.texts.get(field) != before.texts.get(field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pool with everything that a request could weaken.
    fn strong() -> PoolMfa {
        PoolMfa {
            mfa_configuration: Some(MfaConfiguration::On),
            factors: BTreeSet::from(Factor::ALL),
            sms_role_arn: Some("arn:aws:iam::111122223333:role/sms".to_owned()),
            relying_party_id: Some("shop.example".to_owned()),
            user_verification: Some(UserVerification::Required),
            factor_configuration: Some(FactorConfiguration::MultiFactorWithUserVerification),
            texts: BTreeMap::from([("sms_authentication_message", "aa".to_owned())]),
            sms_external_id: Some("bb".to_owned()),
        }
    }

    #[test]
    fn the_same_again_has_no_effect_where_the_pool_was_read() {
        let effect = strong().effect(Some(&strong()));
        assert!(effect.factors_enabled.is_empty() && effect.factors_disabled.is_empty());
        assert!(!effect.weakens_mfa && !effect.texts_changed);
        // Otherwise role and domain could be anybody's.
        let unread = strong().effect(None);
        assert!(unread.weakens_mfa && unread.texts_changed);
    }

    #[test]
    fn each_part_of_a_pool_can_be_weakened() {
        let weakened: [fn(&mut PoolMfa); 9] = [
            |pool| pool.mfa_configuration = Some(MfaConfiguration::Optional),
            |pool| pool.mfa_configuration = None,
            |pool| pool.factors = pool.factors.iter().copied().filter(|factor| *factor != Factor::SmsMfa).collect(),
            |pool| pool.sms_role_arn = Some("arn:aws:iam::444455556666:role/sms".to_owned()),
            |pool| pool.relying_party_id = Some("evil.example".to_owned()),
            |pool| pool.user_verification = Some(UserVerification::Preferred),
            |pool| pool.user_verification = None,
            |pool| pool.factor_configuration = Some(FactorConfiguration::SingleFactor),
            |pool| pool.factor_configuration = None,
        ];
        for (number, weaken) in weakened.into_iter().enumerate() {
            let mut pool = strong();
            weaken(&mut pool);
            assert!(pool.effect(Some(&strong())).weakens_mfa, "{number}");
            assert!(pool.effect(None).weakens_mfa, "{number}");
            assert!(!strong_again(&pool).weakens_mfa, "{number}");
        }
    }

    /// The effect of mending `pool`, with its own role and domain.
    fn strong_again(pool: &PoolMfa) -> Effect {
        let (sms_role_arn, relying_party_id) = (pool.sms_role_arn.clone(), pool.relying_party_id.clone());
        PoolMfa { sms_role_arn, relying_party_id, ..strong() }.effect(Some(pool))
    }

    #[test]
    fn what_a_pool_never_had_is_not_missed() {
        let totp = |mfa_configuration| PoolMfa {
            mfa_configuration: Some(mfa_configuration),
            factors: BTreeSet::from([Factor::SoftwareTokenMfa]),
            ..PoolMfa::default()
        };
        let (optional, on) = (totp(MfaConfiguration::Optional), totp(MfaConfiguration::On));
        let off = PoolMfa { mfa_configuration: Some(MfaConfiguration::Off), ..PoolMfa::default() };
        assert!(!on.effect(Some(&optional)).weakens_mfa);
        assert!(on.effect(None).weakens_mfa);
        assert!(!optional.effect(Some(&off)).weakens_mfa);
        assert!(optional.effect(Some(&on)).weakens_mfa);
        // Cognito may have said something that this version does not know.
        assert!(optional.effect(Some(&PoolMfa { mfa_configuration: None, ..on })).weakens_mfa);
    }

    #[test]
    fn a_text_is_changed_by_another_and_by_none() {
        let with = |hash: Option<&str>| PoolMfa {
            factors: BTreeSet::from([Factor::SmsMfa]),
            texts: hash.map(|hash| ("sms_authentication_message", hash.to_owned())).into_iter().collect(),
            ..PoolMfa::default()
        };
        for (before, after, changed) in
            [(Some("a"), Some("a"), false), (Some("a"), Some("b"), true), (Some("a"), None, true), (None, None, false)]
        {
            assert_eq!(with(after).effect(Some(&with(before))).texts_changed, changed, "{before:?} {after:?}");
        }
        let without_sms = PoolMfa::default().effect(Some(&with(Some("a"))));
        assert!(!without_sms.texts_changed && without_sms.weakens_mfa);
    }
}
