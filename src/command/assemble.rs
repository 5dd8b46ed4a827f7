//! Assembles everything that serving needs from the options of `serve`, or finds everything that is wrong with them.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::admission::{Admission, Rates};
use crate::audit::{AuditLog, ChainKey, UsernameForm, UsernameKey, UsernameKeyError};
use crate::authn::Authenticator;
use crate::authn::token::{Clock, JwksRefresh, JwksSource, TokenOptions, TokenVerifier};
use crate::authz::policy::PolicyStore;
use crate::authz::{Gate, PolicyEnforcer};
use crate::cognito::{AssumedRole, Credentials, Endpoint, RoleOptions};
use crate::config::{self, AuditKeys, AuditUsername, Serve, Settings};
use crate::error::chain;
use crate::quota::Quotas;
use crate::server::Service;
use crate::server::connection::tls::{ClientCertificates, TlsAcceptor, TlsError, TlsFiles};

/// All that serving needs.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) listen: SocketAddr,
    pub(super) endpoint: Endpoint,
    pub(super) settings: Settings,
    pub(super) role: Option<RoleOptions>,
    pub(super) tls: Option<Arc<TlsAcceptor>>,
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) policies: Arc<PolicyStore>,
    pub(super) audit: Arc<AuditLog>,
    pub(super) gate: Gate,
}

/// Everything that is wrong with the options and the files that they name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", .0.join("; "))]
pub struct ConfigErrors(Vec<String>);

impl ConfigErrors {
    /// The errors, each a sentence.
    pub fn all(&self) -> &[String] {
        &self.0
    }

    /// These errors, of which there is one at least.
    pub(super) fn of(errors: Vec<String>) -> Self {
        Self(errors)
    }

    /// The value, or `None` with its error added.
    fn collect<T>(&mut self, result: Result<T, impl fmt::Display>) -> Option<T> {
        result.map_err(|error| self.0.push(error.to_string())).ok()
    }

    fn push(&mut self, error: impl Into<String>) {
        self.0.push(error.into());
    }
}

/// How strictly the configuration is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strictness {
    /// To serve: a key set that cannot be fetched is retried, since callers with certificates need none.
    Serve,
    /// To find errors, of which that is one.
    Check,
}

impl Plan {
    /// Reads every file, fetches the key set, and opens the audit log.
    pub(super) async fn assemble(options: Serve, strictness: Strictness) -> Result<Self, ConfigErrors> {
        let Serve { listen, cognito_endpoint, tls, jwt, policies, entities, audit, role, rates, drain_delay, common } =
            options;
        let config::RateOptions { rate, stranger_rate } = rates;
        let admission = Admission::new(Rates::new(rate, Some(stranger_rate)));
        let settings = common.settings(Quotas::documented(), drain_delay);
        let mut errors = ConfigErrors(Vec::new());

        let token_options = token_options(jwt, &mut errors);
        let by_certificate = !tls.tls_client_ca.is_empty();
        if !by_certificate && matches!(token_options, TokenAuth::No) {
            errors.push(
                "callers cannot be authenticated: give --tls-client-ca, or --jwt-issuer, --jwt-audience and --jwks-url or --jwks-file",
            );
        }
        if tls.tls_certificate.is_none() && !listen.ip().is_loopback() && !tls.plaintext_behind_mesh {
            errors.push(format!(
                "{listen} is not on loopback and nothing is encrypted: give --tls-certificate and --tls-key, or --plaintext-behind-mesh"
            ));
        }
        let tls = load_tls(tls, matches!(token_options, TokenAuth::No), &mut errors);
        let verifier = match token_options {
            TokenAuth::Yes(options) => start_verifier(*options, strictness, &mut errors).await,
            TokenAuth::No | TokenAuth::Incomplete => None,
        };
        let policies = open_policies(policies, entities, &mut errors);
        let audit = open_audit(audit, &mut errors);
        let role = role_options(role, &mut errors);

        match (policies, audit) {
            (Some(policies), Some(audit)) if errors.0.is_empty() => Ok(Self {
                gate: gate(&policies, &audit, admission),
                listen,
                endpoint: cognito_endpoint.map_or(Endpoint::Aws, config::AwsUrl::into_endpoint),
                settings,
                role,
                tls,
                authenticator: Arc::new(Authenticator::new(verifier)),
                policies,
                audit,
            }),
            _ => Err(errors),
        }
    }

