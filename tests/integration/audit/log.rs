//! The audit log on real files: full, removed, rotated, shared, and never with a secret in it.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mfagate::api::Rpc;
use mfagate::audit::{
    AuditLog, AuditTarget, AuditUnavailable, CallFields, CallerRecord, ChainCheck, ChainFinding, ChainKey,
    DecisionOutcome, DecisionRecord, Fsync, MutationOutcome, MutationRecord, Policies, PoolId, Target, UsernameForm,
    UsernameKey,
};
use mfagate::domain::{AwsRequestId, Caller, Effect, Operation, RequestId, TokenIdentity, TraceId};
use mfagate::error::chain;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::support::disk::{make_fifo, small_disk_command};

fn open(path: &Path) -> AuditLog {
    AuditLog::open(AuditTarget::File(path.to_owned()), UsernameForm::None, None, Fsync::Never).unwrap()
}

fn call(id: &str) -> Arc<CallFields> {
    Arc::new(CallFields {
        request_id: RequestId::parse(id),
        caller_request_id: None,
        trace_id: None,
        caller: CallerRecord::ANONYMOUS,
        peer: None,
        target: Rpc::AdminDeleteSoftwareToken.into(),
        user_pool_id: PoolId::of("eu-west-1_Ab1"),
        username: None,
    })
}

fn decision(id: &str) -> DecisionRecord {
    DecisionRecord {
        call: call(id),
        effect: Some(Effect::default()),
        before: None,
        outcome: DecisionOutcome::Allow,
        policies: Policies::new(["policy0"], "c0ffee"),
        duration: Duration::from_micros(80),
    }
}

fn mutation(id: &str) -> MutationRecord {
    MutationRecord {
        call: call(id),
        token_username: None,
        cognito_username: None,
        sub: None,
        effect: Some(Effect::default()),
        before: None,
        operation: Operation::AdminDeleteSoftwareToken,
        aws_request_id: AwsRequestId::parse("4a1f3b52"),
        outcome: MutationOutcome::OK,
        duration: Duration::from_millis(80),
    }
}

/// The records in a file, each of which must be one line.
fn records(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ids(path: &Path) -> Vec<String> {
    records(path).iter().map(|record| record["request_id"].as_str().unwrap_or("-").to_owned()).collect()
}

#[tokio::test]
async fn records_are_in_the_file_when_they_are_acknowledged() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("audit.jsonl");
    let log = open(&path);
    log.decision(&decision("one")).await.unwrap();
    assert_eq!(ids(&path), ["one"]);
    log.mutation(mutation("one")).await;
    let kinds: Vec<_> = records(&path).iter().map(|record| record["kind"].clone()).collect();
    assert_eq!(kinds, ["decision", "mutation"]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    // Another process, or the next one, appends.
    open(&path).decision(&decision("two")).await.unwrap();
    log.decision(&decision("three")).await.unwrap();
    assert_eq!(ids(&path), ["one", "one", "two", "three"]);
}

#[tokio::test]
async fn a_full_disk_refuses_decisions_keeps_mutations_and_recovers_by_itself() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("audit.jsonl");
    symlink("/dev/full", &path).unwrap();
    let log = open(&path);
    let full = |outcome| match outcome {
        Err(AuditUnavailable::Failed(error)) => assert!(error.contains("No space left on device"), "{error}"),
        other => panic!("{other:?}"),
    };
    full(log.decision(&decision("refused")).await);
    log.mutation(mutation("changed-1")).await;
    log.mutation(mutation("changed-2")).await;
    full(log.decision(&decision("refused-too")).await);
    full(log.flush().await);

    let space = directory.path().join("space");
    fs::remove_file(&path).unwrap();
    symlink(&space, &path).unwrap();
    log.decision(&decision("allowed")).await.unwrap();
    assert_eq!(ids(&space), ["changed-1", "changed-2", "-", "allowed"]);
    let gap = &records(&space)[2];
    assert_eq!((&gap["kind"], &gap["decisions_lost"]), (&"gap".into(), &2.into()));

    // Owed records are written once.
    log.decision(&decision("again")).await.unwrap();
    assert_eq!(ids(&space), ["changed-1", "changed-2", "-", "allowed", "again"]);
}

