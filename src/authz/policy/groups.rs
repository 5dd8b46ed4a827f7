//! The groups of callers and of pools, as the entities file declares them.

use std::collections::{HashMap, HashSet};

use cedar_policy::{Entities, Entity, EntityTypeName, EntityUid, RestrictedExpression};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::authz::policy::error::PolicyProblem;
use crate::authz::policy::schema::{CedarSchema, uid};
use crate::authz::policy::source::SourceFile;
use crate::domain::text::{UserPoolIdText, region};
use crate::error::chain;

/// The groups of callers and of pools, and who is in them.
#[derive(Debug)]
pub(super) struct Groups {
    entities: Entities,
}

/// How deep groups may nest. Cedar lists the groups around each group, which takes minutes for a chain of thousands.
const MAX_GROUP_DEPTH: usize = 32;

/// One entity, in Cedar's JSON form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    uid: Name,
    /// Always empty: a file must not claim what only a credential proves.
    #[serde(default)]
    attrs: Map<String, Value>,
    #[serde(default)]
    parents: Vec<Name>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Name {
    #[serde(rename = "type")]
    type_name: String,
    id: String,
}

impl Groups {
    /// No groups at all.
    pub(super) fn empty() -> Self {
        Self { entities: Entities::empty() }
    }

    /// Parses an entities file, or finds every problem in it.
    pub(super) fn parse(schema: &CedarSchema, file: &SourceFile) -> Result<Self, Vec<PolicyProblem>> {
        let rows: Vec<Row> = serde_json::from_str(&file.text)
            .map_err(|error| vec![PolicyProblem::at(&file.path, Some(error.line()), error.to_string())])?;

        let mut problems = Vec::new();
        let mut entities = HashMap::new();
        let declared: HashSet<EntityUid> = rows.iter().filter_map(|row| entity_uid(schema, &row.uid)).collect();
        for row in &rows {
            let Some(child) = entity_uid(schema, &row.uid) else {
                problems.push(format!(
                    "{}::{:?} cannot be listed: callers, pools and their groups can",
                    row.uid.type_name, row.uid.id
                ));
                continue;
            };
            if !row.attrs.is_empty() {
                problems.push(format!("{child} has attributes, which only a call can have"));
            }
            if *child.type_name() == schema.user_pool
                && let Err(form) = UserPoolIdText::parse(row.uid.id.clone())
            {
                problems.push(format!("{child} is not a user pool id: it {form}"));
            }
            let mut parents = HashSet::new();
            for parent in &row.parents {
                match entity_uid(schema, parent) {
                    Some(parent) if !is_group_of(schema, &parent, &child) => {
                        problems.push(format!("{child} cannot be in {parent}"));
                    }
                    Some(parent) if !declared.contains(&parent) => {
                        problems.push(format!("{child} is in {parent}, which is not listed"));
                    }
                    Some(parent) => {
                        parents.insert(parent);
                    }
                    None => problems.push(format!("{child} cannot be in a {}", parent.type_name)),
                }
            }
            let entity = Entity::new(child.clone(), attributes(schema, &child), parents);
            match entity.map(|entity| entities.insert(child.clone(), entity)) {
                Ok(None) => {}
                Ok(Some(_)) => problems.push(format!("{child} is listed twice")),
                Err(error) => problems.push(error.to_string()),
            }
        }
        if problems.is_empty() && nests_too_deep(&rows) {
            problems
                .push(format!("nests groups deeper than {MAX_GROUP_DEPTH} levels, or a group is in itself: a cycle"));
        }
        if problems.is_empty() {
            match Entities::from_entities(entities.into_values(), Some(&schema.cedar)) {
                Ok(entities) => return Ok(Self { entities }),
                Err(error) => problems.push(chain(&error)),
            }
        }
        Err(problems.into_iter().map(|problem| PolicyProblem::at(&file.path, None, problem)).collect())
    }

    /// Whether the file lists the entity.
    pub(super) fn lists(&self, uid: &EntityUid) -> bool {
        self.entities.get(uid).is_some()
    }

    /// Some pool or caller that the file lists in the group.
    pub(super) fn member_of(&self, group: &EntityUid) -> Option<EntityUid> {
        let member = self.entities.iter().find(|entity| self.entities.is_ancestor_of(group, &entity.uid()));
        member.map(Entity::uid)
    }

    /// The groups that the entity is in, directly or through other groups.
    pub(super) fn groups_of(&self, uid: &EntityUid) -> HashSet<EntityUid> {
        self.entities.ancestors(uid).into_iter().flatten().cloned().collect()
    }
}

/// Whether there are entities left after those whose groups all have been taken away, so many times.
fn nests_too_deep(rows: &[Row]) -> bool {
    let mut left: HashMap<(&str, &str), &Row> = rows.iter().map(|row| (key(&row.uid), row)).collect();
    for _ in 0..=MAX_GROUP_DEPTH {
        let is_ready = |row: &Row| row.parents.iter().all(|parent| !left.contains_key(&key(parent)));
        let ready: Vec<_> = left.values().filter(|row| is_ready(row)).map(|row| key(&row.uid)).collect();
        for uid in &ready {
            left.remove(uid);
        }
    }
    !left.is_empty()
}

fn key(name: &Name) -> (&str, &str) {
    (&name.type_name, &name.id)
}

fn entity_uid(schema: &CedarSchema, name: &Name) -> Option<EntityUid> {
    let types = [&schema.caller, &schema.caller_group, &schema.user_pool, &schema.user_pool_group];
    let type_name = types.into_iter().find(|type_name| type_name.to_string() == name.type_name)?;
    Some(uid(type_name, &name.id))
}

fn is_group_of(schema: &CedarSchema, parent: &EntityUid, child: &EntityUid) -> bool {
    let is = |uid: &EntityUid, types: [&EntityTypeName; 2]| types.contains(&uid.type_name());
    match parent.type_name() {
        group if *group == schema.caller_group => is(child, [&schema.caller, &schema.caller_group]),
        group if *group == schema.user_pool_group => is(child, [&schema.user_pool, &schema.user_pool_group]),
        _ => false,
    }
}

/// The attributes that the schema requires of an entity; a call brings the values that count.
fn attributes(schema: &CedarSchema, uid: &EntityUid) -> HashMap<String, RestrictedExpression> {
    let attribute = |name: &str, value| (name.to_owned(), value);
    if *uid.type_name() == schema.caller {
        let none = || RestrictedExpression::new_set([]);
        HashMap::from([attribute("scopes", none()), attribute("groups", none())])
    } else if *uid.type_name() == schema.user_pool {
        let region = region(uid.id().unescaped()).to_owned();
        HashMap::from([attribute("region", RestrictedExpression::new_string(region))])
    } else {
        HashMap::new()
    }
}
