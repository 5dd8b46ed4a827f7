//! Benchmarks of the whole interceptor, allowed against denied: the layer, the gate and the record, alone and in a call over
//! HTTP/2 in front of an embedded Cognito.
//!
//! The cases are interleaved, so that all run under the same conditions. Compare the ratios; the times depend on the machine.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a failure ends the run, and the table is its result")]

#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/integration/support/token_issuer.rs"]
mod token_issuer;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cognito_emulator::{Emulator, Options};
use http::{HeaderValue, header};
use mfagate::api::Rpc;
use mfagate::api::v1::AdminGetUserRequest;
use mfagate::api::v1::mfa_preference_service_client::MfaPreferenceServiceClient;
use mfagate::audit::{AuditLog, AuditTarget, Fsync, UsernameForm};
use mfagate::authn::token::{Clock, JwksRefresh, JwksSource, TokenOptions, TokenVerifier};
use mfagate::authn::{AuthenticatedFlag, Authenticator, PeerIdentity};
use mfagate::authz::policy::PolicyStore;
use mfagate::authz::{AuthzInterceptor, Gate, PolicyEnforcer};
use mfagate::cognito::{Cognito, Credentials, Endpoint};
use mfagate::domain::{Call, CertificateIdentity, DeadlineLimits, Effect, Intent};
use mfagate::error;
use mfagate::server::connection::ConnectionLife;
use mfagate::server::{self, DrainTimes, ServerLimits, Service};
use serde_json::json;
use tokio::net::TcpListener;
use tonic::codegen::BoxFuture;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint as ClientEndpoint};
use tonic::{Code, Request, Status};
use tower_http::auth::AsyncAuthorizeRequest as _;

use token_issuer::{ISSUER, SigningKey, jwks};

/// The number of rounds, and of calls of each case in a round.
const ROUNDS: usize = 200;
const CALLS: u32 = 20;

/// Callers read every pool outside one Region; nobody deletes anything.
const POLICIES: &str = r#"
permit (principal, action in Mfagate::Action::"Read", resource) when { resource.region != "eu-west-1" };
permit (principal == Mfagate::Caller::"another", action, resource);
"#;

const POOL: &str = "us-west-2_EXAMPLE";
const OTHER_POOL: &str = "eu-west-1_Shop01";

/// A call: its credentials, path and pool.
#[derive(Clone, Debug)]
struct Attempt {
    certificate: bool,
    authorization: Option<HeaderValue>,
    path: &'static str,
    user_pool_id: &'static str,
}

struct Case {
    name: &'static str,
    make: Box<dyn Fn() -> BoxFuture<(), Status>>,
    expected: Code,
}

/// The median time per call of each case, in order.
async fn measure(cases: &[Case]) -> Vec<Duration> {
    let mut times = vec![Vec::with_capacity(ROUNDS); cases.len()];
    for _ in 0..ROUNDS {
        for (case, times) in cases.iter().zip(&mut times) {
            let started = Instant::now();
            for _ in 0..CALLS {
                let code = (case.make)().await.map_or_else(|status| status.code(), |()| Code::Ok);
                assert_eq!(code, case.expected, "{}", case.name);
            }
            times.push(started.elapsed() / CALLS);
        }
    }
    let median = |mut times: Vec<Duration>| {
        times.sort();
        times.get(times.len() / 2).copied().unwrap_or_default()
    };
    times.into_iter().map(median).collect()
}

/// Prints each case, and its ratio to the first.
async fn table(title: &str, cases: &[Case]) {
    let times = measure(cases).await;
    println!("{title}");
    let first = times.first().copied().unwrap_or_default();
    for (case, time) in cases.iter().zip(times) {
        println!("  {:<52}{time:>10.1?}  {:>5.2}", case.name, time.as_secs_f64() / first.as_secs_f64());
    }
}

