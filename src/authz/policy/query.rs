//! Questions that people ask of policies: who, what, on which pool, to what effect.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::str::FromStr;

use clap::Args;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use thiserror::Error;

use crate::api::Rpc;
use crate::authz::policy::action::Action;
use crate::authz::policy::policies::{Decision, Policies};
use crate::domain::text::{Constraint, OptionalArnKind, RelyingPartyIdKind, Text};
use crate::domain::{
    Caller, CertificateIdentity, Effect, EndUserCredential, Factor, FactorConfiguration, MfaConfiguration,
    TokenIdentity, UserVerification, account_of_arn,
};

/// A question as the options of `policy explain` or a row of a decision table give it.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryArgs {
    /// The caller: a SPIFFE ID (a certificate's name) or another name (a token's). Required without `--record`.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true,
        required_unless_present = "record"
    )]
    pub caller: String,

    /// Treat the name as that of a certificate although it is not a SPIFFE ID.
    #[arg(long)]
    #[serde(default)]
    pub certificate: bool,

    /// A scope in the caller's token. May be repeated.
    #[arg(long = "scope", value_name = "SCOPE")]
    #[serde(default)]
    pub scopes: Vec<String>,

    /// A group in the caller's token. May be repeated.
    #[arg(long = "group", value_name = "GROUP")]
    #[serde(default)]
    pub groups: Vec<String>,

    /// The issuer of the caller's token.
    #[arg(long, value_name = "ISSUER")]
    pub issuer: Option<String>,

    /// The name in the caller's token, if the caller has a certificate as well.
    #[arg(long, value_name = "NAME")]
    pub token: Option<String>,

    /// The permission that the call requires, as the RPC declares it. Required without `--record`.
    #[arg(
        long,
        value_name = "PERMISSION",
        default_value = "",
        hide_default_value = true,
        required_unless_present = "record"
    )]
    pub action: String,

    /// The pool that the call names.
    #[arg(long, value_name = "POOL")]
    pub pool: Option<String>,

    /// What the request would do, in the schema's words. May be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    #[serde(default, deserialize_with = "context_args")]
    pub context: Vec<ContextArg>,
}

/// A field of the context, and its value as text. Factors are separated by commas. [`Query::parse`] judges both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextArg {
    field: String,
    value: Option<String>,
}

impl FromStr for ContextArg {
    type Err = Infallible;

    /// Splits `key=value`.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        let (field, value) = text.split_once('=').map_or((text, None), |(field, value)| (field, Some(value)));
        Ok(Self { field: field.to_owned(), value: value.map(ToOwned::to_owned) })
    }
}

/// A table of fields, each true or false, a text, or a list of texts.
fn context_args<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ContextArg>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "must be true, false, a text or a list of texts")]
    enum Value {
        Bool(bool),
        Text(String),
        List(Vec<String>),
    }

    struct Table;

    impl<'de> Visitor<'de> for Table {
        type Value = Vec<ContextArg>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a table of context fields")
        }

        fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
            let mut arguments = Vec::new();
            while let Some((field, value)) = map.next_entry()? {
                let value = match value {
                    Value::Bool(value) => value.to_string(),
                    Value::Text(value) => value,
                    Value::List(values) => values.join(","),
                };
                arguments.push(ContextArg { field, value: Some(value) });
            }
            Ok(arguments)
        }
    }

    deserializer.deserialize_map(Table)
}

/// A question that policies can be asked.
#[derive(Clone, Debug)]
pub struct Query {
    /// Who calls.
    pub caller: Caller,
    /// What the caller would do.
    pub action: Action,
    /// The pool; empty for none.
    pub user_pool_id: String,
    /// What the request would do.
    pub effect: Effect,
}

/// Why arguments are not a query: everything that is wrong with them.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", .problems.join("; "))]
pub struct QueryError {
    problems: Vec<String>,
}

impl Query {
    /// Parses a query, or finds everything that is wrong with it.
    pub fn parse(arguments: &QueryArgs, policies: &Policies) -> Result<Self, QueryError> {
        let mut problems = Vec::new();
        if arguments.caller.is_empty() {
            problems.push("the caller has no name".to_owned());
        }
        if arguments.token.is_some() && !arguments.has_certificate() {
            problems
                .push("the caller has no certificate, so its name is the one in the token: leave token out".to_owned());
        }
        let Some(action) = Action::from_permission(&arguments.action) else {
            problems.push(format!("{:?} is no permission of an RPC, nor ReadReflection", arguments.action));
            return Err(QueryError { problems });
        };
        let user_pool_id = match (action, &arguments.pool) {
            (Action::Rpc(_), Some(pool)) => pool.clone(),
            (Action::Rpc(_), None) => {
                problems.push(format!("{} is on a pool, which is missing", arguments.action));
                String::new()
            }
            (Action::ReadReflection, None) => String::new(),
            (Action::ReadReflection, Some(_)) => {
                problems.push(format!("{} is on no pool", arguments.action));
                String::new()
            }
        };
        let effect = Context::parse(&arguments.context, &mut problems).effect(policies, action, &mut problems);
        if !problems.is_empty() {
            return Err(QueryError { problems });
        }
        Ok(Self { caller: arguments.caller(), action, user_pool_id, effect })
    }

