//! Rates: who comes more often than it may is told so and counted, and nobody else notices.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::task::JoinSet;
use tonic::{Code, Status};

use crate::support::disk::make_fifo;
use crate::support::policy_fixture::{ALLOW_ALL, PolicyFixture};
use crate::support::process::Process;
use crate::support::refusal::refused;
use crate::support::serve_harness::{AWS_CREDENTIALS, ServeHarness, credential_problem, read_user, set_sms};
use crate::support::test_cognito::{POOL, TestCognito};

/// A `serve` with these options beside the usual ones.
async fn with(options: &[(&str, &str)]) -> ServeHarness {
    let fixture = PolicyFixture::with(ALLOW_ALL);
    let options = fixture.options_with(options);
    ServeHarness::with_options(fixture, options).await
}

#[track_caller]
fn over_its_rate<T: std::fmt::Debug>(answer: Result<T, Status>) {
    let details = refused(answer, Code::ResourceExhausted, "CALLER_LIMIT_EXCEEDED");
    let metadata = &details.error_info().unwrap().metadata;
    assert_eq!((metadata["limit"].as_str(), metadata["retryable"].as_str()), ("rate", "true"));
    let wait = details.retry_info().unwrap().retry_delay.unwrap();
    assert!(!wait.is_zero() && wait <= Duration::from_hours(1), "{wait:?}");
}

fn of_kind(records: &[Value], kind: &str) -> Vec<Value> {
    records.iter().filter(|record| record["kind"] == kind).cloned().collect()
}

/// The lines of the log that have this text.
fn lines(log: &str, text: &str) -> usize {
    log.lines().filter(|line| line.contains(text)).count()
}

#[tokio::test]
async fn strangers_beyond_their_rate_are_counted_in_one_record_and_one_line_and_a_known_caller_beside_them_is_served() {
    let before = SystemTime::now();
    // The next token comes after the test.
    let harness = with(&[("--stranger-rate", "1/3")]).await;
    for _ in 0..3 {
        assert_eq!(credential_problem(harness.read(None, POOL).await), "missing");
    }
    let mut over = 0;
    while over < 5 {
        // Unless a token came back: the machine may be slow.
        match harness.read(None, POOL).await {
            Err(status) if status.code() == Code::ResourceExhausted => {
                over_its_rate::<()>(Err(status));
                over += 1;
            }
            answer => assert_eq!(credential_problem(answer), "missing"),
        }
    }
    let mut expired = 0;
    while expired < 2 {
        expired += usize::from(
            harness.read(Some("Bearer no.token"), POOL).await.unwrap_err().code() == Code::ResourceExhausted,
        );
    }
    for _ in 0..20 {
        harness.read_as("desk", POOL).await.unwrap();
    }
    let ServeHarness { fixture, process, channel, .. } = harness;
    drop(channel);
    let exit = process.terminate().await;
    let records = fixture.records();
    let counted = of_kind(&records, "refusals");
    let total = |cause: &str| -> u64 {
        let of_cause = counted.iter().filter(|record| record["cause"] == cause);
        of_cause.map(|record| record["refused"].as_u64().unwrap()).sum()
    };
    assert_eq!((total("missing"), total("malformed")), (5, 2), "{counted:?}");
    for record in &counted {
        assert_eq!((&record["peer"], &record["caller"]), (&Value::from("127.0.0.1"), &Value::Null));
        let since = OffsetDateTime::parse(record["since"].as_str().unwrap(), &Rfc3339).unwrap();
        assert!(since + Duration::from_millis(1) > before && since <= SystemTime::now());
    }
    let alone = of_kind(&records, "decision").iter().filter(|record| record["decision"] == "unauthenticated").count();
    assert_eq!(lines(&exit.stderr, "reason=\"CALLER_UNAUTHENTICATED\""), alone, "one line each: {}", exit.stderr);
    assert_eq!(lines(&exit.stderr, "CALLER_LIMIT_EXCEEDED"), 0);
    assert_eq!(lines(&exit.stderr, "calls over their rate refused"), counted.len());
}