    /// The service, with the credentials of the environment.
    pub(super) async fn service(&self) -> Service {
        let credentials = Credentials::from_environment().await;
        let role = self.role.clone().map(|role| AssumedRole::new(role, &credentials));
        let watched = credentials.clone();
        let cognito = self.settings.cognito(self.endpoint.clone(), credentials).with_role(role);
        Service {
            gate: self.gate.clone(),
            authenticator: Arc::clone(&self.authenticator),
            cognito,
            credentials: Some(watched),
            tls: self.tls.clone(),
            deadlines: self.settings.deadlines,
            life: self.settings.life,
            limits: self.settings.limits,
            drain: self.settings.drain,
        }
    }
}

/// The gate of these policies, which records in this audit log.
fn gate(policies: &Arc<PolicyStore>, audit: &Arc<AuditLog>, admission: Admission) -> Gate {
    let enforcer = PolicyEnforcer::new(Arc::clone(policies), Arc::clone(audit));
    Gate::Enforced(Arc::new(enforcer.with_admission(admission)))
}

/// Whether callers authenticate by token.
enum TokenAuth {
    Yes(Box<TokenOptions>),
    No,
    /// They do, and the options are incomplete.
    Incomplete,
}

fn token_options(jwt: config::Jwt, errors: &mut ConfigErrors) -> TokenAuth {
    let config::Jwt {
        jwt_issuer,
        jwt_audience,
        jwks_url,
        jwks_file,
        jwt_caller_claim,
        jwt_caller_prefix,
        jwt_cache_size,
    } = jwt;
    let keys = jwks_url.map(JwksSource::Url).or(jwks_file.map(JwksSource::File));
    if jwt_issuer.as_deref() == Some("") {
        errors.push("--jwt-issuer is empty: a token without an issuer could be anybody's");
    }
    if jwt_issuer.is_none() && jwt_audience.is_none() && keys.is_none() {
        return TokenAuth::No;
    }
    let missing = [
        (jwt_issuer.is_none(), "--jwt-issuer"),
        (jwt_audience.is_none(), "--jwt-audience"),
        (keys.is_none(), "--jwks-url or --jwks-file"),
    ];
    for (_, option) in missing.into_iter().filter(|(missing, _)| *missing) {
        errors.push(format!("{option} is missing: tokens need an issuer, an audience and keys"));
    }
    let (Some(issuer), Some(audience), Some(keys)) = (jwt_issuer, jwt_audience, keys) else {
        return TokenAuth::Incomplete;
    };
    TokenAuth::Yes(Box::new(TokenOptions {
        issuer,
        audience,
        caller_claim: jwt_caller_claim,
        caller_prefix: jwt_caller_prefix,
        keys,
        refresh: JwksRefresh::default(),
        cache_size: jwt_cache_size,
        clock: Clock::default(),
    }))
}

async fn start_verifier(
    options: TokenOptions,
    strictness: Strictness,
    errors: &mut ConfigErrors,
) -> Option<TokenVerifier> {
    let source = options.keys.to_string();
    let started = match strictness {
        Strictness::Serve => TokenVerifier::start(options).await,
        Strictness::Check => TokenVerifier::start_with_keys(options).await,
    };
    errors.collect(started.map_err(|error| format!("{source}: {}", chain(&error))))
}

