//! Every way in which a connection to Cognito can end or lie: what the caller of a read and of a change is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mfagate::api::Rpc;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::support::loopback::{listen, unused_url, url_of};
use crate::support::raw_cognito::{End, OK, RawCognito, Script};
use crate::support::rpc_call::{call_in_pool, unsigned_token};
use crate::support::test_service::TestService;

use Code::{DeadlineExceeded, Internal, Unavailable};
use End::{Fin, Rst, Stall};

/// Retries are paid from a quota of the Region, which other tests must not lose.
const POOL: &str = "us-sockets-1_POOL";

/// A read, a change that may be repeated, and one that must not.
const RPCS: [Rpc; 3] = [Rpc::AdminGetUser, Rpc::AdminSetUserMfaPreference, Rpc::AssociateSoftwareToken];

const UNREACHABLE: (Code, &str) = (Unavailable, "COGNITO_UNREACHABLE");
const UNREADABLE: (Code, &str) = (Internal, "COGNITO_ANSWER_UNREADABLE");
const EXCEEDED: (Code, &str) = (DeadlineExceeded, "DEADLINE_EXCEEDED");

fn script(start: &str, end: End) -> Script {
    Script { start: start.as_bytes().to_vec(), again: Vec::new(), end }
}

fn endless(start: &str, again: &str) -> Script {
    Script { start: start.as_bytes().to_vec(), again: again.as_bytes().to_vec(), end: Stall }
}

/// A response with these header lines beside Cognito's, and this body.
fn response(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nx-amzn-requestid: 00000000-0000-0000-0000-000000000001\r\n{headers}\r\n{body}")
}

fn with_length(status: &str, body: &str) -> String {
    response(status, &format!("content-length: {}\r\n", body.len()), body)
}

/// What a sent request ends in, and the status of the call.
fn endings() -> Vec<(&'static str, Script, (Code, &'static str))> {
    let ok = |headers: &str, body: &str| response("200 OK", headers, body);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application";
    let half = ok("content-length: 100\r\n", "{\"Username\": \"a");
    let chunk = ok("transfer-encoding: chunked\r\n", "5\r\n{\"Use\r\n");
    vec![
        ("FIN before the status line", script("", Fin), UNREACHABLE),
        ("RST before the status line", script("", Rst), UNREACHABLE),
        ("FIN in the status line", script("HTTP/1.1 20", Fin), UNREACHABLE),
        ("RST in the status line", script("HTTP/1.1 20", Rst), UNREACHABLE),
        ("FIN in the headers", script(head, Fin), UNREACHABLE),
        ("RST in the headers", script(head, Rst), UNREACHABLE),
        ("FIN in the body, which is shorter than its length", script(&half, Fin), UNREACHABLE),
        ("RST in the body", script(&half, Rst), UNREACHABLE),
        ("FIN in a chunked body", script(&chunk, Fin), UNREACHABLE),
        ("RST in a chunked body", script(&chunk, Rst), UNREACHABLE),
        ("FIN after a 1xx", script("HTTP/1.1 100 Continue\r\n\r\n", Fin), UNREACHABLE),
        ("no response", script("", Stall), EXCEEDED),
        ("nothing after the headers began", script(head, Stall), EXCEEDED),
        ("nothing after the body began", script(&half, Stall), EXCEEDED),
        ("nothing after a 1xx", script("HTTP/1.1 100 Continue\r\n\r\n", Stall), EXCEEDED),
        ("1xx without end", endless("", "HTTP/1.1 100 Continue\r\n\r\n"), EXCEEDED),
        ("no HTTP", script("220 mail.example.com ESMTP\r\n\r\n", Fin), UNREADABLE),
        ("TLS where there should be none", script("\x15\x03\x03\x00\x02\x02\x46", Fin), UNREADABLE),
        ("a status that is no number", script("HTTP/1.1 abc OK\r\n\r\n", Fin), UNREADABLE),
        ("a header without a colon", script(&ok("no colon\r\n", ""), Fin), UNREADABLE),
        ("a length that is no number", script(&ok("content-length: two\r\n", "{}"), Fin), UNREADABLE),
        ("a negative length", script(&ok("content-length: -2\r\n", "{}"), Fin), UNREADABLE),
        ("two lengths", script(&ok("content-length: 2\r\ncontent-length: 3\r\n", "{}"), Fin), UNREADABLE),
        (
            "a body longer than its length",
            script(&ok("content-length: 9\r\n", "{\"Username\": \"a\"}"), Fin),
            UNREADABLE,
        ),
        ("a chunk without a size", script(&ok("transfer-encoding: chunked\r\n", "zz\r\n{}\r\n"), Fin), UNREADABLE),
        ("headers without end", endless("HTTP/1.1 200 OK\r\n", "x-header: value\r\n"), UNREADABLE),
        ("a header without end", endless("HTTP/1.1 200 OK\r\nx-header: ", "aaaaaaaaaaaaaaaa"), UNREADABLE),
        ("a redirect", script(&response("302 Found", "location: /\r\ncontent-length: 0\r\n", ""), Fin), UNREADABLE),
        ("another success", script(&with_length("202 Accepted", "{}"), Fin), UNREADABLE),
        ("a success without content", script(&response("204 No Content", "", ""), Fin), UNREADABLE),
        ("a success of a proxy", script("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", Fin), UNREADABLE),
        ("an id that is not AWS's", script(&OK.replace("00000000-", "a b."), Fin), UNREADABLE),
        ("a page", script(&with_length("200 OK", "<html></html>"), Fin), UNREADABLE),
        ("a list", script(&with_length("200 OK", "[]"), Fin), UNREADABLE),
        ("null", script(&with_length("200 OK", "null"), Fin), UNREADABLE),
        ("an error as a success", script(&with_length("200 OK", "{\"__type\": \"SomeException\"}"), Fin), UNREADABLE),
    ]
}

