//! The audit log of the real program: rotated, removed, on a full disk, and on standard output.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};
use tonic::Code;

use crate::support::policy_fixture::PolicyEnforcer;
use crate::support::process::Binary;
use crate::support::refusal::refused;
use crate::support::serve_harness::{AWS_KEYS, OPEN, Served, bearer, read, set};
use crate::support::test_cognito::{POOL, TestCognito, USER};

/// The kinds of the records in a text, each with the id of its request.
fn told(text: &str) -> Vec<(String, String)> {
    let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    records.map(|record| (word(&record["kind"]), word(&record["request_id"]))).collect()
}

/// The two records of a change.
fn change(id: &str) -> [(String, String); 2] {
    ["decision", "mutation"].map(|kind| (kind.to_owned(), id.to_owned()))
}

fn rename(guard: &PolicyEnforcer, from: &str, to: &str) {
    fs::rename(guard.path(from), guard.path(to)).unwrap();
}

#[tokio::test]
async fn after_a_renaming_and_a_hangup_records_go_to_a_new_file() {
    let Served { guard, mut binary, channel, cognito: _cognito } = Served::with(OPEN).await;
    let support = bearer(&guard.token("support", json!({})));
    set(channel.clone(), &support, true, "before").await.unwrap();
    rename(&guard, "audit.jsonl", "audit.jsonl.1");
    binary.reload().await;
    // Already there, before anything is recorded: whoever ships the file need not wait for a call.
    assert_eq!(guard.read("audit.jsonl"), "");
    assert_eq!(fs::metadata(guard.path("audit.jsonl")).unwrap().permissions().mode() & 0o777, 0o600);
    set(channel, &support, true, "after").await.unwrap();
    assert_eq!(told(&guard.read("audit.jsonl.1")), change("before"));
    assert_eq!(told(&guard.read("audit.jsonl")), change("after"));
}

