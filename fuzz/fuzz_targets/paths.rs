//! Arbitrary paths, sent to the whole service: every path that is not exactly a served one is refused.
#![no_main]

use std::fs;
use std::future::pending;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use data_encoding::BASE64URL_NOPAD;
use h2::client::SendRequest;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, Uri};
use libfuzzer_sys::{Corpus, fuzz_target};
use mfagate::api::Rpc;
use mfagate::audit::{AuditLog, AuditTarget, Fsync, UsernameForm};
use mfagate::authn::Authenticator;
use mfagate::authn::token::{Clock, JwksRefresh, JwksSource, TokenOptions, TokenVerifier};
use mfagate::authz::policy::PolicyStore;
use mfagate::authz::{Gate, PolicyEnforcer};
use mfagate::cognito::{Cognito, Credentials, Endpoint};
use mfagate::domain::DeadlineLimits;
use mfagate::server::connection::ConnectionLife;
use mfagate::server::{self, DrainTimes, ServerLimits, Service};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tonic::codegen::Bytes;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

const ISSUER: &str = "https://issuer.example";

const HEALTH: [&str; 2] = ["/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"];

const REFLECTION: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// Fragments of paths that try to pass for other paths.
const TRICKS: [&str; 16] = [
    "//", "/./", "/../", "x/../", "..", "\\", ";a=b", "?x", "%00", "%2F", "%2e", "%25", "%c3%a9", "\u{ff0f}", "é",
    "http://",
];

/// The maximum length of a path: with the other headers, it must stay below the limit of HTTP/2.
const MAX_PATH_LEN: usize = 8 * 1024;

/// The service and one connection to it. Both make progress only while a request waits for its response.
struct Harness {
    runtime: Runtime,
    send: SendRequest<Bytes>,
    authorization: String,
}

static HARNESS: LazyLock<Mutex<Harness>> = LazyLock::new(|| Mutex::new(Harness::start()));

impl Harness {
    fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (send, authorization) = runtime.block_on(async {
            let key = Ed25519KeyPair::generate().unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            tokio::spawn(server::serve(listener, service(&key).await, pending()));
            let stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (send, connection) = h2::client::handshake(stream).await.unwrap();
            tokio::spawn(connection);
            (send, format!("Bearer {}", token(&key)))
        });
        Self { runtime, send, authorization }
    }

    /// The headers of the response to a call.
    fn response_headers(&self, path: &PathAndQuery, with_token: bool) -> HeaderMap {
        let uri = Uri::builder().scheme("http").authority("mfagate").path_and_query(path.clone()).build().unwrap();
        let mut request = Request::builder().method(Method::POST).uri(uri).header("content-type", "application/grpc");
        if with_token {
            request = request.header("authorization", &self.authorization);
        }
        let request = request.body(()).unwrap();
        self.runtime.block_on(async {
            let mut send = self.send.clone().ready().await.unwrap();
            let (response, _) = send.send_request(request, true).unwrap();
            response.await.unwrap().into_parts().0.headers
        })
    }
}

/// A service that permits everything to callers with a token signed by `key`.
async fn service(key: &Ed25519KeyPair) -> Service {
    let directory = tempfile::tempdir().unwrap();
    let keys = directory.path().join("jwks.json");
    let x = BASE64URL_NOPAD.encode(key.public_key().as_ref());
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": "key", "use": "sig" });
    fs::write(&keys, json!({ "keys": [jwk] }).to_string()).unwrap();
    fs::write(directory.path().join("all.cedar"), "permit (principal, action, resource);").unwrap();

    let verifier = TokenVerifier::start(TokenOptions {
        issuer: ISSUER.to_owned(),
        audience: "mfagate".parse().unwrap(),
        caller_claim: "sub".to_owned(),
        caller_prefix: None,
        keys: JwksSource::File(keys),
        refresh: JwksRefresh::default(),
        cache_size: 1024,
        clock: Clock::default(),
    });
    let authenticator = Arc::new(Authenticator::new(Some(verifier.await.unwrap())));
    let policies = Arc::new(PolicyStore::open(directory.path().to_owned(), None).unwrap());
    let audit = AuditLog::open(AuditTarget::File("/dev/null".into()), UsernameForm::None, None, Fsync::Never).unwrap();
    let gate = Gate::Enforced(Arc::new(PolicyEnforcer::new(policies, Arc::new(audit))));
    let cognito = Cognito::new(
        // Never called: no request has a message.
        Endpoint::Url("http://127.0.0.1:9".to_owned()),
        Credentials::for_development(),
        Duration::from_secs(5),
    );
    Service {
        gate,
        authenticator,
        cognito,
        credentials: None,
        tls: None,
        deadlines: DeadlineLimits::default(),
        life: ConnectionLife::default(),
        limits: ServerLimits::default(),
        drain: DrainTimes { delay: Duration::ZERO, timeout: Duration::ZERO },
    }
}

