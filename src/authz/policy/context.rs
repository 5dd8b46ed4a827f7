//! A call as what Cedar decides on: principal, resource and context.

use std::collections::{BTreeSet, HashMap, HashSet};

use cedar_policy::{Context, Entity, EntityUid, RestrictedExpression};

use crate::authz::policy::schema::{CedarSchema, uid};
use crate::domain::text::region;
use crate::domain::{Caller, Effect, EffectValue, Factor};

impl CedarSchema {
    /// The caller as a principal in these groups.
    pub(super) fn principal(
        &self,
        caller: &Caller,
        groups: impl IntoIterator<Item = EntityUid>,
    ) -> Result<Entity, String> {
        let Caller { name, certificate, token } = caller;
        let none = BTreeSet::new();
        let (scopes, claimed) = token.as_ref().map_or((&none, &none), |token| (&token.scopes, &token.groups));
        let mut attributes = HashMap::from([("scopes", texts(scopes)), ("groups", texts(claimed))]);
        if let Some(certificate) = certificate {
            attributes.insert("certificate", text(&certificate.name));
            if let Some(trust_domain) = &certificate.trust_domain {
                attributes.insert("trust_domain", text(trust_domain));
            }
        }
        if let Some(token) = token {
            attributes.insert("token", text(&token.name));
            attributes.insert("issuer", text(&token.issuer));
        }
        entity(uid(&self.caller, name), attributes, groups)
    }

    /// The pool as a resource in these groups.
    pub(super) fn pool(
        &self,
        user_pool_id: &str,
        groups: impl IntoIterator<Item = EntityUid>,
    ) -> Result<Entity, String> {
        let attributes = HashMap::from([("region", text(region(user_pool_id)))]);
        entity(uid(&self.user_pool, user_pool_id), attributes, groups)
    }

    /// The service as a resource.
    pub(super) fn whole_service(&self) -> Entity {
        Entity::new_no_attrs(uid(&self.service, "mfagate"), HashSet::new())
    }

    /// What the request would do.
    pub(super) fn context(&self, effect: &Effect) -> Result<Context, String> {
        let pairs = effect.fields().map(|(name, value)| (name.to_owned(), self.value(value)));
        Context::from_pairs(pairs).map_err(|error| error.to_string())
    }

    fn value(&self, value: EffectValue<'_>) -> RestrictedExpression {
        match value {
            EffectValue::Factors(factors) => {
                RestrictedExpression::new_set(factors.iter().map(|factor| self.factor(*factor)))
            }
            EffectValue::Factor(factor) => self.factor(factor),
            EffectValue::MfaConfiguration(value) => {
                RestrictedExpression::new_entity_uid(uid(&self.mfa_configuration, value.name()))
            }
            EffectValue::UserVerification(value) => {
                RestrictedExpression::new_entity_uid(uid(&self.user_verification, value.name()))
            }
            EffectValue::FactorConfiguration(value) => {
                RestrictedExpression::new_entity_uid(uid(&self.factor_configuration, value.name()))
            }
            EffectValue::Text(value) => text(value),
            EffectValue::Bool(value) => RestrictedExpression::new_bool(value),
        }
    }

    fn factor(&self, factor: Factor) -> RestrictedExpression {
        RestrictedExpression::new_entity_uid(uid(&self.factor, factor.name()))
    }
}

fn entity(
    uid: EntityUid,
    attributes: HashMap<&str, RestrictedExpression>,
    groups: impl IntoIterator<Item = EntityUid>,
) -> Result<Entity, String> {
    let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Entity::new(uid, attributes, groups.into_iter().collect()).map_err(|error| error.to_string())
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

fn texts(values: &BTreeSet<String>) -> RestrictedExpression {
    RestrictedExpression::new_set(values.iter().map(|value| text(value)))
}

#[cfg(test)]
mod tests {
    use cedar_policy::{Entities, Request};

    use super::*;
    use crate::authz::policy::action::Action;
    use crate::authz::policy::schema::TEXT;
    use std::collections::BTreeMap;

    use crate::domain::{
        CertificateIdentity, EndUserCredential, FactorConfiguration, MfaConfiguration, TokenIdentity, UserVerification,
    };

    fn effects() -> [Effect; 2] {
        let everything = BTreeSet::from([Factor::SmsMfa, Factor::SoftwareTokenMfa, Factor::EmailOtp, Factor::WebAuthn]);
        let full = Effect {
            factors_enabled: everything.clone(),
            factors_disabled: everything,
            preferred: Some(Factor::EmailOtp),
            mfa_configuration: Some(MfaConfiguration::Optional),
            sms_role_arn: Some("arn:aws:iam::111122223333:role/sms".to_owned()),
            relying_party_id: Some("shop.example".to_owned()),
            user_verification: Some(UserVerification::Required),
            factor_configuration: Some(FactorConfiguration::SingleFactor),
            texts_changed: true,
            text_hashes: BTreeMap::from([("email_subject", "00".to_owned())]),
            weakens_mfa: true,
            legacy: true,
            end_user: Some(EndUserCredential::Session),
        };
        [Effect::default(), full]
    }

    fn callers() -> [Caller; 3] {
        let certificate = CertificateIdentity { name: "c".to_owned(), trust_domain: Some("example.org".to_owned()) };
        let token = TokenIdentity {
            name: "t".to_owned(),
            issuer: "https://issuer.example".to_owned(),
            scopes: BTreeSet::from(["read".to_owned()]),
            groups: BTreeSet::from(["engineers".to_owned()]),
        };
        let caller = |certificate, token| Caller { name: "c".to_owned(), certificate, token };
        [
            caller(Some(certificate.clone()), None),
            caller(None, Some(token.clone())),
            caller(Some(certificate), Some(token)),
        ]
    }

    /// Decisions are taken without checking each request against the schema, which this test makes up for.
    #[test]
    fn every_request_that_is_built_keeps_the_schema() {
        let schema = CedarSchema::parse(TEXT).unwrap();
        let group = uid(&schema.caller_group, "g");
        for (action, caller, effect) in Action::all()
            .flat_map(|action| callers().into_iter().map(move |caller| (action, caller)))
            .flat_map(|(action, caller)| effects().map(|effect| (action, caller.clone(), effect)))
        {
            let principal = schema.principal(&caller, [group.clone()]).unwrap();
            let resource = match action {
                Action::Rpc(_) => schema.pool("eu-west-1_a", []).unwrap(),
                Action::ReadReflection => schema.whole_service(),
            };
            let context = schema.context(&effect).unwrap();
            let (cedar, action) = (Some(&schema.cedar), schema.action(action));
            Request::new(principal.uid(), action, resource.uid(), context, cedar).unwrap();
            Entities::from_entities([principal, resource], cedar).unwrap();
        }
    }
}
