//! The program is killed at any point while changes are made: what Cognito has received was recorded before, and a pool has one
//! configuration as a whole.
//!
//! `cargo test --test integration -- --ignored --nocapture a_hundred_kills`

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use mfa_preference_service_client::MfaPreferenceServiceClient;
use mfagate::api::v1::pool_config_service_client::PoolConfigServiceClient;
use mfagate::api::v1::{
    AdminSetUserMfaPreferenceRequest, EmailMfaConfiguration, SetUserPoolMfaConfigRequest, SmsMfaConfiguration,
    SmsMfaSettings, SoftwareTokenMfaConfiguration, UserPoolMfaType, mfa_preference_service_client,
};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::support::policy_fixture::PolicyFixture;
use crate::support::pool_config::{sms, stated};
use crate::support::process::{Process, command_line};
use crate::support::seeded::Seeded;
use crate::support::serve_harness::AWS_CREDENTIALS;
use crate::support::test_cognito::{POOL, TestCognito};

/// The users whose preferences are changed, each as often as the others.
const USERS: usize = 40;

/// The changes of one process, and how many have ended.
struct Changes {
    fixture: PolicyFixture,
    cognito: TestCognito,
    versions: AtomicUsize,
    users: AtomicUsize,
    ended: watch::Sender<usize>,
}

/// The SMS message of a version of the pool's configuration.
fn message(version: usize) -> String {
    format!("version {version}: {{####}}")
}

/// A version of the pool's configuration, which says in each part which one it is.
fn configuration(version: usize) -> SetUserPoolMfaConfigRequest {
    let mode = if version.is_multiple_of(2) { UserPoolMfaType::Optional } else { UserPoolMfaType::On };
    stated(SetUserPoolMfaConfigRequest {
        user_pool_id: POOL.to_owned(),
        mfa_configuration: mode.into(),
        sms_mfa_configuration: Some(SmsMfaConfiguration {
            sms_authentication_message: Some(message(version)),
            ..sms()
        }),
        software_token_mfa_configuration: Some(SoftwareTokenMfaConfiguration {
            enabled: Some(!version.is_multiple_of(3)),
        }),
        email_mfa_configuration: Some(EmailMfaConfiguration {
            message: Some(message(version)),
            subject: Some(format!("version {version}")),
        }),
        ..Default::default()
    })
}

fn user(number: usize) -> String {
    format!("user-{}", number % USERS)
}

impl Changes {
    /// Replaces the configuration again and again, until the process is killed.
    async fn configure(self: Arc<Self>, channel: tonic::transport::Channel) {
        let mut client = PoolConfigServiceClient::with_interceptor(channel, self.fixture.as_caller("operator"));
        loop {
            let version = self.versions.fetch_add(1, Ordering::SeqCst);
            if client.set_user_pool_mfa_config(configuration(version)).await.is_err() {
                return;
            }
            self.ended.send_modify(|ended| *ended += 1);
        }
    }

    /// Changes one user's preference after the other's, until the process is killed.
    async fn prefer(self: Arc<Self>, channel: tonic::transport::Channel) {
        let mut client = MfaPreferenceServiceClient::with_interceptor(channel, self.fixture.as_caller("support"));
        loop {
            let request = AdminSetUserMfaPreferenceRequest {
                user_pool_id: POOL.to_owned(),
                username: user(self.users.fetch_add(1, Ordering::SeqCst)),
                sms_mfa_settings: Some(SmsMfaSettings { enabled: Some(false), preferred_mfa: None }),
                ..Default::default()
            };
            if client.admin_set_user_mfa_preference(request).await.is_err() {
                return;
            }
            self.ended.send_modify(|ended| *ended += 1);
        }
    }

