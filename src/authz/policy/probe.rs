//! Evaluates every policy once while a set is loaded, with less stack than a call has: a policy that the evaluator gives up on
//! would deny every call that it applies to.

use std::collections::{BTreeSet, HashSet};

use cedar_policy::{
    AuthorizationError, EntityUid, EvaluationError, Policy, PrincipalConstraint, ResourceConstraint, Response,
};

use crate::authz::policy::action::Action;
use crate::authz::policy::error::PolicyProblem;
use crate::authz::policy::index::covers_action;
use crate::authz::policy::policies::Policies;
use crate::authz::policy::stack::with_stack;
use crate::domain::{
    Caller, CertificateIdentity, Effect, Factor, FactorConfiguration, MfaConfiguration, TokenIdentity, UserVerification,
};

/// The stack on which policies are probed: three quarters of what a worker of the runtime has.
const PROBE_STACK_BYTES: usize = 1536 * 1024;

/// The pool that is probed with where a policy names none.
const POOL: &str = "eu-west-1_Probe";

/// The policies whose evaluation fails for lack of stack.
pub(super) fn probe(policies: &Policies) -> Vec<PolicyProblem> {
    probe_on(PROBE_STACK_BYTES, policies)
}

fn probe_on(stack_bytes: usize, policies: &Policies) -> Vec<PolicyProblem> {
    let probed = || {
        let is_too_deep = |policy: &&Policy| {
            let mut asked = effects().into_iter().filter_map(|effect| ask(policies, policy, &effect));
            asked.any(|answer| answer.map_or(true, |response| ran_out(&response)))
        };
        let too_deep = policies.set.policies().filter(is_too_deep);
        too_deep.map(|policy| problem(policies, policy.id().as_ref())).collect()
    };
    with_stack(stack_bytes, probed).unwrap_or_else(|problem| vec![problem])
}

fn ran_out(response: &Response) -> bool {
    response.diagnostics().errors().any(|error| {
        let AuthorizationError::PolicyEvaluationError(error) = error;
        matches!(error.inner(), EvaluationError::RecursionLimit(_))
    })
}

fn problem(policies: &Policies, id: &str) -> PolicyProblem {
    let text =
        format!("for policy `{id}`, the evaluation needs more stack than a call has: make its conditions shorter");
    match policies.place(id) {
        Some(place) => PolicyProblem::at(&place.file, Some(place.line), text),
        None => PolicyProblem::built_in(text),
    }
}

/// A request without any effect, and one with much: conditions may look at either.
fn effects() -> [Effect; 2] {
    let factors = BTreeSet::from([Factor::SmsMfa, Factor::SoftwareTokenMfa]);
    let change = Effect {
        factors_enabled: factors.clone(),
        factors_disabled: factors,
        preferred: Some(Factor::SoftwareTokenMfa),
        mfa_configuration: Some(MfaConfiguration::Off),
        sms_role_arn: Some("arn:aws:iam::123456789012:role/probe".to_owned()),
        relying_party_id: Some("example.org".to_owned()),
        user_verification: Some(UserVerification::Preferred),
        factor_configuration: Some(FactorConfiguration::SingleFactor),
        texts_changed: true,
        weakens_mfa: true,
        ..Effect::default()
    };
    [Effect::default(), change]
}

/// Asks the one policy about a call that its scope covers, if there is any. An error means that even the request takes too much.
fn ask(policies: &Policies, policy: &Policy, effect: &Effect) -> Option<Result<Response, String>> {
    let name_of = |uid: EntityUid| uid.id().unescaped().to_owned();
    let is_caller = |uid: &EntityUid| *uid.type_name() == policies.schema.caller;
    let (caller, group) = match policy.principal_constraint() {
        PrincipalConstraint::Any | PrincipalConstraint::Is(_) => (None, None),
        PrincipalConstraint::Eq(uid) => (Some(uid), None),
        PrincipalConstraint::In(uid) | PrincipalConstraint::IsIn(_, uid) if is_caller(&uid) => (Some(uid), None),
        PrincipalConstraint::In(uid) | PrincipalConstraint::IsIn(_, uid) => (None, Some(uid)),
    };
    let pool = match policy.resource_constraint() {
        ResourceConstraint::Any | ResourceConstraint::Is(_) => None,
        ResourceConstraint::Eq(uid) | ResourceConstraint::In(uid) | ResourceConstraint::IsIn(_, uid) => {
            let is_pool = |uid: &EntityUid| *uid.type_name() == policies.schema.user_pool;
            if is_pool(&uid) { Some(uid) } else { policies.groups.member_of(&uid).filter(is_pool) }
        }
    };
    let action = Action::all().find(|action| covers_action(&policies.schema, policy, *action))?;
    let caller = caller_named(caller.map_or_else(|| "probe".to_owned(), name_of));
    let groups: HashSet<EntityUid> = group.into_iter().collect();
    let pool = pool.map_or_else(|| POOL.to_owned(), name_of);
    Some(policies.evaluate_alone(policy, (&caller, groups), action, &pool, effect))
}

/// A caller with both credentials, so that policies that ask for either are evaluated.
fn caller_named(name: String) -> Caller {
    let certificate = CertificateIdentity { name: name.clone(), trust_domain: Some("example.org".to_owned()) };
    let token = TokenIdentity {
        name: "probe".to_owned(),
        issuer: "probe".to_owned(),
        scopes: BTreeSet::new(),
        groups: BTreeSet::new(),
    };
    Caller { name, certificate: Some(certificate), token: Some(token) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Scopes of every kind, each before a long condition.
    #[test]
    fn a_policy_that_needs_more_stack_than_there_is_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let entities = directory.path().join("entities.json");
        let entry = |kind: &str, id: &str, group: &str| {
            let parent = format!(r#"{{ "type": "Mfagate::{kind}Group", "id": "{group}" }}"#);
            format!(
                r#"{{ "uid": {parent} }}, {{ "uid": {{ "type": "Mfagate::{kind}", "id": "{id}" }}, "parents": [{parent}] }}"#
            )
        };
        let json = [entry("Caller", "a", "g"), entry("UserPool", "eu-west-1_a", "p")].join(", ");
        fs::write(&entities, format!("[{json}]")).unwrap();
        let scopes = [
            "principal, action, resource",
            r#"principal == Mfagate::Caller::"a", action == Mfagate::Action::"GetUser", resource"#,
            r#"principal in Mfagate::Caller::"a", action in Mfagate::Action::"Read", resource"#,
            r#"principal in Mfagate::CallerGroup::"g", action, resource == Mfagate::UserPool::"eu-west-1_b""#,
            r#"principal is Mfagate::Caller in Mfagate::CallerGroup::"g", action, resource is Mfagate::UserPool"#,
            r#"principal, action, resource in Mfagate::UserPoolGroup::"p""#,
            r#"principal, action == Mfagate::Action::"ReadReflection", resource"#,
        ];
        let condition = ["principal.scopes.contains(\"a\")"; 16].join(" || ");
        let text: String = scopes.map(|scope| format!("forbid ({scope}) when {{ {condition} }};\n")).concat();
        fs::write(directory.path().join("all.cedar"), text).unwrap();
        let policies = Policies::load(directory.path(), Some(&entities)).unwrap();

        assert_eq!(probe_on(PROBE_STACK_BYTES, &policies), []);
        // Hardly more than the evaluator asks for at all.
        let problems = probe_on(160 * 1024, &policies);
        assert_eq!(problems.len(), scopes.len(), "{problems:?}");
        assert!(problems.iter().all(|problem| problem.problem.contains("more stack")), "{problems:?}");
    }
}
