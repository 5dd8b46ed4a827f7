//! The application log of the running program when nobody reads it.

use std::process::Stdio;
use std::time::Duration;

use mfagate::api::v1::AdminGetUserRequest;
use mfagate::api::v1::mfa_preference_service_client::MfaPreferenceServiceClient;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;
use tonic::Code;
use tonic::transport::Endpoint;

use crate::support::policy_fixture::PolicyFixture;

/// More calls than a 64 KiB pipe holds lines for: at DEBUG, each call logs several.
const CALLS: usize = 1000;

/// Far longer than the calls take.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_log_that_nobody_reads_delays_no_call() {
    let fixture = PolicyFixture::allow_all();
    let mut child = Command::new(env!("CARGO_BIN_EXE_mfagate"))
        .args(["serve", "--listen", "127.0.0.1:0", "--cognito-endpoint", "http://127.0.0.1:9"])
        .args(fixture.options())
        .env_clear()
        .env("RUST_LOG", "debug")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    // Nothing is read here after the line that names the address.
    let mut log = BufReader::with_capacity(1, child.stderr.take().unwrap());
    let address = loop {
        let mut line = String::new();
        assert_ne!(log.read_line(&mut line).await.unwrap(), 0, "the program has ended");
        if let Some((_, rest)) = line.split_once("serving address=") {
            break rest.split_whitespace().next().unwrap().to_owned();
        }
    };
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let mut client = MfaPreferenceServiceClient::new(channel);
    let calls = async {
        for _ in 0..CALLS {
            let answer = client.admin_get_user(AdminGetUserRequest::default()).await;
            assert_eq!(answer.unwrap_err().code(), Code::Unauthenticated);
        }
    };
    tokio::time::timeout(PATIENCE, calls).await.unwrap();

    // A reader that comes back finds as much of the log as the pipe holds.
    child.kill().await.unwrap();
    let mut rest = String::new();
    log.read_to_string(&mut rest).await.unwrap();
    assert!(rest.len() > 32 * 1024 && rest.contains("response sent"), "{} bytes", rest.len());
}
