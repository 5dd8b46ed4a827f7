//! This file holds a set of policies: loaded whole or refused with every fault, then asked about calls.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::hash::Hash;
use std::mem::discriminant;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cedar_policy::{
    Authorizer, Decision, Entities, Entity, EntityUid, Policy, PolicyId, PolicySet, Request, Response, ValidationMode,
    Validator,
};
use miette::Diagnostic;

use crate::access::policy::action::Action;
use crate::access::policy::entities::Hierarchy;
use crate::access::policy::fault::{Fault, LoadError};
use crate::access::policy::reach::{Reach, covers};
use crate::access::policy::schema::{TEXT, Vocabulary, uid};
use crate::access::policy::source::{SourceFile, Sources};
use crate::access::{Caller, Effect};
use crate::proto::Rpc;
use crate::request::text::UserPoolIdText;

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

/// Where a policy is written.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) file: PathBuf,
    pub(super) line: usize,
    pub(super) text: String,
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

        let mut set = PolicySet::new();
        let mut places = BTreeMap::new();
        for file in &sources.policies {
            add_file(file, &mut set, &mut places, &mut faults);
        }
        if set.is_empty() && faults.is_empty() {
            faults.push(Fault::at(&sources.directory, None, "holds no policy, so that nobody could call anything"));
        }
        faults.extend(violations(&words, &set, &places, sources));
        for policy in set.policies().filter(|_| groups_are_known) {
            faults.extend(unknown_entities(&words, &hierarchy, policy, &places));
        }
        LoadError::check(faults)?;

        let named = named_entities(&hierarchy, &set);
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
        let (principal_uid, resource_uid) = (principal.uid(), resource.uid());
        let request = Request::new(principal_uid.clone(), action_entity.uid(), resource_uid.clone(), context, None)
            .map_err(|error| error.to_string())?;
        let others = self.named.iter().filter(|entity| ![&principal_uid, &resource_uid].contains(&&entity.uid()));
        let entities = [&principal, &resource, action_entity].into_iter().chain(others).cloned();
        let entities = Entities::from_entities(entities, None).map_err(|error| error.to_string())?;
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

/// Adds the policies of a file under their ids: the `@id` annotation, else the file's name and the policy's position.
fn add_file(file: &SourceFile, set: &mut PolicySet, places: &mut BTreeMap<String, Place>, faults: &mut Vec<Fault>) {
    let parsed: PolicySet = match file.text.parse() {
        Ok(parsed) => parsed,
        Err(errors) => {
            faults.extend(errors.iter().map(|error| fault_in(file, error)));
            return;
        }
    };
    for template in parsed.templates() {
        faults.push(Fault::at(&file.path, None, format!("{} is a template, which nothing could fill", template.id())));
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
                faults.push(Fault::at(&file.path, Some(line), "@id is empty"));
                continue;
            }
            Some(id) => id.to_owned(),
            None => format!("{}#{}", file.name, position + 1),
        };
        if let Some(other) = places.get(&id) {
            let problem = format!("the id {id:?} is taken by the policy at {}:{}", other.file.display(), other.line);
            faults.push(Fault::at(&file.path, Some(line), problem));
            continue;
        }
        if let Err(error) = set.add(policy.new_id(PolicyId::new(&id))) {
            faults.push(Fault::at(&file.path, Some(line), error.to_string()));
        }
        places.insert(id, Place { file: file.path.clone(), line, text });
    }
}

/// What the validator finds. Its warnings count as well: a policy that can never apply, and characters that look like
/// others, are how a guard that guards nothing passes a review.
fn violations(words: &Vocabulary, set: &PolicySet, places: &BTreeMap<String, Place>, sources: &Sources) -> Vec<Fault> {
    let result = Validator::new(words.schema.clone()).validate(set, ValidationMode::Strict);
    let errors = result.validation_errors().map(|error| (error.policy_id(), discriminant(error), error));
    let warnings = result.validation_warnings().map(|warning| (warning.policy_id(), discriminant(warning), warning));
    let mut faults = once_a_place(errors, places, sources);
    faults.extend(once_a_place(warnings, places, sources));
    faults
}