#[tokio::test]
async fn a_kept_mutation_is_written_on_flush_or_reopen_without_another_call() {
    let directory = TempDir::new().unwrap();
    let (path, space) = (directory.path().join("audit.jsonl"), directory.path().join("space"));
    symlink("/dev/full", &path).unwrap();
    let log = open(&path);
    log.mutation(mutation("changed-1")).await;
    fs::remove_file(&path).unwrap();
    symlink(&space, &path).unwrap();
    log.flush().await.unwrap();
    assert_eq!(ids(&space), ["changed-1"]);

    fs::remove_file(&path).unwrap();
    symlink("/dev/full", &path).unwrap();
    log.mutation(mutation("changed-2")).await;
    assert!(log.reopen().await.is_err());
    fs::remove_file(&path).unwrap();
    symlink(&space, &path).unwrap();
    log.reopen().await.unwrap();
    assert_eq!(ids(&space), ["changed-1", "changed-2"]);
}

#[tokio::test]
async fn a_removed_file_is_recreated() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("audit.jsonl");
    let log = open(&path);
    log.decision(&decision("one")).await.unwrap();
    fs::remove_file(&path).unwrap();
    log.decision(&decision("two")).await.unwrap();
    assert_eq!(ids(&path), ["two"]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    // Without its directory, the file cannot be created.
    let moved = directory.path().with_extension("moved");
    fs::rename(directory.path(), &moved).unwrap();
    assert!(matches!(log.decision(&decision("three")).await, Err(AuditUnavailable::Failed(_))));
    fs::rename(&moved, directory.path()).unwrap();
    log.decision(&decision("four")).await.unwrap();
    assert_eq!(ids(&path), ["two", "-", "four"]);
}

#[tokio::test]
async fn rotation_by_renaming_neither_loses_nor_repeats_a_record() {
    let directory = TempDir::new().unwrap();
    let (path, rotated) = (directory.path().join("audit.jsonl"), directory.path().join("audit.jsonl.1"));
    let log = open(&path);
    log.decision(&decision("one")).await.unwrap();
    fs::rename(&path, &rotated).unwrap();
    log.reopen().await.unwrap();
    log.decision(&decision("two")).await.unwrap();
    assert_eq!((ids(&rotated), ids(&path)), (vec!["one".to_owned()], vec!["two".to_owned()]));

    // Truncated in place instead.
    fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    log.decision(&decision("three")).await.unwrap();
    assert_eq!(ids(&path), ["three"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_records_of_two_logs_are_whole_lines_while_the_file_is_rotated() {
    const WRITERS: usize = 8;
    const RECORDS: usize = 250;
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("audit.jsonl");
    let logs = [Arc::new(open(&path)), Arc::new(open(&path))];
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let log = Arc::clone(&logs[writer % 2]);
        writers.spawn(async move {
            for number in 0..RECORDS {
                let mut record = decision(&format!("{writer}-{number}"));
                record.policies = Policies::new(["policy \" \n\\ é"; 40].into_iter().take(number % 40), "c0ffee");
                log.decision(&record).await.unwrap();
            }
        });
    }
    for rotation in 0..5 {
        logs[0].decision(&decision("rotating")).await.unwrap();
        fs::rename(&path, directory.path().join(format!("audit.{rotation}"))).unwrap();
        logs[rotation % 2].reopen().await.unwrap();
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    let mut found: Vec<String> =
        fs::read_dir(directory.path()).unwrap().flat_map(|file| ids(&file.unwrap().path())).collect();
    found.retain(|id| id != "rotating");
    found.sort();
    let mut expected: Vec<String> =
        (0..WRITERS).flat_map(|writer| (0..RECORDS).map(move |number| format!("{writer}-{number}"))).collect();
    expected.sort();
    assert_eq!(found, expected);
}

/// Records a decision and a mutation for each number, many at a time, on a runtime of its own.
fn record_on_a_runtime(log: &Arc<AuditLog>, worker: usize, runtime: &Runtime) {
    runtime.block_on(async {
        let mut recording = JoinSet::new();
        for number in 0..32 {
            let log = Arc::clone(log);
            recording.spawn(async move {
                for round in 0..16 {
                    let id = format!("{worker}-{number}-{round}");
                    log.decision(&decision(&id)).await.unwrap();
                    log.mutation(mutation(&id)).await;
                }
            });
        }
        recording.join_all().await;
    });
}

#[test]
fn records_of_many_runtimes_are_acknowledged_in_the_file_and_chained() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("audit.jsonl");
    let key = || ChainKey::derived_from(UsernameKey::new(&[7; 32]).unwrap());
    let target = AuditTarget::File(path.clone());
    let log = Arc::new(AuditLog::open(target, UsernameForm::None, Some(key()), Fsync::Never).unwrap());
    // As the program's workers, and as tokio's usual runtime.
    thread::scope(|scope| {
        for worker in 0..4 {
            let log = &log;
            scope.spawn(move || {
                record_on_a_runtime(log, worker, &Builder::new_current_thread().enable_all().build().unwrap());
            });
        }
        record_on_a_runtime(&log, 4, &Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());
    });

    let records = records(&path);
    let of = |kind: &str| records.iter().filter(|record| record["kind"] == kind).count();
    assert_eq!((of("decision"), of("mutation"), records.len()), (5 * 512, 5 * 512, 10 * 512));
    let mut check = ChainCheck::new(key());
    let text = fs::read_to_string(&path).unwrap();
    let findings = text.lines().enumerate().filter_map(|(number, line)| check.line(line.as_bytes(), number == 0));
    assert_eq!(findings.collect::<Vec<_>>(), [ChainFinding::Note("the chain starts (new_file)".to_owned())]);
}

#[test]
fn a_runtime_that_ends_while_its_calls_wait_holds_up_no_other() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("audit.jsonl");
    let log = Arc::new(open(&path));
    let runtime = || Builder::new_current_thread().enable_all().build().unwrap();
    let lasting = runtime();
    for round in 0..50 {
        let ending = runtime();
        for number in 0..8 {
            let log = Arc::clone(&log);
            ending.spawn(async move { log.decision(&decision(&format!("ending-{round}-{number}"))).await });
        }
        // Each has handed its record over, and waits or has ended.
        ending.block_on(tokio::task::yield_now());
        drop(ending);
        let recorded = lasting.block_on(log.decision(&decision(&format!("lasting-{round}"))));
        assert_eq!(recorded, Ok(()));
    }
    assert_eq!(ids(&path).iter().filter(|id| id.starts_with("lasting")).count(), 50);
    assert_eq!(ids(&path).len(), 50 * 9);
}

#[tokio::test]
async fn a_submitted_record_is_written_even_if_nobody_waits_for_it() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("audit.jsonl");
    let log = open(&path);
    drop(log.mutation(mutation("left")));
    // Nothing else wakes the thread.
    let written = async {
        while ids(&path).is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), written).await.unwrap();
    assert_eq!(ids(&path), ["left"]);
}

