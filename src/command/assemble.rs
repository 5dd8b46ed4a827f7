//! This file makes of the options of `serve` everything that serving needs, or says everything that is wrong with them.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::audit::{AuditLog, UsernameForm, UsernameKey};
use crate::authn::Authenticator;
use crate::authn::token::{Clock, KeySource, RefreshTimes, TokenOptions, TokenVerifier};
use crate::authz::policy::PolicyStore;
use crate::authz::{Gate, PolicyEnforcer};
use crate::cognito::{AssumedRole, Cognito, Credentials, Endpoint, RoleOptions};
use crate::config::{self, AuditUsername, Common, Serve};
use crate::server::Service;
use crate::server::connection::tls::{ClientCertificates, TlsAcceptor, TlsFiles};

/// All that serving needs.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) listen: SocketAddr,
    pub(super) endpoint: Endpoint,
    pub(super) operation_timeout: Duration,
    pub(super) drain_timeout: Duration,
    pub(super) role: Option<RoleOptions>,
    pub(super) tls: Option<Arc<TlsAcceptor>>,
    pub(super) authentication: Arc<Authenticator>,
    pub(super) policies: Arc<PolicyStore>,
    pub(super) audit: Arc<AuditLog>,
}

/// Everything that is wrong with the options and the files that they name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(Vec<String>);

impl Faults {
    /// The faults, each in a sentence.
    pub fn all(&self) -> &[String] {
        &self.0
    }

    /// Keeps a value, or notes its fault.
    fn keep<T>(&mut self, result: Result<T, impl fmt::Display>) -> Option<T> {
        result.map_err(|fault| self.0.push(fault.to_string())).ok()
    }

    fn note(&mut self, fault: impl Into<String>) {
        self.0.push(fault.into());
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

/// What a plan is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To serve: a key set that cannot be fetched is tried again, since callers with certificates need none.
    Serve,
    /// To find faults, of which that is one.
    Check,
}

impl Plan {
    /// Reads every file, fetches the key set, and opens the audit log.
    pub(super) async fn make(options: Serve, purpose: Purpose) -> Result<Self, Faults> {
        let Serve { listen, cognito_endpoint, tls, jwt, policies, entities, audit, role, common } = options;
        let Common { operation_timeout, drain_timeout } = common;
        let mut faults = Faults(Vec::new());

        let token_options = token_options(jwt, &mut faults);
        let by_certificate = tls.tls_client_ca.is_some();
        if !by_certificate && matches!(token_options, TokensWanted::No) {
            faults.note(
                "callers cannot be authenticated: give --tls-client-ca, or --jwt-issuer, --jwt-audience and --jwks-url or --jwks-file",
            );
        }
        if tls.tls_certificate.is_none() && !listen.ip().is_loopback() && !tls.plaintext_behind_mesh {
            faults.note(format!(
                "{listen} is not on loopback and nothing is encrypted: give --tls-certificate and --tls-key, or --plaintext-behind-mesh"
            ));
        }
        if let TokensWanted::Yes(options) = &token_options
            && by_certificate
            && options.caller_prefix.is_none()
        {
            tracing::warn!(
                "certificates and tokens name callers alike: with --jwt-caller-prefix no token can bear a certificate's name"
            );
        }
        let tls = load_tls(tls, matches!(token_options, TokensWanted::No), &mut faults);
        let verifier = match token_options {
            TokensWanted::Yes(options) => start_verifier(*options, purpose, &mut faults).await,
            TokensWanted::No | TokensWanted::Faulty => None,
        };
        let policies = open_policies(policies, entities, &mut faults);
        let audit = open_audit(audit, &mut faults);
        let role = role_options(role, &mut faults);

        match (policies, audit) {
            (Some(policies), Some(audit)) if faults.0.is_empty() => Ok(Self {
                listen,
                endpoint: cognito_endpoint.map_or(Endpoint::Aws, config::AwsUrl::into_endpoint),
                operation_timeout,
                drain_timeout,
                role,
                tls,
                authentication: Arc::new(Authenticator::new(verifier)),
                policies,
                audit,
            }),
            _ => Err(faults),
        }
    }

