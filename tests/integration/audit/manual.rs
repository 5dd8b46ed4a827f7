//! The table in `docs/audit-record.md` names every field that a record can have, and no other.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mfagate::api::Rpc;
use mfagate::audit::{
    AuditLog, AuditTarget, CallFields, CallerRecord, ChainCheck, ChainFinding, ChainKey, DecisionOutcome,
    DecisionRecord, Fsync, MutationOutcome, MutationRecord, Policies, PoolId, RefusalsRecord, UsernameForm,
    UsernameKey,
};
use mfagate::domain::{
    AwsRequestId, Before, Caller, CertificateIdentity, Effect, Operation, RequestId, TokenIdentity, TraceId,
};
use serde_json::Value;
use tempfile::TempDir;

/// Fields, each with a kind of record that has it.
type Fields = BTreeSet<(String, String)>;

/// What the document says.
fn documented() -> Fields {
    let document = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/audit-record.md"));
    let rows = document.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let mut fields = Fields::new();
    for row in rows.take_while(|line| line.starts_with('|')) {
        let mut cells = row.split('|').skip(1);
        let (names, kinds) = (cells.next().unwrap(), cells.next().unwrap().trim());
        let kinds = if kinds == "all" { "decision, mutation, gap, refusals" } else { kinds };
        for name in names.split(',') {
            let name = name.trim().trim_matches('`');
            fields.extend(kinds.split(", ").map(|kind| (name.to_owned(), kind.to_owned())));
        }
    }
    fields
}

/// A call of which everything is known, on what the request has for its pool.
fn call(log: &AuditLog, user_pool_id: &str) -> Arc<CallFields> {
    let certificate = CertificateIdentity { name: "desk.example.com".to_owned(), trust_domain: None };
    let token = TokenIdentity {
        name: "desk".to_owned(),
        issuer: "https://issuer.example".to_owned(),
        scopes: BTreeSet::new(),
        groups: BTreeSet::new(),
    };
    let caller = Caller { name: certificate.name.clone(), certificate: Some(certificate), token: Some(token) };
    Arc::new(CallFields {
        request_id: RequestId::parse("req-1"),
        caller_request_id: RequestId::parse("order-4711"),
        trace_id: TraceId::from_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        caller: CallerRecord::from(&caller),
        peer: Some(([127, 0, 0, 1], 4711).into()),
        target: Rpc::AdminDeleteSoftwareToken.into(),
        user_pool_id: PoolId::of(user_pool_id),
        username: log.username("testuser"),
    })
}

/// Records the decision on a call.
async fn decide(log: &AuditLog, call: &Arc<CallFields>) -> bool {
    let decision = DecisionRecord {
        call: Arc::clone(call),
        effect: Some(Effect::default()),
        before: Some(Before::User { factors: BTreeSet::new(), preferred: None }),
        outcome: DecisionOutcome::Allow,
        policies: Policies::new(["policy0"], "c0ffee"),
        duration: Duration::ZERO,
    };
    log.decision(&decision).await.is_ok()
}

/// Records a call that changes something.
async fn record(log: &AuditLog, call: Arc<CallFields>) -> bool {
    let written = decide(log, &call).await;
    let user = log.username("testuser");
    let mutation = MutationRecord {
        call,
        token_username: user.clone(),
        cognito_username: user.clone(),
        sub: user,
        effect: Some(Effect::default()),
        before: Some(Before::User { factors: BTreeSet::new(), preferred: None }),
        operation: Operation::AdminDeleteSoftwareToken,
        aws_request_id: AwsRequestId::parse("a-1"),
        outcome: MutationOutcome::OK,
        duration: Duration::ZERO,
    };
    log.mutation(mutation).await;
    written
}

fn recorded(path: &Path) -> Fields {
    let text = fs::read_to_string(path).unwrap();
    let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let fields = records.flat_map(|record| {
        let kind = record["kind"].as_str().unwrap().to_owned();
        let names: Vec<String> = record.as_object().unwrap().keys().cloned().collect();
        names.into_iter().map(move |name| (name, kind.clone()))
    });
    fields.collect()
}

/// A log on a disk without space, and the file that it writes to once there is some.
fn full_disk(directory: &TempDir, name: &str) -> (AuditLog, impl FnOnce() -> PathBuf + use<>) {
    let path = directory.path().join(name);
    symlink("/dev/full", &path).unwrap();
    let key = ChainKey::derived_from(UsernameKey::new(&[7; 32]).unwrap());
    let log = AuditLog::open(AuditTarget::File(path.clone()), UsernameForm::Plain, Some(key), Fsync::Never).unwrap();
    let space = directory.path().join(format!("{name}.space"));
    let make_room = move || {
        fs::remove_file(&path).unwrap();
        symlink(&space, &path).unwrap();
        space
    };
    (log, make_room)
}

#[tokio::test]
async fn the_document_names_every_field_of_the_audit_record_with_its_kinds() {
    let directory = TempDir::new().unwrap();
    let (log, make_room) = full_disk(&directory, "audit.jsonl");
    assert!(!record(&log, call(&log, "eu-west-1_Ab1")).await, "the first decision leaves a gap");
    let space = make_room();
    assert!(record(&log, call(&log, "eu-west-1_Ab1")).await);
    assert!(record(&log, call(&log, "no pool")).await);
    let mut fields = recorded(&space);

    // A chain starts with a mutation above, with a gap and with a decision here.
    let (log, make_room) = full_disk(&directory, "gap.jsonl");
    assert!(!decide(&log, &call(&log, "")).await);
    let space = make_room();
    assert!(decide(&log, &call(&log, "")).await);
    fields.extend(recorded(&space));
    let (log, make_room) = full_disk(&directory, "decision.jsonl");
    let space = make_room();
    assert!(decide(&log, &call(&log, "")).await);
    fields.extend(recorded(&space));
    // And with calls that were refused.
    let (log, make_room) = full_disk(&directory, "refusals.jsonl");
    let space = make_room();
    let address = IpAddr::from([127, 0, 0, 1]);
    for (peer, caller) in [(Some(address), None), (None, Some("desk".to_owned()))] {
        let since = SystemTime::UNIX_EPOCH;
        log.refusals(&RefusalsRecord { since, peer, caller, cause: "rate", refused: 7 }).await.unwrap();
    }
    fields.extend(recorded(&space));
    assert_eq!(fields, documented());
}

#[test]
fn the_example_of_a_chain_can_be_computed_by_hand() {
    let document = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/audit-record.md"));
    let example = document.split("```json\n").nth(1).unwrap();
    let [first, second, ..] = example.lines().collect::<Vec<_>>()[..] else { panic!("{example}") };
    let key = ChainKey::derived_from(UsernameKey::new(b"0123456789abcdef0123456789abcdef").unwrap());
    let prev = key.link(first.as_bytes());
    assert_eq!(serde_json::from_str::<Value>(second).unwrap()["prev"], prev.as_str());
    assert_eq!(document.matches(&prev).count(), 2, "in the record and as the output of openssl");
    let mut check = ChainCheck::new(key);
    assert_eq!(check.line(first.as_bytes(), true), Some(ChainFinding::Note("the chain starts (new_file)".to_owned())));
    assert_eq!(check.line(second.as_bytes(), false), None);
}
