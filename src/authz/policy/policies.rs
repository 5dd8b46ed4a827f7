//! A set of policies: loaded whole or rejected with every problem, then asked about calls.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use cedar_policy::{Authorizer, Entities, Entity, EntityUid, Policy, PolicyId, PolicySet, Request, Response};

use crate::api::Rpc;
use crate::authz::policy::action::Action;
use crate::authz::policy::error::{LoadError, PolicyProblem};
use crate::authz::policy::groups::Groups;
use crate::authz::policy::index::{Member, PolicyIndex};
use crate::authz::policy::load::{self, Place};
use crate::authz::policy::named::named_entities;
use crate::authz::policy::prepared::{Prepared, PreparedCache};
use crate::authz::policy::schema::{CedarSchema, TEXT, uid};
use crate::authz::policy::source::Sources;
use crate::domain::{Caller, Effect};

/// What was decided on one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the call may be made.
    pub allowed: bool,
    /// The ids of the policies that made the decision, sorted: the permits of an allowed call, the forbids of a forbidden
    /// one, and none if no policy permits it.
    pub policy_ids: Vec<String>,
    /// The hash that names the set of policies, in hexadecimal.
    pub policy_set_hash: Arc<str>,
    /// Why policies could not be evaluated. The call is denied if there is any.
    pub errors: Vec<String>,
}

/// A set of policies that conforms to the schema. It is immutable: a reload makes another.
pub struct Policies {
    pub(super) schema: CedarSchema,
    pub(super) set: PolicySet,
    places: BTreeMap<String, Place>,
    pub(super) groups: Groups,
    /// Entities that conditions name, with their groups: `in` may ask for them.
    named: Vec<Entity>,
    index: PolicyIndex,
    prepared: PreparedCache,
    hash: Arc<str>,
    authorizer: Authorizer,
}

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policies").field("hash", &self.hash).field("places", &self.places).finish_non_exhaustive()
    }
}

impl Policies {
    /// Makes a set of these files, or finds every problem in them.
    pub(super) fn build(sources: &Sources) -> Result<Self, LoadError> {
        // Without its own schema mfagate could not validate anything else.
        let schema = CedarSchema::parse(TEXT)?;
        let mut problems = sources.problems.clone();
        let groups = match sources.entities.as_ref().map(|file| Groups::parse(&schema, file)) {
            None => Groups::empty(),
            Some(Ok(groups)) => groups,
            Some(Err(found)) => {
                problems.extend(found);
                Groups::empty()
            }
        };
        let groups_are_known = problems.is_empty();

        let (set, places) = load::policies(sources, &mut problems);
        problems.extend(load::violations(&schema, &set, &places, sources));
        if groups_are_known {
            problems.extend(load::unknown_entities(&schema, &groups, &set, &places));
        }
        LoadError::check(problems)?;

        let named = named_entities(&schema, &groups, &set);
        let index =
            PolicyIndex::new(&schema, set.policies()).map_err(|error| PolicyProblem::built_in(error.to_string()))?;
        let hash = sources.hash().into();
        let (prepared, authorizer) = (PreparedCache::new(), Authorizer::new());
        Ok(Self { schema, set, places, groups, named, index, prepared, hash, authorizer })
    }

    /// The hash that names the set: SHA-256 in hexadecimal over schema, policies and entities.
    pub fn hash(&self) -> &Arc<str> {
        &self.hash
    }

    /// The callers that policies name and that the entities file does not list: a name that is misspelled permits and forbids nobody.
    pub fn unlisted_callers(&self) -> Vec<PolicyProblem> {
        let unlisted = |policy: &Policy| {
            let mut literals = policy.entity_literals();
            literals.retain(|literal| *literal.type_name() == self.schema.caller && !self.groups.lists(literal));
            literals.sort();
            literals.dedup();
            let id = policy.id().to_string();
            literals.into_iter().map(move |literal| (id.clone(), literal)).collect::<Vec<_>>()
        };
        let problem = |(id, literal): (String, EntityUid)| {
            let text = format!("for policy `{id}`, {literal} is not listed in the entities file");
            match self.place(&id) {
                Some(place) => PolicyProblem::at(&place.file, Some(place.line), text),
                None => PolicyProblem::built_in(text),
            }
        };
        self.set.policies().flat_map(unlisted).map(problem).collect()
    }

