//! What the real program takes up while it serves: certificates, authorities, policies and key sets that changed.

use serde_json::{Value, json};
use tokio::net::TcpSocket;
use tokio::process::Command;
use tonic::Code;

use crate::support::certificate_authority::{Authority, payments};
use crate::support::jwks_server::{Answer, KeyServer};
use crate::support::policy_fixture::{PolicyEnforcer, claims_of};
use crate::support::refusal::refused;
use crate::support::serve_harness::{OPEN, Served, bearer, credential, read};
use crate::support::test_cognito::{POOL, USER};
use crate::support::token_issuer::{SigningKey, key_set};

/// The certificate that a new connection is greeted with.
async fn greeting(served: &mut Served, authority: &Authority) -> Vec<u8> {
    let address = served.binary.address().await;
    let stream = authority.connect(address, None).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

/// The other ends of the connections that the recorded calls came over.
fn peers(guard: &PolicyEnforcer) -> Vec<Value> {
    guard.records().iter().map(|record| record["peer"].clone()).collect()
}

#[tokio::test]
async fn a_hangup_puts_new_certificates_in_force_and_open_connections_go_on() {
    let authority = Authority::new("the authority");
    let client = authority.client(payments());
    let mut served = Served::encrypted(OPEN, &authority, Some(&client)).await;
    assert_eq!(served.read(None, POOL).await.unwrap(), USER);

    let (pair, clients) = (authority.server(), Authority::new("another authority of callers"));
    served.guard.write_tls(&pair, &clients.certificate);
    served.binary.reload().await;
    assert_eq!(greeting(&mut served, &authority).await, pair.der.to_vec());
    let address = served.binary.address().await;
    assert!(authority.alert(address, Some(&client)).await.contains("UnknownCA"));
    let newcomer = clients.client(payments());
    let channel = authority.channel(address, Some(&newcomer)).await.unwrap();
    assert_eq!(read(channel, None, POOL).await.unwrap(), USER);

    assert_eq!(served.read(None, POOL).await.unwrap(), USER);
    let peers = peers(&served.guard);
    assert!(peers.len() == 3 && peers[0] == peers[2] && peers[0] != peers[1], "{peers:?}");
}

#[tokio::test]
async fn a_certificate_that_changed_on_the_disk_is_noticed_without_a_signal() {
    let authority = Authority::new("the authority");
    let client = authority.client(payments());
    let mut served = Served::encrypted(OPEN, &authority, Some(&client)).await;
    assert_eq!(served.read(None, POOL).await.unwrap(), USER);
    let pair = authority.server();
    served.guard.write_tls(&pair, &authority.certificate);
    served.binary.logs("the TLS files were reloaded").await;
    assert_eq!(greeting(&mut served, &authority).await, pair.der.to_vec());
    assert_eq!(served.read(None, POOL).await.unwrap(), USER);
    let peers = peers(&served.guard);
    assert!(peers.len() == 2 && peers[0] == peers[1], "{peers:?}");
}

#[tokio::test]
async fn a_key_of_another_certificate_is_refused_and_the_old_pair_stays_in_use() {
    let authority = Authority::new("the authority");
    let client = authority.client(payments());
    let mut served = Served::encrypted(OPEN, &authority, Some(&client)).await;
    let before = greeting(&mut served, &authority).await;
    let good = served.guard.read("server.key");
    served.guard.write("server.key", &authority.server().key);
    served.binary.signal("HUP").await;
    served.binary.logs("changed TLS files were refused, the last good ones stay in use").await;
    served.binary.logs("server.key: the key is not that of the certificate").await;
    served.binary.logs("reloaded in part").await;
    assert_eq!(greeting(&mut served, &authority).await, before);
    let channel = authority.channel(served.binary.address().await, Some(&client)).await.unwrap();
    assert_eq!(read(channel, None, POOL).await.unwrap(), USER);

    served.guard.write("server.key", &good);
    served.binary.signal("HUP").await;
    served.binary.logs("the TLS files were reloaded").await;
}

/// The hash of the policies by which the last call was decided.
fn policy_set(guard: &PolicyEnforcer) -> Value {
    guard.records().last().unwrap()["policy_set_hash"].clone()
}

#[tokio::test]
async fn policies_that_changed_on_the_disk_are_noticed_without_a_signal_and_named_in_the_record() {
    let mut served = Served::with(OPEN).await;
    assert_eq!(served.read_as("support", POOL).await.unwrap(), USER);
    let before = policy_set(&served.guard);
    assert_eq!(before.as_str().map(str::len), Some(64), "{before}");

    served.guard.write("policies/more.cedar", r#"forbid (principal == Mfagate::Caller::"support", action, resource);"#);
    served.binary.logs("policies replaced").await;
    refused(served.read_as("support", POOL).await, Code::PermissionDenied, "CALLER_FORBIDDEN");
    assert_eq!(served.read_as("console", POOL).await.unwrap(), USER);
    assert_ne!(policy_set(&served.guard), before);

    std::fs::remove_file(served.guard.path("policies/more.cedar")).unwrap();
    served.binary.reload().await;
    assert_eq!(served.read_as("support", POOL).await.unwrap(), USER);
    assert_eq!(policy_set(&served.guard), before);
}

#[tokio::test]
async fn an_emptied_directory_of_policies_is_refused_and_the_old_set_stays_in_force() {
    let permit = r#"permit (principal == Mfagate::Caller::"support", action, resource);"#;
    let mut served = Served::with(permit).await;
    assert_eq!(served.read_as("support", POOL).await.unwrap(), USER);
    let before = policy_set(&served.guard);
    std::fs::remove_file(served.guard.path("policies/all.cedar")).unwrap();
    served.binary.logs("new policies refused, the old ones stay in force").await;
    served.binary.logs("holds no policy").await;
    served.binary.signal("HUP").await;
    served.binary.logs("reloaded in part").await;
    assert_eq!(served.read_as("support", POOL).await.unwrap(), USER);
    assert_eq!(policy_set(&served.guard), before);
    refused(served.read_as("console", POOL).await, Code::PermissionDenied, "CALLER_FORBIDDEN");
}

/// `mfagate serve` whose keys are at that URL.
async fn served_with_keys_at(url: &str) -> Served {
    let guard = PolicyEnforcer::open();
    let options = guard.options_but(&[("--jwks-file", ""), ("--jwks-url", url)]);
    Served::with_options(guard, options).await
}

#[tokio::test]
async fn a_hangup_fetches_the_keys_again_and_forgets_those_that_are_withdrawn() {
    let (old, new) = (SigningKey::p256("key-old"), SigningKey::ed25519("key-new"));
    let token = |key: &SigningKey| bearer(&key.token(&claims_of("support", json!({}))));
    let issuer = KeyServer::start(Answer::Body(key_set(&[&old]))).await;
    let mut served = served_with_keys_at(&issuer.url()).await;
    assert_eq!(served.read(Some(&token(&old)), POOL).await.unwrap(), USER);

    issuer.answer(Answer::Body(key_set(&[&new])));
    served.binary.reload().await;
    assert_eq!(issuer.paths(), ["/keys", "/keys"]);
    assert_eq!(served.read(Some(&token(&new)), POOL).await.unwrap(), USER);
    assert_eq!(credential(served.read(Some(&token(&old)), POOL).await), "not accepted");

    // What is no key set does not take the keys away.
    issuer.answer(Answer::Status(500));
    served.binary.signal("HUP").await;
    served.binary.logs("the key set was not read, the last good keys stay in use").await;
    served.binary.logs("reloaded in part").await;
    assert_eq!(served.read(Some(&token(&new)), POOL).await.unwrap(), USER);
}

#[tokio::test]
async fn without_the_issuer_it_starts_and_accepts_tokens_once_the_issuer_is_there() {
    // The port is ours, and nobody listens on it yet.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}/keys", socket.local_addr().unwrap());
    let key = SigningKey::p256("key-1");
    let authorization = bearer(&key.token(&claims_of("support", json!({}))));
    let mut served = served_with_keys_at(&url).await;
    let answer = served.read(Some(&authorization), POOL).await;
    refused(answer, Code::Unauthenticated, "CALLER_UNAUTHENTICATED");
    assert!(served.binary.stderr().contains("the key set was not read"), "{}", served.binary.stderr());

    let _issuer = KeyServer::on(socket.listen(16).unwrap(), Answer::Body(key_set(&[&key])));
    served.binary.signal("HUP").await;
    served.binary.logs("the key set is readable again").await;
    assert_eq!(served.read(Some(&authorization), POOL).await.unwrap(), USER);
}

#[tokio::test]
async fn a_file_that_never_ends_holds_up_neither_the_calls_nor_the_end() {
    let mut served = Served::with(OPEN).await;
    // Opening a FIFO that nobody writes to takes for ever.
    let keys = served.guard.path("jwks.json");
    std::fs::remove_file(&keys).unwrap();
    assert!(Command::new("mkfifo").arg(&keys).status().await.unwrap().success());
    served.binary.signal("HUP").await;
    served.binary.logged("did not come in time").await;
    assert_eq!(served.read_as("support", POOL).await.unwrap(), USER);
    served.binary.end().await;
}