/// TLS, if it is configured. A certificate is required of callers that cannot authenticate otherwise.
fn load_tls(tls: config::Tls, without_tokens: bool, errors: &mut ConfigErrors) -> Option<Arc<TlsAcceptor>> {
    let config::Tls { tls_certificate, tls_key, tls_client_ca, plaintext_behind_mesh: _ } = tls;
    let (certificate, key) = tls_certificate.zip(tls_key)?;
    let clients = if without_tokens { ClientCertificates::Required } else { ClientCertificates::Optional };
    match TlsAcceptor::load(TlsFiles { certificate, key, client_ca: tls_client_ca }, clients) {
        Ok(tls) => Some(Arc::new(tls)),
        Err(TlsError(found)) => {
            for error in found {
                errors.push(error.to_string());
            }
            None
        }
    }
}

fn open_policies(
    directory: Option<PathBuf>,
    entities: Option<PathBuf>,
    errors: &mut ConfigErrors,
) -> Option<Arc<PolicyStore>> {
    let Some(directory) = directory else {
        errors.push("--policies is missing: without policies nobody may do anything");
        return None;
    };
    match PolicyStore::open(directory, entities) {
        Ok(policies) => Some(Arc::new(policies)),
        Err(error) => {
            for problem in error.problems() {
                errors.push(problem.to_string());
            }
            None
        }
    }
}

fn open_audit(audit: config::Audit, errors: &mut ConfigErrors) -> Option<Arc<AuditLog>> {
    let config::Audit { audit_log, audit_username, audit_fsync, keys } = audit;
    let without_key = audit_username == AuditUsername::Hmac && keys.audit_username_key_file.is_none();
    if without_key {
        errors.push("--audit-username-key-file is missing: give one, or --audit-username plain or none");
    }
    let keys = match ReadKeys::read(&keys) {
        Ok(keys) => keys,
        Err(problems) => {
            errors.0.extend(problems);
            return None;
        }
    };
    let username = match (audit_username, keys.username) {
        (AuditUsername::Plain, _) => UsernameForm::Plain,
        (AuditUsername::None, _) => UsernameForm::None,
        (AuditUsername::Hmac, Some(key)) => UsernameForm::Hmac(key),
        (AuditUsername::Hmac, None) => return None,
    };
    if keys.chain.is_none() {
        tracing::warn!(
            target = %audit_log,
            "audit records are not chained: an edit does not show; give --audit-chain-key-file"
        );
    }
    errors
        .collect(AuditLog::open(audit_log, username, keys.chain, audit_fsync.into()).map_err(|error| chain(&error)))
        .map(Arc::new)
}

/// The keys of the audit log.
pub(super) struct ReadKeys {
    username: Option<UsernameKey>,
    /// That of its own file, or the one that follows from the key for usernames.
    pub(super) chain: Option<ChainKey>,
}

impl ReadKeys {
    /// Reads the files, or says of each what is wrong with it.
    pub(super) fn read(keys: &AuditKeys) -> Result<Self, Vec<String>> {
        let AuditKeys { audit_username_key_file, audit_chain_key_file } = keys;
        let unusable = |file: &Path, error: &UsernameKeyError| format!("{}: {}", file.display(), chain(error));
        let username = audit_username_key_file
            .as_ref()
            .map(|file| UsernameKey::read(file).map_err(|error| unusable(file, &error)))
            .transpose();
        let chain_key = audit_chain_key_file
            .as_ref()
            .map(|file| ChainKey::read(file).map_err(|error| unusable(file, &error)))
            .transpose();
        match (username, chain_key) {
            (Ok(username), Ok(chain)) => {
                let chain = chain.or_else(|| username.clone().map(ChainKey::derived_from));
                Ok(Self { username, chain })
            }
            (username, chain_key) => Err([username.err(), chain_key.err()].into_iter().flatten().collect()),
        }
    }
}

fn role_options(role: config::Role, errors: &mut ConfigErrors) -> Option<RoleOptions> {
    let config::Role { assume_role, assume_role_region, sts_endpoint } = role;
    let arn = assume_role?;
    let Some(region) = assume_role_region.or_else(|| arn.region().map(ToOwned::to_owned)) else {
        errors.push("--assume-role-region is missing: the Regions of the role's partition are not known");
        return None;
    };
    Some(RoleOptions { arn, region, endpoint: sts_endpoint.map_or(Endpoint::Aws, config::AwsUrl::into_endpoint) })
}
