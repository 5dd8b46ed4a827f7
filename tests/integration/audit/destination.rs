//! The audit log of the running program: rotation, removal, a full disk, and standard output.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tonic::Code;

use crate::support::policy_fixture::{ALLOW_ALL, PolicyFixture};
use crate::support::process::{Process, command_line};
use crate::support::refusal::refused;
use crate::support::serve_harness::{AWS_CREDENTIALS, ServeHarness, read_user, set_sms};
use crate::support::test_cognito::{POOL, TestCognito, USER};

/// The kinds of the records in a text, each with its request id.
fn kinds_and_ids(text: &str) -> Vec<(String, String)> {
    let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    records.map(|record| (word(&record["kind"]), word(&record["caller_request_id"]))).collect()
}

/// The two records that a change leaves.
fn change_records(id: &str) -> [(String, String); 2] {
    ["decision", "mutation"].map(|kind| (kind.to_owned(), id.to_owned()))
}

fn rename(fixture: &PolicyFixture, from: &str, to: &str) {
    fs::rename(fixture.path(from), fixture.path(to)).unwrap();
}

#[tokio::test]
async fn after_a_rename_and_a_sighup_records_go_to_a_new_file() {
    let ServeHarness { fixture, mut process, channel, cognito: _cognito } = ServeHarness::with(ALLOW_ALL).await;
    let support = fixture.bearer("support");
    set_sms(channel.clone(), &support, true, "before").await.unwrap();
    rename(&fixture, "audit.jsonl", "audit.jsonl.1");
    process.reload().await;
    // The file exists before anything is recorded: a log shipper need not wait for a call.
    assert_eq!(fixture.read("audit.jsonl"), "");
    assert_eq!(fs::metadata(fixture.path("audit.jsonl")).unwrap().permissions().mode() & 0o777, 0o600);
    set_sms(channel, &support, true, "after").await.unwrap();
    assert_eq!(kinds_and_ids(&fixture.read("audit.jsonl.1")), change_records("before"));
    assert_eq!(kinds_and_ids(&fixture.read("audit.jsonl")), change_records("after"));
}