/// The layer and the gate, without a network.
fn alone(authorize: &AuthzInterceptor, gate: &Gate, attempt: &Attempt) -> BoxFuture<(), Status> {
    let (mut authorize, gate, attempt) = (authorize.clone(), gate.clone(), attempt.clone());
    Box::pin(async move {
        let mut request =
            http::Request::post(format!("http://mfagate{}", attempt.path)).body(tonic::body::Body::empty()).unwrap();
        if let Some(value) = attempt.authorization {
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        let certificate = attempt.certificate.then(|| CertificateIdentity {
            name: "spiffe://example.org/auditor".to_owned(),
            trust_domain: Some("example.org".to_owned()),
        });
        let (address, authenticated) = (([127, 0, 0, 1], 4711).into(), AuthenticatedFlag::default());
        request.extensions_mut().insert(PeerIdentity { address, certificate, thumbprint: None, authenticated });
        let refused = |response: http::Response<tonic::body::Body>| error::render(&response, "").unwrap();
        let admitted = authorize.authorize(request).await.map_err(refused)?;
        let call = admitted.extensions().get::<Arc<Call>>().cloned().unwrap_or_default();
        let rpc = Rpc::from_path(attempt.path).unwrap();
        let intent = Intent {
            claimed_user: None,
            before: None,
            rpc,
            user_pool_id: attempt.user_pool_id.into(),
            username: Some("testuser"),
            effect: Effect::default(),
        };
        gate.authorize(&call, intent).await.map(|_| ()).map_err(Status::from)
    })
}

/// A read over HTTP/2.
fn over_http(channel: &Channel, attempt: &Attempt) -> BoxFuture<(), Status> {
    let (channel, attempt) = (channel.clone(), attempt.clone());
    Box::pin(async move {
        let request =
            AdminGetUserRequest { user_pool_id: attempt.user_pool_id.to_owned(), username: "testuser".to_owned() };
        let mut request = Request::new(request);
        if let Some(value) = attempt.authorization {
            let value: MetadataValue<Ascii> = value.to_str().unwrap().parse().unwrap();
            request.metadata_mut().insert("authorization", value);
        }
        MfaPreferenceServiceClient::new(channel).admin_get_user(request).await.map(|_| ())
    })
}

/// Serves until the end of the run.
async fn serve(service: Service) -> Channel {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(server::serve(listener, service, std::future::pending()));
    ClientEndpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

async fn verifier(directory: &Path, key: &SigningKey) -> TokenVerifier {
    let path = directory.join("keys.json");
    std::fs::write(&path, jwks(&[key])).unwrap();
    let options = TokenOptions {
        issuer: ISSUER.to_owned(),
        audience: "mfagate".parse().unwrap(),
        caller_claim: "sub".to_owned(),
        caller_prefix: None,
        keys: JwksSource::File(path),
        refresh: JwksRefresh { file: Duration::from_hours(1), ..JwksRefresh::default() },
        cache_size: 1024,
        clock: Clock::default(),
    };
    TokenVerifier::start(options).await.unwrap()
}

#[tokio::main]
async fn main() {
    let directory = tempfile::tempdir().unwrap();
    let policies = directory.path().join("policies");
    std::fs::create_dir(&policies).unwrap();
    std::fs::write(policies.join("all.cedar"), POLICIES).unwrap();
    let audit = AuditTarget::File(directory.path().join("audit.jsonl"));
    let audit = Arc::new(AuditLog::open(audit, UsernameForm::None, None, Fsync::Never).unwrap());
    let gate =
        Gate::Enforced(Arc::new(PolicyEnforcer::new(Arc::new(PolicyStore::open(policies, None).unwrap()), audit)));
    let key = SigningKey::rsa("key-1");
    let authenticator = Arc::new(Authenticator::new(Some(verifier(directory.path(), &key).await)));
    let authorize = AuthzInterceptor::new(gate.clone(), Arc::clone(&authenticator));

    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({ "iss": ISSUER, "aud": "mfagate", "sub": "auditor", "exp": now + 3600 });
    let bearer = |token: String| HeaderValue::from_str(&format!("Bearer {token}")).ok();
    let (read, change) = (Rpc::AdminGetUser.path(), Rpc::AdminDeleteSoftwareToken.path());
    let by_token =
        Attempt { certificate: false, authorization: bearer(key.token(&claims)), path: read, user_pool_id: POOL };
    let forged = Attempt { authorization: bearer(SigningKey::rsa("key-1").token(&claims)), ..by_token.clone() };
    let anonymous = Attempt { authorization: None, ..by_token.clone() };
    let by_certificate = Attempt { certificate: true, authorization: None, ..by_token.clone() };

    let alone = |name, attempt: Attempt, expected| {
        let (authorize, gate) = (authorize.clone(), gate.clone());
        Case { name, expected, make: Box::new(move || alone(&authorize, &gate, &attempt)) }
    };
    let on_other_pool = |attempt: &Attempt| Attempt { user_pool_id: OTHER_POOL, ..attempt.clone() };
    let change_by = |attempt: &Attempt| Attempt { path: change, ..attempt.clone() };
    let cases = [
        alone("allowed, RS256 token", by_token.clone(), Code::Ok),
        alone("denied on the pool, RS256 token", on_other_pool(&by_token), Code::PermissionDenied),
        alone("denied before the body, RS256 token", change_by(&by_token), Code::PermissionDenied),
        alone("refused, forged RS256 token", forged.clone(), Code::Unauthenticated),
        alone("refused, no credential", anonymous.clone(), Code::Unauthenticated),
        alone("allowed, certificate", by_certificate.clone(), Code::Ok),
        alone("denied on the pool, certificate", on_other_pool(&by_certificate), Code::PermissionDenied),
        alone("denied before the body, certificate", change_by(&by_certificate), Code::PermissionDenied),
    ];
    table("the interceptor: layer, gate and record", &cases).await;

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let embedded = Emulator::start(listener, Options { demo: true, ..Options::default() }).await.unwrap();
    let endpoint = Endpoint::Url(embedded.url());
    let cognito = || Cognito::new(endpoint.clone(), Credentials::for_development(), Duration::from_secs(30));
    let open = serve(Service::open(cognito(), DrainTimes { delay: Duration::ZERO, timeout: Duration::ZERO })).await;
    let enforced = Service {
        gate: gate.clone(),
        authenticator,
        cognito: cognito(),
        credentials: None,
        tls: None,
        deadlines: DeadlineLimits::default(),
        life: ConnectionLife::default(),
        limits: ServerLimits::default(),
        drain: DrainTimes { delay: Duration::ZERO, timeout: Duration::ZERO },
    };
    let enforced = serve(enforced).await;
    let call = |name, channel: &Channel, attempt: Attempt, expected| {
        let channel = channel.clone();
        Case { name, expected, make: Box::new(move || over_http(&channel, &attempt)) }
    };
    let cases = [
        call("allowed, RS256 token", &enforced, by_token.clone(), Code::Ok),
        call("the same without an interceptor", &open, anonymous.clone(), Code::Ok),
        call("denied on the pool, RS256 token", &enforced, on_other_pool(&by_token), Code::PermissionDenied),
        call("refused, forged RS256 token", &enforced, forged, Code::Unauthenticated),
        call("refused, no credential", &enforced, anonymous, Code::Unauthenticated),
    ];
    table("a read over HTTP/2 in front of the embedded Cognito", &cases).await;
    embedded.shutdown().await;
}
