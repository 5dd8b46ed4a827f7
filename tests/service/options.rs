//! What the program refuses to start with: everything that would put an open gate where others can reach it.

use tokio::net::TcpListener;

use crate::binary::{Binary, Ended};

/// Runs the program with options that it must refuse, saying why.
async fn refuses(arguments: &[&str], environment: &[(&str, &str)], why: &str) {
    let ended: Ended = Binary::run(arguments, environment).await;
    assert_eq!(ended.status.code(), Some(2), "{arguments:?} {ended:?}");
    // Long lines are wrapped.
    let words = ended.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(why), "{arguments:?} {ended:?}");
    assert!(ended.stdout.is_empty(), "{ended:?}");
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
        refuses(
            &["serve", "--cognito-endpoint", "http://127.0.0.1:9", "--listen", address],
            &[],
            "must be on loopback",
        )
        .await;
    }
}

#[tokio::test]
async fn addresses_in_the_environment_are_refused_alike() {
    refuses(&["dev"], &[("MFAGATE_LISTEN", "0.0.0.0:0")], "must be on loopback").await;
    refuses(&["dev"], &[("MFAGATE_EMBEDDED_LISTEN", "0.0.0.0:0")], "must be on loopback").await;
    refuses(&["serve"], &[("MFAGATE_COGNITO_ENDPOINT", "http://192.0.2.1")], "must be on loopback").await;
}

#[tokio::test]
async fn names_are_refused_where_an_address_is_due() {
    for address in NO_ADDRESSES {
        refuses(&["dev", "--listen", address], &[], "must be an IP address and a port").await;
        refuses(&["dev", "--embedded-listen", address], &[], "must be an IP address and a port").await;
    }
}

#[tokio::test]
async fn endpoints_elsewhere_are_refused() {
    for (url, why) in [
        ("https://cognito-idp.us-west-2.amazonaws.com", "must be on loopback"),
        ("http://192.0.2.1:9", "must be on loopback"),
        ("http://0.0.0.0:9", "must be on loopback"),
        ("http://[::]:9", "must be on loopback"),
        ("http://127.0.0.1@example.com", "must be on loopback"),
        ("http://user@127.0.0.1:9", "must be on loopback"),
        ("http://127.0.0.1:pass@example.com:80/", "must be on loopback"),
        ("http://localhost.example.com", "must be on loopback"),
        ("http://127.0.0.1.example.com", "must be on loopback"),
        ("http://LOCALHOST.", "must be on loopback"),
        ("http://0x7f000001", "must be on loopback"),
        ("http://2130706433", "must be on loopback"),
        ("ftp://127.0.0.1", "must begin with http:// or https://"),
        ("file:///etc/passwd", "must be a URL"),
        ("127.0.0.1:9", "must begin with http:// or https://"),
        ("/etc/passwd", "must begin with http:// or https://"),
        ("http://", "must be a URL"),
        ("http://127.0.0.1\\@example.com", "must be a URL"),
        ("http://127.0.0.1 example.com", "must be a URL"),
        ("", "must be a URL"),
    ] {
        refuses(&["serve", "--cognito-endpoint", url], &[], why).await;
        refuses(&["dev", "--cognito-endpoint", url], &[], why).await;
    }
}

#[tokio::test]
async fn serve_needs_an_endpoint() {
    refuses(&["serve"], &[], "--cognito-endpoint").await;
}

#[tokio::test]
async fn the_embedded_cognito_and_another_exclude_each_other() {
    let endpoint = ["dev", "--cognito-endpoint", "http://127.0.0.1:9"];
    for other in [["--embedded-listen", "127.0.0.1:0"], ["--data", "state.json"]] {
        refuses(&[&endpoint[..], &other].concat(), &[], "cannot be used with").await;
    }
}

#[tokio::test]
async fn durations_that_are_none_are_refused() {
    for value in ["0s", "0ms", "5", "s", "+1s", "1h", "1.5s", "99999999999999999999s", "5 s", "5S", ""] {
        refuses(&["dev", "--operation-timeout", value], &[], "must be a number and ms, s or m").await;
        refuses(&["dev", "--drain-timeout", value], &[], "must be a number and ms, s or m").await;
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_and_ends_the_program() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for arguments in [
        &["dev", "--listen", &address][..],
        &["dev", "--listen", "127.0.0.1:0", "--embedded-listen", &address],
        &["serve", "--cognito-endpoint", "http://127.0.0.1:9", "--listen", &address],
    ] {
        let ended = Binary::run(arguments, &[]).await;
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert!(ended.stderr.contains(&format!("cannot listen on {address}")), "{ended:?}");
        assert!(ended.stdout.is_empty(), "{ended:?}");
    }
}

#[tokio::test]
async fn a_data_file_that_cannot_be_read_is_named_and_ends_the_program() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("state.json");
    std::fs::write(&file, "no state").unwrap();
    for path in [file.as_path(), directory.path()] {
        let path = path.to_str().unwrap();
        let ended = Binary::run(&["dev", "--listen", "127.0.0.1:0", "--data", path], &[]).await;
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert!(ended.stderr.contains(path), "{ended:?}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "no state");
}

#[tokio::test]
async fn loopback_in_both_families_is_served() {
    for address in ["127.0.0.1:0", "127.255.255.254:0", "[::1]:0"] {
        let mut binary =
            Binary::start(&["serve", "--cognito-endpoint", "http://localhost:9", "--listen", address], &[]);
        assert!(binary.address().await.ip().is_loopback());
        binary.end().await;
    }
}
