//! Cedar policies: what is loaded and refused, what is decided, reloads, and the examples.

mod commands;
mod decisions;
mod loading;
mod reload;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use mfagate::api::Rpc;
use mfagate::authz::policy::{Decision, LoadError, Policies};
use mfagate::domain::{Caller, CertificateIdentity, Effect, TokenIdentity};
use tempfile::TempDir;

pub(crate) const POOL: &str = "eu-west-1_Shop01";

/// A directory of policies under test, with its entities file beside it. It is removed when it is dropped.
pub(crate) struct PolicyDirectory {
    root: TempDir,
}

impl PolicyDirectory {
    pub(crate) fn empty() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("policies")).unwrap();
        Self { root }
    }

    /// With one policy file.
    pub(crate) fn with(policies: &str) -> Self {
        Self::empty().and("policies.cedar", policies)
    }

    /// With another file, or with other contents of one.
    pub(crate) fn and(self, name: &str, text: &str) -> Self {
        self.write(name, text);
        self
    }

    /// With an entities file.
    pub(crate) fn and_entities(self, json: &str) -> Self {
        fs::write(self.root.path().join("entities.json"), json).unwrap();
        self
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path().join(name)).unwrap();
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.root.path().join("policies")
    }

    pub(crate) fn entities(&self) -> Option<PathBuf> {
        let path = self.root.path().join("entities.json");
        path.exists().then_some(path)
    }

    pub(crate) fn try_load(&self) -> Result<Policies, LoadError> {
        Policies::load(&self.path(), self.entities().as_deref())
    }

    #[track_caller]
    pub(crate) fn load(&self) -> Policies {
        self.try_load().unwrap()
    }

    /// The problems, without the temporary directory.
    #[track_caller]
    pub(crate) fn faults(&self) -> Vec<String> {
        let error = self.try_load().unwrap_err();
        let root = format!("{}/", self.root.path().display());
        error.problems().iter().map(|fault| fault.to_string().replace(&root, "")).collect()
    }
}

/// The policies of `examples/policies`.
pub(crate) fn example_policies() -> Policies {
    let directory = example_directory();
    Policies::load(&directory, Some(&directory.join("entities.json"))).unwrap()
}

pub(crate) fn example_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/policies")
}

/// A caller with a certificate.
pub(crate) fn workload(name: &str) -> Caller {
    let trust_domain = name.strip_prefix("spiffe://").and_then(|rest| rest.split('/').next()).map(ToOwned::to_owned);
    let certificate = Some(CertificateIdentity { name: name.to_owned(), trust_domain });
    Caller { name: name.to_owned(), certificate, token: None }
}

/// A caller with a token.
pub(crate) fn client(name: &str, issuer: &str, scopes: &[&str], groups: &[&str]) -> Caller {
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<BTreeSet<_>>();
    let token = TokenIdentity {
        name: name.to_owned(),
        issuer: issuer.to_owned(),
        scopes: texts(scopes),
        groups: texts(groups),
    };
    Caller { name: name.to_owned(), certificate: None, token: Some(token) }
}

/// The decision on a call without any effect.
pub(crate) fn decide(policies: &Policies, caller: &Caller, rpc: Rpc, pool: &str) -> Decision {
    policies.decide(caller, rpc, pool, &Effect::default())
}
