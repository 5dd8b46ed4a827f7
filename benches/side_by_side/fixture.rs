//! What `mfagate serve` requires: certificate, keys, policies, and tokens of its caller.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use tempfile::TempDir;

use crate::Failure;
use crate::certificate_authority::CertificateAuthority;
use crate::token_issuer::{ISSUER, SigningKey, jwks};

/// Ten policies, and the groups that they name.
const POLICIES: &str = include_str!("policies.cedar");
const ENTITIES: &str = include_str!("entities.json");

/// The caller, which `entities.json` has in a group.
const CALLER: &str = "support-tool";

/// Longer than any run.
const TOKEN_LIFETIME: Duration = Duration::from_hours(12);

/// The files, which are removed when it is dropped.
pub(crate) struct Fixture {
    directory: TempDir,
    /// The caller's `authorization` header.
    pub(crate) authorization: String,
    /// The same, signed with another key that claims the id of the issuer's.
    pub(crate) forged: String,
}

impl Fixture {
    /// In a directory of its own below `parent`.
    pub(crate) fn new(parent: &Path) -> Result<Self, Failure> {
        let directory = tempfile::tempdir_in(parent)?;
        let path = |name| directory.path().join(name);
        fs::create_dir(path("policies"))?;
        fs::write(path("policies/all.cedar"), POLICIES)?;
        fs::write(path("entities.json"), ENTITIES)?;
        let authority = CertificateAuthority::new("side by side");
        let server = authority.server();
        fs::write(path("ca.pem"), &authority.certificate)?;
        fs::write(path("server.pem"), server.certificate)?;
        fs::write(path("server.key"), server.key)?;
        fs::write(path("username.key"), "4f1c3a85d2e0b79660fd81e7ac3925b4")?;
        let (key, other) = (SigningKey::rsa("key-1"), SigningKey::rsa("key-1"));
        fs::write(path("jwks.json"), jwks(&[&key]))?;
        let expires = (SystemTime::now() + TOKEN_LIFETIME).duration_since(UNIX_EPOCH)?.as_secs();
        let claims = json!({ "iss": ISSUER, "aud": "mfagate", "sub": CALLER, "exp": expires });
        let [authorization, forged] = [key, other].map(|key| format!("Bearer {}", key.token(&claims)));
        Ok(Self { directory, authorization, forged })
    }

    /// A file of it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The options of `serve` with everything on: TLS, tokens, policies, and an audit log at `audit_log`, chained.
    pub(crate) fn serve_options(&self, audit_log: &Path) -> Vec<PathBuf> {
        let files = [
            ("--tls-certificate", "server.pem"),
            ("--tls-key", "server.key"),
            ("--jwks-file", "jwks.json"),
            ("--policies", "policies"),
            ("--entities", "entities.json"),
            ("--audit-username-key-file", "username.key"),
        ];
        let words = ["--jwt-issuer", ISSUER, "--jwt-audience", "mfagate", "--audit-username", "hmac", "--audit-log"];
        let files = files.into_iter().flat_map(|(option, file)| [option.into(), self.path(file)]);
        files.chain(words.map(PathBuf::from)).chain([audit_log.to_owned()]).collect()
    }
}
