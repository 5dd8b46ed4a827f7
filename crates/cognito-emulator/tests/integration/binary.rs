//! The program as an operator runs it: options, output, signals, exit codes.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use cognito_emulator::demo;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::cognito::{refusal, sdk};

/// How long the program may take, far longer than it needs on a busy machine.
const TIMEOUT: Duration = Duration::from_mins(1);

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cognito-emulator"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// A running program and the URL that it printed.
async fn start(arguments: &[&str]) -> (Child, String) {
    let mut program = command(arguments).spawn().unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(program.stdout.as_mut().unwrap());
    tokio::time::timeout(TIMEOUT, stdout.read_line(&mut line)).await.unwrap().unwrap();
    let url = line.trim_end().strip_prefix("listening on ").unwrap().to_owned();
    (program, url)
}

async fn end(program: Child, signal: &str) -> Output {
    let id = program.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-s", signal, &id]).status().await.unwrap().success());
    tokio::time::timeout(TIMEOUT, program.wait_with_output()).await.unwrap().unwrap()
}

/// The output of a program that does not start.
async fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let output = tokio::time::timeout(TIMEOUT, command(arguments).output()).await.unwrap().unwrap();
    assert!(output.stdout.is_empty(), "{output:?}");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn data_in(directory: &Path) -> String {
    directory.join("cognito.json").to_str().unwrap().to_owned()
}

#[tokio::test]
async fn it_serves_the_demo_pool_and_keeps_its_state_until_the_next_run() {
    let directory = tempfile::tempdir().unwrap();
    let data = data_in(directory.path());
    let (program, url) = start(&["--demo", "--data", &data]).await;
    let client = sdk(&url, "us-west-2");
    client.admin_disable_user().user_pool_id(demo::POOL_ID).username(demo::USERNAME).send().await.unwrap();
    let output = end(program, "TERM").await;
    assert!(output.status.success(), "{output:?}");

    let (program, url) = start(&["--data", &data]).await;
    let client = sdk(&url, "us-west-2");
    let user = client.admin_get_user().user_pool_id(demo::POOL_ID).username(demo::USERNAME).send().await.unwrap();
    assert!(!user.enabled());
    let output = end(program, "INT").await;
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn without_options_it_has_no_pool_and_takes_a_free_port() {
    let ((first, url), (second, other)) = tokio::join!(start(&[]), start(&[]));
    assert_ne!(url, other);
    let described = sdk(&url, "us-west-2").describe_user_pool().user_pool_id(demo::POOL_ID).send().await;
    assert_eq!(refusal(described).0, "ResourceNotFoundException");
    for program in [first, second] {
        assert!(end(program, "TERM").await.status.success());
    }
}

#[tokio::test]
async fn an_address_that_others_can_reach_is_a_wrong_option() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:9229"] {
        let (code, stderr) = refused(&["--listen", address]).await;
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains("must be on loopback"), "{stderr}");
    }
}

#[tokio::test]
async fn a_failed_start_is_logged_with_its_cause() {
    let directory = tempfile::tempdir().unwrap();
    let data = data_in(directory.path());
    std::fs::write(&data, "no JSON").unwrap();
    let (code, stderr) = refused(&["--data", &data]).await;
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("cognito.json cannot be read"), "{stderr}");

    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, stderr) = refused(&["--listen", &address]).await;
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains(&format!("cannot listen on {address}")), "{stderr}");
}