#[tokio::test]
async fn rotation_under_load_loses_and_repeats_no_record() {
    const ROTATIONS: usize = 4;
    let Served { guard, mut binary, channel, cognito: _cognito } = Served::with(OPEN).await;
    let support = bearer(&guard.token("support", json!({})));
    let (rotated, rotating) = tokio::sync::watch::channel(0);
    let rotate = async {
        for number in 0..ROTATIONS {
            // Only what has been written to is worth rotating.
            while fs::read(guard.path("audit.jsonl")).unwrap_or_default().is_empty() {
                tokio::task::yield_now().await;
            }
            rename(&guard, "audit.jsonl", &format!("audit.{number}"));
            binary.reload().await;
            rotated.send_replace(number + 1);
        }
    };
    let call = async |caller: usize| {
        let mut ids = Vec::new();
        while *rotating.borrow() < ROTATIONS {
            let id = format!("{caller}-{}", ids.len());
            set(channel.clone(), &support, true, &id).await.unwrap();
            ids.push(id);
        }
        ids
    };
    let ((), first, second, third) = tokio::join!(rotate, call(1), call(2), call(3));

    let mut expected: Vec<_> = [first, second, third].concat().iter().flat_map(|id| change(id)).collect();
    let files = (0..ROTATIONS).map(|number| format!("audit.{number}")).chain(["audit.jsonl".to_owned()]);
    let mut found: Vec<_> = files.flat_map(|file| told(&guard.read(&file))).collect();
    expected.sort();
    found.sort();
    assert!(expected.len() >= 2 * ROTATIONS, "{expected:?}");
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_removed_file_is_made_again_by_the_next_record() {
    let Served { guard, mut binary, channel, cognito: _cognito } = Served::with(OPEN).await;
    let support = bearer(&guard.token("support", json!({})));
    set(channel.clone(), &support, true, "before").await.unwrap();
    fs::remove_file(guard.path("audit.jsonl")).unwrap();
    set(channel, &support, true, "after").await.unwrap();
    assert_eq!(told(&guard.read("audit.jsonl")), change("after"));
    assert_eq!(fs::metadata(guard.path("audit.jsonl")).unwrap().permissions().mode() & 0o777, 0o600);
    binary.logs("the audit log was moved or removed and has been opened anew").await;
}

/// How large a file may become where the disk is small, in blocks of 512 bytes.
const BLOCKS: u32 = 64;

/// Fills the audit log up until there is room for no more than this.
fn leave_room(guard: &PolicyEnforcer, room: u64) {
    let size = fs::metadata(guard.path("audit.jsonl")).unwrap().len();
    let filling = u64::from(BLOCKS) * 512 - room - size;
    let line = format!("{{\"kind\":\"filling\",\"of\":\"{}\"}}\n", "x".repeat(usize::try_from(filling - 28).unwrap()));
    let mut file = fs::File::options().append(true).open(guard.path("audit.jsonl")).unwrap();
    file.write_all(line.as_bytes()).unwrap();
}

#[tokio::test]
async fn a_change_whose_record_no_longer_fits_is_recorded_first_when_there_is_room() {
    let guard = PolicyEnforcer::open();
    let cognito = TestCognito::start().await;
    let options = guard.options();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--cognito-endpoint", &cognito.url];
    let arguments: Vec<&str> = serve.into_iter().chain(options.iter().map(String::as_str)).collect();
    let mut binary = Binary::start_on_small_disk(BLOCKS, &arguments, AWS_KEYS);
    let channel = binary.channel().await;
    let support = bearer(&guard.token("support", json!({})));
    let set = async |id| set(channel.clone(), &support, true, id).await;
    let changes = async || cognito.requests("AdminSetUserMFAPreference").await.len();

    set("roomy").await.unwrap();
    let decision = guard.read("audit.jsonl").lines().next().unwrap().len() as u64;
    // A decision differs from another by the digits of its duration, and a mutation is longer than what is left then.
    leave_room(&guard, decision + 40);
    set("cut-off").await.unwrap();
    binary.logs("the audit log cannot be written: changes are refused").await;
    binary.logs("a change has ended and is not in the audit log yet").await;
    let line = binary.stderr().lines().find(|line| line.contains("is not in the audit log yet")).unwrap().to_owned();
    assert!(line.contains("ERROR") && line.contains("cut-off") && line.contains("code=\"OK\""), "{line}");
    assert_eq!(changes().await, 2);

    refused(set("refused").await, Code::Unavailable, "AUDIT_UNAVAILABLE");
    assert_eq!(changes().await, 2);
    assert_eq!(read(channel.clone(), Some(&support), POOL).await.unwrap(), USER);

    rename(&guard, "audit.jsonl", "audit.jsonl.1");
    binary.signal("HUP").await;
    binary.logs("the audit log is written again").await;
    binary.logs("serve: reloaded\n").await;
    set("roomy-again").await.unwrap();
    assert_eq!(changes().await, 3);

    let full = guard.read("audit.jsonl.1");
    let (lines, cut) = full.split_at(full.rfind('\n').unwrap() + 1);
    assert_eq!(told(lines)[3..], change("cut-off")[..1]);
    assert!(full.len() as u64 == u64::from(BLOCKS) * 512 && !cut.is_empty(), "{cut}");
    let mut expected = vec![change("cut-off")[1].clone(), ("gap".to_owned(), String::new())];
    expected.extend(change("roomy-again"));
    let after = guard.read("audit.jsonl");
    assert_eq!(told(&after), expected);
    let gap: Value = serde_json::from_str(after.lines().nth(1).unwrap()).unwrap();
    // The change that was refused and the read that went on.
    assert_eq!(gap["decisions_lost"], 2);
    assert_eq!(binary.end().await.stdout, "");
}

#[tokio::test]
async fn a_change_whose_answer_is_lost_is_recorded_with_what_its_caller_is_told() {
    let guard = PolicyEnforcer::open();
    let options = guard.options_but(&[("--operation-timeout", "2s")]);
    let Served { guard, channel, cognito, binary: _binary } = Served::with_options(guard, options).await;
    let support = bearer(&guard.token("support", json!({})));
    for (kind, code, name, reason) in [
        ("truncated_json", Code::Internal, "INTERNAL", "COGNITO_ANSWER_UNREADABLE"),
        ("html", Code::Unavailable, "UNAVAILABLE", "COGNITO_UNAVAILABLE"),
        ("reset", Code::Unavailable, "UNAVAILABLE", "COGNITO_UNREACHABLE"),
        ("no_answer", Code::DeadlineExceeded, "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"),
    ] {
        // Cognito makes the change, and nobody hears of it.
        cognito.fault(json!({ "kind": kind, "perform": true })).await;
        refused(set(channel.clone(), &support, true, kind).await, code, reason);
        cognito.heal().await;
        assert_eq!(told(&guard.read("audit.jsonl")).split_off(guard.records().len() - 2), change(kind));
        let outcome = guard.records().last().unwrap()["outcome"].clone();
        assert_eq!(outcome, json!({ "code": name, "reason": reason }), "{kind}");
    }
}

#[tokio::test]
async fn a_change_whose_caller_has_left_is_recorded() {
    let Served { guard, mut binary, channel, cognito } = Served::with(OPEN).await;
    let support = bearer(&guard.token("support", json!({})));
    let slow = json!({ "kind": "latency", "operation": "AdminSetUserMFAPreference", "delay_ms": 300 });
    cognito.fault(slow).await;
    let sent = async {
        while cognito.requests("AdminSetUserMFAPreference").await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = sent => {}
        answer = set(channel.clone(), &support, true, "left") => panic!("{answer:?}"),
    }
    binary.logs("cognito made a change").await;
    binary.end().await;
    assert_eq!(told(&guard.read("audit.jsonl")), change("left"));
    assert_eq!(guard.records()[1]["outcome"], json!({ "code": "OK" }));
}

#[tokio::test]
async fn records_on_standard_output_are_not_mixed_with_the_log() {
    let guard = PolicyEnforcer::open();
    let options = guard.options_recording_in("stdout");
    let Served { guard, mut binary, channel, cognito: _cognito } = Served::with_options(guard, options).await;
    let support = bearer(&guard.token("support", json!({})));
    set(channel.clone(), &support, true, "before").await.unwrap();
    binary.reload().await;
    set(channel, &support, true, "after").await.unwrap();
    let ended = binary.end().await;
    assert_eq!(told(&ended.stdout), [change("before"), change("after")].concat());
    assert!(!ended.stderr.contains("\"kind\"") && ended.stderr.contains("cognito made a change"), "{}", ended.stderr);
    assert!(!Path::new(&guard.path("audit.jsonl")).exists());
}