#[tokio::test]
async fn a_secret_in_a_wrong_field_is_not_in_the_record() {
    // As long as Cognito's are.
    let token = format!("eyJhbGciOiJSUzI1NiJ9.{}.c2lnbmF0dXJlLWNhbmFyeQ", "eyJjYW5hcnkiOiJjYW5hcnkifQ".repeat(40));
    let session = format!("AYABe{}==", "canary+/".repeat(120));
    let secret_code = "CANARYJBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXPCANARYJBSWY3DP";
    let directory = TempDir::new().unwrap();
    let key = UsernameKey::new(b"key-canary-key-canary-key-canary").unwrap();
    let forms = [(UsernameForm::Plain, "plain"), (UsernameForm::Hmac(key), "hmac"), (UsernameForm::None, "none")];
    for (form, name) in forms {
        let path = directory.path().join(name);
        let log = AuditLog::open(AuditTarget::File(path.clone()), form, None, Fsync::Never).unwrap();
        for text in [token.as_str(), &session, secret_code] {
            // A text this short may be a username or an id.
            let tellable = if text == secret_code { "" } else { text };
            let mut record = mutation("test");
            record.call = Arc::new(CallFields {
                request_id: RequestId::parse(tellable),
                caller_request_id: RequestId::parse(tellable),
                trace_id: TraceId::from_traceparent(&format!("00-{text}-00f067aa0ba902b7-01")),
                caller: CallerRecord::ANONYMOUS,
                peer: None,
                target: Target::UNKNOWN,
                user_pool_id: PoolId::of(text),
                username: log.username(tellable),
            });
            record.aws_request_id = AwsRequestId::parse(tellable);
            record.token_username = log.username(tellable);
            record.cognito_username = log.username(tellable);
            record.sub = log.username(tellable);
            log.mutation(record).await;
        }
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 3, "{text}");
        for secret in ["canary", "eyJ", "c2ln", "AYABe", "JBSWY3DP"] {
            assert!(!text.to_lowercase().contains(&secret.to_lowercase()), "{text}");
        }
        assert!(!format!("{log:?}").contains("canary"));
    }
}

