//! This file holds a set of policies: loaded whole or refused with every fault, then asked about calls.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use cedar_policy::{
    ActionConstraint, Authorizer, Decision, Entities, Entity, EntityUid, Policy, PolicyId, PolicySet,
    PrincipalConstraint, Request, ResourceConstraint, Response,
};

use crate::access::policy::action::Action;
use crate::access::policy::entities::Hierarchy;
use crate::access::policy::fault::LoadError;
use crate::access::policy::load::{self, Place};
use crate::access::policy::reach::{Reach, covers};
use crate::access::policy::schema::{TEXT, Vocabulary, uid};
use crate::access::policy::source::Sources;
use crate::access::{Caller, Effect};
use crate::proto::Rpc;

/// What was decided on one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the call may be made.
    pub allowed: bool,
    /// The ids of the policies that made the decision, sorted: the permits of an allowed call, the forbids of a forbidden
    /// one, none where no policy permits it.
    pub policy_ids: Vec<String>,
    /// The hash that names the set of policies, in hexadecimal.
    pub policy_set_hash: Arc<str>,
    /// Why policies could not be evaluated. The call is denied if there is any.
    pub errors: Vec<String>,
}

/// A set of policies that keeps the schema. It never changes: a reload makes another.
pub struct Policies {
    words: Vocabulary,
    set: PolicySet,
    places: BTreeMap<String, Place>,
    hierarchy: Hierarchy,
    /// Entities that conditions name, with their groups: `in` may ask for them.
    named: Vec<Entity>,
    reach: Reach,
    hash: Arc<str>,
    authorizer: Authorizer,
}

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policies").field("hash", &self.hash).field("places", &self.places).finish_non_exhaustive()
    }
}

impl Policies {
    /// Loads the `.cedar` files of a directory and, if given, the entities file, or finds every fault in them.
    pub fn load(directory: &Path, entities: Option<&Path>) -> Result<Self, LoadError> {
        Self::from_sources(&Sources::read(directory, entities))
    }

    pub(super) fn from_sources(sources: &Sources) -> Result<Self, LoadError> {
        // Without its own schema mfagate could not find faults in anything else.
        let words = Vocabulary::parse(TEXT)?;
        let mut faults = sources.faults.clone();
        let hierarchy = match sources.entities.as_ref().map(|file| Hierarchy::parse(&words, file)) {
            None => Hierarchy::empty(),
            Some(Ok(hierarchy)) => hierarchy,
            Some(Err(found)) => {
                faults.extend(found);
                Hierarchy::empty()
            }
        };
        let groups_are_known = faults.is_empty();

        let (set, places) = load::policies(sources, &mut faults);
        faults.extend(load::violations(&words, &set, &places, sources));
        if groups_are_known {
            faults.extend(load::unknown_entities(&words, &hierarchy, &set, &places));
        }
        LoadError::check(faults)?;

        let named = named_entities(&words, &hierarchy, &set);
        let reach = Reach::of(&words, set.policies());
        let hash = sources.hash().into();
        Ok(Self { words, set, places, hierarchy, named, reach, hash, authorizer: Authorizer::new() })
    }

    /// The hash that names the set: SHA-256 in hexadecimal over schema, policies and entities.
    #[must_use]
    pub fn hash(&self) -> &Arc<str> {
        &self.hash
    }