    /// The service, with the credentials that the environment holds.
    pub(super) async fn service(&self) -> Service {
        let credentials = Credentials::from_environment().await;
        let role = self.role.clone().map(|role| AssumedRole::new(role, &credentials));
        let cognito = Cognito::new(self.endpoint.clone(), credentials, self.operation_timeout).with_role(role);
        Service {
            gate: Gate::Enforced(Arc::new(PolicyEnforcer::new(Arc::clone(&self.policies), Arc::clone(&self.audit)))),
            authenticator: Arc::clone(&self.authentication),
            cognito,
            tls: self.tls.clone(),
            drain_timeout: self.drain_timeout,
        }
    }
}

/// Whether callers with tokens are wanted.
enum TokensWanted {
    Yes(Box<TokenOptions>),
    No,
    /// They are, and the options do not say enough.
    Faulty,
}

fn token_options(jwt: config::Jwt, faults: &mut Faults) -> TokensWanted {
    let config::Jwt { jwt_issuer, jwt_audience, jwks_url, jwks_file, jwt_caller_claim, jwt_caller_prefix } = jwt;
    let keys = jwks_url.map(KeySource::Url).or(jwks_file.map(KeySource::File));
    if jwt_issuer.is_none() && jwt_audience.is_none() && keys.is_none() {
        return TokensWanted::No;
    }
    let missing = [
        (jwt_issuer.is_none(), "--jwt-issuer"),
        (jwt_audience.is_none(), "--jwt-audience"),
        (keys.is_none(), "--jwks-url or --jwks-file"),
    ];
    for (_, option) in missing.into_iter().filter(|(missing, _)| *missing) {
        faults.note(format!("{option} is missing: tokens need an issuer, an audience and keys"));
    }
    let (Some(issuer), Some(audience), Some(keys)) = (jwt_issuer, jwt_audience, keys) else {
        return TokensWanted::Faulty;
    };
    TokensWanted::Yes(Box::new(TokenOptions {
        issuer,
        audience,
        caller_claim: jwt_caller_claim,
        caller_prefix: jwt_caller_prefix,
        keys,
        times: RefreshTimes::default(),
        clock: Clock::default(),
    }))
}

async fn start_verifier(options: TokenOptions, purpose: Purpose, faults: &mut Faults) -> Option<TokenVerifier> {
    let source = options.keys.to_string();
    let started = match purpose {
        Purpose::Serve => TokenVerifier::start(options).await,
        Purpose::Check => TokenVerifier::start_with_keys(options).await,
    };
    faults.keep(started.map_err(|fault| format!("{source}: {fault}")))
}

/// TLS, where it is wanted. A certificate is required of callers that have no other way to say who they are.
fn load_tls(tls: config::Tls, without_tokens: bool, faults: &mut Faults) -> Option<Arc<TlsAcceptor>> {
    let config::Tls { tls_certificate, tls_key, tls_client_ca, plaintext_behind_mesh: _ } = tls;
    let (certificate, key) = tls_certificate.zip(tls_key)?;
    let clients = if without_tokens { ClientCertificates::Required } else { ClientCertificates::Optional };
    match TlsAcceptor::load(TlsFiles { certificate, key, client_ca: tls_client_ca }, clients) {
        Ok(tls) => Some(Arc::new(tls)),
        Err(found) => {
            for fault in found {
                faults.note(fault.to_string());
            }
            None
        }
    }
}

fn open_policies(
    directory: Option<PathBuf>,
    entities: Option<PathBuf>,
    faults: &mut Faults,
) -> Option<Arc<PolicyStore>> {
    let Some(directory) = directory else {
        faults.note("--policies is missing: without policies nobody may do anything");
        return None;
    };
    match PolicyStore::open(directory, entities) {
        Ok(policies) => Some(Arc::new(policies)),
        Err(error) => {
            for fault in error.faults() {
                faults.note(fault.to_string());
            }
            None
        }
    }
}

fn open_audit(audit: config::Audit, faults: &mut Faults) -> Option<Arc<AuditLog>> {
    let config::Audit { audit_log, audit_username, audit_username_key_file } = audit;
    let username = match (audit_username, audit_username_key_file) {
        (AuditUsername::Plain, _) => UsernameForm::Plain,
        (AuditUsername::None, _) => UsernameForm::None,
        (AuditUsername::Hmac, Some(file)) => {
            let key = UsernameKey::read(&file);
            UsernameForm::Hmac(faults.keep(key.map_err(|error| format!("{}: {error}", file.display())))?)
        }
        (AuditUsername::Hmac, None) => {
            faults.note("--audit-username-key-file is missing: give one, or --audit-username plain or none");
            return None;
        }
    };
    faults.keep(AuditLog::open(audit_log, username)).map(Arc::new)
}

fn role_options(role: config::Role, faults: &mut Faults) -> Option<RoleOptions> {
    let config::Role { assume_role, assume_role_region, sts_endpoint } = role;
    let arn = assume_role?;
    let Some(region) = assume_role_region.or_else(|| arn.region().map(ToOwned::to_owned)) else {
        faults.note("--assume-role-region is missing: the partition of the role is none whose Regions are known");
        return None;
    };
    Some(RoleOptions { arn, region, endpoint: sts_endpoint.map_or(Endpoint::Aws, config::AwsUrl::into_endpoint) })
}