    /// The number of policies.
    pub fn count(&self) -> usize {
        self.set.num_of_policies()
    }

    /// Decides on a call of `rpc` on the pool that the request names; the empty id is no pool. Decisions are not cached.
    pub fn decide(&self, caller: &Caller, rpc: Rpc, user_pool_id: &str, effect: &Effect) -> Decision {
        self.ask(caller, Action::Rpc(rpc), user_pool_id, effect)
    }

    /// Decides on reading the service's descriptors by reflection.
    pub fn decide_reflection(&self, caller: &Caller) -> Decision {
        self.ask(caller, Action::ReadReflection, "", &Effect::default())
    }

    /// Whether some content of a call of `rpc` on some pool could be allowed to the caller. False is final; true says
    /// only that the request must be read to decide.
    pub fn precheck(&self, caller: &Caller, rpc: Rpc) -> bool {
        self.index.permits(Action::Rpc(rpc), &self.member(&caller.name)).next().is_some()
    }

    fn member(&self, caller: &str) -> Member {
        let caller = uid(&self.schema.caller, caller);
        Member { groups: self.groups.groups_of(&caller), caller }
    }

    pub(super) fn ask(&self, caller: &Caller, action: Action, user_pool_id: &str, effect: &Effect) -> Decision {
        let (allowed, mut policy_ids, errors) = match self.evaluate(caller, action, user_pool_id, effect) {
            Ok(response) => {
                let diagnostics = response.diagnostics();
                let errors: Vec<_> = diagnostics.errors().map(ToString::to_string).collect();
                let ids = diagnostics.reason().map(ToString::to_string).collect();
                // Cedar skips a policy that fails, a forbid like a permit.
                (response.decision() == cedar_policy::Decision::Allow && errors.is_empty(), ids, errors)
            }
            Err(error) => (false, Vec::new(), vec![error]),
        };
        for error in &errors {
            tracing::error!(error, "policy evaluation failed, call denied");
        }
        if !errors.is_empty() && !allowed {
            // The other policies that held did not decide.
            policy_ids.retain(|id: &String| self.forbids(id));
        }
        policy_ids.sort();
        Decision { allowed, policy_ids, policy_set_hash: Arc::clone(&self.hash), errors }
    }

    fn evaluate(
        &self,
        caller: &Caller,
        action: Action,
        user_pool_id: &str,
        effect: &Effect,
    ) -> Result<Response, String> {
        let prepare = || {
            let member = self.member(&caller.name);
            let policies = self.index.to_decide_by(action, &member).map_err(|error| error.to_string())?;
            self.prepare(caller, member.groups, action, user_pool_id, policies)
        };
        let prepared = self.prepared.call(caller, action, user_pool_id, prepare)?;
        self.decide_by(&prepared, effect)
    }

    /// What one policy says to a call of that caller in those groups.
    pub(super) fn evaluate_alone(
        &self,
        policy: &Policy,
        (caller, groups): (&Caller, HashSet<EntityUid>),
        action: Action,
        user_pool_id: &str,
        effect: &Effect,
    ) -> Result<Response, String> {
        let alone = PolicySet::from_policies([policy.clone()]).map_err(|error| error.to_string())?;
        let prepared = self.prepare(caller, groups, action, user_pool_id, Arc::new(alone))?;
        self.decide_by(&prepared, effect)
    }

    fn decide_by(&self, prepared: &Prepared, effect: &Effect) -> Result<Response, String> {
        let Prepared { principal, action, resource, entities, policies } = prepared;
        let context = self.prepared.context(effect, || self.schema.context(effect))?;
        let request = Request::new(principal.clone(), action.clone(), resource.clone(), context, None);
        let request = request.map_err(|error| error.to_string())?;
        Ok(self.authorizer.is_authorized(&request, policies, entities))
    }

