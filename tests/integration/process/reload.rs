//! What the running program reloads: certificates, authorities, policies and key sets.

use serde_json::{Value, json};
use tokio::net::TcpSocket;
use tonic::Code;

use crate::support::certificate_authority::{CertificateAuthority, dns, payments};
use crate::support::disk::make_fifo;
use crate::support::jwks_server::{JwksReply, JwksServer};
use crate::support::loopback::unused_url;
use crate::support::policy_fixture::{ALLOW_ALL, PolicyFixture, bearer, claims_for};
use crate::support::process::{Process, command_line};
use crate::support::refusal::refused;
use crate::support::serve_harness::{AWS_CREDENTIALS, ServeHarness, credential_problem, read_user};
use crate::support::test_cognito::{POOL, USER};
use crate::support::token_issuer::{SigningKey, jwks};

/// The server certificate of a new connection.
async fn server_certificate(served: &mut ServeHarness, authority: &CertificateAuthority) -> Vec<u8> {
    let address = served.process.address().await;
    let stream = authority.connect(address, None).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

/// The peers of the connections that the recorded calls came over.
fn peers(fixture: &PolicyFixture) -> Vec<Value> {
    fixture.records().iter().map(|record| record["peer"].clone()).collect()
}

#[tokio::test]
async fn a_sighup_activates_new_certificates_and_ends_connections_of_a_removed_authority() {
    let authority = CertificateAuthority::new("the authority");
    let client = authority.client(payments());
    let mut served = ServeHarness::with_tls(ALLOW_ALL, &authority, Some(&client)).await;
    assert_eq!(served.read(None, POOL).await.unwrap(), USER);

    let (pair, clients) = (authority.server(), CertificateAuthority::new("another authority of callers"));
    served.fixture.write_tls(&pair, &format!("{}{}", authority.certificate, clients.certificate));
    served.process.reload().await;
    assert_eq!(served.read(None, POOL).await.unwrap(), USER);
    served.fixture.write_tls(&pair, &clients.certificate);
    served.process.reload().await;
    served.process.wait_for_log("client certificate no longer accepted").await;
    assert_eq!(server_certificate(&mut served, &authority).await, pair.der.to_vec());
    let address = served.process.address().await;
    assert!(authority.alert(address, Some(&client)).await.contains("UnknownCA"));
    let newcomer = clients.client(payments());
    let channel = authority.channel(address, Some(&newcomer)).await.unwrap();
    assert_eq!(read_user(channel, None, POOL).await.unwrap(), USER);

    assert!(served.read(None, POOL).await.is_err());
    let peers = peers(&served.fixture);
    assert!(peers.len() == 3 && peers[0] == peers[1] && peers[0] != peers[2], "{peers:?}");
}

#[tokio::test]
async fn a_certificate_changed_on_disk_is_reloaded_without_a_signal() {
    let authority = CertificateAuthority::new("the authority");
    let client = authority.client(payments());
    let mut served = ServeHarness::with_tls(ALLOW_ALL, &authority, Some(&client)).await;
    assert_eq!(served.read(None, POOL).await.unwrap(), USER);
    let pair = authority.server();
    served.fixture.write_tls(&pair, &authority.certificate);
    served.process.wait_for_next_log("TLS files reloaded").await;
    assert_eq!(server_certificate(&mut served, &authority).await, pair.der.to_vec());
    assert_eq!(served.read(None, POOL).await.unwrap(), USER);
    let peers = peers(&served.fixture);
    assert!(peers.len() == 2 && peers[0] == peers[1], "{peers:?}");
}

#[tokio::test]
async fn a_key_of_another_certificate_is_refused_and_the_old_one_stays_in_use() {
    let authority = CertificateAuthority::new("the authority");
    let client = authority.client(payments());
    let mut served = ServeHarness::with_tls(ALLOW_ALL, &authority, Some(&client)).await;
    let before = server_certificate(&mut served, &authority).await;
    let good = served.fixture.read("server.key");
    served.fixture.write("server.key", &authority.server().key);
    served.process.signal("HUP").await;
    served.process.wait_for_next_log("changed TLS files rejected, the last valid ones stay active").await;
    served.process.wait_for_next_log("server.key: the key is not that of the certificate").await;
    served.process.wait_for_next_log("reload incomplete").await;
    assert_eq!(server_certificate(&mut served, &authority).await, before);
    let channel = authority.channel(served.process.address().await, Some(&client)).await.unwrap();
    assert_eq!(read_user(channel, None, POOL).await.unwrap(), USER);

    served.fixture.write("server.key", &good);
    served.process.signal("HUP").await;
    served.process.wait_for_next_log("TLS files valid again").await;
}

#[tokio::test]
async fn the_start_names_what_is_active_and_the_log_says_when_a_certificate_expires() {
    let authority = CertificateAuthority::new("the authority");
    let expires = time::OffsetDateTime::now_utc() + time::Duration::seconds(12);
    let pair = authority.sign(vec![dns("localhost")], |params| params.not_after = expires);
    let fixture = PolicyFixture::allow_all();
    fixture.write_tls(&pair, &authority.certificate);
    let options = [fixture.options(), fixture.tls_options()].concat();
    let mut process = Process::serve_with(&options, &unused_url(), AWS_CREDENTIALS).await;
    let stderr = process.stderr();
    let start = stderr.lines().find(|line| line.contains("starting")).unwrap();
    for field in ["endpoint=", "policy_set_hash=", "certificate_expires=", "keys=1", "key_set_age="] {
        assert!(start.contains(field), "{start}");
    }
    process.wait_for_log("certificate expires soon").await;
    process.wait_for_log("certificate expired").await;
    assert!(process.stderr().contains("server.pem: the certificate has expired"), "{}", process.stderr());
}

/// The hash of the policies that decided the last call.
fn policy_set(fixture: &PolicyFixture) -> Value {
    fixture.records().last().unwrap()["policy_set_hash"].clone()
}

#[tokio::test]
async fn policies_changed_on_disk_are_reloaded_without_a_signal_and_recorded() {
    let mut served = ServeHarness::with(ALLOW_ALL).await;
    assert_eq!(served.read_as("support", POOL).await.unwrap(), USER);
    let before = policy_set(&served.fixture);
    assert_eq!(before.as_str().map(str::len), Some(64), "{before}");

    served
        .fixture
        .write("policies/more.cedar", r#"forbid (principal == Mfagate::Caller::"support", action, resource);"#);
    served.process.wait_for_next_log("policies replaced").await;
    refused(served.read_as("support", POOL).await, Code::PermissionDenied, "CALLER_FORBIDDEN");
    assert_eq!(served.read_as("console", POOL).await.unwrap(), USER);
    assert_ne!(policy_set(&served.fixture), before);

    std::fs::remove_file(served.fixture.path("policies/more.cedar")).unwrap();
    served.process.reload().await;
    assert_eq!(served.read_as("support", POOL).await.unwrap(), USER);
    assert_eq!(policy_set(&served.fixture), before);
}

#[tokio::test]
async fn an_emptied_policy_directory_is_refused_and_the_old_set_stays_active() {
    let permit = r#"permit (principal == Mfagate::Caller::"support", action, resource);"#;
    let mut served = ServeHarness::with(permit).await;
    assert_eq!(served.read_as("support", POOL).await.unwrap(), USER);
    let before = policy_set(&served.fixture);
    std::fs::remove_file(served.fixture.path("policies/all.cedar")).unwrap();
    served.process.wait_for_next_log("new policies rejected, the old ones stay active").await;
    served.process.wait_for_next_log("holds no policy").await;
    served.process.signal("HUP").await;
    served.process.wait_for_next_log("reload incomplete").await;
    assert_eq!(served.read_as("support", POOL).await.unwrap(), USER);
    assert_eq!(policy_set(&served.fixture), before);
    refused(served.read_as("console", POOL).await, Code::PermissionDenied, "CALLER_FORBIDDEN");
}

#[tokio::test]
async fn a_forbid_that_a_reload_loses_is_logged_with_its_id() {
    let forbid = |name: &str| format!("forbid (principal == Mfagate::Caller::\"{name}\", action, resource);\n");
    let first = forbid("first");
    let mut served = ServeHarness::with(&format!("{ALLOW_ALL}\n{first}@id(\"guard\") {}", forbid("support"))).await;
    refused(served.read_as("support", POOL).await, Code::PermissionDenied, "CALLER_FORBIDDEN");
    // The first forbid takes another position, and is still there.
    served.fixture.write("policies/all.cedar", &format!("{first}{ALLOW_ALL}"));
    served.process.signal("HUP").await;
    served.process.wait_for_next_log("forbid removed by a reload policy_id=\"guard\"").await;
    served.process.wait_for_next_log("policies replaced").await;
    assert_eq!(served.read_as("support", POOL).await.unwrap(), USER);
    assert_eq!(served.process.stderr().matches("forbid removed").count(), 1, "{}", served.process.stderr());
}

#[tokio::test]
async fn a_policy_nested_too_deep_is_refused_at_a_reload_and_by_check_alike() {
    let mut served = ServeHarness::with(ALLOW_ALL).await;
    for levels in [150, 585] {
        let (open, close) = ("(".repeat(levels), ")".repeat(levels));
        let nested = format!("forbid (principal, action, resource) when {{ {open}true{close} }};");
        served.fixture.write("policies/more.cedar", &nested);
        served.process.signal("HUP").await;
        served.process.wait_for_next_log("more.cedar:1: nests brackets deeper than 32 levels").await;
        served.process.wait_for_next_log("reload incomplete").await;
        assert_eq!(served.read_as("support", POOL).await.unwrap(), USER);
        let check = Process::run(&command_line(&["check"], &served.fixture.options()), &[]).await;
        assert_eq!(check.status.code(), Some(2), "{check:?}");
        assert!(check.stderr.contains("more.cedar:1: nests brackets deeper than 32 levels"), "{check:?}");
    }
}

/// `mfagate serve` with its keys at that URL.
async fn served_with_keys_at(url: &str) -> ServeHarness {
    let fixture = PolicyFixture::allow_all();
    let options = fixture.options_with(&[("--jwks-file", ""), ("--jwks-url", url)]);
    ServeHarness::with_options(fixture, options).await
}

#[tokio::test]
async fn a_sighup_refetches_the_keys_and_drops_withdrawn_ones() {
    let (old, new) = (SigningKey::p256("key-old"), SigningKey::ed25519("key-new"));
    let token = |key: &SigningKey| bearer(&key.token(&claims_for("support", json!({}))));
    let issuer = JwksServer::start(JwksReply::Body(jwks(&[&old]))).await;
    let mut served = served_with_keys_at(&issuer.url()).await;
    assert_eq!(served.read(Some(&token(&old)), POOL).await.unwrap(), USER);

    issuer.reply_with(JwksReply::Body(jwks(&[&new])));
    served.process.reload().await;
    assert_eq!(issuer.requested_paths(), ["/keys", "/keys"]);
    assert_eq!(served.read(Some(&token(&new)), POOL).await.unwrap(), USER);
    assert_eq!(credential_problem(served.read(Some(&token(&old)), POOL).await), "not accepted");

    // A response that is not a key set does not remove the keys.
    issuer.reply_with(JwksReply::Status(500));
    served.process.signal("HUP").await;
    served.process.wait_for_next_log("key set not loaded, the last valid keys stay active").await;
    served.process.wait_for_next_log("reload incomplete").await;
    assert_eq!(served.read(Some(&token(&new)), POOL).await.unwrap(), USER);
}

#[tokio::test]
async fn it_starts_without_the_issuer_and_accepts_tokens_once_the_issuer_is_up() {
    // The port is reserved, and nothing listens on it yet.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}/keys", socket.local_addr().unwrap());
    let key = SigningKey::p256("key-1");
    let authorization = bearer(&key.token(&claims_for("support", json!({}))));
    let mut served = served_with_keys_at(&url).await;
    let answer = served.read(Some(&authorization), POOL).await;
    refused(answer, Code::Unauthenticated, "CALLER_UNAUTHENTICATED");
    assert!(served.process.stderr().contains("no key set, every token is rejected"), "{}", served.process.stderr());

    let _issuer = JwksServer::start_on(socket.listen(16).unwrap(), JwksReply::Body(jwks(&[&key])));
    served.process.signal("HUP").await;
    served.process.wait_for_next_log("key set loaded").await;
    assert_eq!(served.read(Some(&authorization), POOL).await.unwrap(), USER);
}

#[tokio::test]
async fn an_endless_file_delays_neither_calls_nor_shutdown() {
    let mut served = ServeHarness::with(ALLOW_ALL).await;
    let keys = served.fixture.path("jwks.json");
    std::fs::remove_file(&keys).unwrap();
    make_fifo(&keys);
    served.process.signal("HUP").await;
    served.process.wait_for_log("it is not a regular file").await;
    assert_eq!(served.read_as("support", POOL).await.unwrap(), USER);
    served.process.terminate().await;
}
