//! The entities that conditions of policies name.

use std::collections::HashSet;

use cedar_policy::{ActionConstraint, Entity, EntityUid, Policy, PolicySet, PrincipalConstraint, ResourceConstraint};

use crate::authz::policy::groups::Groups;
use crate::authz::policy::schema::CedarSchema;

/// The entities in groups that conditions name. A decision must know their groups: a condition may ask whether one group
/// is in another. Entities in a scope are only compared with.
pub(super) fn named_entities(schema: &CedarSchema, groups: &Groups, set: &PolicySet) -> Vec<Entity> {
    let literals: HashSet<EntityUid> = set.policies().flat_map(condition_literals).collect();
    let entity = |literal: EntityUid| {
        if let Some(action) = schema.entity_of_action(&literal) {
            return Some(action.clone());
        }
        let groups = groups.groups_of(&literal);
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
