//! The table in `docs/audit-record.md` names every field that a record can have, and no other.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mfagate::api::Rpc;
use mfagate::audit::{
    AuditLog, AuditTarget, CallFields, CallerRecord, DecisionOutcome, DecisionRecord, MutationOutcome, MutationRecord,
    Policies, PoolId, UsernameForm,
};
use mfagate::domain::{
    AwsRequestId, Caller, CertificateIdentity, Effect, Operation, RequestId, TokenIdentity, TraceId,
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
        let kinds = if kinds == "all" { "decision, mutation, gap" } else { kinds };
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
        trace_id: TraceId::from_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        caller: CallerRecord::from(&caller),
        peer: Some(([127, 0, 0, 1], 4711).into()),
        target: Rpc::AdminDeleteSoftwareToken.into(),
        user_pool_id: PoolId::of(user_pool_id),
        username: log.username("testuser"),
    })
}

/// Records a call that changes something.
async fn record(log: &AuditLog, call: Arc<CallFields>) -> bool {
    let effect = Some(Effect::default());
    let policies = Policies::new(["policy0"], "c0ffee");
    let (verdict, duration) = (DecisionOutcome::Allow, Duration::ZERO);
    let decision =
        DecisionRecord { call: Arc::clone(&call), effect: effect.clone(), outcome: verdict, policies, duration };
    let written = log.decision(&decision).await.is_ok();
    let (operation, outcome) = (Operation::AdminDeleteSoftwareToken, MutationOutcome::OK);
    let aws_request_id = AwsRequestId::parse("a-1");
    log.mutation(MutationRecord { call, effect, operation, aws_request_id, outcome, duration }).await;
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

#[tokio::test]
async fn the_document_names_every_field_of_the_audit_record_with_its_kinds() {
    let directory = TempDir::new().unwrap();
    let (path, space) = (directory.path().join("audit.jsonl"), directory.path().join("space"));
    symlink("/dev/full", &path).unwrap();
    let log = AuditLog::open(AuditTarget::File(path.clone()), UsernameForm::Plain, None).unwrap();
    assert!(!record(&log, call(&log, "eu-west-1_Ab1")).await, "the first decision leaves a gap");
    fs::remove_file(&path).unwrap();
    symlink(&space, &path).unwrap();
    assert!(record(&log, call(&log, "eu-west-1_Ab1")).await);
    assert!(record(&log, call(&log, "no pool")).await);
    assert_eq!(recorded(&space), documented());
}