/// What is wrong with the status of a call of `rpc`, of which a request was `sent`.
fn compare(rpc: Rpc, status: &Status, (code, reason): (Code, &str), sent: bool) -> Result<(), String> {
    let details = status.get_error_details();
    let info = details.error_info().ok_or("no ErrorInfo")?;
    let metadata = |key: &str| info.metadata.get(key).map(String::as_str);
    let unknown = sent && !rpc.is_read();
    let found = (
        status.code(),
        info.reason.as_str(),
        metadata("fault"),
        metadata("retryable"),
        metadata("outcome"),
        status.message().contains("may have taken effect"),
    );
    let retryable = if rpc == Rpc::AssociateSoftwareToken { "false" } else { "true" };
    let wanted = (code, reason, Some("AWS"), Some(retryable), unknown.then_some("UNKNOWN"), unknown);
    if found == wanted { Ok(()) } else { Err(format!("got {found:?}\n    wanted {wanted:?}")) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_end_of_a_connection_has_its_status() {
    let mut calls = JoinSet::new();
    // More at once would not be done within the operation's limit.
    let turns = Arc::new(Semaphore::new(8));
    for (name, script, wanted) in endings() {
        // Those that never end are ended by the operation's own limit.
        let timeout = Duration::from_secs(if wanted == EXCEEDED { 3 } else { 60 });
        for (rpc, good) in RPCS.into_iter().flat_map(|rpc| [(rpc, 0), (rpc, 1)]) {
            let (script, turns) = (script.clone(), Arc::clone(&turns));
            calls.spawn(async move {
                let _turn = turns.acquire().await.unwrap();
                let raw = RawCognito::start(script, good).await;
                let service = TestService::with_cognito_and_timeout(&raw.url, timeout).await;
                if good == 1 {
                    call_in_pool(&service, Rpc::GetUserPoolMfaConfig, POOL, "").await.unwrap();
                }
                let answer = call_in_pool(&service, rpc, POOL, &unsigned_token(POOL)).await;
                let problem = match answer {
                    Ok(()) => Err("the call succeeded".to_owned()),
                    Err(status) => compare(rpc, &status, wanted, true),
                };
                assert_eq!(raw.requests_on_reused_connections(), good, "{name}");
                if rpc == Rpc::AssociateSoftwareToken {
                    assert_eq!(raw.requests(), good + 1, "{name}: what must not be repeated was");
                }
                problem
                    .err()
                    .map(|problem| format!("{name}, {}, {}:\n    {problem}", rpc.name(), ["fresh", "reused"][good]))
            });
        }
    }
    let mut wrong: Vec<String> = calls.join_all().await.into_iter().flatten().collect();
    wrong.sort();
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn a_request_that_was_never_sent_has_no_unknown_outcome() {
    let token = unsigned_token(POOL);
    // Refused, and closed or answered with junk where TLS begins.
    let fin = url_of_closing_listener().await;
    let junk = RawCognito::start(script("HTTP/1.1 400 Bad Request\r\n\r\n", Fin), 0).await.url;
    for url in [unused_url(), fin.replace("http:", "https:"), junk.replace("http:", "https:")] {
        let service = TestService::with_cognito_and_timeout(&url, Duration::from_secs(20)).await;
        for rpc in RPCS {
            let status = call_in_pool(&service, rpc, POOL, &token).await.unwrap_err();
            compare(rpc, &status, UNREACHABLE, false).unwrap_or_else(|problem| panic!("{url}: {problem}"));
        }
    }
}

/// The URL of a server that closes every connection at its first byte.
async fn url_of_closing_listener() -> String {
    let listener = listen().await;
    let url = url_of(&listener);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.readable().await.unwrap();
        }
    });
    url
}

#[tokio::test]
async fn a_connection_that_cannot_be_made_in_time_has_no_unknown_outcome() {
    // A queue of connections that is full and never emptied: the handshake of a further one is not answered.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(connected) = tokio::time::timeout(Duration::from_millis(500), TcpStream::connect(address)).await {
        queued.push(connected.unwrap());
    }
    let url = format!("http://{address}");
    for (seconds, wanted) in [(20, UNREACHABLE), (1, EXCEEDED)] {
        let service = TestService::with_cognito_and_timeout(&url, Duration::from_secs(seconds)).await;
        for rpc in RPCS {
            let status = call_in_pool(&service, rpc, POOL, &unsigned_token(POOL)).await.unwrap_err();
            compare(rpc, &status, wanted, false).unwrap();
        }
    }
}