    /// The decision of the policies.
    pub fn ask(&self, policies: &Policies) -> Decision {
        policies.ask(&self.caller, self.action, &self.user_pool_id, &self.effect)
    }
}

/// What a query takes from the record of a decision.
#[derive(Deserialize)]
struct DecisionLine {
    kind: String,
    caller: Option<String>,
    authenticated: String,
    token_caller: Option<String>,
    token_issuer: Option<String>,
    permission: Option<String>,
    user_pool_id: Option<String>,
    #[serde(default, deserialize_with = "context_of_record")]
    effect: Vec<ContextArg>,
}

/// The effect of a record as fields of a context, without what only records have.
fn context_of_record<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ContextArg>, D::Error> {
    let mut effect = serde_json::Map::deserialize(deserializer)?;
    effect.remove("texts_sha256");
    // Derived from the ARN.
    effect.remove("sms_role_account");
    context_args(serde_json::Value::Object(effect)).map_err(serde::de::Error::custom)
}

impl QueryArgs {
    /// These arguments, with what they leave out taken from the line of a decision in the audit log.
    pub fn or_record(self, line: &str) -> Result<Self, QueryError> {
        let wrong = |problem: String| QueryError { problems: vec![problem] };
        let line: DecisionLine = serde_json::from_str(line)
            .map_err(|error| wrong(format!("the line is no record of the audit log: {error}")))?;
        if line.kind != "decision" {
            return Err(wrong(format!("the record is no decision, but of the kind {:?}", line.kind)));
        }
        let by_certificate = matches!(line.authenticated.as_str(), "mtls" | "both");
        let by_token = line.authenticated == "both";
        let or = |given: String, recorded: Option<String>| {
            if given.is_empty() { recorded.unwrap_or_default() } else { given }
        };
        // A name that both credentials have is recorded once.
        let token = line.token_caller.or_else(|| line.caller.clone().filter(|_| by_token));
        let context = if self.context.is_empty() { line.effect } else { self.context };
        Ok(Self {
            caller: or(self.caller, line.caller),
            certificate: self.certificate || by_certificate,
            scopes: self.scopes,
            groups: self.groups,
            issuer: self.issuer.or(line.token_issuer),
            token: self.token.or(token),
            action: or(self.action, line.permission),
            pool: self.pool.or(line.user_pool_id),
            context,
        })
    }

    /// The trust domain of a SPIFFE ID.
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

/// The fields of the context that were given. What was left out is what the action implies, or nothing.
#[derive(Default)]
struct Context {
    factors_enabled: Option<BTreeSet<Factor>>,
    factors_disabled: Option<BTreeSet<Factor>>,
    preferred: Option<Factor>,
    mfa_configuration: Option<MfaConfiguration>,
    sms_role_arn: Option<String>,
    sms_role_account: Option<String>,
    relying_party_id: Option<String>,
    user_verification: Option<UserVerification>,
    factor_configuration: Option<FactorConfiguration>,
    texts_changed: Option<bool>,
    weakens_mfa: Option<bool>,
    legacy: Option<bool>,
    for_signed_in_user: Option<bool>,
    by_session: Option<bool>,
}

impl Context {
    fn parse(arguments: &[ContextArg], problems: &mut Vec<String>) -> Self {
        let mut context = Self::default();
        for ContextArg { field, value } in arguments {
            let Some(value) = value else {
                problems.push(format!("{field:?} must be key=value"));
                continue;
            };
            let parsed = match field.as_str() {
                "factors_enabled" => set(&mut context.factors_enabled, factors(value)),
                "factors_disabled" => set(&mut context.factors_disabled, factors(value)),
                "preferred" => set(&mut context.preferred, factor(value)),
                "mfa_configuration" => set(&mut context.mfa_configuration, mfa_configuration(value)),
                "sms_role_arn" => set(&mut context.sms_role_arn, text::<OptionalArnKind>(value)),
                "sms_role_account" => set(&mut context.sms_role_account, Ok(value.clone())),
                "relying_party_id" => set(&mut context.relying_party_id, text::<RelyingPartyIdKind>(value)),
                "user_verification" => set(&mut context.user_verification, user_verification(value)),
                "factor_configuration" => set(&mut context.factor_configuration, factor_configuration(value)),
                "texts_changed" => set(&mut context.texts_changed, boolean(value)),
                "weakens_mfa" => set(&mut context.weakens_mfa, boolean(value)),
                "legacy" => set(&mut context.legacy, boolean(value)),
                "for_signed_in_user" => set(&mut context.for_signed_in_user, boolean(value)),
                "by_session" => set(&mut context.by_session, boolean(value)),
                _ => Err("is not in the context of the Cedar schema".to_owned()),
            };
            problems.extend(parsed.err().map(|problem| format!("{field:?} {problem}")));
        }
        context
    }

