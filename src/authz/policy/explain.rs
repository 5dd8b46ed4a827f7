//! This file explains decisions to people: what was asked, what was decided, and the text of the policies that decided.

use std::fmt::{self, Write as _};

use crate::authz::policy::action::Action;
use crate::authz::policy::policies::{Policies, Verdict};
use crate::authz::policy::query::Question;
use crate::authz::policy::schema;
use crate::domain::{Effect, Factor, MfaConfiguration};

/// The Cedar schema, as `mfagate policy schema` prints it.
#[must_use]
pub fn schema_text() -> &'static str {
    schema::TEXT
}

/// The decision on a question and the policies that made it, as `mfagate policy explain` prints them.
#[must_use]
pub fn explain(policies: &Policies, question: &Question) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _: fmt::Result = write_explanation(&mut text, policies, question, &question.ask(policies));
    text
}

fn write_explanation(text: &mut String, policies: &Policies, question: &Question, verdict: &Verdict) -> fmt::Result {
    let Question { caller, action, user_pool_id, effect } = question;
    writeln!(text, "{}\n", if verdict.allowed { "allow" } else { "deny" })?;
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
    writeln!(text, "policy set  {}\n", verdict.policy_set_hash)?;

    for error in &verdict.errors {
        writeln!(text, "Denied because a policy could not be evaluated: {error}\n")?;
    }
    if !verdict.policy_ids.is_empty() {
        writeln!(text, "{} by:\n", if verdict.allowed { "Permitted" } else { "Forbidden" })?;
        return write_policies(text, policies, &verdict.policy_ids);
    }
    if verdict.errors.is_empty() {
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

fn described(effect: &Effect) -> String {
    let Effect { factors_enabled, factors_disabled, preferred, mfa_configuration, weakens_mfa, legacy, end_user: _ } =
        effect;
    let factors = |factors: &std::collections::BTreeSet<Factor>| {
        let names: Vec<_> = factors.iter().map(|factor| factor.name()).collect();
        names.join(",")
    };
    let mut words = Vec::new();
    if !factors_enabled.is_empty() {
        words.push(format!("factors_enabled={}", factors(factors_enabled)));
    }
    if !factors_disabled.is_empty() {
        words.push(format!("factors_disabled={}", factors(factors_disabled)));
    }
    words.extend(preferred.map(|factor| format!("preferred={}", factor.name())));
    words.extend(mfa_configuration.map(MfaConfiguration::name).map(|name| format!("mfa_configuration={name}")));
    words.push(format!("weakens_mfa={weakens_mfa}"));
    words.push(format!("legacy={legacy}"));
    words.push(format!("for_signed_in_user={}", effect.for_signed_in_user()));
    words.push(format!("by_session={}", effect.by_session()));
    words.join(" ")
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { quoted(names) }
}

/// Names hold what callers choose, so they are quoted with control characters escaped.
fn quoted<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    format!("{:?}", names.into_iter().collect::<Vec<_>>())
}