    /// The entities that policies may refer to in a decision on such a call.
    fn prepare(
        &self,
        caller: &Caller,
        groups: HashSet<EntityUid>,
        action: Action,
        user_pool_id: &str,
        policies: Arc<PolicySet>,
    ) -> Result<Prepared, String> {
        let principal = self.schema.principal(caller, groups)?;
        let resource = match action {
            Action::Rpc(_) => {
                let groups = self.groups.groups_of(&uid(&self.schema.user_pool, user_pool_id));
                self.schema.pool(user_pool_id, groups)?
            }
            Action::ReadReflection => self.schema.whole_service(),
        };
        let action = self.schema.action_entity(action).ok_or("the action is not in the schema")?;
        let uids = [principal.uid(), action.uid(), resource.uid()];
        let others = self.named.iter().filter(|entity| !uids.contains(&entity.uid()));
        let entities = [&principal, action, &resource].into_iter().chain(others).cloned();
        let entities = Entities::from_entities(entities, None).map_err(|error| error.to_string())?;
        let [principal, action, resource] = uids;
        Ok(Prepared { principal, action, resource, entities, policies })
    }

    fn forbids(&self, policy_id: &str) -> bool {
        let policy = self.set.policy(&PolicyId::new(policy_id));
        policy.is_some_and(|policy| policy.effect() == cedar_policy::Effect::Forbid)
    }

    /// The ids of the forbids that `next` does not have. An `@id` names a forbid whose text changed; an id that is a position in a
    /// file does not.
    pub(super) fn forbids_missing_in(&self, next: &Self) -> Vec<String> {
        let text = |policies: &Self, policy: &Policy| {
            policies.place(policy.id().as_ref()).map(|place| place.text.clone()).unwrap_or_default()
        };
        let is_forbid = |policy: &&Policy| policy.effect() == cedar_policy::Effect::Forbid;
        let texts: HashSet<String> = next.set.policies().filter(is_forbid).map(|policy| text(next, policy)).collect();
        let is_kept = |policy: &Policy| {
            policy.annotation("id").is_some_and(|id| next.forbids(id)) || texts.contains(&text(self, policy))
        };
        let missing = self.set.policies().filter(is_forbid).filter(|policy| !is_kept(policy));
        let mut ids: Vec<_> = missing.map(|policy| policy.id().to_string()).collect();
        ids.sort();
        ids
    }

    /// The place of the policy of that id.
    pub(super) fn place(&self, policy_id: &str) -> Option<&Place> {
        self.places.get(policy_id)
    }

    /// The ids of the permits whose scope names this caller and this action, whatever else they require.
    pub(super) fn permits_about(&self, caller: &str, action: Action) -> Vec<String> {
        let member = self.member(caller);
        let mut ids: Vec<_> = self.index.permits(action, &member).map(|policy| policy.id().to_string()).collect();
        ids.sort();
        ids
    }

    /// The ids of the groups of callers that the caller is in.
    pub(super) fn groups_of(&self, caller: &str) -> Vec<String> {
        let mut ids: Vec<_> =
            self.member(caller).groups.iter().map(|group| group.id().unescaped().to_owned()).collect();
        ids.sort();
        ids
    }

    pub(super) fn is_in_group(&self, action: Action, group: &str) -> bool {
        self.schema.is_in_group(action, group)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::domain::TokenIdentity;

    const ENTITIES: &str = r#"[
        { "uid": { "type": "Mfagate::CallerGroup", "id": "all" } },
        { "uid": { "type": "Mfagate::CallerGroup", "id": "some" }, "parents": [{ "type": "Mfagate::CallerGroup", "id": "all" }] },
        { "uid": { "type": "Mfagate::Caller", "id": "a" }, "parents": [{ "type": "Mfagate::CallerGroup", "id": "some" }] },
        { "uid": { "type": "Mfagate::Caller", "id": "b" }, "parents": [{ "type": "Mfagate::CallerGroup", "id": "all" }] }
    ]"#;