    /// How many policies there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.set.num_of_policies()
    }

    /// Decides on a call of `rpc` on the pool that the request names; the empty id is no pool. Nothing is cached.
    #[must_use]
    pub fn decide(&self, caller: &Caller, rpc: Rpc, user_pool_id: &str, effect: &Effect) -> Verdict {
        self.ask(caller, Action::Rpc(rpc), user_pool_id, effect)
    }

    /// Decides on reading the service's descriptors by reflection.
    #[must_use]
    pub fn decide_reflection(&self, caller: &Caller) -> Verdict {
        self.ask(caller, Action::ReadReflection, "", &Effect::default())
    }

    /// Whether some content of a call of `rpc` on some pool could be allowed to the caller. False is final; true says
    /// only that the request must be read to decide.
    #[must_use]
    pub fn may_ever(&self, caller: &Caller, rpc: Rpc) -> bool {
        let principal = uid(&self.words.caller, &caller.name);
        self.reach.includes(Action::Rpc(rpc), &principal, &self.hierarchy.groups_of(&principal))
    }

    pub(super) fn ask(&self, caller: &Caller, action: Action, user_pool_id: &str, effect: &Effect) -> Verdict {
        let (allowed, mut policy_ids, errors) = match self.evaluate(caller, action, user_pool_id, effect) {
            Ok(response) => {
                let diagnostics = response.diagnostics();
                let errors: Vec<_> = diagnostics.errors().map(ToString::to_string).collect();
                let ids = diagnostics.reason().map(ToString::to_string).collect();
                // A policy that fails is passed over by Cedar, a forbid like a permit.
                (response.decision() == Decision::Allow && errors.is_empty(), ids, errors)
            }
            Err(error) => (false, Vec::new(), vec![error]),
        };
        for error in &errors {
            tracing::error!(error, "a policy could not be evaluated, so the call is denied");
        }
        if !errors.is_empty() && !allowed {
            // What else held did not decide.
            policy_ids.retain(|id: &String| self.forbids(id));
        }
        policy_ids.sort();
        Verdict { allowed, policy_ids, policy_set_hash: Arc::clone(&self.hash), errors }
    }

    fn evaluate(
        &self,
        caller: &Caller,
        action: Action,
        user_pool_id: &str,
        effect: &Effect,
    ) -> Result<Response, String> {
        let caller_uid = uid(&self.words.caller, &caller.name);
        let principal = self.words.principal(caller, self.hierarchy.groups_of(&caller_uid))?;
        let resource = match action {
            Action::Rpc(_) => {
                let groups = self.hierarchy.groups_of(&uid(&self.words.user_pool, user_pool_id));
                self.words.pool(user_pool_id, groups)?
            }
            Action::ReadReflection => self.words.whole_service(),
        };
        let action_entity = self.words.action_entity(action).ok_or("the action is not in the schema")?;
        let context = self.words.context(effect)?;
        let asked = [principal.uid(), action_entity.uid(), resource.uid()];
        let others = self.named.iter().filter(|entity| !asked.contains(&entity.uid()));
        let entities = [&principal, action_entity, &resource].into_iter().chain(others).cloned();
        let entities = Entities::from_entities(entities, None).map_err(|error| error.to_string())?;
        let [principal, action, resource] = asked;
        let request = Request::new(principal, action, resource, context, None).map_err(|error| error.to_string())?;
        Ok(self.authorizer.is_authorized(&request, &self.set, &entities))
    }

    fn forbids(&self, policy_id: &str) -> bool {
        let policy = self.set.policy(&PolicyId::new(policy_id));
        policy.is_some_and(|policy| policy.effect() == cedar_policy::Effect::Forbid)
    }

    /// Where the policy of that id is written.
    pub(super) fn place(&self, policy_id: &str) -> Option<&Place> {
        self.places.get(policy_id)
    }

    /// The ids of the permits whose scope names this caller and this action, whatever they demand besides.
    pub(super) fn permits_about(&self, caller: &str, action: Action) -> Vec<String> {
        let caller = uid(&self.words.caller, caller);
        let groups = self.hierarchy.groups_of(&caller);
        let permits = self.set.policies().filter(|policy| policy.effect() == cedar_policy::Effect::Permit);
        let about = permits.filter(|policy| covers(&self.words, policy, action, &caller, &groups));
        let mut ids: Vec<_> = about.map(|policy| policy.id().to_string()).collect();
        ids.sort();
        ids
    }

    /// The ids of the groups of callers that the caller is in.
    pub(super) fn groups_of(&self, caller: &str) -> Vec<String> {
        let groups = self.hierarchy.groups_of(&uid(&self.words.caller, caller));
        let mut ids: Vec<_> = groups.iter().map(|group| group.id().unescaped().to_owned()).collect();
        ids.sort();
        ids
    }

    pub(super) fn is_in_group(&self, action: Action, group: &str) -> bool {
        self.words.is_in_group(action, group)
    }
}

/// The entities in groups that conditions name. A decision must know their groups: a condition may ask whether one group
/// is in another. What stands in a scope is only compared with.
fn named_entities(words: &Vocabulary, hierarchy: &Hierarchy, set: &PolicySet) -> Vec<Entity> {
    let literals: HashSet<EntityUid> = set.policies().flat_map(condition_literals).collect();
    let entity = |literal: EntityUid| {
        if let Some(action) = words.entity_of_action(&literal) {
            return Some(action.clone());
        }
        let groups = hierarchy.groups_of(&literal);
        (!groups.is_empty()).then(|| Entity::new_no_attrs(literal, groups))
    };
    literals.into_iter().filter_map(entity).collect()
}

fn condition_literals(policy: &Policy) -> Vec<EntityUid> {
    let mut literals = policy.entity_literals();
    let mut in_scope = match policy.action_constraint() {
        ActionConstraint::Any => Vec::new(),
        ActionConstraint::Eq(uid) => vec![uid],
        ActionConstraint::In(uids) => uids,
    };
    match policy.principal_constraint() {
        PrincipalConstraint::Any | PrincipalConstraint::Is(_) => {}
        PrincipalConstraint::In(uid) | PrincipalConstraint::Eq(uid) | PrincipalConstraint::IsIn(_, uid) => {
            in_scope.push(uid);
        }
    }
    match policy.resource_constraint() {
        ResourceConstraint::Any | ResourceConstraint::Is(_) => {}
        ResourceConstraint::In(uid) | ResourceConstraint::Eq(uid) | ResourceConstraint::IsIn(_, uid) => {
            in_scope.push(uid);
        }
    }
    // Once each: the condition may name the same entity again.
    for uid in in_scope {
        if let Some(position) = literals.iter().position(|literal| *literal == uid) {
            literals.swap_remove(position);
        }
    }
    literals
}
