//! Reloading policies: a valid set replaces the current one as a whole, an invalid one never does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mfagate::api::Rpc;
use mfagate::authz::policy::PolicyStore;
use mfagate::reload::Reload;

use super::{POOL, PolicyDirectory, decide, workload};

const PERMIT: &str = "@id(\"old\") permit (principal, action, resource);";
const GUARD: &str = "@id(\"guard\") forbid (principal, action, resource);";

fn open(directory: &PolicyDirectory) -> PolicyStore {
    PolicyStore::open(directory.path(), directory.entities()).unwrap()
}

fn is_allowed(store: &PolicyStore) -> bool {
    decide(&store.current(), &workload("a"), Rpc::GetUser, POOL).allowed
}

#[test]
fn a_store_does_not_open_on_policies_that_are_refused() {
    let directory = PolicyDirectory::with("permit (principal, action, resource) when { nonsense };");
    assert!(PolicyStore::open(directory.path(), None).is_err());
}

#[test]
fn a_valid_set_replaces_the_current_one() {
    let directory = PolicyDirectory::with(PERMIT);
    let store = open(&directory);
    let before = store.current();
    assert_eq!(store.reload(), Ok(Reload::Unchanged));
    assert!(is_allowed(&store));

    directory.write("guard.cedar", GUARD);
    assert_eq!(store.reload(), Ok(Reload::Replaced));
    assert!(!is_allowed(&store));
    assert_ne!(store.current().hash(), before.hash());
    // A call that began with the old set is decided by it.
    assert!(decide(&before, &workload("a"), Rpc::GetUser, POOL).allowed);

    directory.remove("guard.cedar");
    assert_eq!(store.reload(), Ok(Reload::Replaced));
    assert_eq!(store.current().hash(), before.hash());
}

#[test]
fn an_invalid_set_is_refused_as_a_whole_and_the_last_valid_one_kept() {
    let directory = PolicyDirectory::with(PERMIT).and("guard.cedar", GUARD);
    let store = open(&directory);
    let hash = store.current().hash().to_string();
    for bad in [
        "permit (",
        "permit (principal, action == Mfagate::Action::\"Everything\", resource);",
        "@id(\"guard\") permit (principal, action, resource);",
    ] {
        directory.write("more.cedar", bad);
        // Removing the guard is valid by itself, and must not take effect while the rest is refused.
        directory.write("guard.cedar", "");
        directory.write("policies.cedar", "@id(\"guard\") permit (principal, action, resource);");
        let error = store.reload().unwrap_err();
        assert!(error.to_string().contains("more.cedar") || error.to_string().contains("policies.cedar"), "{error}");
        assert_eq!(store.current().hash().as_ref(), hash);
        assert!(!is_allowed(&store));
        directory.write("guard.cedar", GUARD);
        directory.write("policies.cedar", PERMIT);
    }
    directory.remove("more.cedar");
    assert_eq!(store.reload(), Ok(Reload::Recovered));
    assert_eq!(store.reload(), Ok(Reload::Unchanged));
}

#[test]
fn an_emptied_or_hostile_file_does_not_replace_a_guard() {
    let directory = PolicyDirectory::with(PERMIT).and("guard.cedar", GUARD);
    let store = open(&directory);
    let nested = format!("permit (principal, action, resource) when {{ {}true{} }};", "(".repeat(150), ")".repeat(150));
    let long = format!("permit (principal, action, resource) when {{ {}true }};", "true && ".repeat(20_000));
    for hostile in ["", "\n", "// guards nothing\n", &nested, &long] {
        directory.write("guard.cedar", hostile);
        // On the stack that a thread of the runtime has, as at a reload.
        let reloaded = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
            thread.spawn_scoped(scope, || store.reload()).unwrap().join().unwrap()
        });
        assert!(reloaded.unwrap_err().to_string().contains("guard.cedar"));
        assert!(!is_allowed(&store));
    }
}