fn token(key: &Ed25519KeyPair) -> String {
    let encode = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
    let header = json!({ "alg": "EdDSA", "kid": "key", "typ": "JWT" });
    let claims = json!({ "iss": ISSUER, "aud": "mfagate", "sub": "caller", "exp": 4_102_444_800_u64 });
    let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
    let signature = encode(key.sign(signed.as_bytes()).as_ref());
    format!("{signed}.{signature}")
}

fn known() -> Vec<&'static str> {
    Rpc::ALL.map(Rpc::path).into_iter().chain(HEALTH).chain(REFLECTION).collect()
}

/// A path from fuzz input: the first byte selects a known path, and every three bytes after it are an edit (kind, position,
/// operand). One value of the first byte selects none, and the rest is the path.
fn path(bytes: &[u8]) -> Vec<u8> {
    let Some((start, rest)) = bytes.split_first() else { return Vec::new() };
    let known = known();
    let Some(known) = known.get(usize::from(*start) % (known.len() + 1)) else { return rest.to_vec() };
    let mut path = known.as_bytes().to_vec();
    for change in rest.chunks_exact(3) {
        let &[kind, position, operand] = change else { unreachable!() };
        let at = usize::from(position) % path.len().max(1);
        match (kind % 8, path.get(at).copied()) {
            (0, _) | (_, None) => path.insert(at, operand),
            (1, _) => path.push(operand),
            (2, Some(_)) => drop(path.remove(at)),
            (3, Some(byte)) => path.insert(at, byte),
            (4, Some(byte)) => path[at] = byte ^ b' ',
            (5, Some(byte)) => {
                let hex = if operand % 2 == 0 { format!("%{byte:02X}") } else { format!("%{byte:02x}") };
                drop(path.splice(at..=at, hex.bytes()));
            }
            (6, Some(_)) => drop(path.splice(at..at, TRICKS[usize::from(operand) % TRICKS.len()].bytes())),
            (_, Some(_)) => path.extend_from_slice(TRICKS[usize::from(operand) % TRICKS.len()].as_bytes()),
        }
    }
    path
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let path = path(bytes);
    // Client and server share this parser, which also drops a fragment: what it rejects never reaches the server.
    let Ok(path) = std::str::from_utf8(&path).unwrap_or_default().parse::<PathAndQuery>() else {
        return Corpus::Reject;
    };
    if path.as_str().len() > MAX_PATH_LEN {
        return Corpus::Reject;
    }
    let harness = HARNESS.lock().unwrap();
    let refused = |with_token| {
        let headers = harness.response_headers(&path, with_token);
        let status = Status::from_header_map(&headers)?;
        let reason = status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default();
        Some((status.code(), reason)).filter(|(_, reason)| reason.starts_with("CALLER_"))
    };
    let unauthenticated = Some((Code::Unauthenticated, "CALLER_UNAUTHENTICATED".to_owned()));
    let forbidden = Some((Code::PermissionDenied, "CALLER_FORBIDDEN".to_owned()));
    let is_health = HEALTH.contains(&path.path());
    assert_eq!(refused(false), unauthenticated.filter(|_| !is_health), "{path}, without a token");
    assert_eq!(refused(true), forbidden.filter(|_| !known().contains(&path.path())), "{path}, with a token");
    Corpus::Keep
});
