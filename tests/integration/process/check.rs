//! What `mfagate check` says of configurations that `serve` starts with, and what both refuse.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use crate::support::certificate_authority::CertificateAuthority;
use crate::support::disk::make_fifo;
use crate::support::policy_fixture::PolicyFixture;
use crate::support::process::{Exit, Process, command_line};

const CALLER: &str = r#"permit (principal == Mfagate::Caller::"support", action, resource);"#;

fn allow_everybody(file: &str, mode: u32) {
    let before = fs::metadata(file).unwrap().permissions().mode();
    fs::set_permissions(file, Permissions::from_mode(before | mode)).unwrap();
}

/// A fixture that `check` has nothing to say of.
fn clean() -> PolicyFixture {
    let fixture = PolicyFixture::allow_all();
    let authority = CertificateAuthority::new("the authority");
    fixture.write_tls(&authority.server(), &authority.certificate);
    fixture.write("username.key", "0123456789abcdef0123456789abcdef");
    for file in ["server.key", "username.key"] {
        fs::set_permissions(fixture.path(file), Permissions::from_mode(0o600)).unwrap();
    }
    fixture
}

fn options(fixture: &PolicyFixture, more: &[(&str, &str)]) -> Vec<String> {
    let key = fixture.path("username.key");
    let mut all =
        vec![("--audit-username", "hmac"), ("--audit-username-key-file", &*key), ("--jwt-caller-prefix", "token:")];
    all.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
    all.extend(more);
    [fixture.options_with(&all), fixture.tls_options()].concat()
}

async fn check(options: &[String]) -> Exit {
    Process::run(&command_line(&["check"], options), &[]).await
}

/// Checks that there is one warning, which `--strict` makes an error.
async fn warns(options: &[String], warning: &str) {
    let exit = check(options).await;
    assert_eq!(exit.status.code(), Some(0), "{warning} {exit:?}");
    let warnings: Vec<_> = exit.stderr.lines().filter(|line| line.contains("WARN")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains(warning), "{warning} {exit:?}");
    let exit = Process::run(&command_line(&["check", "--strict"], options), &[]).await;
    assert_eq!(exit.status.code(), Some(2), "{warning} {exit:?}");
    assert!(exit.stderr.contains("exiting") && exit.stderr.contains(warning), "{warning} {exit:?}");
}

#[tokio::test]
async fn nothing_is_said_of_a_good_configuration() {
    let fixture = clean();
    let exit = Process::run(&command_line(&["check", "--strict"], &options(&fixture, &[])), &[]).await;
    assert_eq!(exit.status.code(), Some(0), "{exit:?}");
    assert!(!exit.stderr.contains("WARN") && exit.stderr.contains("configuration is valid"), "{exit:?}");
}

#[tokio::test]
async fn keys_that_everybody_can_read_and_files_that_everybody_can_change_are_named() {
    for file in ["server.key", "username.key"] {
        let fixture = clean();
        allow_everybody(&fixture.path(file), 0o004);
        warns(&options(&fixture, &[]), &format!("{file}: everybody on this machine can read the key")).await;
    }
    for file in ["policies", "policies/all.cedar", "clients.pem", "server.pem", "jwks.json", "audit.jsonl"] {
        let fixture = clean();
        if file == "audit.jsonl" {
            fixture.write(file, "");
        }
        allow_everybody(&fixture.path(file), 0o002);
        warns(&options(&fixture, &[]), &format!("{file}: everybody on this machine can change it")).await;
    }
}

#[tokio::test]
async fn a_key_of_one_byte_a_device_and_options_out_of_order_are_named() {
    let fixture = clean();
    fixture.write("username.key", &format!("{}\n", "a".repeat(32)));
    warns(&options(&fixture, &[]), "username.key: the key is one byte repeated").await;
    let fixture = clean();
    fixture.write("chain.key", &"b".repeat(32));
    let chain_key = fixture.path("chain.key");
    fs::set_permissions(&*chain_key, Permissions::from_mode(0o600)).unwrap();
    let chained = options(&fixture, &[("--audit-chain-key-file", &chain_key)]);
    warns(&chained, "chain.key: the key is one byte repeated").await;
    let fixture = clean();
    warns(&options(&fixture, &[("--audit-log", "/dev/null")]), "the audit log is a device").await;
    warns(&options(&fixture, &[("--max-deadline", "9s")]), "--max-deadline is shorter than").await;
    warns(&options(&fixture, &[("--drain-timeout", "4s")]), "--drain-timeout is shorter than").await;
    let mesh = [options(&fixture, &[]), vec!["--plaintext-behind-mesh".to_owned()]].concat();
    warns(&mesh, "--plaintext-behind-mesh has no effect").await;
}

