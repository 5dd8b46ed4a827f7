//! Paths before the running program: only the exact path of something served reaches it.

mod change;

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;

use http::Method;
use http::uri::PathAndQuery;
use mfagate::api::Rpc;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use serde_json::{Value, json};
use tonic::Code;

use self::change::{Path, changed_path, single_changes};
use crate::support::policy_fixture::{PolicyFixture, bearer};
use crate::support::process::Process;
use crate::support::raw_h2::{RawClient, RawFrames, grpc_request, valid_body};
use crate::support::refusal::refused;
use crate::support::serve_harness::AWS_CREDENTIALS;
use crate::support::test_cognito::TestCognito;

/// Paths that are served besides the RPCs.
const OTHERS: [&str; 4] = [
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// Every path that is served.
fn known() -> Vec<&'static str> {
    Rpc::ALL.map(Rpc::path).into_iter().chain(OTHERS).collect()
}

/// `mfagate serve`, which permits everything to authenticated callers, and its audit log as far as it was read.
struct Prober {
    fixture: PolicyFixture,
    cognito: TestCognito,
    process: Process,
    address: SocketAddr,
    token: String,
    audit: BufReader<File>,
    calls: usize,
}

/// The outcome of a request that was written by hand.
#[derive(Debug, PartialEq)]
struct Outcome {
    /// Whether it was answered, or its stream or connection was closed instead.
    answered: bool,
    /// The recorded decisions on it: the RPC and the decision.
    decisions: Vec<(Option<String>, String)>,
}

impl Prober {
    async fn start() -> Self {
        let (fixture, cognito) = (PolicyFixture::allow_all(), TestCognito::start().await);
        let mut process = Process::serve(&fixture, &cognito.url, AWS_CREDENTIALS).await;
        let address = process.address().await;
        let audit = BufReader::new(File::open(fixture.path("audit.jsonl")).unwrap());
        let token = fixture.token("support", json!({}));
        Self { fixture, cognito, process, address, token, audit, calls: 0 }
    }

    fn next_id(&mut self) -> String {
        self.calls += 1;
        format!("call-{}", self.calls)
    }

    /// The decisions on a call. They are recorded before the response is sent.
    fn decisions(&mut self, id: &str) -> Vec<(Option<String>, String)> {
        let mut decisions = Vec::new();
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
        for line in self.audit.by_ref().lines() {
            let record: Value = serde_json::from_str(&line.unwrap()).unwrap();
            if record["kind"] == "decision" {
                assert_eq!(record["caller_request_id"], id, "{record}");
                decisions.push((text(&record["rpc"]), text(&record["decision"]).unwrap()));
            }
        }
        decisions
    }

    /// Sends a request to these bytes, as they are, with a token or without.
    async fn send(&mut self, path: &[u8], with_token: bool) -> Outcome {
        let (id, authorization) = (self.next_id(), bearer(&self.token));
        let mut headers: Vec<(&str, &[u8])> = vec![
            (":method", b"POST"),
            (":scheme", b"http"),
            (":path", path),
            (":authority", b"mfagate"),
            ("content-type", b"application/grpc"),
            ("te", b"trailers"),
            ("x-request-id", id.as_bytes()),
        ];
        if with_token {
            headers.push(("authorization", authorization.as_bytes()));
        }
        let mut frames = RawFrames::connect(self.address).await;
        frames.send_request(1, &headers, &valid_body()).await;
        let answered = frames.read_of_stream(1).await == Some(RawFrames::HEADERS);
        Outcome { answered, decisions: self.decisions(&id) }
    }

    /// Checks that a path is refused as one that is not served, or that HTTP/2 does not accept it as a path.
    async fn serves_nothing_on(&mut self, path: &[u8]) -> Result<(), TestCaseError> {
        let shown = String::from_utf8_lossy(path);
        let expressed = expressed(path);
        for (with_token, decision) in [(false, "unauthenticated"), (true, "deny")] {
            let decisions = expressed.iter().map(|_| (None, decision.to_owned())).collect();
            let expected = Outcome { answered: expressed.is_some(), decisions };
            let outcome = self.send(path, with_token).await;
            prop_assert_eq!(outcome, expected, "{:?}, with token: {}", shown, with_token);
        }
        // A path that a client can express is sent by one as well, to read the status.
        let Some(path) = expressed.filter(|expressed| expressed.as_str().as_bytes() == path) else {
            return Ok(());
        };
        let mut raw = RawClient::connect(self.address).await;
        for (with_token, code, reason) in [
            (false, Code::Unauthenticated, "CALLER_UNAUTHENTICATED"),
            (true, Code::PermissionDenied, "CALLER_FORBIDDEN"),
        ] {
            let uri = http::Uri::builder().scheme("http").authority("mfagate").path_and_query(path.clone());
            let mut request = grpc_request("/").uri(uri.build().unwrap()).method(Method::POST);
            let id = self.next_id();
            request = request.header("x-request-id", &id);
            if with_token {
                request = request.header("authorization", bearer(&self.token));
            }
            let answer = raw.call(request.body(()).unwrap(), valid_body()).await;
            refused::<()>(Err(answer.status()), code, reason);
            prop_assert_eq!(self.decisions(&id).len(), 1, "{:?}", shown);
        }
        Ok(())
    }

