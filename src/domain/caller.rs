//! This file says who is calling, as far as the caller proved it.

use std::collections::BTreeSet;

/// Who is calling. Only authentication makes one; a caller that proved nothing has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The name that policies, the log and the audit record know the caller by: the certificate's where one was presented,
    /// since it names the workload, else the token's.
    pub name: String,
    /// What the client certificate proved, where one was presented.
    pub certificate: Option<CertificateIdentity>,
    /// What the bearer token proved, where one was presented.
    pub token: Option<TokenIdentity>,
}

/// What a client certificate proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateIdentity {
    /// The SPIFFE URI SAN (`spiffe://trust-domain/path`), else the first DNS SAN.
    pub name: String,
    /// The trust domain of a SPIFFE ID.
    pub trust_domain: Option<String>,
}

/// What a bearer token proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenIdentity {
    /// The claim that names the caller, `sub` unless configured otherwise.
    pub name: String,
    /// Who issued the token (`iss`).
    pub issuer: String,
    /// The scopes (`scope`, separated by spaces, or `scp`).
    pub scopes: BTreeSet<String>,
    /// The groups (`groups` or `cognito:groups`).
    pub groups: BTreeSet<String>,
}
