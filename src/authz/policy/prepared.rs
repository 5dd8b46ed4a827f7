//! What a decision needs and what its caller, action and pool determine: Cedar's entities, and the policies that are about them.
//!
//! It is prepared once and remembered for the next call of the same caller, with the same credentials, on the same pool: building
//! it takes longer than to decide. The decision itself is made for each call.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use cedar_policy::{Context, Entities, EntityUid, PolicySet};
use quick_cache::Equivalent;
use quick_cache::sync::Cache;

use crate::authz::policy::action::Action;
use crate::domain::{Caller, CertificateIdentity, Effect, EffectValue, TokenIdentity};

/// How many calls and contexts are remembered: more than the callers, RPCs and pools that are busy at the same time.
const MAX_REMEMBERED: usize = 1024;

/// The maximum size of the texts of one that is remembered, in bytes: with the number it bounds the cache. A decision precedes
/// the validation of the request, so its texts may be as long as a message.
const MAX_TEXT_BYTES: usize = 4 * 1024;

/// What an element of a set takes besides its text, in bytes: a token may have thousands of scopes of a letter each.
const BYTES_OF_ELEMENT: usize = 32;

/// The entities of a request to Cedar, and the policies to decide it by.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) principal: EntityUid,
    pub(super) action: EntityUid,
    pub(super) resource: EntityUid,
    pub(super) entities: Entities,
    pub(super) policies: Arc<PolicySet>,
}

/// What was prepared for one set of policies and groups. It goes with the set.
pub(super) struct PreparedCache {
    calls: Cache<CallKey, Arc<Prepared>>,
    contexts: Cache<Effect, Context>,
}

/// Everything that [`Prepared`] is made of, besides the policies and groups.
#[derive(Clone, PartialEq, Eq, Hash)]
struct CallKey {
    caller: Caller,
    action: Action,
    user_pool_id: String,
}

/// The same, borrowed. Its fields are hashed in the same order.
#[derive(Hash)]
struct CallKeyRef<'a> {
    caller: &'a Caller,
    action: Action,
    user_pool_id: &'a str,
}

impl Equivalent<CallKey> for CallKeyRef<'_> {
    fn equivalent(&self, key: &CallKey) -> bool {
        let CallKey { caller, action, user_pool_id } = key;
        self.caller == caller && self.action == *action && self.user_pool_id == user_pool_id
    }
}

impl PreparedCache {
    pub(super) fn new() -> Self {
        Self { calls: Cache::new(MAX_REMEMBERED), contexts: Cache::new(MAX_REMEMBERED) }
    }

    /// What is prepared for such a call; prepared by `prepare` if nothing is.
    pub(super) fn call(
        &self,
        caller: &Caller,
        action: Action,
        user_pool_id: &str,
        prepare: impl FnOnce() -> Result<Prepared, String>,
    ) -> Result<Arc<Prepared>, String> {
        if let Some(prepared) = self.calls.get(&CallKeyRef { caller, action, user_pool_id }) {
            return Ok(prepared);
        }
        let prepared = Arc::new(prepare()?);
        if user_pool_id.len() + bytes_of_caller(caller) > MAX_TEXT_BYTES {
            return Ok(prepared);
        }
        let key = CallKey { caller: caller.clone(), action, user_pool_id: user_pool_id.to_owned() };
        self.calls.insert(key, Arc::clone(&prepared));
        Ok(prepared)
    }

    /// The context of a request with this effect; made by `make` if it is not there.
    pub(super) fn context(
        &self,
        effect: &Effect,
        make: impl FnOnce() -> Result<Context, String>,
    ) -> Result<Context, String> {
        if let Some(context) = self.contexts.get(effect) {
            return Ok(context);
        }
        let context = make()?;
        if bytes_of_effect(effect) <= MAX_TEXT_BYTES {
            self.contexts.insert(effect.clone(), context.clone());
        }
        Ok(context)
    }
}

