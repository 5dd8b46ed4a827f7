//! Options that the program refuses: everything that would put an open gate where others can reach it.

use std::ffi::OsStr;
use std::fmt::Debug;

use crate::support::loopback::{listen, unused_url};
use crate::support::policy_fixture::PolicyFixture;
use crate::support::process::{Exit, Process, command_line};

/// Runs the program with options that it must refuse for this reason.
async fn refuses(arguments: &[impl AsRef<OsStr> + Debug], environment: &[(&str, &str)], why: &str) {
    let exit: Exit = Process::run(arguments, environment).await;
    assert_eq!(exit.status.code(), Some(2), "{arguments:?} {exit:?}");
    // Long lines are wrapped.
    let words = exit.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(why), "{arguments:?} {exit:?}");
    assert!(exit.stdout.is_empty(), "{exit:?}");
}

const NOT_LOOPBACK: &[&str] = &[
    "0.0.0.0:0",
    "192.0.2.1:0",
    "10.0.0.1:0",
    "169.254.169.254:0",
    "128.0.0.1:0",
    "126.255.255.255:0",
    "[::]:0",
    "[2001:db8::1]:0",
    "[fe80::1]:0",
    "[::ffff:192.0.2.1]:0",
];

const NO_ADDRESSES: &[&str] =
    &["localhost:0", "example.com:80", "127.0.0.1", ":50051", "127.1:0", "0x7f000001:0", "", "*:0"];

#[tokio::test]
async fn addresses_that_others_can_reach_are_refused() {
    for address in NOT_LOOPBACK {
        refuses(&["dev", "--listen", address], &[], "must be on loopback").await;
        refuses(&["dev", "--embedded-listen", address], &[], "must be on loopback").await;
        // Every other option is valid, so that only this one can be refused.
        let fixture = PolicyFixture::allow_all();
        let options = fixture.options();
        refuses(&command_line(&["serve", "--listen", address], &options), &[], "nothing is encrypted").await;
    }
}

#[tokio::test]
async fn addresses_in_the_environment_are_refused_as_well() {
    refuses(&["dev"], &[("MFAGATE_LISTEN", "0.0.0.0:0")], "must be on loopback").await;
    refuses(&["dev"], &[("MFAGATE_EMBEDDED_LISTEN", "0.0.0.0:0")], "must be on loopback").await;
    refuses(&["serve"], &[("MFAGATE_COGNITO_ENDPOINT", "http://192.0.2.1")], "http is for loopback only").await;
}

#[tokio::test]
async fn problems_are_reported_whatever_the_log_level() {
    // The second is a slip for `info`, and means a crate of that name.
    for directives in ["off", "inf", "another_crate=trace", "info,mfagate=off"] {
        refuses(&["serve"], &[("RUST_LOG", directives)], "--policies is missing").await;
    }
}

#[tokio::test]
async fn host_names_are_refused_as_listen_addresses() {
    for address in NO_ADDRESSES {
        refuses(&["dev", "--listen", address], &[], "must be an IP address and a port").await;
        refuses(&["dev", "--embedded-listen", address], &[], "must be an IP address and a port").await;
    }
}

