//! This file knows which callers could ever be permitted an action, so that others are denied before a body is read.

use std::collections::{HashMap, HashSet};

use cedar_policy::{
    ActionConstraint, Effect, EntityTypeName, EntityUid, Policy, PrincipalConstraint, ResourceConstraint,
};

use crate::access::policy::action::Action;
use crate::access::policy::schema::Vocabulary;

/// For each action, the callers that a `permit` could be for by its scope. Conditions, pools and every `forbid` are left
/// out of account, so it may name a caller that no decision will allow, and never misses one.
#[derive(Debug)]
pub(super) struct Reach {
    actions: HashMap<Action, Callers>,
}

#[derive(Debug, Default)]
struct Callers {
    everybody: bool,
    named: HashSet<EntityUid>,
    /// Groups, and callers written as `in`, which means the caller itself as well.
    within: HashSet<EntityUid>,
}

impl Reach {
    pub(super) fn of<'a>(words: &Vocabulary, policies: impl IntoIterator<Item = &'a Policy>) -> Self {
        let mut actions: HashMap<Action, Callers> = Action::all().map(|action| (action, Callers::default())).collect();
        for policy in policies.into_iter().filter(|policy| policy.effect() == Effect::Permit) {
            for (action, callers) in &mut actions {
                if covers_action(words, policy, *action) {
                    callers.add(&words.caller, policy.principal_constraint());
                }
            }
        }
        Self { actions }
    }

    /// Whether the caller in these groups could be permitted the action.
    pub(super) fn includes(&self, action: Action, caller: &EntityUid, groups: &HashSet<EntityUid>) -> bool {
        self.actions.get(&action).is_some_and(|callers| callers.include(caller, groups))
    }
}

/// Whether the policy is about this caller and this action, by its scope.
pub(super) fn covers(
    words: &Vocabulary,
    policy: &Policy,
    action: Action,
    caller: &EntityUid,
    groups: &HashSet<EntityUid>,
) -> bool {
    let mut callers = Callers::default();
    callers.add(&words.caller, policy.principal_constraint());
    covers_action(words, policy, action) && callers.include(caller, groups)
}

fn covers_action(words: &Vocabulary, policy: &Policy, action: Action) -> bool {
    let uid = words.action(action);
    let named = match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(one) => one == uid,
        ActionConstraint::In(groups) => groups.iter().any(|group| words.is_in(&uid, group)),
    };
    named && covers_resource_type(policy, words.resource_type(action))
}

fn covers_resource_type(policy: &Policy, resource_type: &EntityTypeName) -> bool {
    match policy.resource_constraint() {
        // An entity of one type may be in one of another.
        ResourceConstraint::Any | ResourceConstraint::In(_) => true,
        ResourceConstraint::Eq(uid) => uid.type_name() == resource_type,
        ResourceConstraint::Is(type_name) | ResourceConstraint::IsIn(type_name, _) => type_name == *resource_type,
    }
}

impl Callers {
    fn add(&mut self, caller_type: &EntityTypeName, constraint: PrincipalConstraint) {
        match constraint {
            PrincipalConstraint::Any => self.everybody = true,
            PrincipalConstraint::Is(type_name) => self.everybody |= type_name == *caller_type,
            PrincipalConstraint::Eq(uid) => {
                self.named.insert(uid);
            }
            PrincipalConstraint::In(uid) => {
                self.within.insert(uid);
            }
            PrincipalConstraint::IsIn(type_name, uid) => {
                if type_name == *caller_type {
                    self.within.insert(uid);
                }
            }
        }
    }

    fn include(&self, caller: &EntityUid, groups: &HashSet<EntityUid>) -> bool {
        self.everybody
            || self.named.contains(caller)
            || self.within.contains(caller)
            || groups.iter().any(|group| self.within.contains(group))
    }
}
