//! The files that `mfagate serve` requires: policies and keys, and tokens for its callers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::TempDir;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Status};

use crate::support::certificate_authority::CertificateAndKey;
use crate::support::token_issuer::{ISSUER, SigningKey, jwks};

/// A policy that permits everything to every authenticated caller.
pub(crate) const ALLOW_ALL: &str = "@id(\"everything\") permit (principal, action, resource);";

/// The files and the token issuer of one service. The files are removed when it is dropped.
pub(crate) struct PolicyFixture {
    directory: TempDir,
    key: SigningKey,
}

impl PolicyFixture {
    /// With these policies.
    pub(crate) fn with(policies: &str) -> Self {
        let fixture = Self { directory: tempfile::tempdir().unwrap(), key: SigningKey::p256("key-1") };
        std::fs::create_dir(fixture.directory.path().join("policies")).unwrap();
        fixture.write("policies/all.cedar", policies);
        fixture.write("jwks.json", &jwks(&[&fixture.key]));
        fixture
    }

    /// With a policy that permits everything to every authenticated caller.
    pub(crate) fn allow_all() -> Self {
        Self::with(ALLOW_ALL)
    }

    /// Replaces a file.
    pub(crate) fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path(file), text).unwrap();
    }

    /// Replaces the certificate of the service, its key, and the authorities of callers' certificates.
    pub(crate) fn write_tls(&self, server: &CertificateAndKey, client_ca: &str) {
        self.write("server.pem", &server.certificate);
        self.write("server.key", &server.key);
        self.write("clients.pem", client_ca);
    }

    /// The contents of a file.
    pub(crate) fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).unwrap()
    }

    pub(crate) fn path(&self, file: &str) -> String {
        self.directory.path().join(file).to_str().unwrap().to_owned()
    }

    /// The records of the audit log.
    pub(crate) fn records(&self) -> Vec<Value> {
        self.read("audit.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The options of a `serve` that records in a file of this fixture.
    pub(crate) fn options(&self) -> Vec<String> {
        self.options_with(&[])
    }

    /// The options of a `serve` that records there.
    pub(crate) fn options_with_audit_log(&self, audit_log: &str) -> Vec<String> {
        self.options_with(&[("--audit-log", audit_log)])
    }

    /// The usual options, with these in place of those of the same name. An empty value removes an option.
    pub(crate) fn options_with(&self, others: &[(&str, &str)]) -> Vec<String> {
        let [policies, keys, audit_log] = ["policies", "jwks.json", "audit.jsonl"].map(|file| self.path(file));
        let usual = [
            ("--policies", policies.as_str()),
            ("--jwt-issuer", ISSUER),
            ("--jwt-audience", "mfagate"),
            ("--jwks-file", &keys),
            ("--audit-log", &audit_log),
            ("--audit-username", "none"),
            // Tests call more often than the documented quotas allow.
            ("--quota", "ALL=unlimited"),
            // And are refused more often than strangers may be.
            ("--stranger-rate", "1000000"),
            ("--drain-delay", "0s"),
        ];
        let kept = usual.iter().filter(|(name, _)| others.iter().all(|(other, _)| other != name));
        let given = kept.chain(others).filter(|(_, value)| !value.is_empty());
        given.flat_map(|&(name, value)| [name.to_owned(), value.to_owned()]).collect()
    }

    /// The options of a `serve` over TLS that accepts client certificates.
    pub(crate) fn tls_options(&self) -> Vec<String> {
        let options = [("certificate", "server.pem"), ("key", "server.key"), ("client-ca", "clients.pem")];
        options.into_iter().flat_map(|(name, file)| [format!("--tls-{name}"), self.path(file)]).collect()
    }

    /// A token of the caller `name`, with these additional claims.
    pub(crate) fn token(&self, name: &str, claims: Value) -> String {
        self.sign(&claims_for(name, claims))
    }

    /// A token with these claims and no others.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.key.token(claims)
    }

    /// The `authorization` header of the caller `name`.
    pub(crate) fn bearer(&self, name: &str) -> String {
        bearer(&self.token(name, json!({})))
    }

    /// An interceptor that adds a token of the caller `name` to every request.
    pub(crate) fn as_caller(
        &self,
        name: &str,
    ) -> impl FnMut(Request<()>) -> Result<Request<()>, Status> + Clone + use<> {
        let value: MetadataValue<Ascii> = self.bearer(name).parse().unwrap();
        move |mut request: Request<()>| {
            request.metadata_mut().insert("authorization", value.clone());
            Ok(request)
        }
    }
}

/// The claims of the usual token of the caller `name`, with these additional claims.
pub(crate) fn claims_for(name: &str, claims: Value) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let expires = (now + Duration::from_mins(5)).as_secs();
    let mut all = json!({ "iss": ISSUER, "aud": "mfagate", "sub": name, "exp": expires });
    if let (Some(all), Value::Object(claims)) = (all.as_object_mut(), claims) {
        all.extend(claims);
    }
    all
}

/// The `authorization` header of that token.
pub(crate) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}
