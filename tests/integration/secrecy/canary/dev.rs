//! The canaries through `mfagate dev`: every RPC, a whole enrolment, and a start that is refused.

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_cognitoidentityprovider::types::AuthFlowType;
use cognito_emulator::demo;
use mfagate::api::v1::pool_config_service_client::PoolConfigServiceClient as Pools;
use mfagate::api::v1::software_token_service_client::SoftwareTokenServiceClient as Tokens;
use mfagate::api::v1::{
    AssociateSoftwareTokenRequest, VerifySoftwareTokenRequest, associate_software_token_request as associate,
    verify_software_token_request as verify,
};
use tonic::transport::Channel;

use super::calls::{Headers, call_all, call_all_with_faults, pool_config};
use super::{ACCOUNT, DEVICE, ISSUER, KNOWN, PASSWORD, USERNAME, assert_holds_none, parts_of, plant_user};
use crate::support::process::{Exit, Process};
use crate::support::test_cognito::{POOL, TestCognito};

/// The real program at `RUST_LOG=trace`, with a user of its own.
struct CanaryRun {
    process: Process,
    channel: Channel,
    cognito: TestCognito,
    access_token: String,
}

impl CanaryRun {
    async fn start() -> Self {
        let mut process = Process::dev(&[], &[("RUST_LOG", "trace")]).await;
        let cognito = TestCognito::at(&process.banner_value("embedded Cognito"));
        let access_token = plant_user(&cognito).await;
        Self { channel: process.channel().await, process, cognito, access_token }
    }

    /// Terminates the program and looks for the canaries in everything that it printed.
    async fn finish(self, canaries: &[String]) -> Exit {
        let exit = self.process.terminate().await;
        for (stream, text) in [("stdout", &exit.stdout), ("stderr", &exit.stderr)] {
            let known = KNOWN.into_iter().chain(parts_of(&self.access_token));
            assert_holds_none(stream, text, known.chain(canaries.iter().map(String::as_str)));
        }
        assert!(exit.stderr.contains("response sent"), "the log is not on: {}", exit.stderr);
        exit
    }
}

/// The SDK as an app client uses it.
fn sdk(url: &str) -> Client {
    let config = aws_sdk_cognitoidentityprovider::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static("us-west-2"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(url);
    Client::from_conf(config.build())
}

#[tokio::test]
async fn the_log_holds_no_secret_of_successful_calls() {
    let run = CanaryRun::start().await;
    call_all(&run.cognito, &Headers::default().on(&run.channel), &run.access_token).await;
    run.finish(&[]).await;
}

#[tokio::test]
async fn neither_the_log_nor_a_response_holds_a_secret_of_failed_calls() {
    let run = CanaryRun::start().await;
    call_all_with_faults(&run.cognito, &Headers::default().on(&run.channel), &run.access_token, &[]).await;
    let exit = run.finish(&[]).await;
    assert!(exit.stderr.contains("call failed"), "{}", exit.stderr);
}

#[tokio::test]
async fn the_log_holds_nothing_of_an_enrolment() {
    let run = CanaryRun::start().await;
    let mut seen = Vec::new();
    Pools::new(run.channel.clone()).set_user_pool_mfa_config(pool_config(3)).await.unwrap();
    let mut tokens = Tokens::new(run.channel.clone());

    let sign_in =
        sdk(&run.cognito.url).initiate_auth().auth_flow(AuthFlowType::UserPasswordAuth).client_id(demo::CLIENT_ID);
    let sign_in = sign_in.auth_parameters("USERNAME", USERNAME).auth_parameters("PASSWORD", PASSWORD);
    let session = sign_in.send().await.unwrap().session.unwrap();
    seen.push(session.clone());

    let request = AssociateSoftwareTokenRequest {
        credential: Some(associate::Credential::Session(session)),
        user_pool_id: POOL.to_owned(),
        issuer: Some(ISSUER.to_owned()),
        account_name: Some(ACCOUNT.to_owned()),
        ..Default::default()
    };
    let associated = tokens.associate_software_token(request).await.unwrap().into_inner();
    let session = associated.session.unwrap();
    seen.extend([associated.secret_code, associated.otpauth_uri, session.clone()]);

    let code = run.cognito.totp_code(USERNAME).await;
    let request = VerifySoftwareTokenRequest {
        credential: Some(verify::Credential::Session(session)),
        user_pool_id: POOL.to_owned(),
        user_code: code.clone(),
        friendly_device_name: Some(DEVICE.to_owned()),
    };
    let verified = tokens.verify_software_token(request.clone()).await.unwrap().into_inner();
    seen.extend([verified.session.unwrap(), code]);
    // The session is used up now.
    tokens.verify_software_token(request).await.unwrap_err();
    run.finish(&seen).await;
}

#[tokio::test]
async fn the_program_refuses_to_start_if_the_sdk_would_log_secrets() {
    for arguments in [&["dev", "--listen", "127.0.0.1:0"][..], &["serve", "--cognito-endpoint", "http://127.0.0.1:9"]] {
        for value in ["true", "false", ""] {
            let exit = Process::run(arguments, &[("LOG_SENSITIVE_BODIES", value)]).await;
            assert_eq!(exit.status.code(), Some(1), "{exit:?}");
            assert!(exit.stderr.contains("LOG_SENSITIVE_BODIES"), "{exit:?}");
        }
    }
}