#[tokio::test]
async fn certificates_that_expire_within_a_week_are_named() {
    let soon = time::OffsetDateTime::now_utc() + time::Duration::days(6);
    let fixture = clean();
    let authority = CertificateAuthority::new("the authority");
    let expiring = authority.sign(vec![], |params| params.not_after = soon);
    fixture.write_tls(&expiring, &authority.certificate);
    warns(&options(&fixture, &[]), "server.pem: the certificate expires within 7 days").await;
    let expiring = CertificateAuthority::with("callers", |params| params.not_after = soon);
    fixture.write_tls(&authority.server(), &expiring.certificate);
    warns(&options(&fixture, &[]), "authority CN=callers: the certificate expires within 7 days").await;
}

#[tokio::test]
async fn a_caller_that_no_entities_file_lists_is_named() {
    let fixture = clean();
    fixture.write("policies/all.cedar", CALLER);
    warns(&options(&fixture, &[]), "is not listed in the entities file").await;
    fixture.write("entities.json", r#"[{ "uid": { "type": "Mfagate::Caller", "id": "support" } }]"#);
    let entities = fixture.path("entities.json");
    let listed = options(&fixture, &[("--entities", &entities)]);
    let exit = Process::run(&command_line(&["check", "--strict"], &listed), &[]).await;
    assert_eq!(exit.status.code(), Some(0), "{exit:?}");

    let table = "[[decision]]\ntitle = \"t\"\ncaller = \"support\"\naction = \"GetUser\"\nexpect = \"allow\"\n";
    fixture.write("table.toml", &table.replace("expect", "pool = \"eu-west-1_a\"\nexpect"));
    let test =
        ["policy", "test", "--policies", &fixture.path("policies"), &fixture.path("table.toml")].map(str::to_owned);
    let exit = Process::run(&test, &[]).await;
    assert_eq!(exit.status.code(), Some(0), "{exit:?}");
    assert!(exit.stderr.contains("WARN") && exit.stderr.contains("is not listed"), "{exit:?}");
    let exit = Process::run(&[&test[..], &["--strict".to_owned()]].concat(), &[]).await;
    assert_eq!(exit.status.code(), Some(2), "{exit:?}");
    assert!(exit.stderr.contains("is not listed"), "{exit:?}");
    let listed = [&test[..], &["--strict".to_owned(), "--entities".to_owned(), entities.clone()]].concat();
    assert_eq!(Process::run(&listed, &[]).await.status.code(), Some(0));
}

#[tokio::test]
async fn what_is_not_a_regular_file_is_refused_without_waiting() {
    for (file, option) in [("fifo", "--audit-username-key-file"), ("fifo", "--jwks-file"), ("fifo", "--entities")] {
        let fixture = clean();
        make_fifo(fixture.path(file));
        let path = fixture.path(file);
        for command in ["serve", "check"] {
            let exit = Process::run(&command_line(&[command], &options(&fixture, &[(option, &path)])), &[]).await;
            assert_eq!(exit.status.code(), Some(2), "{option} {exit:?}");
            assert!(exit.stderr.contains("it is not a regular file"), "{option} {exit:?}");
        }
    }
}

#[tokio::test]
async fn an_empty_issuer_a_leaf_as_authority_and_durations_beyond_an_hour_are_refused() {
    let fixture = clean();
    let authority = CertificateAuthority::new("the authority");
    for command in ["serve", "check"] {
        let exit = Process::run(&command_line(&[command, "--jwt-issuer", ""], &[]), &[]).await;
        assert!(exit.stderr.contains("--jwt-issuer is empty"), "{exit:?}");
        for option in ["--drain-timeout", "--operation-timeout"] {
            let exit = Process::run(&[command, option, "61m"], &[]).await;
            assert!(exit.status.code() == Some(2) && exit.stderr.contains("an hour at most"), "{exit:?}");
        }
        fixture.write("clients.pem", &authority.server().certificate);
        let exit = Process::run(&command_line(&[command], &options(&fixture, &[])), &[]).await;
        assert_eq!(exit.status.code(), Some(2), "{exit:?}");
        assert!(exit.stderr.contains("clients.pem: has a certificate that is not an authority's"), "{exit:?}");
    }
}
