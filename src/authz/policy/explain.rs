//! Explanations of decisions: the query, the decision, and the text of the policies that made it.

use std::fmt::{self, Write as _};

use crate::authz::policy::action::Action;
use crate::authz::policy::policies::{Decision, Policies};
use crate::authz::policy::query::Query;
use crate::authz::policy::schema;
use crate::domain::{Effect, EffectValue};

/// The Cedar schema, as `mfagate policy schema` prints it.
pub fn schema_text() -> &'static str {
    schema::TEXT
}

/// The decision on a query and the policies that made it, as `mfagate policy explain` prints them.
pub fn explain(policies: &Policies, query: &Query) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _: fmt::Result = write_explanation(&mut text, policies, query, &query.ask(policies));
    text
}

fn write_explanation(text: &mut String, policies: &Policies, query: &Query, decision: &Decision) -> fmt::Result {
    let Query { caller, action, user_pool_id, effect } = query;
    writeln!(text, "{}\n", if decision.allowed { "allow" } else { "deny" })?;
    writeln!(text, "caller      {:?}", caller.name)?;
    writeln!(text, "  groups    {}", listed(&policies.groups_of(&caller.name)))?;
    if let Some(token) = &caller.token {
        writeln!(
            text,
            "  token     name {:?}, issuer {:?}, scopes {}, groups {}",
            token.name,
            token.issuer,
            quoted(&token.scopes),
            quoted(&token.groups)
        )?;
    }
    writeln!(text, "action      {}", action.permission())?;
    if matches!(action, Action::Rpc(_)) {
        writeln!(text, "pool        {user_pool_id:?}")?;
        writeln!(text, "context     {}", described(effect))?;
    }
    writeln!(text, "policy set  {}\n", decision.policy_set_hash)?;

    for error in &decision.errors {
        writeln!(text, "Denied because a policy could not be evaluated: {error}\n")?;
    }
    if !decision.policy_ids.is_empty() {
        writeln!(text, "{} by:\n", if decision.allowed { "Permitted" } else { "Forbidden" })?;
        return write_policies(text, policies, &decision.policy_ids);
    }
    if decision.errors.is_empty() {
        let permits = policies.permits_about(&caller.name, *action);
        if permits.is_empty() {
            return writeln!(text, "Denied because no policy permits this caller this action, on any pool.");
        }
        writeln!(
            text,
            "Denied because the policies that permit this caller this action do so on other pools or conditions:\n"
        )?;
        return write_policies(text, policies, &permits);
    }
    Ok(())
}

fn write_policies(text: &mut String, policies: &Policies, ids: &[String]) -> fmt::Result {
    for id in ids {
        match policies.place(id) {
            Some(place) => writeln!(text, "{id}  ({}:{})\n{}\n", place.file.display(), place.line, place.text)?,
            None => writeln!(text, "{id}\n")?,
        }
    }
    Ok(())
}

/// The fields of an effect as `key=value`, without the sets that are empty.
fn described(effect: &Effect) -> String {
    let words = effect.fields().filter_map(|(name, value)| match value {
        EffectValue::Factors(factors) if factors.is_empty() => None,
        EffectValue::Factors(factors) => {
            let names: Vec<_> = factors.iter().map(|factor| factor.name()).collect();
            Some(format!("{name}={}", names.join(",")))
        }
        EffectValue::Factor(factor) => Some(format!("{name}={}", factor.name())),
        EffectValue::MfaConfiguration(value) => Some(format!("{name}={}", value.name())),
        EffectValue::UserVerification(value) => Some(format!("{name}={}", value.name())),
        EffectValue::FactorConfiguration(value) => Some(format!("{name}={}", value.name())),
        EffectValue::Text(value) => Some(format!("{name}={value:?}")),
        EffectValue::Bool(value) => Some(format!("{name}={value}")),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { quoted(names) }
}

/// Names hold what callers choose, so they are quoted with control characters escaped.
fn quoted<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    format!("{:?}", names.into_iter().collect::<Vec<_>>())
}
