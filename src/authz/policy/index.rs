//! The index of policies by the caller and the action in their scope, so that a decision does not evaluate the others.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cedar_policy::{
    ActionConstraint, Effect, EntityTypeName, EntityUid, Policy, PolicySet, PolicySetError, PrincipalConstraint,
    ResourceConstraint,
};

use crate::authz::policy::action::Action;
use crate::authz::policy::schema::CedarSchema;

/// How many policies are evaluated in the time that it takes to put one into a set (`cargo bench --bench policy`).
const COST_OF_SET_INSERT: usize = 4;

/// The policies by the action and the caller in their scope. Conditions and pools are not considered: a policy that is found
/// may not hold, and one that is not found cannot.
#[derive(Debug)]
pub(super) struct PolicyIndex {
    actions: HashMap<Action, ActionPolicies>,
}

/// The policies about one action.
#[derive(Debug, Default)]
struct ActionPolicies {
    all: Arc<PolicySet>,
    everybody: Vec<Policy>,
    named: HashMap<EntityUid, Vec<Policy>>,
    /// For groups, and for callers written as `in`, which means the caller itself as well.
    within: HashMap<EntityUid, Vec<Policy>>,
}

/// A caller and the groups that it is in, directly or not.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) caller: EntityUid,
    pub(super) groups: HashSet<EntityUid>,
}

impl PolicyIndex {
    pub(super) fn new<'a>(
        schema: &CedarSchema,
        policies: impl IntoIterator<Item = &'a Policy>,
    ) -> Result<Self, PolicySetError> {
        let mut actions: HashMap<Action, ActionPolicies> =
            Action::all().map(|action| (action, ActionPolicies::default())).collect();
        for policy in policies {
            for (action, scope) in &mut actions {
                if covers_action(schema, policy, *action) {
                    scope.add(&schema.caller, policy)?;
                }
            }
        }
        Ok(Self { actions })
    }

    /// The policies to decide by on a call of this caller: those about it, or more where that takes less time.
    pub(super) fn to_decide_by(&self, action: Action, member: &Member) -> Result<Arc<PolicySet>, PolicySetError> {
        let Some(scope) = self.actions.get(&action) else { return Ok(Arc::default()) };
        if scope.about(member).count() * COST_OF_SET_INSERT > scope.all.num_of_policies() {
            return Ok(Arc::clone(&scope.all));
        }
        PolicySet::from_policies(scope.about(member).cloned()).map(Arc::new)
    }

    /// The policies about this caller and this action, each once.
    fn about<'a>(&'a self, action: Action, member: &'a Member) -> impl Iterator<Item = &'a Policy> {
        self.actions.get(&action).into_iter().flat_map(move |scope| scope.about(member))
    }

    /// The permits among them. There may be some for a caller that no decision will allow, and there are some for each that one
    /// would.
    pub(super) fn permits<'a>(&'a self, action: Action, member: &'a Member) -> impl Iterator<Item = &'a Policy> {
        self.about(action, member).filter(|policy| policy.effect() == Effect::Permit)
    }
}

/// Whether the scope of the policy covers calls of the action.
pub(super) fn covers_action(schema: &CedarSchema, policy: &Policy, action: Action) -> bool {
    let uid = schema.action(action);
    let named = match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(one) => one == uid,
        ActionConstraint::In(groups) => groups.iter().any(|group| schema.is_in(&uid, group)),
    };
    named && covers_resource_type(policy, schema.resource_type(action))
}

fn covers_resource_type(policy: &Policy, resource_type: &EntityTypeName) -> bool {
    match policy.resource_constraint() {
        // An entity of one type may be in one of another.
        ResourceConstraint::Any | ResourceConstraint::In(_) => true,
        ResourceConstraint::Eq(uid) => uid.type_name() == resource_type,
        ResourceConstraint::Is(type_name) | ResourceConstraint::IsIn(type_name, _) => type_name == *resource_type,
    }
}

impl ActionPolicies {
    fn add(&mut self, caller_type: &EntityTypeName, policy: &Policy) -> Result<(), PolicySetError> {
        let place = match policy.principal_constraint() {
            PrincipalConstraint::Any => &mut self.everybody,
            PrincipalConstraint::Is(type_name) if type_name == *caller_type => &mut self.everybody,
            PrincipalConstraint::Eq(uid) => self.named.entry(uid).or_default(),
            PrincipalConstraint::In(uid) => self.within.entry(uid).or_default(),
            PrincipalConstraint::IsIn(type_name, uid) if type_name == *caller_type => {
                self.within.entry(uid).or_default()
            }
            // Only callers call.
            PrincipalConstraint::Is(_) | PrincipalConstraint::IsIn(..) => return Ok(()),
        };
        place.push(policy.clone());
        Arc::make_mut(&mut self.all).add(policy.clone())
    }

    fn about<'a>(&'a self, member: &'a Member) -> impl Iterator<Item = &'a Policy> {
        let Member { caller, groups } = member;
        let within = std::iter::once(caller).chain(groups).filter_map(|uid| self.within.get(uid));
        [&self.everybody].into_iter().chain(self.named.get(caller)).chain(within).flatten()
    }
}
