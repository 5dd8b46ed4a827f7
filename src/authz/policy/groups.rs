//! This file reads the entities file: which callers and which pools are in which groups.

use std::collections::{HashMap, HashSet};
use std::error::Error;

use cedar_policy::{Entities, Entity, EntityTypeName, EntityUid, RestrictedExpression};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::authz::policy::error::Fault;
use crate::authz::policy::schema::{Vocabulary, uid};
use crate::authz::policy::source::SourceFile;
use crate::domain::text::{UserPoolIdText, region};

/// The groups of callers and of pools, and who is in them.
#[derive(Debug)]
pub(super) struct Hierarchy {
    entities: Entities,
}

/// One entity, in Cedar's JSON form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    uid: Name,
    /// Always empty: a file must not vouch for what only a credential proves.
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

impl Hierarchy {
    /// No groups at all.
    pub(super) fn empty() -> Self {
        Self { entities: Entities::empty() }
    }

    /// Reads an entities file, or finds every fault in it.
    pub(super) fn parse(words: &Vocabulary, file: &SourceFile) -> Result<Self, Vec<Fault>> {
        let rows: Vec<Row> = serde_json::from_str(&file.text)
            .map_err(|error| vec![Fault::at(&file.path, Some(error.line()), error.to_string())])?;

        let mut problems = Vec::new();
        let mut entities = HashMap::new();
        let declared: HashSet<EntityUid> = rows.iter().filter_map(|row| entity_uid(words, &row.uid)).collect();
        for row in &rows {
            let Some(child) = entity_uid(words, &row.uid) else {
                problems.push(format!(
                    "{}::{:?} cannot be listed: callers, pools and their groups can",
                    row.uid.type_name, row.uid.id
                ));
                continue;
            };
            if !row.attrs.is_empty() {
                problems.push(format!("{child} has attributes, which only a call can have"));
            }
            if *child.type_name() == words.user_pool
                && let Err(form) = UserPoolIdText::parse(row.uid.id.clone())
            {
                problems.push(format!("{child} is no user pool id: it {form}"));
            }
            let mut parents = HashSet::new();
            for parent in &row.parents {
                match entity_uid(words, parent) {
                    Some(parent) if !is_group_of(words, &parent, &child) => {
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
            let entity = Entity::new(child.clone(), attributes(words, &child), parents);
            match entity.map(|entity| entities.insert(child.clone(), entity)) {
                Ok(None) => {}
                Ok(Some(_)) => problems.push(format!("{child} is listed twice")),
                Err(error) => problems.push(error.to_string()),
            }
        }
        if problems.is_empty() {
            // What is left for Cedar to find is a group that is in itself.
            match Entities::from_entities(entities.into_values(), Some(&words.schema)) {
                Ok(entities) => return Ok(Self { entities }),
                Err(error) => problems.push(with_cause(&error)),
            }
        }
        Err(problems.into_iter().map(|problem| Fault::at(&file.path, None, problem)).collect())
    }

    /// Whether the file lists the entity.
    pub(super) fn lists(&self, uid: &EntityUid) -> bool {
        self.entities.get(uid).is_some()
    }

    /// The groups that the entity is in, directly or through other groups.
    pub(super) fn groups_of(&self, uid: &EntityUid) -> HashSet<EntityUid> {
        self.entities.ancestors(uid).into_iter().flatten().cloned().collect()
    }
}

fn with_cause(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {}", with_cause(cause)))
}

fn entity_uid(words: &Vocabulary, name: &Name) -> Option<EntityUid> {
    let types = [&words.caller, &words.caller_group, &words.user_pool, &words.user_pool_group];
    let type_name = types.into_iter().find(|type_name| type_name.to_string() == name.type_name)?;
    Some(uid(type_name, &name.id))
}

fn is_group_of(words: &Vocabulary, parent: &EntityUid, child: &EntityUid) -> bool {
    let is = |uid: &EntityUid, types: [&EntityTypeName; 2]| types.contains(&uid.type_name());
    match parent.type_name() {
        group if *group == words.caller_group => is(child, [&words.caller, &words.caller_group]),
        group if *group == words.user_pool_group => is(child, [&words.user_pool, &words.user_pool_group]),
        _ => false,
    }
}

/// What the schema demands of an entity; a call brings the values that count.
fn attributes(words: &Vocabulary, uid: &EntityUid) -> HashMap<String, RestrictedExpression> {
    let attribute = |name: &str, value| (name.to_owned(), value);
    if *uid.type_name() == words.caller {
        let none = || RestrictedExpression::new_set([]);
        HashMap::from([attribute("scopes", none()), attribute("groups", none())])
    } else if *uid.type_name() == words.user_pool {
        let region = region(uid.id().unescaped()).to_owned();
        HashMap::from([attribute("region", RestrictedExpression::new_string(region))])
    } else {
        HashMap::new()
    }
}