    /// The whole records. A line that was being written has no end, or is followed by the first record of the next process.
    fn records(&self) -> Vec<Value> {
        self.fixture.read("audit.jsonl").lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Checks everything that Cognito has received against the records, and what it has now against what was sent.
    async fn check(&self) {
        // Read before the records: what is received later has a record, too, but not yet in what was read.
        let configurations = self.cognito.bodies("SetUserPoolMfaConfig").await;
        let preferences = self.cognito.bodies("AdminSetUserMFAPreference").await;
        let records = self.records();
        let allowed = records.iter().filter(|record| record["kind"] == "decision" && record["decision"] == "allow");
        let (mut messages, mut users) = (HashSet::new(), Vec::new());
        for record in allowed {
            match record["rpc"].as_str().unwrap() {
                rpc if rpc.ends_with("SetUserPoolMfaConfig") => {
                    messages.insert(record["effect"]["texts_sha256"]["sms_authentication_message"].clone());
                }
                _ => users.push(record["username"].clone()),
            }
        }
        for body in &configurations {
            let message = body["SmsMfaConfiguration"]["SmsAuthenticationMessage"].as_str().unwrap();
            let hash = HEXLOWER.encode(digest::digest(&digest::SHA256, message.as_bytes()).as_ref());
            assert!(messages.contains(&Value::from(hash)), "{message} was sent without a decision on record");
        }
        // Each change of a user has a decision of its own.
        for body in &preferences {
            let position = users.iter().position(|user| *user == body["Username"]);
            let position = position.unwrap_or_else(|| panic!("{body} was sent without a decision on record"));
            users.swap_remove(position);
        }
        self.check_configuration().await;
    }

    async fn check_configuration(&self) {
        let found = self.cognito.perform("GetUserPoolMfaConfig", json!({ "UserPoolId": POOL })).await;
        let message = &found["SmsMfaConfiguration"]["SmsAuthenticationMessage"];
        let sent = |version: &usize| message.as_str() == Some(&*self::message(*version));
        let Some(version) = (0..self.versions.load(Ordering::SeqCst)).find(sent) else {
            assert!(self.cognito.bodies("SetUserPoolMfaConfig").await.is_empty(), "no version that was sent: {found}");
            return;
        };
        let mode = if version.is_multiple_of(2) { "OPTIONAL" } else { "ON" };
        assert_eq!(found["MfaConfiguration"], mode, "{found}");
        assert_eq!(found["SoftwareTokenMfaConfiguration"]["Enabled"], !version.is_multiple_of(3), "{found}");
        let subject = format!("version {version}");
        assert_eq!(found["EmailMfaConfiguration"], json!({ "Message": message, "Subject": subject }), "{found}");
    }
}

async fn kill(kills: usize, seed: u64) -> String {
    let (fixture, cognito) = (PolicyFixture::allow_all(), TestCognito::start().await);
    for number in 0..USERS {
        cognito.perform("AdminCreateUser", json!({ "UserPoolId": POOL, "Username": user(number) })).await;
    }
    let key = fixture.path("chain.key");
    fixture.write("chain.key", &"k".repeat(32));
    let chain = ["--audit-chain-key-file", key.as_str()];
    let options = fixture.options_with(&[("--audit-username", "plain"), (chain[0], chain[1])]);
    let (ended, mut changes_ended) = watch::channel(0);
    let (versions, users) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let changes = Arc::new(Changes { fixture, cognito, versions, users, ended });
    let mut random = Seeded::new(seed);
    for number in 0..kills {
        let mut process = Process::serve_with(&options, &changes.cognito.url, AWS_CREDENTIALS).await;
        let mut running = JoinSet::new();
        for _ in 0..2 {
            running.spawn(Arc::clone(&changes).configure(process.channel().await));
            running.spawn(Arc::clone(&changes).prefer(process.channel().await));
        }
        let until = *changes_ended.borrow() + usize::try_from(random.below(30)).unwrap();
        changes_ended.wait_for(|ended| *ended >= until).await.unwrap();
        // Anywhere within a change.
        for _ in 0..random.below(5000) {
            tokio::task::yield_now().await;
        }
        process.signal("KILL").await;
        assert!(!process.wait().await.status.success(), "seed {seed}, kill {number}");
        running.join_all().await;
        changes.check().await;
    }
    let audit_log = changes.fixture.path("audit.jsonl");
    let options = [chain.map(str::to_owned).to_vec(), vec![audit_log]].concat();
    let verified = Process::run(&command_line(&["audit", "verify"], &options), &[]).await;
    assert!(verified.status.success(), "seed {seed}: {verified:?}");
    let records = changes.records();
    let of = |kind| records.iter().filter(|record| record["kind"] == kind).count();
    let (decisions, mutations) = (of("decision"), of("mutation"));
    format!("seed {seed}: {kills} kills; {decisions} decisions and {mutations} outcomes on record")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_cognito_received_before_a_kill_was_recorded_and_a_configuration_is_whole() {
    println!("{}", kill(8, 1).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute, and prints"]
async fn a_hundred_kills() {
    println!("{}", kill(100, 2).await);
}
