//! A caller, as far as it has proved who it is.

use std::collections::BTreeSet;

/// An authenticated caller. Only authentication makes one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Caller {
    /// The name in policies, log and audit record: the certificate's if one was presented, since it names the workload, else
    /// the token's.
    pub name: String,
    /// What the client certificate proved, if one was presented.
    pub certificate: Option<CertificateIdentity>,
    /// What the bearer token proved, if one was presented.
    pub token: Option<TokenIdentity>,
}

/// What a client certificate proves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertificateIdentity {
    /// The SPIFFE URI SAN (`spiffe://trust-domain/path`), else the first DNS SAN.
    pub name: String,
    /// The trust domain of a SPIFFE ID.
    pub trust_domain: Option<String>,
}

/// What a bearer token proves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