    const PRINCIPALS: [&str; 8] = [
        "principal",
        "principal is Mfagate::Caller",
        r#"principal == Mfagate::Caller::"a""#,
        r#"principal == Mfagate::Caller::"c""#,
        r#"principal in Mfagate::Caller::"b""#,
        r#"principal in Mfagate::CallerGroup::"some""#,
        r#"principal in Mfagate::CallerGroup::"all""#,
        r#"principal is Mfagate::Caller in Mfagate::CallerGroup::"some""#,
    ];
    const ACTIONS: [&str; 6] = [
        "action",
        r#"action == Mfagate::Action::"GetUser""#,
        r#"action == Mfagate::Action::"AdminGetUser""#,
        r#"action in Mfagate::Action::"Read""#,
        r#"action in Mfagate::Action::"Legacy""#,
        r#"action in [Mfagate::Action::"Admin", Mfagate::Action::"ForSignedInUser"]"#,
    ];
    const RESOURCES: [&str; 4] = [
        "resource",
        "resource is Mfagate::UserPool",
        r#"resource == Mfagate::UserPool::"eu-west-1_a""#,
        r#"resource is Mfagate::UserPool in Mfagate::UserPool::"eu-west-1_b""#,
    ];

    fn policy() -> impl Strategy<Value = String> {
        let effect = select(&["permit", "permit", "forbid"][..]);
        let scope = (select(&PRINCIPALS[..]), select(&ACTIONS[..]), select(&RESOURCES[..]));
        let condition = select(&["", "when { context.legacy }", "when { principal has token }"][..]);
        (effect, scope, condition).prop_map(|(effect, (principal, action, resource), condition)| {
            format!("{effect} ({principal}, {action}, {resource}) {condition};\n")
        })
    }

    fn load(text: &str) -> Result<Policies, LoadError> {
        let directory = tempfile::tempdir().unwrap();
        let entities = directory.path().join("entities.json");
        fs::write(directory.path().join("all.cedar"), text).unwrap();
        fs::write(&entities, ENTITIES).unwrap();
        Policies::load(directory.path(), Some(&entities))
    }

    fn named(name: &str, with_token: bool) -> Caller {
        let (scopes, groups) = Default::default();
        let token = TokenIdentity { name: name.to_owned(), issuer: "issuer".to_owned(), scopes, groups };
        Caller { name: name.to_owned(), certificate: None, token: with_token.then_some(token) }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_policies_that_are_left_out_would_not_have_decided(
            written in prop::collection::vec(policy(), 1..40),
            with_token: bool,
            legacy: bool,
        ) {
            let policies = load(&written.concat());
            // Two scopes may contradict each other, which the validator refuses.
            prop_assume!(policies.is_ok());
            let policies = policies.unwrap();
            let mut calls: Vec<_> = ["b", "c", "d"].map(|name| (named(name, with_token), "eu-west-1_a", legacy)).into();
            // Calls that differ in one thing only, so that nothing is taken for what was prepared for another call.
            for (token, pool) in [(true, "eu-west-1_a"), (false, "eu-west-1_a"), (true, "eu-west-1_b")] {
                calls.extend([true, false].map(|legacy| (named("a", token), pool, legacy)));
            }
            let all = Arc::new(policies.set.clone());
            for (caller, pool, legacy) in calls {
                let effect = Effect { legacy, ..Effect::default() };
                let member = policies.member(&caller.name);
                for action in Action::all() {
                    let by_scope = policies.evaluate(&caller, action, pool, &effect).unwrap();
                    let context = policies.schema.context(&effect).unwrap();
                    let all = Arc::clone(&all);
                    let prepared = policies.prepare(&caller, member.groups.clone(), action, pool, all).unwrap();
                    let Prepared { principal, action: uid, resource, entities, policies: set } = prepared;
                    let request = Request::new(principal, uid, resource, context, None).unwrap();
                    let by_all = policies.authorizer.is_authorized(&request, &set, &entities);
                    let reasons = |response: &Response| response.diagnostics().reason().cloned().collect::<HashSet<_>>();
                    prop_assert_eq!(by_scope.decision(), by_all.decision());
                    prop_assert_eq!(reasons(&by_scope), reasons(&by_all));
                    let may = policies.index.permits(action, &member).next().is_some();
                    prop_assert!(may || by_all.decision() == cedar_policy::Decision::Deny);
                }
            }
        }
    }
}
