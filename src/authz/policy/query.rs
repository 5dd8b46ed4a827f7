//! This file reads questions that people ask of policies: who, what, on which pool, with which content.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;

use crate::api::Rpc;
use crate::authz::policy::action::Action;
use crate::authz::policy::policies::{Decision, Policies};
use crate::domain::{Caller, CertificateIdentity, Effect, EndUserCredential, Factor, MfaConfiguration, TokenIdentity};

/// A question in words, as options or a table give them.
#[derive(Clone, Debug, Default)]
pub struct QuestionWords {
    /// The caller's name. A SPIFFE ID is taken for the name in a certificate, any other name for one in a token.
    pub caller: String,
    /// Whether the name is that of a certificate although it is no SPIFFE ID.
    pub certificate: bool,
    /// The scopes in the caller's token.
    pub scopes: Vec<String>,
    /// The groups in the caller's token; not those of the entities file, which the name decides.
    pub groups: Vec<String>,
    /// Who issued the caller's token.
    pub issuer: Option<String>,
    /// The name in the caller's token, where the caller has a certificate as well.
    pub token: Option<String>,
    /// The permission that the caller would use.
    pub action: String,
    /// The user pool; the empty id is the pool of a token that names none.
    pub pool: Option<String>,
    /// What the request would do.
    pub context: ContextWords,
}

/// What a request would do, in the words of the Cedar schema. What is left out is what the action implies, or nothing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContextWords {
    factors_enabled: Option<Vec<String>>,
    factors_disabled: Option<Vec<String>>,
    preferred: Option<String>,
    mfa_configuration: Option<String>,
    weakens_mfa: Option<bool>,
    legacy: Option<bool>,
    for_signed_in_user: Option<bool>,
    by_session: Option<bool>,
}

/// A question that policies can be asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// Who asks.
    pub caller: Caller,
    /// For what.
    pub action: Action,
    /// On which pool; empty for none.
    pub user_pool_id: String,
    /// To what effect.
    pub effect: Effect,
}

/// Why words are no question: everything that is wrong with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuestionError {
    problems: Vec<String>,
}

impl fmt::Display for QuestionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("; "))
    }
}

impl std::error::Error for QuestionError {}

impl QuestionError {
    fn check(problems: Vec<String>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self { problems }) }
    }
}

impl ContextWords {
    /// Reads `key=value` pairs. Factors are separated by commas.
    pub fn parse<'a>(pairs: impl IntoIterator<Item = &'a str>) -> Result<Self, QuestionError> {
        let mut words = Self::default();
        let mut problems = Vec::new();
        for pair in pairs {
            let Some((key, value)) = pair.split_once('=') else {
                problems.push(format!("{pair:?} must be key=value"));
                continue;
            };
            let taken = match key {
                "factors_enabled" => set(&mut words.factors_enabled, Some(list(value))),
                "factors_disabled" => set(&mut words.factors_disabled, Some(list(value))),
                "preferred" => set(&mut words.preferred, Some(value.to_owned())),
                "mfa_configuration" => set(&mut words.mfa_configuration, Some(value.to_owned())),
                "weakens_mfa" => set(&mut words.weakens_mfa, value.parse().ok()),
                "legacy" => set(&mut words.legacy, value.parse().ok()),
                "for_signed_in_user" => set(&mut words.for_signed_in_user, value.parse().ok()),
                "by_session" => set(&mut words.by_session, value.parse().ok()),
                _ => Err("is not in the context of the Cedar schema"),
            };
            if let Err(problem) = taken {
                problems.push(format!("{key:?} {problem}"));
            }
        }
        QuestionError::check(problems)?;
        Ok(words)
    }

    /// The effect of a call of `action`.
    fn effect(&self, policies: &Policies, action: Action, problems: &mut Vec<String>) -> Effect {
        let mut factors = |words: &Option<Vec<String>>| -> BTreeSet<Factor> {
            words.iter().flatten().filter_map(|word| factor(word, problems)).collect()
        };
        let factors_enabled = factors(&self.factors_enabled);
        let mut factors_disabled = factors(&self.factors_disabled);
        let replaces_all = action == Action::Rpc(Rpc::SetUserPoolMfaConfig);
        if replaces_all && self.factors_disabled.is_none() {
            // What a pool's new configuration leaves out is disabled.
            factors_disabled.extend(Factor::ALL.into_iter().filter(|factor| !factors_enabled.contains(factor)));
        }
        let preferred = self.preferred.as_ref().and_then(|word| factor(word, problems));
        let mfa_configuration = self.mfa_configuration.as_ref().and_then(|word| mfa_configuration(word, problems));
        let deletes = matches!(action, Action::Rpc(Rpc::AdminDeleteSoftwareToken | Rpc::DeleteWebAuthnCredential));
        let loosens = replaces_all && mfa_configuration != Some(MfaConfiguration::On);
        let weakens_mfa = deletes || loosens || !factors_disabled.is_empty();
        let by_session = self.by_session.unwrap_or_default();
        let for_user = self.for_signed_in_user.unwrap_or_else(|| policies.is_in_group(action, "ForSignedInUser"));
        let end_user = match (for_user, by_session) {
            (true, true) => Some(EndUserCredential::Session),
            (true, false) => Some(EndUserCredential::AccessToken),
            (false, false) => None,
            (false, true) => {
                problems.push("by_session is true of nothing that is not for_signed_in_user".to_owned());
                None
            }
        };
        Effect {
            factors_enabled,
            factors_disabled,
            preferred,
            mfa_configuration,
            weakens_mfa: self.weakens_mfa.unwrap_or(weakens_mfa),
            legacy: self.legacy.unwrap_or_else(|| policies.is_in_group(action, "Legacy")),
            end_user,
        }
    }
}