#[tokio::test]
async fn a_caller_beyond_its_rate_is_told_when_to_come_and_others_have_theirs() {
    let harness = with(&[("--rate", "greedy=1/2,*=1/4")]).await;
    let mut answers = Vec::new();
    for caller in ["greedy", "desk", "other"] {
        let mut calls = JoinSet::new();
        for _ in 0..6 {
            let (channel, bearer) = (harness.channel.clone(), harness.fixture.bearer(caller));
            calls.spawn(async move { read_user(channel, Some(&bearer), POOL).await });
        }
        let (served, over): (Vec<_>, Vec<_>) = calls.join_all().await.into_iter().partition(Result::is_ok);
        over.into_iter().for_each(over_its_rate);
        answers.push(served.len());
    }
    // More only where the machine is so slow that tokens come meanwhile.
    assert!(answers[0] >= 2 && answers[1] >= 4 && answers[2] >= 4 && answers[0] < 6, "{answers:?}");
    let ServeHarness { fixture, process, channel, .. } = harness;
    drop(channel);
    process.terminate().await;
    let counted = of_kind(&fixture.records(), "refusals");
    let greedy: Vec<_> = counted.iter().filter(|record| record["caller"] == "greedy").collect();
    let refused: u64 = greedy.iter().map(|record| record["refused"].as_u64().unwrap()).sum();
    assert_eq!(refused, 6 - answers[0] as u64);
    assert!(greedy.iter().all(|record| record["cause"] == "rate" && record.get("peer").is_none()));
}

#[tokio::test]
async fn changes_never_wait_behind_the_refusals_of_strangers_even_if_the_audit_log_is_read_slowly() {
    let fixture = PolicyFixture::with(ALLOW_ALL);
    let fifo = fixture.path("audit.fifo");
    make_fifo(&fifo);
    let end = Arc::new(AtomicBool::new(false));
    let (path, ends) = (fifo.clone(), Arc::clone(&end));
    let reader = thread::spawn(move || {
        let (mut fifo, mut text, mut part) = (std::fs::File::open(path).unwrap(), Vec::new(), [0; 2048]);
        loop {
            let read = fifo.read(&mut part).unwrap();
            text.extend_from_slice(&part[..read]);
            if read == 0 {
                return String::from_utf8(text).unwrap();
            }
            if !ends.load(Ordering::Relaxed) {
                // 100 KB a second, and strangers cause many times as much.
                thread::sleep(Duration::from_millis(20));
            }
        }
    });
    let options = fixture.options_with(&[("--audit-log", "stdout")]);
    let cognito = TestCognito::start().await;
    let mut process = Process::serve_with_stdout_in(&fifo, &options, &cognito.url, AWS_CREDENTIALS).await;
    let channel = process.channel().await;

    let refusals = Arc::new(AtomicUsize::new(0));
    let mut strangers = JoinSet::new();
    for _ in 0..16 {
        let (channel, refusals) = (channel.clone(), Arc::clone(&refusals));
        strangers.spawn(async move {
            loop {
                assert_eq!(credential_problem(read_user(channel.clone(), None, POOL).await), "missing");
                refusals.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let mut changes = 0;
    while changes < 40 || refusals.load(Ordering::Relaxed) < 1000 {
        set_sms(channel.clone(), &fixture.bearer("desk"), changes % 2 == 0, "change").await.unwrap();
        changes += 1;
    }
    strangers.abort_all();
    end.store(true, Ordering::Relaxed);
    drop(channel);
    let exit = process.terminate().await;
    let text = reader.join().unwrap();
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(of_kind(&records, "mutation").len(), changes);
    assert_eq!(lines(&exit.stderr, "audit log stalled"), 0);
}