#[tokio::test]
async fn a_change_is_done_with_status_200_and_a_request_id_whatever_its_empty_body() {
    let pushes = ["{}", "", " {} \r\n", "{\"New\": 1}"].map(|body| (with_length("200 OK", body), body));
    // Beyond its length nothing is read.
    let longer = (response("200 OK", "content-length: 2\r\n", "{} and more"), "longer");
    for (answer, body) in pushes.into_iter().chain([longer]) {
        let raw = RawCognito::start(script(&answer, Fin), 0).await;
        let service = TestService::with_cognito_at(&raw.url).await;
        for rpc in [Rpc::AdminSetUserMfaPreference, Rpc::AdminDeleteSoftwareToken, Rpc::AdminSetUserSettings] {
            call_in_pool(&service, rpc, POOL, "").await.unwrap_or_else(|status| panic!("{body:?}: {status:?}"));
        }
    }
}

#[tokio::test]
async fn a_body_is_read_up_to_1_mib() {
    let padded = |length: usize| {
        let body = "{\"Username\": \"a\", \"Padding\": \"\"}";
        body.replace("\"\"", &format!("\"{}\"", "x".repeat(length - body.len())))
    };
    for (length, is_read) in [(1 << 20, true), ((1 << 20) + 1, false)] {
        let raw = RawCognito::start(script(&with_length("200 OK", &padded(length)), Fin), 0).await;
        let service = TestService::with_cognito_at(&raw.url).await;
        assert_eq!(call_in_pool(&service, Rpc::AdminGetUser, POOL, "").await.is_ok(), is_read, "{length}");
    }
}

#[tokio::test]
async fn a_body_without_end_is_refused_at_once_and_takes_no_memory() {
    let chunks = format!("10000\r\n{}\r\n", "x".repeat(65_536));
    for (start, again) in [
        (response("200 OK", "transfer-encoding: chunked\r\n", ""), chunks.clone()),
        (response("200 OK", "content-length: 104857600\r\n", ""), "x".repeat(65_536)),
        // Until the end of the connection.
        (response("200 OK", "", ""), "x".repeat(65_536)),
        (response("400 Bad Request", "transfer-encoding: chunked\r\n", ""), chunks.clone()),
    ] {
        let raw = RawCognito::start(endless(&start, &again), 0).await;
        let service = TestService::with_cognito_at(&raw.url).await;
        for rpc in RPCS {
            let token = unsigned_token(POOL);
            let calling = call_in_pool(&service, rpc, POOL, &token);
            let answer = tokio::time::timeout(Duration::from_secs(10), calling).await.unwrap();
            compare(rpc, &answer.unwrap_err(), UNREADABLE, true).unwrap();
        }
        // The limit, and what the buffers of both sockets hold.
        assert!(raw.written() / raw.requests() < 16 << 20, "{} bytes were taken", raw.written());
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = RawCognito::start(script(OK, Fin), 0).await;
    for status in
        ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"]
    {
        let headers = format!("location: {}/\r\ncontent-length: 0\r\n", elsewhere.url);
        let raw = RawCognito::start(script(&response(status, &headers, ""), Fin), 0).await;
        let service = TestService::with_cognito_at(&raw.url).await;
        for rpc in RPCS {
            let status = call_in_pool(&service, rpc, POOL, &unsigned_token(POOL)).await.unwrap_err();
            compare(rpc, &status, UNREADABLE, true).unwrap();
        }
    }
    assert_eq!(elsewhere.requests(), 0);
}

/// The first attempt may have made the change, whatever the last one meets.
#[tokio::test]
async fn an_unknown_outcome_is_not_forgotten_when_a_retry_is_refused() {
    let refusal = "{\"__type\": \"TooManyRequestsException\", \"message\": \"Rate exceeded\"}";
    let answers = [String::new(), with_length("400 Bad Request", refusal)];
    let listener = listen().await;
    let url = url_of(&listener);
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut answers = answers.iter().chain(std::iter::repeat(&answers[1]));
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"}") && stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {}
            stream.write_all(answers.next().unwrap().as_bytes()).await.unwrap();
        }
    });
    let service = TestService::with_cognito_at(&url).await;
    let status = call_in_pool(&service, Rpc::AdminSetUserMfaPreference, POOL, "").await.unwrap_err();
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    assert_eq!((info.reason.as_str(), info.metadata["outcome"].as_str()), ("RATE_LIMITED", "UNKNOWN"));
    // A change that was refused in the first place was not made.
    let status = call_in_pool(&service, Rpc::AdminSetUserMfaPreference, POOL, "").await.unwrap_err();
    let metadata: BTreeMap<_, _> =
        status.get_error_details().error_info().unwrap().metadata.clone().into_iter().collect();
    assert!(!metadata.contains_key("outcome"), "{metadata:?}");
}
