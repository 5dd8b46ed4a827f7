//! `mfagate check`: it names the file that is wrong, and prints nothing of its contents.

use data_encoding::BASE64;
use serde_json::json;

use super::{ENVIRONMENT, USERNAME_KEY, assert_holds_none};
use crate::support::certificate_authority::{CertificateAndKey, CertificateAuthority};
use crate::support::policy_fixture::{ALLOW_ALL, PolicyFixture};
use crate::support::process::{Exit, Process, command_line};
use crate::support::token_issuer::SigningKey;

const ENTITIES: &str = r#"[{"uid": {"type": "Mfagate::CallerGroup", "id": "g"}}]"#;

/// Every file that the options of `serve` can name, all of them valid.
struct Files {
    fixture: PolicyFixture,
    server: CertificateAndKey,
}

impl Files {
    fn new() -> Self {
        let (fixture, authority) = (PolicyFixture::with(ALLOW_ALL), CertificateAuthority::new("the authority"));
        let server = authority.server();
        fixture.write_tls(&server, &authority.certificate);
        fixture.write("username.key", USERNAME_KEY);
        fixture.write("entities.json", ENTITIES);
        Self { fixture, server }
    }

    /// Runs `mfagate check`, and looks for canaries and private keys in everything that it prints.
    async fn check(&self, canaries: &[&str]) -> Exit {
        let (key, entities) = (self.fixture.path("username.key"), self.fixture.path("entities.json"));
        let others = [("--audit-username", "hmac"), ("--audit-username-key-file", &*key), ("--entities", &*entities)];
        let options = [self.fixture.options_with(&others), self.fixture.tls_options()].concat();
        let exit = Process::run(&command_line(&["check"], &options), ENVIRONMENT).await;
        let known = ["canary"].into_iter().chain(lines_of(&self.server.key)).chain(canaries.iter().copied());
        let known: Vec<&str> = known.collect();
        assert_holds_none("stdout", &exit.stdout, known.iter().copied());
        assert_holds_none("stderr", &exit.stderr, known);
        exit
    }
}

/// The lines inside a PEM block.
fn lines_of(pem: &str) -> impl Iterator<Item = &str> {
    let is_secret = |line: &&str| !line.is_empty() && !line.starts_with("-----");
    pem.lines().filter(is_secret)
}

/// A PEM block of a private key with something else in it.
fn false_key(secret: &str) -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----\n")
}

#[tokio::test]
async fn check_prints_nothing_secret_of_good_files() {
    let files = Files::new();
    let exit = files.check(&[]).await;
    assert_eq!(exit.status.code(), Some(0), "{exit:?}");
    assert!(exit.stderr.contains("configuration is valid"), "{exit:?}");
}

#[tokio::test]
async fn check_names_a_bad_file_and_prints_nothing_of_its_contents() {
    let another = CertificateAuthority::new("another authority").server();
    let encoded = BASE64.encode(b"canary canary canary canary canary");
    let private = json!({ "keys": [private_jwk()] }).to_string();
    let symmetric = json!({ "kty": "oct", "kid": "key-1", "alg": "HS256", "k": "canary-symmetric-key" });
    let symmetric = json!({ "keys": [symmetric] }).to_string();
    for (file, text, fault) in [
        ("server.key", "canary, and not a key at all", "has no PEM block of a private key"),
        ("server.key", &false_key(&encoded), "the key is of no kind that TLS can use"),
        ("server.key", &false_key("canary, which is not base64"), "is not well-formed PEM"),
        ("server.key", &another.key, "the key is not that of the certificate"),
        ("server.pem", &another.key, "has no PEM block of a certificate"),
        ("clients.pem", &another.key, "has no PEM block of a certificate"),
        ("username.key", "canary-too-short", "the key has 16 bytes and needs at least 32"),
        ("username.key", &"canary".repeat(1000), "the key has more than 4096 bytes"),
        ("jwks.json", "canary, and not JSON", "it is not a JSON Web Key Set"),
        ("jwks.json", "\"canary\"", "it is not a JSON Web Key Set"),
        ("jwks.json", &symmetric, "it has no key that verifies"),
        ("jwks.json", &private, "it has no key that verifies"),
        ("jwks.json", &another.key, "it is not a JSON Web Key Set"),
        ("entities.json", "canary, and not JSON", "entities.json:1: expected value"),
        ("entities.json", &another.key, "entities.json:1: "),
        ("policies/all.cedar", "permit (principal, action, resource) when {", "all.cedar:1"),
    ] {
        let files = Files::new();
        files.fixture.write(file, text);
        let exit = files.check(&[&[&*encoded], &lines_of(&another.key).collect::<Vec<_>>()[..]].concat()).await;
        assert_eq!(exit.status.code(), Some(2), "{file} {fault}: {exit:?}");
        let ends: Vec<&str> = exit.stderr.lines().filter(|line| line.contains("exiting")).collect();
        let named = exit.stderr.contains(&files.fixture.path(file));
        assert!(ends.len() == 1 && ends[0].contains(fault) && named, "{file} {fault}: {exit:?}");
    }
}

/// A key that is published with its private part.
fn private_jwk() -> serde_json::Value {
    let mut jwk = SigningKey::p256("key-1").jwk();
    jwk["d"] = json!("canary-private-part");
    jwk
}
