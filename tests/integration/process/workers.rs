//! Several workers: how many there are, and that what they share is the same for all.

use std::fs;

use tonic::Code;

use crate::support::policy_fixture::PolicyFixture;
use crate::support::process::Process;
use crate::support::serve_harness::{AWS_CREDENTIALS, read_user, set_sms};
use crate::support::test_cognito::{POOL, TestCognito};

/// The names of the process's threads that are workers.
fn workers(process: &Process) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", process.id())).unwrap();
    let names = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("comm")).unwrap().trim().to_owned());
    let mut workers: Vec<_> = names.filter(|name| name.starts_with("worker-")).collect();
    workers.sort();
    workers
}

#[tokio::test]
async fn there_are_as_many_workers_as_asked_for_and_else_as_many_as_cpus() {
    let cpus = std::thread::available_parallelism().unwrap().get();
    for (arguments, environment, expected) in
        [(&["--workers", "3"][..], &[][..], 3), (&[], &[("MFAGATE_WORKERS", "2")], 2), (&[], &[], cpus)]
    {
        let process = Process::dev(arguments, environment).await;
        let expected_names: Vec<_> = (0..expected).map(|number| format!("worker-{number}")).collect();
        let mut names = expected_names.clone();
        names.sort();
        assert_eq!(workers(&process), names);
        let exit = process.terminate().await;
        assert!(exit.stderr.contains(&format!(" workers={expected}")), "{exit:?}");
    }
}

#[tokio::test]
async fn all_workers_share_the_policies_and_the_audit_log() {
    let (fixture, cognito) = (PolicyFixture::allow_all(), TestCognito::start().await);
    let options = fixture.options_with(&[("--workers", "4")]);
    let mut process = Process::serve_with(&options, &cognito.url, AWS_CREDENTIALS).await;
    let authorization = fixture.bearer("payments");
    // All are open at once, so each worker has two.
    let mut channels = Vec::new();
    for _ in 0..8 {
        let channel = process.channel().await;
        set_sms(channel.clone(), &authorization, true, "set").await.unwrap();
        channels.push(channel);
    }
    let mutations = fixture.records().iter().filter(|record| record["kind"] == "mutation").count();
    assert_eq!(mutations, channels.len());

    fixture.write("policies/all.cedar", "@id(\"nothing\") forbid (principal, action, resource);");
    process.reload().await;
    for channel in channels {
        let refused = read_user(channel, Some(&authorization), POOL).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{refused:?}");
    }
    process.terminate().await;
}