    /// Checks that Cognito was not called, and that every record is a decision on an unknown RPC.
    async fn reached_nothing(self) {
        assert_eq!(self.cognito.operations().await, Vec::<String>::new());
        self.process.terminate().await;
        for record in self.fixture.records() {
            assert_eq!((&record["kind"], &record["rpc"]), (&json!("decision"), &Value::Null), "{record}");
        }
    }
}

/// The path that HTTP/2 parses from these bytes, if any: a text that begins with a slash, a query or a fragment.
fn expressed(path: &[u8]) -> Option<PathAndQuery> {
    std::str::from_utf8(path).ok()?.parse().ok()
}

/// Whether the path without its query and fragment is served.
fn is_known(path: &[u8]) -> bool {
    let path = path.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default();
    known().iter().any(|known| known.as_bytes() == path)
}

#[test]
fn a_changed_path_reaches_nothing() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let prober = RefCell::new(runtime.block_on(Prober::start()));
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) };
    let outcome = TestRunner::new(config).run(&changed_path(), |Path(path)| {
        prop_assume!(!is_known(&path));
        runtime.block_on(prober.borrow_mut().serves_nothing_on(&path))
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    runtime.block_on(prober.into_inner().reached_nothing());
}

#[tokio::test]
async fn a_path_with_anything_odd_before_after_or_within_it_reaches_nothing() {
    let mut prober = Prober::start().await;
    for path in [Rpc::GetUserPoolMfaConfig.path(), "/grpc.health.v1.Health/Check"] {
        let changed = single_changes(path);
        for path in changed.iter().filter(|path| !is_known(path)) {
            prober.serves_nothing_on(path).await.unwrap();
        }
    }
    prober.reached_nothing().await;
}

#[tokio::test]
async fn the_usual_variants_of_a_path_reach_nothing() {
    let mut prober = Prober::start().await;
    let path = Rpc::AdminGetUser.path();
    for variant in [
        "/".to_owned(),
        "/nothing".to_owned(),
        "/mfagate.v1.MfaPreferenceService/Nothing".to_owned(),
        "/mfagate.v1.MfaPreferenceService/".to_owned(),
        path.replace("Service/", "Service/../MfaPreferenceService/"),
        path.replace("AdminGetUser", "%41dminGetUser"),
        path.to_lowercase(),
        path.to_uppercase(),
        "/grpc.health.v1.Health/check".to_owned(),
        "*".to_owned(),
        "?".to_owned(),
        "#".to_owned(),
        format!("/#{path}"),
    ] {
        prober.serves_nothing_on(variant.as_bytes()).await.unwrap();
    }
    prober.reached_nothing().await;
}

#[tokio::test]
async fn what_is_not_an_http_path_is_refused_before_any_decision() {
    let mut prober = Prober::start().await;
    let path = Rpc::AdminGetUser.path();
    let with = |text: &[u8]| [path.as_bytes(), text].concat();
    for bytes in [
        Vec::new(),
        path[1..].into(),
        format!("http://mfagate{path}").into(),
        "mfagate:443".into(),
        "**".into(),
        "%2F".into(),
        format!(" {path}").into(),
        with(b" "),
        with(b"\t"),
        with(b"\0"),
        with(b"\r\nx: y"),
        with(b"\x7f"),
        with(b"\xff"),
        with(b"\xc0\xaf"),
        with(b"?\xff"),
        vec![b'/'; 0x1_0000],
    ] {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
        assert_eq!(expressed(&bytes), None, "{shown:?}");
        for with_token in [false, true] {
            let outcome = prober.send(&bytes, with_token).await;
            assert_eq!(outcome, Outcome { answered: false, decisions: Vec::new() }, "{shown:?}");
        }
    }
    prober.reached_nothing().await;
}

#[tokio::test]
async fn a_query_and_a_fragment_are_no_part_of_the_path() {
    let mut prober = Prober::start().await;
    for path in known() {
        for with_token in [false, true] {
            let plain = prober.send(path.as_bytes(), with_token).await;
            let rpc = Rpc::from_path(path).map(Rpc::name).or(path.contains("Reflection").then_some("ServerReflection"));
            let decision = if with_token { "allow" } else { "unauthenticated" };
            let decisions = rpc.into_iter().map(|rpc| (Some(rpc.to_owned()), decision.to_owned())).collect();
            assert_eq!(plain, Outcome { answered: true, decisions }, "{path}");
            for behind in ["?", "?x", "?x=/../y", "?/", "??", "#", "#x", "?x#y", "#/../x?y"] {
                let path = format!("{path}{behind}");
                assert_eq!(prober.send(path.as_bytes(), with_token).await, plain, "{path}");
            }
        }
    }
}