#[test]
fn a_reload_waits_until_the_files_are_quiet() {
    let directory = PolicyDirectory::with(PERMIT);
    let store = open(&directory);
    // The guard arrives a moment after the file that needs it.
    directory.write("more.cedar", "permit (principal, action, resource) when { context.legacy };");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(200));
            directory.write("guard.cedar", GUARD);
        });
        assert_eq!(store.reload(), Ok(Reload::Replaced));
    });
    assert!(!is_allowed(&store));
}

#[test]
fn deleted_policies_stay_active() {
    let directory = PolicyDirectory::with(PERMIT);
    let store = open(&directory);
    directory.remove("policies.cedar");
    assert!(store.reload().is_err());
    std::fs::remove_dir_all(directory.path()).unwrap();
    assert!(store.reload().is_err());
    assert!(is_allowed(&store));
}

#[test]
fn a_changed_entities_file_is_a_changed_set() {
    let entities = |parents: &str| {
        format!(
            r#"[{{"uid": {{"type": "Mfagate::CallerGroup", "id": "g"}}}},
                {{"uid": {{"type": "Mfagate::Caller", "id": "a"}}, "parents": [{parents}]}}]"#
        )
    };
    let directory = PolicyDirectory::with(r#"permit (principal in Mfagate::CallerGroup::"g", action, resource);"#)
        .and_entities(&entities(r#"{"type": "Mfagate::CallerGroup", "id": "g"}"#));
    let store = open(&directory);
    assert!(is_allowed(&store));
    let directory = directory.and_entities(&entities(""));
    assert_eq!(store.reload(), Ok(Reload::Replaced));
    assert!(!is_allowed(&store));
    drop(directory);
}

#[test]
fn a_poll_loads_a_change_once_the_files_are_stable() {
    let directory = PolicyDirectory::with(PERMIT);
    let store = open(&directory);
    store.poll();
    directory.write("guard.cedar", GUARD);
    store.poll();
    assert!(is_allowed(&store), "the files may still be changing");
    directory.write("guard.cedar", &format!("{GUARD}\n"));
    store.poll();
    assert!(is_allowed(&store), "they were");
    store.poll();
    assert!(!is_allowed(&store));
}

#[test]
fn a_repaired_set_is_loaded_by_a_later_poll() {
    let directory = PolicyDirectory::with(PERMIT);
    let store = open(&directory);
    directory.write("guard.cedar", "forbid (");
    for _ in 0..4 {
        store.poll();
        assert!(is_allowed(&store));
    }
    directory.write("guard.cedar", GUARD);
    store.poll();
    store.poll();
    assert!(!is_allowed(&store));
}

#[tokio::test]
async fn watching_polls_at_every_tick() {
    let directory = PolicyDirectory::with(PERMIT);
    let store = Arc::new(open(&directory));
    directory.write("guard.cedar", GUARD);
    Arc::clone(&store).watch(tokio_stream::iter([()])).await;
    assert!(is_allowed(&store));
    Arc::clone(&store).watch(tokio_stream::iter([()])).await;
    assert!(!is_allowed(&store));
}

/// The two sets allow one RPC each, so a decision by half of either would allow both or none.
#[test]
fn decisions_during_reloads_are_by_one_set_or_the_other() {
    let only = |rpc: &str| format!("permit (principal, action == Mfagate::Action::\"{rpc}\", resource);");
    let sets = [only("GetUser"), only("AdminGetUser")];
    let directory = PolicyDirectory::with(&sets[0]);
    let store = open(&directory);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut asked = 0_u32;
            while !done.load(Ordering::Relaxed) || asked == 0 {
                let policies = store.current();
                let allowed = |rpc| decide(&policies, &workload("a"), rpc, POOL).allowed;
                assert!(allowed(Rpc::GetUser) != allowed(Rpc::AdminGetUser));
                asked += 1;
            }
        });
        for round in 1..=20 {
            directory.write("policies.cedar", &sets[round % 2]);
            assert_eq!(store.reload(), Ok(Reload::Replaced));
        }
        done.store(true, Ordering::Relaxed);
        asking.join().unwrap();
    });
}
