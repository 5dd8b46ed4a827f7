//! Parses and validates the policies of a set, and finds every problem.

use std::collections::{BTreeMap, HashSet};
use std::hash::Hash;
use std::mem::discriminant;
use std::path::PathBuf;

use cedar_policy::{EntityUid, Policy, PolicyId, PolicySet, ValidationMode, Validator};
use miette::Diagnostic;

use crate::authz::policy::error::PolicyProblem;
use crate::authz::policy::groups::Groups;
use crate::authz::policy::nesting::{self, TooDeep};
use crate::authz::policy::schema::CedarSchema;
use crate::authz::policy::source::{SourceFile, Sources};
use crate::domain::text::UserPoolIdText;

/// The place of a policy in its file.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) file: PathBuf,
    pub(super) line: usize,
    pub(super) text: String,
}

/// The policies of all files by id, and the place of each.
pub(super) fn policies(sources: &Sources, problems: &mut Vec<PolicyProblem>) -> (PolicySet, BTreeMap<String, Place>) {
    let mut set = PolicySet::new();
    let mut places = BTreeMap::new();
    let mut empty = Vec::new();
    for file in &sources.policies {
        let (before, problems_before) = (set.num_of_policies(), problems.len());
        add_file(file, &mut set, &mut places, problems);
        if set.num_of_policies() == before && problems.len() == problems_before {
            empty.push(PolicyProblem::at(&file.path, None, "holds no policy; remove the file if that is meant"));
        }
    }
    if set.is_empty() && problems.is_empty() {
        problems.push(PolicyProblem::at(&sources.directory, None, "holds no policy, so nobody could call anything"));
    } else {
        // A file that was cut off or emptied by mistake would take its guards with it.
        problems.extend(empty);
    }
    (set, places)
}

/// Adds the policies of a file under their ids: the `@id` annotation, else the file's name and the policy's position.
fn add_file(
    file: &SourceFile,
    set: &mut PolicySet,
    places: &mut BTreeMap<String, Place>,
    problems: &mut Vec<PolicyProblem>,
) {
    if let Err(TooDeep { offset, problem }) = nesting::check(&file.text) {
        problems.push(PolicyProblem::at(&file.path, Some(file.line(offset)), problem));
        return;
    }
    let parsed: PolicySet = match file.text.parse() {
        Ok(parsed) => parsed,
        Err(errors) => {
            problems.extend(errors.iter().map(|error| problem_in(file, error)));
            return;
        }
    };
    for template in parsed.templates() {
        problems.push(PolicyProblem::at(
            &file.path,
            None,
            format!("{} is a template, which nothing fills", template.id()),
        ));
    }
    let mut searched = 0;
    for (position, policy) in parsed.policies().enumerate() {
        let text = policy.to_cedar().unwrap_or_else(|| policy.to_string());
        let rest = file.text.get(searched..).unwrap_or_default();
        let start = rest.find(&text).map_or(searched, |found| searched + found);
        searched = start + text.len();
        let line = file.line(start);

        let id = match policy.annotation("id") {
            Some("") => {
                problems.push(PolicyProblem::at(&file.path, Some(line), "@id is empty"));
                continue;
            }
            Some(id) => id.to_owned(),
            None => format!("{}#{}", file.name, position + 1),
        };
        if let Some(other) = places.get(&id) {
            let problem = format!("the id {id:?} is taken by the policy at {}:{}", other.file.display(), other.line);
            problems.push(PolicyProblem::at(&file.path, Some(line), problem));
            continue;
        }
        if let Err(error) = set.add(policy.new_id(PolicyId::new(&id))) {
            problems.push(PolicyProblem::at(&file.path, Some(line), error.to_string()));
        }
        places.insert(id, Place { file: file.path.clone(), line, text });
    }
}