#[tokio::test]
async fn rotation_under_load_neither_loses_nor_repeats_a_record() {
    const ROTATIONS: usize = 4;
    let ServeHarness { fixture, mut process, channel, cognito: _cognito } = ServeHarness::with(ALLOW_ALL).await;
    let support = fixture.bearer("support");
    let (rotated, rotating) = tokio::sync::watch::channel(0);
    let rotate = async {
        for number in 0..ROTATIONS {
            // Only a file with records in it is worth rotating.
            while fs::read(fixture.path("audit.jsonl")).unwrap_or_default().is_empty() {
                tokio::task::yield_now().await;
            }
            rename(&fixture, "audit.jsonl", &format!("audit.{number}"));
            process.reload().await;
            rotated.send_replace(number + 1);
        }
    };
    let call = async |caller: usize| {
        let mut ids = Vec::new();
        while *rotating.borrow() < ROTATIONS {
            let id = format!("{caller}-{}", ids.len());
            set_sms(channel.clone(), &support, true, &id).await.unwrap();
            ids.push(id);
        }
        ids
    };
    let ((), first, second, third) = tokio::join!(rotate, call(1), call(2), call(3));

    let mut expected: Vec<_> = [first, second, third].concat().iter().flat_map(|id| change_records(id)).collect();
    let files = (0..ROTATIONS).map(|number| format!("audit.{number}")).chain(["audit.jsonl".to_owned()]);
    let mut found: Vec<_> = files.flat_map(|file| kinds_and_ids(&fixture.read(&file))).collect();
    expected.sort();
    found.sort();
    assert!(expected.len() >= 2 * ROTATIONS, "{expected:?}");
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_removed_file_is_recreated_by_the_next_record() {
    let ServeHarness { fixture, mut process, channel, cognito: _cognito } = ServeHarness::with(ALLOW_ALL).await;
    let support = fixture.bearer("support");
    set_sms(channel.clone(), &support, true, "before").await.unwrap();
    fs::remove_file(fixture.path("audit.jsonl")).unwrap();
    set_sms(channel, &support, true, "after").await.unwrap();
    assert_eq!(kinds_and_ids(&fixture.read("audit.jsonl")), change_records("after"));
    assert_eq!(fs::metadata(fixture.path("audit.jsonl")).unwrap().permissions().mode() & 0o777, 0o600);
    process.wait_for_next_log("audit log moved or removed, reopened").await;
}

/// The maximum file size on the small disk, in blocks of 512 bytes.
const BLOCKS: u32 = 64;

/// Fills the audit log until only this much room is left.
fn leave_room(fixture: &PolicyFixture, room: u64) {
    let size = fs::metadata(fixture.path("audit.jsonl")).unwrap().len();
    let filling = u64::from(BLOCKS) * 512 - room - size;
    let line = format!("{{\"kind\":\"filling\",\"of\":\"{}\"}}\n", "x".repeat(usize::try_from(filling - 28).unwrap()));
    let mut file = fs::File::options().append(true).open(fixture.path("audit.jsonl")).unwrap();
    file.write_all(line.as_bytes()).unwrap();
}

#[tokio::test]
async fn a_change_whose_record_did_not_fit_is_recorded_first_once_there_is_room() {
    let fixture = PolicyFixture::allow_all();
    let cognito = TestCognito::start().await;
    let serve = ["serve", "--listen", "127.0.0.1:0", "--cognito-endpoint", &cognito.url];
    let arguments = command_line(&serve, &fixture.options());
    let mut process = Process::start_on_small_disk(BLOCKS, &arguments, AWS_CREDENTIALS);
    let channel = process.channel().await;
    let support = fixture.bearer("support");
    let set_sms = async |id| set_sms(channel.clone(), &support, true, id).await;
    let changes = async || cognito.requests("AdminSetUserMFAPreference").await.len();

    set_sms("roomy").await.unwrap();
    let decision = fixture.read("audit.jsonl").lines().next().unwrap().len() as u64;
    // Decisions differ in length by the digits of their duration, and a mutation is longer than what is left.
    leave_room(&fixture, decision + 40);
    set_sms("cut-off").await.unwrap();
    process.wait_for_next_log("audit log not writable, mutations are rejected").await;
    process.wait_for_next_log("mutation not in the audit log yet").await;
    let line =
        process.stderr().lines().find(|line| line.contains("mutation not in the audit log yet")).unwrap().to_owned();
    assert!(line.contains("ERROR") && line.contains("cut-off") && line.contains("code=\"OK\""), "{line}");
    assert_eq!(changes().await, 2);

    refused(set_sms("refused").await, Code::Unavailable, "AUDIT_UNAVAILABLE");
    assert_eq!(changes().await, 2);
    assert_eq!(read_user(channel.clone(), Some(&support), POOL).await.unwrap(), USER);

    rename(&fixture, "audit.jsonl", "audit.jsonl.1");
    process.signal("HUP").await;
    process.wait_for_next_log("audit log writable again").await;
    process.wait_for_next_log("serve: reloaded\n").await;
    set_sms("roomy-again").await.unwrap();
    assert_eq!(changes().await, 3);

    let full = fixture.read("audit.jsonl.1");
    let (lines, cut) = full.split_at(full.rfind('\n').unwrap() + 1);
    assert_eq!(kinds_and_ids(lines)[3..], change_records("cut-off")[..1]);
    assert!(full.len() as u64 == u64::from(BLOCKS) * 512 && !cut.is_empty(), "{cut}");
    let mut expected = vec![change_records("cut-off")[1].clone(), ("gap".to_owned(), String::new())];
    expected.extend(change_records("roomy-again"));
    let after = fixture.read("audit.jsonl");
    assert_eq!(kinds_and_ids(&after), expected);
    let gap: Value = serde_json::from_str(after.lines().nth(1).unwrap()).unwrap();
    // The change that was refused and the read that was served.
    assert_eq!(gap["decisions_lost"], 2);
    assert_eq!(process.terminate().await.stdout, "");
}

#[tokio::test]
async fn a_change_whose_response_is_lost_is_recorded_with_the_callers_status() {
    let fixture = PolicyFixture::allow_all();
    let options = fixture.options_with(&[("--operation-timeout", "2s")]);
    let ServeHarness { fixture, channel, cognito, process: _binary } =
        ServeHarness::with_options(fixture, options).await;
    let support = fixture.bearer("support");
    for (kind, code, name, reason) in [
        ("truncated_json", Code::Internal, "INTERNAL", "COGNITO_ANSWER_UNREADABLE"),
        ("html", Code::Unavailable, "UNAVAILABLE", "COGNITO_UNAVAILABLE"),
        ("reset", Code::Unavailable, "UNAVAILABLE", "COGNITO_UNREACHABLE"),
        ("no_answer", Code::DeadlineExceeded, "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"),
    ] {
        // Cognito makes the change, and its response is lost.
        cognito.inject_fault(json!({ "kind": kind, "perform": true })).await;
        refused(set_sms(channel.clone(), &support, true, kind).await, code, reason);
        cognito.clear_faults().await;
        assert_eq!(
            kinds_and_ids(&fixture.read("audit.jsonl")).split_off(fixture.records().len() - 2),
            change_records(kind)
        );
        let outcome = fixture.records().last().unwrap()["outcome"].clone();
        assert_eq!(outcome, json!({ "code": name, "reason": reason, "change": "UNKNOWN" }), "{kind}");
    }
}

#[tokio::test]
async fn a_change_whose_caller_has_left_is_recorded() {
    let ServeHarness { fixture, process, channel, cognito } = ServeHarness::with(ALLOW_ALL).await;
    let support = fixture.bearer("support");
    let slow = json!({ "kind": "latency", "operation": "AdminSetUserMFAPreference", "delay_ms": 300 });
    cognito.inject_fault(slow).await;
    let sent = async {
        while cognito.requests("AdminSetUserMFAPreference").await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = sent => {}
        answer = set_sms(channel.clone(), &support, true, "left") => panic!("{answer:?}"),
    }
    let recorded = async {
        while fixture.records().len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), recorded).await.unwrap();
    let exit = process.terminate().await;
    assert!(!exit.stderr.contains("mutation succeeded"), "the record says so: {}", exit.stderr);
    assert_eq!(kinds_and_ids(&fixture.read("audit.jsonl")), change_records("left"));
    assert_eq!(fixture.records()[1]["outcome"], json!({ "code": "OK" }));
}

#[tokio::test]
async fn records_on_standard_output_are_not_mixed_with_the_log() {
    let fixture = PolicyFixture::allow_all();
    let options = fixture.options_with_audit_log("stdout");
    let ServeHarness { fixture, mut process, channel, cognito: _cognito } =
        ServeHarness::with_options(fixture, options).await;
    let support = fixture.bearer("support");
    set_sms(channel.clone(), &support, true, "before").await.unwrap();
    process.reload().await;
    set_sms(channel, &support, true, "after").await.unwrap();
    let exit = process.terminate().await;
    assert_eq!(kinds_and_ids(&exit.stdout), [change_records("before"), change_records("after")].concat());
    assert!(!exit.stderr.contains("\"kind\"") && exit.stderr.contains("serve: reloaded"), "{}", exit.stderr);
    assert!(!Path::new(&fixture.path("audit.jsonl")).exists());
}