#[tokio::test]
async fn unsafe_and_malformed_endpoints_are_refused() {
    const ELSEWHERE: (&str, &str) = ("must be on loopback", "http is for loopback only");
    const NO_HOST: (&str, &str) = ("must have a host", "must have a host");
    const NO_URL: (&str, &str) = ("must be a URL", "must be a URL");
    const NO_SCHEME: (&str, &str) = ("must begin with http:// or https://", "must begin with http:// or https://");
    for (url, (dev, serve)) in [
        ("http://192.0.2.1:9", ELSEWHERE),
        ("http://0.0.0.0:9", ELSEWHERE),
        ("http://[::]:9", ELSEWHERE),
        ("http://127.0.0.1@example.com", NO_HOST),
        ("http://user@127.0.0.1:9", NO_HOST),
        ("http://127.0.0.1:pass@example.com:80/", NO_HOST),
        ("https://user@127.0.0.1:9", NO_HOST),
        ("http://localhost.example.com", ELSEWHERE),
        ("http://127.0.0.1.example.com", ELSEWHERE),
        ("http://LOCALHOST.", ELSEWHERE),
        ("http://0x7f000001", ELSEWHERE),
        ("http://2130706433", ELSEWHERE),
        ("ftp://127.0.0.1", NO_SCHEME),
        ("file:///etc/passwd", NO_URL),
        ("127.0.0.1:9", NO_SCHEME),
        ("/etc/passwd", NO_SCHEME),
        ("http://", NO_URL),
        ("http://127.0.0.1\\@example.com", NO_URL),
        ("http://127.0.0.1 example.com", NO_URL),
        ("", NO_URL),
    ] {
        refuses(&["dev", "--cognito-endpoint", url], &[], dev).await;
        refuses(&["serve", "--cognito-endpoint", url], &[], serve).await;
    }
    refuses(&["dev", "--cognito-endpoint", "https://cognito-idp.us-west-2.amazonaws.com"], &[], ELSEWHERE.0).await;
}

#[tokio::test]
async fn serve_and_check_name_everything_that_is_missing() {
    for command in ["serve", "check"] {
        for missing in [
            "callers cannot be authenticated: give --tls-client-ca, or --jwt-issuer, --jwt-audience",
            "--policies is missing",
            "--audit-username-key-file is missing",
        ] {
            refuses(&[command], &[], missing).await;
        }
        let half = &[command, "--jwt-issuer", "https://issuer.example", "--audit-username", "none"][..];
        refuses(half, &[], "--jwt-audience is missing").await;
        refuses(half, &[], "--jwks-url or --jwks-file is missing").await;
        refuses(&[command, "--tls-client-ca", "ca.pem"], &[], "--tls-certificate").await;
        refuses(&[command, "--jwks-url", "http://192.0.2.1/keys"], &[], "http is for loopback only").await;
        refuses(&[command, "--sts-endpoint", "https://sts.example"], &[], "--assume-role <ARN>").await;
        let role = [command, "--assume-role", "arn:aws-iso:iam::123456789012:role/mfagate"];
        refuses(&role, &[], "--assume-role-region is missing").await;
        refuses(&[&role[..], &["--sts-endpoint", "http://192.0.2.1"]].concat(), &[], "http is for loopback only").await;
    }
}

#[tokio::test]
async fn check_finds_a_missing_key_set() {
    let url = format!("{}/jwks.json", unused_url());
    let fixture = PolicyFixture::allow_all();
    let options = fixture.options_with(&[("--jwks-file", ""), ("--jwks-url", &url)]);
    refuses(&command_line(&["check"], &options), &[], "the key set cannot be fetched").await;
}

#[tokio::test]
async fn prefixes_that_certificate_names_could_begin_with_are_refused() {
    for prefix in ["", "token", "spiffe://example.org/"] {
        refuses(&["serve", "--jwt-caller-prefix", prefix], &[], "must hold a character that no DNS name has").await;
    }
}

#[tokio::test]
async fn check_accepts_what_serve_accepts_and_names_every_policy_problem() {
    let fixture = PolicyFixture::allow_all();
    let options = fixture.options();
    let check = command_line(&["check"], &options);
    let exit = Process::run(&check, &[]).await;
    assert_eq!(exit.status.code(), Some(0), "{exit:?}");

    fixture.write("policies/more.cedar", "permit (principal, action == Mfagate::Action::\"Nothing\", resource);");
    fixture.write("policies/wrong.cedar", "permit (principal, action, resource) when { principal.age > 3 };");
    let exit = Process::run(&check, &[]).await;
    assert_eq!(exit.status.code(), Some(2), "{exit:?}");
    assert!(exit.stderr.contains("more.cedar") && exit.stderr.contains("wrong.cedar"), "{exit:?}");
}