/// What the validator finds. Its warnings count as well: a policy that can never apply, and characters that look like
/// others, are how a forbid that forbids nothing passes a review.
pub(super) fn violations(
    schema: &CedarSchema,
    set: &PolicySet,
    places: &BTreeMap<String, Place>,
    sources: &Sources,
) -> Vec<PolicyProblem> {
    let result = Validator::new(schema.cedar.clone()).validate(set, ValidationMode::Strict);
    let errors = result.validation_errors().map(|error| (error.policy_id(), discriminant(error), error));
    let warnings = result.validation_warnings().map(|warning| (warning.policy_id(), discriminant(warning), warning));
    let mut problems = once_a_place(errors, places, sources);
    problems.extend(once_a_place(warnings, places, sources));
    problems
}

/// The problems behind violations. One mistake makes a violation for each action that its policy covers: the first stands for
/// all.
fn once_a_place<'a, K: Eq + Hash, V: Diagnostic + 'a>(
    violations: impl Iterator<Item = (&'a PolicyId, K, &'a V)>,
    places: &BTreeMap<String, Place>,
    sources: &Sources,
) -> Vec<PolicyProblem> {
    let mut violations: Vec<_> =
        violations.map(|(id, kind, violation)| (id, offset(violation), text_of(violation), kind)).collect();
    violations.sort_by(|one, other| (one.0, one.1, &one.2).cmp(&(other.0, other.1, &other.2)));
    let mut seen = HashSet::new();
    let mut problems = Vec::new();
    for (id, offset, problem, kind) in violations {
        if !seen.insert((id, offset, kind)) {
            continue;
        }
        let place = places.get::<str>(id.as_ref());
        let file = place.and_then(|place| sources.policies.iter().find(|file| file.path == place.file));
        problems.push(match (place, file) {
            (Some(place), Some(file)) => {
                let line = offset.map_or(place.line, |offset| file.line(offset));
                PolicyProblem::at(&file.path, Some(line), problem)
            }
            _ => PolicyProblem::built_in(problem),
        });
    }
    problems
}

fn problem_in(file: &SourceFile, error: &dyn Diagnostic) -> PolicyProblem {
    PolicyProblem::at(&file.path, offset(error).map(|offset| file.line(offset)), text_of(error))
}

fn offset(error: &dyn Diagnostic) -> Option<usize> {
    error.labels().and_then(|mut labels| labels.next()).map(|label| label.offset())
}

fn text_of(error: &dyn Diagnostic) -> String {
    match error.help() {
        Some(help) => format!("{error} ({help})"),
        None => error.to_string(),
    }
}

/// Groups and pools that policies name and that cannot exist. The validator knows types only, and a forbid for a group whose
/// name is misspelled forbids nothing.
pub(super) fn unknown_entities(
    schema: &CedarSchema,
    groups: &Groups,
    set: &PolicySet,
    places: &BTreeMap<String, Place>,
) -> Vec<PolicyProblem> {
    set.policies().flat_map(|policy| unknown_entities_of(schema, groups, policy, places)).collect()
}

fn unknown_entities_of(
    schema: &CedarSchema,
    groups: &Groups,
    policy: &Policy,
    places: &BTreeMap<String, Place>,
) -> Vec<PolicyProblem> {
    let place = places.get::<str>(policy.id().as_ref());
    let literals: HashSet<EntityUid> = policy.entity_literals().into_iter().collect();
    let mut problems: Vec<_> = literals
        .iter()
        .filter_map(|literal| {
            let type_name = literal.type_name();
            if [&schema.caller_group, &schema.user_pool_group].contains(&type_name) {
                return (!groups.lists(literal)).then(|| format!("{literal} is not listed in the entities file"));
            }
            let pool = literal.id().unescaped();
            if *type_name != schema.user_pool || pool.is_empty() {
                return None;
            }
            UserPoolIdText::parse(pool.to_owned())
                .err()
                .map(|form| format!("{literal} is not a user pool id: it {form}"))
        })
        .collect();
    problems.sort();
    let located = |problem: String| {
        let problem = format!("for policy `{}`, {problem}", policy.id());
        match place {
            Some(place) => PolicyProblem::at(&place.file, Some(place.line), problem),
            None => PolicyProblem::built_in(problem),
        }
    };
    problems.into_iter().map(located).collect()
}