    /// The effect of a call of `action`.
    fn effect(self, policies: &Policies, action: Action, problems: &mut Vec<String>) -> Effect {
        let factors_enabled = self.factors_enabled.unwrap_or_default();
        let replaces_all = action == Action::Rpc(Rpc::SetUserPoolMfaConfig);
        let factors_disabled = self.factors_disabled.unwrap_or_else(|| {
            // What a pool's new configuration leaves out is disabled.
            let left_out = Factor::ALL.into_iter().filter(|factor| !factors_enabled.contains(factor));
            left_out.filter(|_| replaces_all).collect()
        });
        if let Some(account) = self.sms_role_account {
            let of_the_arn = self.sms_role_arn.as_deref().and_then(account_of_arn);
            if of_the_arn != Some(account.as_str()) {
                problems.push("sms_role_account is the account of sms_role_arn: give that alone".to_owned());
            }
        }
        let deletes = matches!(action, Action::Rpc(Rpc::AdminDeleteSoftwareToken | Rpc::DeleteWebAuthnCredential));
        let loosens = replaces_all && self.mfa_configuration != Some(MfaConfiguration::On);
        // As a pool that was not read: any role or domain could be another than before.
        let redirects = self.sms_role_arn.is_some() || self.relying_party_id.is_some();
        let relaxes = replaces_all
            && factors_enabled.contains(&Factor::WebAuthn)
            && (self.user_verification != Some(UserVerification::Required)
                || self.factor_configuration != Some(FactorConfiguration::MultiFactorWithUserVerification));
        let weakens_mfa = deletes || loosens || redirects || relaxes || !factors_disabled.is_empty();
        let by_session = self.by_session.unwrap_or_default();
        let for_user = self.for_signed_in_user.unwrap_or_else(|| policies.is_in_group(action, "ForSignedInUser"));
        let end_user = match (for_user, by_session) {
            (true, true) => Some(EndUserCredential::Session),
            (true, false) => Some(EndUserCredential::AccessToken),
            (false, false) => None,
            (false, true) => {
                problems.push("by_session needs for_signed_in_user".to_owned());
                None
            }
        };
        Effect {
            factors_enabled,
            factors_disabled,
            preferred: self.preferred,
            mfa_configuration: self.mfa_configuration,
            sms_role_arn: self.sms_role_arn,
            relying_party_id: self.relying_party_id,
            user_verification: self.user_verification,
            factor_configuration: self.factor_configuration,
            texts_changed: self.texts_changed.unwrap_or_default(),
            text_hashes: BTreeMap::new(),
            weakens_mfa: self.weakens_mfa.unwrap_or(weakens_mfa),
            legacy: self.legacy.unwrap_or_else(|| policies.is_in_group(action, "Legacy")),
            end_user,
        }
    }
}

fn set<T>(slot: &mut Option<T>, value: Result<T, String>) -> Result<(), String> {
    match slot.replace(value?) {
        None => Ok(()),
        Some(_) => Err("is given twice".to_owned()),
    }
}

fn boolean(word: &str) -> Result<bool, String> {
    word.parse().map_err(|_| "must be true or false".to_owned())
}

fn factors(words: &str) -> Result<BTreeSet<Factor>, String> {
    words.split(',').filter(|word| !word.is_empty()).map(factor).collect()
}

fn factor(word: &str) -> Result<Factor, String> {
    one_of(word, "factor", Factor::ALL, Factor::name)
}

fn mfa_configuration(word: &str) -> Result<MfaConfiguration, String> {
    let all = [MfaConfiguration::Off, MfaConfiguration::Optional, MfaConfiguration::On];
    one_of(word, "MFA configuration", all, MfaConfiguration::name)
}

fn user_verification(word: &str) -> Result<UserVerification, String> {
    one_of(word, "user verification", UserVerification::ALL, UserVerification::name)
}

fn factor_configuration(word: &str) -> Result<FactorConfiguration, String> {
    one_of(word, "factor configuration", FactorConfiguration::ALL, FactorConfiguration::name)
}

/// A text that a request could have there.
fn text<C: Constraint>(value: &str) -> Result<String, String> {
    Text::<C>::parse(value.to_owned()).map(Text::into_string)
}

fn one_of<T: Copy, const N: usize>(
    word: &str,
    what: &str,
    all: [T; N],
    name: impl Fn(T) -> &'static str,
) -> Result<T, String> {
    let found = all.into_iter().find(|one| name(*one) == word);
    found.ok_or_else(|| format!("is wrong: {word:?} is no {what}, which is one of {}", all.map(name).join(", ")))
}