fn set<T>(slot: &mut Option<T>, value: Option<T>) -> Result<(), &'static str> {
    match value {
        None => Err("must be true or false"),
        Some(_) if slot.is_some() => Err("is given twice"),
        value => {
            *slot = value;
            Ok(())
        }
    }
}

fn list(value: &str) -> Vec<String> {
    value.split(',').filter(|word| !word.is_empty()).map(ToOwned::to_owned).collect()
}

fn factor(word: &str, problems: &mut Vec<String>) -> Option<Factor> {
    one_of(word, "factor", Factor::ALL, Factor::name, problems)
}

fn mfa_configuration(word: &str, problems: &mut Vec<String>) -> Option<MfaConfiguration> {
    let all = [MfaConfiguration::Off, MfaConfiguration::Optional, MfaConfiguration::On];
    one_of(word, "MFA configuration", all, MfaConfiguration::name, problems)
}

fn one_of<T: Copy, const N: usize>(
    word: &str,
    what: &str,
    all: [T; N],
    name: impl Fn(T) -> &'static str,
    problems: &mut Vec<String>,
) -> Option<T> {
    let found = all.into_iter().find(|one| name(*one) == word);
    if found.is_none() {
        problems.push(format!("{word:?} is no {what}, which is one of {}", all.map(name).join(", ")));
    }
    found
}

impl Question {
    /// Reads a question, or finds everything that is wrong with it.
    pub fn parse(words: &QuestionWords, policies: &Policies) -> Result<Self, QuestionError> {
        let mut problems = Vec::new();
        if words.caller.is_empty() {
            problems.push("the caller has no name".to_owned());
        }
        if words.token.is_some() && !words.has_certificate() {
            problems.push("the name in the token is that of the caller, who has no certificate".to_owned());
        }
        let Some(action) = Action::from_permission(&words.action) else {
            problems.push(format!("{:?} is no permission of an RPC, nor ReadReflection", words.action));
            return Err(QuestionError { problems });
        };
        let user_pool_id = match (action, &words.pool) {
            (Action::Rpc(_), Some(pool)) => pool.clone(),
            (Action::Rpc(_), None) => {
                problems.push(format!("{} is on a pool, which is missing", words.action));
                String::new()
            }
            (Action::ReadReflection, None) => String::new(),
            (Action::ReadReflection, Some(_)) => {
                problems.push(format!("{} is on no pool", words.action));
                String::new()
            }
        };
        let effect = words.context.effect(policies, action, &mut problems);
        QuestionError::check(problems)?;
        Ok(Self { caller: words.caller(), action, user_pool_id, effect })
    }

    /// What the policies decide on it.
    pub fn ask(&self, policies: &Policies) -> Decision {
        policies.ask(&self.caller, self.action, &self.user_pool_id, &self.effect)
    }
}

impl QuestionWords {
    /// A SPIFFE ID's.
    fn trust_domain(&self) -> Option<&str> {
        self.caller.strip_prefix("spiffe://").and_then(|rest| rest.split('/').next())
    }

    fn has_certificate(&self) -> bool {
        self.certificate || self.trust_domain().is_some()
    }

    fn has_token(&self) -> bool {
        let says_so =
            self.token.is_some() || self.issuer.is_some() || !self.scopes.is_empty() || !self.groups.is_empty();
        says_so || !self.has_certificate()
    }

    fn caller(&self) -> Caller {
        let Self { caller: name, scopes, groups, issuer, token, .. } = self;
        let trust_domain = self.trust_domain().map(ToOwned::to_owned);
        Caller {
            name: name.clone(),
            certificate: self.has_certificate().then(|| CertificateIdentity { name: name.clone(), trust_domain }),
            token: self.has_token().then(|| TokenIdentity {
                name: token.as_ref().unwrap_or(name).clone(),
                issuer: issuer.clone().unwrap_or_default(),
                scopes: scopes.iter().cloned().collect(),
                groups: groups.iter().cloned().collect(),
            }),
        }
    }
}
