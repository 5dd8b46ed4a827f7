//! The Cedar schema, its names as types, and the check that its actions are the permissions of the RPCs.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Entities, Entity, EntityId, EntityTypeName, EntityUid, ParseErrors, Schema};

use crate::authz::policy::action::Action;
use crate::authz::policy::error::{LoadError, PolicyProblem};

/// The schema in Cedar's human-readable form.
pub(super) const TEXT: &str = include_str!("mfagate.cedarschema");

/// The parsed schema and its names.
#[derive(Debug)]
pub(super) struct CedarSchema {
    pub(super) cedar: Schema,
    pub(super) caller: EntityTypeName,
    pub(super) caller_group: EntityTypeName,
    pub(super) user_pool: EntityTypeName,
    pub(super) user_pool_group: EntityTypeName,
    pub(super) service: EntityTypeName,
    pub(super) factor: EntityTypeName,
    pub(super) mfa_configuration: EntityTypeName,
    pub(super) user_verification: EntityTypeName,
    pub(super) factor_configuration: EntityTypeName,
    action: EntityTypeName,
    action_entities: Entities,
}

impl CedarSchema {
    /// Parses a schema and compares its actions with what is served.
    pub(super) fn parse(text: &str) -> Result<Self, LoadError> {
        let broken = |error: &dyn std::fmt::Display| LoadError::from(problem(error));
        let (schema, warnings) = Schema::from_cedarschema_str(text).map_err(|error| broken(&error))?;
        LoadError::check(warnings.map(|warning| problem(&warning)).collect())?;
        let action_entities = schema.action_entities().map_err(|error| broken(&error))?;
        let name = |word: &str| -> Result<EntityTypeName, LoadError> {
            format!("Mfagate::{word}").parse().map_err(|error: ParseErrors| broken(&error))
        };
        let vocabulary = Self {
            caller: name("Caller")?,
            caller_group: name("CallerGroup")?,
            user_pool: name("UserPool")?,
            user_pool_group: name("UserPoolGroup")?,
            service: name("Service")?,
            factor: name("Factor")?,
            mfa_configuration: name("MfaConfiguration")?,
            user_verification: name("UserVerification")?,
            factor_configuration: name("FactorConfiguration")?,
            action: name("Action")?,
            cedar: schema,
            action_entities,
        };
        LoadError::check(vocabulary.differences())?;
        Ok(vocabulary)
    }

    /// How the schema's actions differ from what is served, in both directions.
    fn differences(&self) -> Vec<PolicyProblem> {
        let groups: BTreeSet<_> = self.cedar.action_groups().cloned().collect();
        let mut defined = BTreeMap::new();
        for action in self.cedar.actions() {
            let resources: BTreeSet<_> = self.cedar.resources_for_action(action).into_iter().flatten().collect();
            // A group stands for its members and applies to nothing itself.
            if !(groups.contains(action) && resources.is_empty()) {
                defined.insert(action.clone(), resources);
            }
        }
        let served: BTreeMap<_, _> = Action::all().map(|action| (self.action(action), action)).collect();

        let mut problems = Vec::new();
        for (uid, action) in &served {
            let principals: BTreeSet<_> = self.cedar.principals_for_action(uid).into_iter().flatten().collect();
            let resource = self.resource_type(*action);
            match defined.get(uid) {
                None => problems.push(format!("the permission {} has no action", action.permission())),
                Some(resources) if *resources != BTreeSet::from([resource]) => {
                    problems
                        .push(format!("the action {} must apply to {resource} and nothing else", action.permission()));
                }
                Some(_) if principals != BTreeSet::from([&self.caller]) => {
                    problems.push(format!(
                        "the action {} must be for {} and nobody else",
                        action.permission(),
                        self.caller
                    ));
                }
                Some(_) => {}
            }
        }
        for uid in defined.keys().filter(|uid| !served.contains_key(*uid)) {
            problems.push(format!("the action {} is the permission of no RPC", uid.id().unescaped()));
        }
        problems.iter().map(|text| problem(text)).collect()
    }

    /// The action in Cedar.
    pub(super) fn action(&self, action: Action) -> EntityUid {
        uid(&self.action, action.permission())
    }

    /// The action as an entity, which knows the groups that it is in.
    pub(super) fn action_entity(&self, action: Action) -> Option<&Entity> {
        self.entity_of_action(&self.action(action))
    }

    /// The action or group of actions of that name as an entity, if the schema has it.
    pub(super) fn entity_of_action(&self, action: &EntityUid) -> Option<&Entity> {
        self.action_entities.get(action)
    }

    /// Whether `action` is `group` or in it.
    pub(super) fn is_in(&self, action: &EntityUid, group: &EntityUid) -> bool {
        action == group || self.action_entities.is_ancestor_of(group, action)
    }

    /// Whether `action` is in the group of that name.
    pub(super) fn is_in_group(&self, action: Action, group: &str) -> bool {
        self.is_in(&self.action(action), &uid(&self.action, group))
    }

    /// The type of the resource that the action applies to.
    pub(super) fn resource_type(&self, action: Action) -> &EntityTypeName {
        match action {
            Action::Rpc(_) => &self.user_pool,
            Action::ReadReflection => &self.service,
        }
    }
}

fn problem(text: &dyn std::fmt::Display) -> PolicyProblem {
    PolicyProblem::built_in(format!("the Cedar schema: {text}"))
}

/// The entity of that type and id. Ids hold what callers choose, so they are never pasted into Cedar text and parsed.
pub(super) fn uid(type_name: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(type_name.clone(), EntityId::new(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> String {
        CedarSchema::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn the_schema_has_an_action_for_every_permission_and_none_besides() {
        CedarSchema::parse(TEXT).unwrap();
    }

    #[test]
    fn a_permission_without_an_action_is_named() {
        let text = TEXT.replace("action AdminGetUser, ", "action ");
        assert_eq!(problems(&text), "the Cedar schema: the permission AdminGetUser has no action");
    }

    #[test]
    fn an_action_without_an_rpc_is_named() {
        let text = TEXT.replace("action AdminGetUser, ", "action AdminDeleteUser, AdminGetUser, ");
        assert_eq!(problems(&text), "the Cedar schema: the action AdminDeleteUser is the permission of no RPC");
    }

    #[test]
    fn a_group_that_can_be_called_itself_is_an_action_without_an_rpc() {
        let text = TEXT.replace(
            "action Admin;",
            "action Admin appliesTo { principal: [Caller], resource: [UserPool], context: Request };",
        );
        assert_eq!(problems(&text), "the Cedar schema: the action Admin is the permission of no RPC");
    }

    #[test]
    fn an_action_on_the_wrong_resource_or_for_the_wrong_principal_is_named() {
        let text = TEXT.replace("resource: [Service]", "resource: [UserPool, Service]");
        assert!(problems(&text).contains("ReadReflection must apply to Mfagate::Service"), "{}", problems(&text));
        let text =
            TEXT.replace("principal: [Caller], resource: [Service]", "principal: [CallerGroup], resource: [Service]");
        assert!(problems(&text).contains("ReadReflection must be for Mfagate::Caller"), "{}", problems(&text));
    }

    #[test]
    fn a_schema_that_does_not_parse_is_a_fault() {
        assert!(problems("namespace Mfagate { entity").starts_with("the Cedar schema: "));
    }
}