#[tokio::test]
async fn a_directory_without_policies_is_refused() {
    let fixture = PolicyFixture::with("");
    let options = fixture.options();
    refuses(&command_line(&["serve"], &options), &[], "holds no policy").await;
}

#[tokio::test]
async fn the_embedded_cognito_and_another_exclude_each_other() {
    let endpoint = ["dev", "--cognito-endpoint", "http://127.0.0.1:9"];
    for other in [["--embedded-listen", "127.0.0.1:0"], ["--embedded-issuer", "embedded"], ["--data", "state.json"]] {
        refuses(&[&endpoint[..], &other].concat(), &[], "cannot be used with").await;
    }
}

#[tokio::test]
async fn invalid_durations_are_refused() {
    for value in ["0s", "0ms", "5", "s", "+1s", "1h", "1.5s", "99999999999999999999s", "5 s", "5S", ""] {
        refuses(&["dev", "--operation-timeout", value], &[], "must be a number and ms, s or m").await;
        refuses(&["dev", "--drain-timeout", value], &[], "must be a number and ms, s or m").await;
    }
}

#[tokio::test]
async fn invalid_numbers_of_workers_are_refused() {
    for value in ["0", "1025", "-1", "+2", "2.0", "two", "99999999999999999999", " 2", ""] {
        refuses(&["dev", &format!("--workers={value}")], &[], "must be a number from 1 to 1024").await;
        refuses(&["serve"], &[("MFAGATE_WORKERS", value)], "must be a number from 1 to 1024").await;
    }
}

#[tokio::test]
async fn the_program_exits_on_a_port_in_use_and_names_it() {
    let fixture = PolicyFixture::allow_all();
    let options = fixture.options();
    let taken = listen().await;
    let address = taken.local_addr().unwrap().to_string();
    for arguments in [
        command_line(&["dev", "--listen", &address], &[]),
        command_line(&["dev", "--listen", "127.0.0.1:0", "--embedded-listen", &address], &[]),
        command_line(&["serve", "--listen", &address], &options),
    ] {
        let exit = Process::run(&arguments, &[]).await;
        assert_eq!(exit.status.code(), Some(1), "{exit:?}");
        assert!(exit.stderr.contains(&format!("cannot listen on {address}")), "{exit:?}");
        assert!(exit.stdout.is_empty(), "{exit:?}");
    }
}

#[tokio::test]
async fn the_program_exits_on_an_unreadable_data_file_and_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("state.json");
    std::fs::write(&file, "no state").unwrap();
    for path in [file.as_path(), directory.path()] {
        let path = path.to_str().unwrap();
        let exit = Process::run(&["dev", "--listen", "127.0.0.1:0", "--data", path], &[]).await;
        assert_eq!(exit.status.code(), Some(1), "{exit:?}");
        assert!(exit.stderr.contains(path), "{exit:?}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "no state");
}

#[tokio::test]
async fn loopback_in_both_families_is_served() {
    for address in ["127.0.0.1:0", "127.255.255.254:0", "[::1]:0"] {
        let mut process =
            Process::start(&["dev", "--cognito-endpoint", "http://localhost:9", "--listen", address], &[]);
        assert!(process.address().await.ip().is_loopback());
        process.terminate().await;
    }
}

#[tokio::test]
async fn a_quota_store_that_is_refused_is_not_repeated_and_needs_the_number_of_replicas() {
    let wrong = "https://user:canary@cache.example";
    let by_flag = Process::run(&["serve", "--quota-store", wrong, "--replicas", "2"], &[]).await;
    let by_variable = Process::run(&["serve", "--replicas", "2"], &[("MFAGATE_QUOTA_STORE", wrong)]).await;
    for exit in [by_flag, by_variable] {
        assert_eq!(exit.status.code(), Some(2), "{exit:?}");
        assert!(exit.stderr.contains("must be redis://") && !exit.stderr.contains("canary"), "{exit:?}");
    }
    refuses(&["serve", "--quota-store", "redis://cache.example"], &[], "--replicas").await;
}
