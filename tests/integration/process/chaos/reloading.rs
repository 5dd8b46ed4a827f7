//! Everything that is reloaded, version after version, and whether the latest is active.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, mem};

use serde_json::{Value, json};

use crate::process::chaos::callers::{GRACE, KNOWN, PATIENT, Phase, Role, reason};
use crate::process::chaos::scene::{PAUSE, Scene};
use crate::support::certificate_authority::{CertificateAndKey, CertificateAuthority};
use crate::support::policy_fixture::{bearer, claims_for};
use crate::support::token_issuer::{SigningKey, jwks};
use crate::support::usage::Usage;

/// The calls that check a version of what is reloaded.
pub(super) const OF_VERSION: usize = 5;

/// What was reloaded last.
#[derive(Default)]
pub(super) struct Version {
    number: usize,
    key: Option<SigningKey>,
    certificate: Option<CertificateAndKey>,
}

impl Scene {
    /// Replaces and reloads everything and rotates the audit log, until it is told to stop.
    pub(super) async fn reload(self: Arc<Self>) {
        while !self.stopped() {
            self.reload_once().await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn reload_once(&self) {
        let mut version = self.version.lock().await;
        let (number, before) = (version.number + 1, self.phase());
        let (key, certificate) = (SigningKey::p256(&format!("key-{number}")), self.authority.server());
        self.fixture.write("policies/all.cedar", &policies(number));
        self.fixture.write("entities.json", &entities(number));
        self.fixture.write("jwks.json", &jwks(&[&self.key, &key]));
        let other = CertificateAuthority::new("another authority");
        self.fixture.write_tls(&certificate, &format!("{}{}", self.authority.certificate, other.certificate));
        fs::rename(self.fixture.path("audit.jsonl"), self.fixture.path(&format!("audit.jsonl.{number}"))).unwrap();
        let ended = || self.logged("serve: reloaded\n") + self.logged("serve: reload incomplete");
        let (complete, all) = (self.logged("serve: reloaded\n"), ended());
        self.process.signal("HUP").await;
        self.until("reloaded", || ended() > all).await;
        let is_complete = self.logged("serve: reloaded\n") > complete;
        let was = (before, self.phase());
        if !is_complete && was == (Phase::Calm, Phase::Calm) || is_complete && was == (Phase::Full, Phase::Full) {
            self.wrong(format!("reload {number}, begun in {before:?}: complete is {is_complete}"));
        }
        let withdrawn =
            mem::replace(&mut *version, Version { number, key: Some(key), certificate: Some(certificate) }).key;
        self.check_version(&version, withdrawn).await;
        if was == (Phase::Calm, Phase::Calm) && *self.reloads.borrow() < 2 {
            self.hold(Usage::of(&self.process));
        }
        drop(version);
        self.reloads.send_modify(|reloads| *reloads += 1);
    }

    /// Checks that the version is active, and no other.
    async fn check_version(&self, version: &Version, withdrawn: Option<SigningKey>) {
        let (number, key) = (version.number, version.key.as_ref().unwrap());
        let withdrawn = withdrawn.unwrap_or_else(|| SigningKey::p256("key-0"));
        let http = self.authority.untimed(None);
        let before = number - 1;
        let calls: [_; OF_VERSION] = [
            (format!("policies-{number}"), key, "OK"),
            (format!("entities-{number}"), key, "OK"),
            (format!("policies-{before}"), key, "CALLER_FORBIDDEN"),
            (format!("entities-{before}"), key, "CALLER_FORBIDDEN"),
            (format!("policies-{number}"), &withdrawn, "CALLER_UNAUTHENTICATED"),
        ];
        for (name, key, expected) in calls {
            let authorization = bearer(&key.token(&claims_for(&name, json!({}))));
            // Only what is sent to Cognito waits for it.
            let waits = expected == "OK" && self.phase() != Phase::Calm;
            let deadline = if waits { Duration::from_millis(1500) } else { PATIENT };
            let id = "version";
            let call = self.call(&http, Role::ReadsUser, Phase::Chaos, Some(&authorization), (deadline, id));
            let reason =
                tokio::time::timeout(deadline + GRACE, call).await.map_or_else(|_| "no response".to_owned(), reason);
            // Cognito may fail, and nobody else.
            if reason != expected && !(expected == "OK" && KNOWN.contains(&&*reason)) {
                self.wrong(format!("after reload {number}, {name} with {} ended in {reason}", key.id));
            }
        }
        let address = (self.origin.host().unwrap(), self.origin.port_u16().unwrap());
        let address = tokio::net::lookup_host(address).await.unwrap().find(SocketAddr::is_ipv4).unwrap();
        let stream = self.authority.connect(address, None).await.unwrap();
        let shown = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
        if shown != version.certificate.as_ref().unwrap().der {
            self.wrong(format!("after reload {number}, another certificate is shown"));
        }
    }

    fn hold(&self, usage: Usage) {
        let mut held = self.held.lock().unwrap();
        let most = held.get_or_insert(usage);
        most.open_files = most.open_files.max(usage.open_files);
        most.threads = most.threads.max(usage.threads);
    }
}

/// The policies of a version: callers and one caller of the version.
pub(super) fn policies(version: usize) -> String {
    format!(
        "@id(\"callers\") permit (principal in Mfagate::CallerGroup::\"callers\", action, resource);\n\
         @id(\"outsider\") forbid (principal == Mfagate::Caller::\"outsider\", action, resource);\n\
         @id(\"version\") permit (principal == Mfagate::Caller::\"policies-{version}\", action, resource);\n"
    )
}

/// The entities of a version: the callers and one caller of the version.
pub(super) fn entities(version: usize) -> String {
    let group = json!({ "type": "Mfagate::CallerGroup", "id": "callers" });
    let of_version = format!("entities-{version}");
    let callers = ["reader", "support", "operator", "spiffe://example.com/payments", "outsider", &of_version];
    let mut entities = vec![json!({ "uid": group })];
    let caller = |id| json!({ "uid": { "type": "Mfagate::Caller", "id": id }, "parents": [group] });
    entities.extend(callers.map(caller));
    Value::from(entities).to_string()
}
