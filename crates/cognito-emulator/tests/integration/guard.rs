//! Web pages are kept out: by Host, by Origin, and by a header on the control endpoints.

use std::fmt::Write as _;

use cognito_emulator::demo;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::cognito::{CONTROL, Cognito, SIGNATURE};

/// One request for each kind of path, with everything that it needs from this machine.
const PATHS: [(&str, &str); 16] = [
    ("POST", "/"),
    ("GET", "/"),
    ("OPTIONS", "/"),
    ("GET", "/us-west-2_EXAMPLE/.well-known/jwks.json"),
    ("GET", "/us-west-2_EXAMPLE/.well-known/openid-configuration"),
    ("GET", "/nothing/here"),
    ("PUT", "/_embedded/faults"),
    ("GET", "/_embedded/faults"),
    ("DELETE", "/_embedded/faults"),
    ("POST", "/_embedded/token"),
    ("GET", "/_embedded/totp?user_pool_id=us-west-2_EXAMPLE&username=testuser"),
    ("POST", "/_embedded/clock"),
    ("GET", "/_embedded/outbox"),
    ("GET", "/_embedded/requests"),
    ("POST", "/_embedded/user"),
    ("POST", "/_embedded/reset"),
];

/// The status and the body of a request with exactly these headers.
async fn send(cognito: &Cognito, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut stream = TcpStream::connect(cognito.emulator.address()).await.unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n");
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    let status = response.split(' ').nth(1).unwrap().parse().unwrap();
    (status, response)
}

fn all_headers<'a>(extra: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let target = ("X-Amz-Target", "AWSCognitoIdentityProviderService.ListUserPools");
    [&[CONTROL, target, ("Authorization", SIGNATURE)], extra].concat()
}

#[tokio::test]
async fn a_host_that_is_not_loopback_is_refused_on_every_path() {
    let cognito = Cognito::demo().await;
    let port = cognito.emulator.address().port();
    for (method, path) in PATHS {
        for host in [
            "evil.example".to_owned(),
            format!("evil.example:{port}"),
            format!("127.0.0.1.evil.example:{port}"),
            "0.0.0.0".to_owned(),
            String::new(),
        ] {
            let (status, response) = send(&cognito, method, path, &all_headers(&[("Host", &host)])).await;
            assert_eq!(status, 403, "{method} {path} for {host}");
            assert!(!response.contains("Secret") && !response.contains("Access-Control"), "{response}");
        }
        let twice = all_headers(&[("Host", "localhost"), ("Host", "evil.example")]);
        assert!([400, 403].contains(&send(&cognito, method, path, &twice).await.0), "{method} {path}");
        let absolute = format!("http://evil.example:{port}{path}");
        let (status, _) = send(&cognito, method, &absolute, &all_headers(&[("Host", "localhost")])).await;
        assert_eq!(status, 403, "{method} {absolute}");
        for host in [format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
            let (status, _) = send(&cognito, method, path, &all_headers(&[("Host", &host)])).await;
            assert_ne!(status, 403, "{method} {path} for {host}");
        }
    }
}

#[tokio::test]
async fn a_request_of_a_web_page_is_refused_on_every_path() {
    let cognito = Cognito::demo().await;
    let port = cognito.emulator.address().port();
    let host = format!("127.0.0.1:{port}");
    let own = format!("http://{host}");
    for (method, path) in PATHS {
        for page in [
            ("Origin", "http://evil.example"),
            ("Origin", "null"),
            ("Origin", "http://localhost:3000"),
            ("Origin", ""),
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Site", "same-site"),
        ] {
            let headers = all_headers(&[("Host", &host), page]);
            let (status, response) = send(&cognito, method, path, &headers).await;
            assert_eq!(status, 403, "{method} {path} with {page:?}");
            assert!(!response.to_lowercase().contains("access-control"), "{response}");
        }
        for harmless in [("Origin", own.as_str()), ("Sec-Fetch-Site", "none"), ("Sec-Fetch-Site", "same-origin")] {
            let (status, _) = send(&cognito, method, path, &all_headers(&[("Host", &host), harmless])).await;
            assert_ne!(status, 403, "{method} {path} with {harmless:?}");
        }
    }
}

#[tokio::test]
async fn control_endpoints_need_their_header_and_operations_do_not() {
    let cognito = Cognito::demo().await;
    for (method, path) in PATHS {
        let (status, _) = send(&cognito, method, path, &[("Host", "localhost")]).await;
        assert_eq!(status == 403, path.starts_with("/_embedded/"), "{method} {path}: {status}");
    }
    let user = json!({ "UserPoolId": demo::POOL_ID, "Username": "testuser" });
    cognito.ok("AdminGetUser", user).await;
    cognito.sdk.list_user_pools().max_results(5).send().await.unwrap();
}