fn bytes_of_caller(caller: &Caller) -> usize {
    let Caller { name, certificate, token } = caller;
    let certificate = certificate.as_ref().map_or(0, |CertificateIdentity { name, trust_domain }| {
        name.len() + trust_domain.as_ref().map_or(0, String::len)
    });
    let token = token.as_ref().map_or(0, |TokenIdentity { name, issuer, scopes, groups }| {
        name.len() + issuer.len() + scopes.iter().chain(groups).map(|text| text.len() + BYTES_OF_ELEMENT).sum::<usize>()
    });
    name.len() + certificate + token
}

fn bytes_of_effect(effect: &Effect) -> usize {
    let texts =
        effect.fields().filter_map(|(_, value)| if let EffectValue::Text(text) = value { Some(text) } else { None });
    texts.chain(effect.text_hashes.values().map(String::as_str)).map(str::len).sum()
}

impl fmt::Debug for PreparedCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedCache")
            .field("calls", &self.calls.len())
            .field("contexts", &self.contexts.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(name: &str) -> Caller {
        Caller { name: name.to_owned(), certificate: None, token: None }
    }

    fn prepared(number: usize) -> Prepared {
        let uid = |id: &str| -> EntityUid { format!("A::\"{id}\"").parse().unwrap() };
        Prepared {
            principal: uid(&number.to_string()),
            action: uid("action"),
            resource: uid("resource"),
            entities: Entities::empty(),
            policies: Arc::default(),
        }
    }

    #[test]
    fn what_is_remembered_is_found_again_and_bounded() {
        let cache = PreparedCache::new();
        let unprepared = || Err("not remembered".to_owned());
        let call = |pool: &str, prepare: &dyn Fn() -> Result<Prepared, String>| {
            cache
                .call(&caller("c"), Action::ReadReflection, pool, prepare)
                .map(|prepared| prepared.principal.to_string())
        };
        assert_eq!(call("0", &|| Ok(prepared(0))).unwrap(), "A::\"0\"");
        assert_eq!(call("0", &unprepared).unwrap(), "A::\"0\"");
        assert!(call("1", &unprepared).is_err(), "a failure is not remembered, nor is another call");
        for number in 1..10 * MAX_REMEMBERED {
            call(&number.to_string(), &|| Ok(prepared(number))).unwrap();
            let effect = Effect { relying_party_id: Some(number.to_string()), ..Effect::default() };
            cache.context(&effect, || Ok(Context::empty())).unwrap();
        }
        assert!((1..=MAX_REMEMBERED).contains(&cache.calls.len()), "{cache:?}");
        assert!((1..=MAX_REMEMBERED).contains(&cache.contexts.len()), "{cache:?}");
    }

    #[test]
    fn what_has_long_texts_is_not_remembered() {
        let cache = PreparedCache::new();
        let long = || "x".repeat(MAX_TEXT_BYTES + 1);
        let effects = [
            Effect { sms_role_arn: Some(long()), ..Effect::default() },
            Effect { relying_party_id: Some(long()), ..Effect::default() },
            Effect { text_hashes: [("email_subject", long())].into(), ..Effect::default() },
        ];
        for effect in effects {
            cache.context(&effect, || Ok(Context::empty())).unwrap();
        }
        let token = |scope: String, group: String| TokenIdentity {
            name: "t".to_owned(),
            issuer: "i".to_owned(),
            scopes: [scope].into(),
            groups: [group].into(),
        };
        let with = |token| Caller { token: Some(token), ..caller("c") };
        let short = || "s".to_owned();
        let calls = [
            (caller("c"), long()),
            (caller(&long()), short()),
            (with(token(long(), short())), short()),
            (with(token(short(), long())), short()),
            (
                with(TokenIdentity { scopes: (0..500).map(|n| n.to_string()).collect(), ..token(short(), short()) }),
                short(),
            ),
        ];
        for (caller, pool) in calls {
            cache.call(&caller, Action::ReadReflection, &pool, || Ok(prepared(0))).unwrap();
        }
        assert_eq!((cache.calls.len(), cache.contexts.len()), (0, 0));
    }
}
