//! Any text as a policy file that a running service reloads, on a thread with the stack of a worker of its runtime: it is loaded or
//! refused, and the calls after it are decided.
#![no_main]

use std::fs;
use std::sync::LazyLock;
use std::thread;

use libfuzzer_sys::fuzz_target;
use mfagate::api::Rpc;
use mfagate::authz::policy::PolicyStore;
use mfagate::domain::{Caller, CertificateIdentity, Effect};
use tempfile::TempDir;

/// What `tokio` gives its workers.
const STACK_BYTES: usize = 2 * 1024 * 1024;

static DIRECTORY: LazyLock<TempDir> = LazyLock::new(|| {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("guard.cedar"), "@id(\"guard\") forbid (principal, action, resource);")
        .expect("a policy file");
    directory
});

static STORE: LazyLock<PolicyStore> =
    LazyLock::new(|| PolicyStore::open(DIRECTORY.path().to_owned(), None).expect("the guard is valid"));

fuzz_target!(|text: &str| {
    // Opened before there is a file to refuse: a start that meets an invalid policy fails, and only a reload goes on without it.
    let store = &*STORE;
    fs::write(DIRECTORY.path().join("fuzzed.cedar"), text).expect("a policy file");
    let reload = || {
        // Two looks, as the watch takes: a reload that is asked for waits between them.
        store.poll();
        store.poll();
        let name = "spiffe://example.org/fuzz".to_owned();
        let certificate = CertificateIdentity { name: name.clone(), trust_domain: Some("example.org".to_owned()) };
        let caller = Caller { name, certificate: Some(certificate), token: None };
        store.current().decide(&caller, Rpc::GetUser, "eu-west-1_Fuzz", &Effect::default())
    };
    let decision = thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, reload);
        thread.expect("a thread").join().expect("no panic")
    });
    assert!(!decision.allowed, "the guard forbids, whatever else is loaded");
});