#[tokio::test]
async fn names_that_callers_choose_stay_within_one_line_and_short() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("audit.jsonl");
    let log = open(&path);
    let forged = "x\"}\n{\"kind\":\"decision\",\"decision\":\"allow\"}\r\n\u{2028}\0";
    for name in [forged, &"é".repeat(1_000_000)] {
        let caller = Caller {
            name: name.to_owned(),
            certificate: None,
            token: Some(TokenIdentity {
                name: name.to_owned(),
                issuer: name.to_owned(),
                scopes: [name.to_owned()].into(),
                groups: [name.to_owned()].into(),
            }),
        };
        let mut record = decision("one");
        record.call = Arc::new(CallFields { caller: CallerRecord::from(&caller), ..Arc::unwrap_or_clone(record.call) });
        log.decision(&record).await.unwrap();
    }
    let records = records(&path);
    assert_eq!((records.len(), &records[0]["caller"]), (2, &Value::from(forged)));
    assert!(fs::metadata(&path).unwrap().len() < 4000);
}

#[test]
fn a_target_that_cannot_be_written_is_refused_at_startup_by_name() {
    let directory = TempDir::new().unwrap();
    let fifo = directory.path().join("fifo");
    make_fifo(&fifo);
    for (path, cause) in [
        (directory.path().join("missing/audit.jsonl"), "No such file or directory"),
        (directory.path().to_owned(), "Is a directory"),
        (fifo, "it is a FIFO"),
    ] {
        let refused =
            AuditLog::open(AuditTarget::File(path.clone()), UsernameForm::None, None, Fsync::Never).unwrap_err();
        let refused = chain(&refused);
        let start = format!("the audit log {} cannot be opened for writing: ", path.display());
        assert!(refused.starts_with(&start) && refused.contains(cause), "{refused}");
    }
    assert_eq!("stdout".parse(), Ok(AuditTarget::Stdout));
    assert_eq!("./stdout".parse(), Ok(AuditTarget::File("./stdout".into())));
}

/// The environment variable that tells the child process where to write.
const FILE: &str = "AUDIT_TEST_FILE";

/// Runs a test of this file in a process of its own, whose files cannot grow beyond 8 blocks.
fn in_a_small_process(test: &str, file: &Path) -> std::process::Output {
    small_disk_command(8, std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(FILE, file)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn a_disk_that_fills_up_within_a_line_breaks_that_line_only() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("audit.jsonl");
    let child = in_a_small_process("audit::log::fills_the_disk_and_makes_room", &path);
    let (out, log) = (String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
    assert!(child.status.success() && out.contains("1 passed"), "{out}\n{log}");

    let text = fs::read_to_string(&path).unwrap();
    assert!(text.ends_with('\n'));
    let broken = text.lines().filter(|line| serde_json::from_str::<Value>(line).is_err()).count();
    assert_eq!(broken, 1, "{text}");
    let last = text.lines().last().unwrap();
    assert_eq!(serde_json::from_str::<Value>(last).unwrap()["request_id"], "after", "{last}");
}

#[tokio::test]
#[ignore = "a part of the test above, which runs it in a process of its own"]
async fn fills_the_disk_and_makes_room() {
    let path = std::path::PathBuf::from(std::env::var_os(FILE).expect("set by the test above"));
    let log = open(&path);
    let mut written = 0;
    let error = loop {
        match log.decision(&decision(&format!("before-{written}"))).await {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, AuditUnavailable::Failed(_)), "{error:?}");
    let full = fs::read(&path).unwrap();
    assert!(!full.ends_with(b"\n"), "a part of the last line was written");
    assert!(written > 5);

    // Makes room for three lines by removing whole lines from the start.
    let cut = full.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(4).unwrap().0;
    fs::write(&path, &full[cut + 1..]).unwrap();
    log.decision(&decision("after")).await.unwrap();
}

#[test]
fn standard_output_takes_records_as_lines() {
    let directory = TempDir::new().unwrap();
    let child = in_a_small_process("audit::log::writes_to_standard_output", directory.path());
    let text = String::from_utf8(child.stdout).unwrap();
    let records: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let kinds: Vec<_> = records.iter().map(|record| record["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["decision", "mutation"], "{text}");
}

#[tokio::test]
#[ignore = "a part of the test above, which runs it in a process of its own"]
async fn writes_to_standard_output() {
    assert!(std::env::var_os(FILE).is_some(), "set by the test above");
    let log = AuditLog::open(AuditTarget::Stdout, UsernameForm::None, None, Fsync::Never).unwrap();
    // libtest does not end the line that it has printed.
    println!();
    log.decision(&decision("one")).await.unwrap();
    log.reopen().await.unwrap();
    log.mutation(mutation("one")).await;
}