/// Faults of violations, of which one mistake makes one for each action that its policy covers: the first stands for them.
fn once_a_place<'a, K: Eq + Hash, V: Diagnostic + 'a>(
    violations: impl Iterator<Item = (&'a PolicyId, K, &'a V)>,
    places: &BTreeMap<String, Place>,
    sources: &Sources,
) -> Vec<Fault> {
    let mut violations: Vec<_> =
        violations.map(|(id, kind, violation)| (id, offset(violation), words_of(violation), kind)).collect();
    violations.sort_by(|one, other| (one.0, one.1, &one.2).cmp(&(other.0, other.1, &other.2)));
    let mut seen = HashSet::new();
    let mut faults = Vec::new();
    for (id, offset, problem, kind) in violations {
        if !seen.insert((id, offset, kind)) {
            continue;
        }
        let place = places.get::<str>(id.as_ref());
        let file = place.and_then(|place| sources.policies.iter().find(|file| file.path == place.file));
        faults.push(match (place, file) {
            (Some(place), Some(file)) => {
                let line = offset.map_or(place.line, |offset| file.line(offset));
                Fault::at(&file.path, Some(line), problem)
            }
            _ => Fault::built_in(problem),
        });
    }
    faults
}

fn fault_in(file: &SourceFile, error: &dyn Diagnostic) -> Fault {
    Fault::at(&file.path, offset(error).map(|offset| file.line(offset)), words_of(error))
}

fn offset(error: &dyn Diagnostic) -> Option<usize> {
    error.labels().and_then(|mut labels| labels.next()).map(|label| label.offset())
}

fn words_of(error: &dyn Diagnostic) -> String {
    match error.help() {
        Some(help) => format!("{error} ({help})"),
        None => error.to_string(),
    }
}

/// Groups and pools that the policy names and that cannot be. The validator knows types only, and a guard for a group
/// whose name is misspelt guards nobody.
fn unknown_entities(
    words: &Vocabulary,
    hierarchy: &Hierarchy,
    policy: &Policy,
    places: &BTreeMap<String, Place>,
) -> Vec<Fault> {
    let place = places.get::<str>(policy.id().as_ref());
    let literals: HashSet<EntityUid> = policy.entity_literals().into_iter().collect();
    let mut problems: Vec<_> = literals
        .iter()
        .filter_map(|literal| {
            let type_name = literal.type_name();
            if [&words.caller_group, &words.user_pool_group].contains(&type_name) {
                return (!hierarchy.lists(literal)).then(|| format!("{literal} is not listed in the entities file"));
            }
            let pool = literal.id().unescaped();
            if *type_name != words.user_pool || pool.is_empty() {
                return None;
            }
            UserPoolIdText::parse(pool.to_owned()).err().map(|form| format!("{literal} is no user pool id: it {form}"))
        })
        .collect();
    problems.sort();
    let fault = |problem: String| {
        let problem = format!("for policy `{}`, {problem}", policy.id());
        match place {
            Some(place) => Fault::at(&place.file, Some(place.line), problem),
            None => Fault::built_in(problem),
        }
    };
    problems.into_iter().map(fault).collect()
}

/// The entities in groups that policies name. A decision must know their groups: a condition may ask whether one group is
/// in another.
fn named_entities(hierarchy: &Hierarchy, set: &PolicySet) -> Vec<Entity> {
    let conditional = set.policies().filter(|policy| policy.has_non_scope_constraint());
    let literals: HashSet<EntityUid> = conditional.flat_map(Policy::entity_literals).collect();
    let in_groups = literals.into_iter().map(|literal| (hierarchy.groups_of(&literal), literal));
    in_groups.filter(|(groups, _)| !groups.is_empty()).map(|(groups, uid)| Entity::new_no_attrs(uid, groups)).collect()
}
