//! Token verification: what is accepted, what is refused and why, and where the keys come from.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use data_encoding::{BASE64, BASE64URL_NOPAD};
use http::{HeaderMap, HeaderValue, header};
use mfagate::access::TokenIdentity;
use mfagate::access::token::{
    Cause, Clock, KeyReload, KeySetFault, KeySource, LARGEST_TOKEN, RefreshTimes, SourceFault, TokenError,
    TokenOptions, TokenVerifier,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::jwks_server::{JwksReply, JwksServer};
use crate::support::loopback::listen;
use crate::support::token_issuer::{ISSUER, SigningKey, jwks, signing_input};

/// The initial time of the tests' clock.
const NOW: u64 = 1_900_000_000;

/// A clock that tests move.
#[derive(Clone)]
struct TestClock(Arc<AtomicU64>);

impl TestClock {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(NOW)))
    }

    fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    fn clock(&self) -> Clock {
        let seconds = Arc::clone(&self.0);
        Clock::new(move || UNIX_EPOCH + Duration::from_secs(seconds.load(Ordering::SeqCst)))
    }
}

/// Intervals so long that nothing is fetched in the background during a test.
fn times() -> RefreshTimes {
    let never = Duration::from_secs(1_000_000);
    RefreshTimes { url: never, file: never, without_keys: never, ..RefreshTimes::default() }
}

fn options(keys: KeySource, clock: &TestClock) -> TokenOptions {
    TokenOptions {
        issuer: ISSUER.to_owned(),
        audience: "mfagate".parse().unwrap(),
        caller_claim: "sub".to_owned(),
        caller_prefix: None,
        keys,
        times: times(),
        clock: clock.clock(),
    }
}

/// A verifier with the keys that a server publishes.
struct Service {
    verifier: TokenVerifier,
    server: JwksServer,
    clock: TestClock,
}

impl Service {
    async fn start(keys: &[&SigningKey]) -> Self {
        Self::with(keys, |_| {}).await
    }

    async fn with(keys: &[&SigningKey], change: impl FnOnce(&mut TokenOptions)) -> Self {
        let server = JwksServer::start(JwksReply::Body(jwks(keys))).await;
        let clock = TestClock::new();
        let mut options = options(KeySource::Url(server.url().parse().unwrap()), &clock);
        change(&mut options);
        Self { verifier: TokenVerifier::start(options).await.unwrap(), server, clock }
    }

    async fn verify(&self, token: &str) -> Result<TokenIdentity, TokenError> {
        verify(&self.verifier, token).await
    }
}

async fn verify(verifier: &TokenVerifier, token: &str) -> Result<TokenIdentity, TokenError> {
    let answer = verifier.verify(&authorization(&format!("Bearer {token}"))).await;
    if let Err(error) = &answer {
        // However the error is printed, the token cannot appear in it.
        let texts = format!("{error} {error:?}");
        assert!(token.split('.').all(|part| part.len() < 8 || !texts.contains(part)), "{texts}");
    }
    answer.map(Option::unwrap)
}

fn authorization(value: &str) -> HeaderMap {
    HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap())])
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": "mfagate", "sub": "payments", "iat": NOW, "nbf": NOW, "exp": NOW + 3600 })
}

/// Valid claims with these changes.
fn claims_with(changes: &Value) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    claims
}

fn refused(cause: Cause) -> Result<TokenIdentity, TokenError> {
    Err(TokenError::NotAccepted(cause))
}

#[tokio::test]
async fn a_valid_token_of_each_accepted_algorithm_names_its_caller() {
    let (rsa, p256, ed25519) = (SigningKey::rsa("r"), SigningKey::p256("p"), SigningKey::ed25519("e"));
    let service = Service::start(&[&rsa, &p256, &ed25519]).await;
    let claims = claims_with(&json!({ "scope": "mfagate/read mfagate/write", "groups": ["support"] }));
    let named = TokenIdentity {
        name: "payments".to_owned(),
        issuer: ISSUER.to_owned(),
        scopes: ["mfagate/read", "mfagate/write"].map(str::to_owned).into(),
        groups: ["support".to_owned()].into(),
    };
    for key in [&rsa, &p256, &ed25519] {
        assert_eq!(service.verify(&key.token(&claims)).await, Ok(named.clone()), "{}", key.algorithm());
    }
    let pss = rsa.token_with(&json!({ "alg": "PS256", "kid": "r" }), &claims);
    assert_eq!(service.verify(&pss).await, Ok(named));
    assert_eq!(service.server.requested_paths(), ["/keys"], "known keys are not fetched again");
}

#[tokio::test]
async fn the_caller_is_named_by_the_configured_claim() {
    let key = SigningKey::ed25519("k");
    let service = Service::with(&[&key], |options| options.caller_claim = "client_id".to_owned()).await;
    let token = key.token(&claims_with(&json!({ "client_id": "abc" })));
    assert_eq!(service.verify(&token).await.unwrap().name, "abc");
    assert_eq!(service.verify(&key.token(&claims())).await, refused(Cause::Claim("client_id".to_owned())));
}

#[tokio::test]
async fn cognitos_client_credentials_tokens_are_recognised_by_a_claim_other_than_aud() {
    let key = SigningKey::rsa("k");
    // The claims that Cognito's documentation shows for the client credentials grant.
    let token = key.token_with(
        &json!({ "alg": "RS256", "kid": "k" }),
        &json!({ "sub": "abc", "token_use": "access", "scope": "mfagate/call", "auth_time": NOW, "iss": ISSUER,
            "exp": NOW + 3600, "iat": NOW, "version": 2, "jti": "1", "client_id": "abc" }),
    );
    for audience in ["client_id=abc", "scope=mfagate/call"] {
        let service = Service::with(&[&key], |options| options.audience = audience.parse().unwrap()).await;
        assert_eq!(service.verify(&token).await.unwrap().name, "abc", "{audience}");
    }
    for audience in ["abc", "client_id=ab", "scope=mfagate", "jti=abc"] {
        let service = Service::with(&[&key], |options| options.audience = audience.parse().unwrap()).await;
        assert_eq!(service.verify(&token).await, refused(Cause::Audience), "{audience}");
    }
}

#[tokio::test]
async fn the_token_of_a_user_does_not_name_the_client_that_the_user_signed_in_with() {
    let key = SigningKey::rsa("k");
    let clients = |options: &mut TokenOptions| {
        options.audience = "client_id=abc".parse().unwrap();
        options.caller_claim = "client_id".to_owned();
    };
    let claims = json!({ "sub": "user-1", "token_use": "access", "scope": "aws.cognito.signin.user.admin", "iss": ISSUER,
        "exp": NOW + 3600, "client_id": "abc", "username": "alice" });
    let token = key.token(&claims);
    assert_eq!(Service::with(&[&key], clients).await.verify(&token).await, refused(Cause::User));
    // Where users are the callers, it names the user.
    let users = |options: &mut TokenOptions| {
        clients(options);
        options.caller_claim = "username".to_owned();
    };
    assert_eq!(Service::with(&[&key], users).await.verify(&token).await.unwrap().name, "alice");
}

#[tokio::test]
async fn a_prefix_precedes_the_name_from_every_token() {
    let key = SigningKey::ed25519("k");
    let service = Service::with(&[&key], |options| options.caller_prefix = "token:".parse().ok()).await;
    assert_eq!(service.verify(&key.token(&claims())).await.unwrap().name, "token:payments");
}

#[tokio::test]
async fn a_request_without_an_authorization_header_names_nobody() {
    let service = Service::start(&[&SigningKey::ed25519("k")]).await;
    assert_eq!(service.verifier.verify(&HeaderMap::new()).await, Ok(None));
}

#[tokio::test]
async fn the_scheme_is_bearer_in_any_case_and_nothing_else() {
    let key = SigningKey::ed25519("k");
    let service = Service::start(&[&key]).await;
    let token = key.token(&claims());
    for scheme in ["Bearer", "bearer", "BEARER"] {
        assert!(service.verifier.verify(&authorization(&format!("{scheme} {token}"))).await.is_ok(), "{scheme}");
    }
    for value in [token.clone(), format!("Basic {token}"), format!("Bearer{token}"), "Bearer".into(), String::new()] {
        let answer = service.verifier.verify(&authorization(&value)).await;
        assert!(matches!(answer, Err(TokenError::Malformed(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn two_authorization_headers_are_malformed_even_if_both_are_valid() {
    let key = SigningKey::ed25519("k");
    let service = Service::start(&[&key]).await;
    let mut headers = authorization(&format!("Bearer {}", key.token(&claims())));
    headers.append(header::AUTHORIZATION, headers[header::AUTHORIZATION].clone());
    let answer = service.verifier.verify(&headers).await;
    assert_eq!(answer, Err(TokenError::Malformed("there are several authorization headers")));
}

#[tokio::test]
async fn what_is_not_a_signed_jwt_is_malformed() {
    let key = SigningKey::ed25519("k");
    let service = Service::start(&[&key]).await;
    let token = key.token(&claims());
    let encoded = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
    for text in [
        "",
        ".",
        "..",
        "abc",
        "a.b",
        &format!("{token}.x"),
        &format!(" {token}"),
        &token.replacen('.', "=.", 1),
        &format!("{}.{}.{}", encoded("{}"), encoded("{}"), encoded("")),
        &format!("{}.{}.{}", encoded("[]"), encoded("{}"), encoded("")),
        &format!("{}.{}.{}", encoded("{\"alg\":7,\"kid\":\"k\"}"), encoded("{}"), encoded("")),
        &format!("{}.{}.{}", encoded(&"[".repeat(4000)), encoded("{}"), encoded("")),
        &key.token(&json!(["sub"])),
        &key.token(&json!("sub")),
    ] {
        let answer = service.verifier.verify(&authorization(&format!("Bearer {text}"))).await;
        assert!(matches!(answer, Err(TokenError::Malformed(_))), "{text}: {answer:?}");
    }
    assert_eq!(service.verify(&format!("{token}=")).await, refused(Cause::Signature));
    let binary = HeaderValue::from_bytes(b"Bearer \xFF\xFE").unwrap();
    let answer = service.verifier.verify(&HeaderMap::from_iter([(header::AUTHORIZATION, binary)])).await;
    assert!(matches!(answer, Err(TokenError::Malformed(_))), "{answer:?}");
}

#[tokio::test]
async fn a_token_beyond_the_limit_is_refused_before_it_is_decoded() {
    let key = SigningKey::ed25519("k");
    let service = Service::start(&[&key]).await;
    let padded = |length: usize| key.token(&claims_with(&json!({ "padding": "x".repeat(length) })));
    let largest = padded(11_000);
    assert!(largest.len() <= LARGEST_TOKEN && service.verify(&largest).await.is_ok());
    for size in [16 * 1024, 1024 * 1024] {
        assert_eq!(service.verify(&padded(size)).await, Err(TokenError::Malformed("it is too large")));
    }
}

#[tokio::test]
async fn a_token_without_a_signature_is_refused() {
    let key = SigningKey::rsa("k");
    let service = Service::start(&[&key]).await;
    for algorithm in ["none", "None", "NONE", "nOnE", ""] {
        let unsigned = signing_input(&json!({ "alg": algorithm, "kid": "k" }), &claims());
        assert_eq!(service.verify(&format!("{unsigned}.")).await, refused(Cause::Algorithm), "{algorithm}");
        let signature = key.token(&claims()).rsplit_once('.').unwrap().1.to_owned();
        assert_eq!(service.verify(&format!("{unsigned}.{signature}")).await, refused(Cause::Algorithm), "{algorithm}");
    }
    let stripped = key.token(&claims()).rsplit_once('.').unwrap().0.to_owned();
    assert_eq!(service.verify(&format!("{stripped}.")).await, refused(Cause::Signature));
}

#[tokio::test]
async fn the_public_key_is_never_used_as_an_hmac_secret() {
    for key in [SigningKey::rsa("k"), SigningKey::p256("k"), SigningKey::ed25519("k")] {
        let service = Service::start(&[&key]).await;
        let (der, bare) = (key.public_der(), key.public_bytes());
        let pem = |label: &str, bytes: &[u8]| {
            let lines =
                BASE64.encode(bytes).as_bytes().chunks(64).map(String::from_utf8_lossy).collect::<Vec<_>>().join("\n");
            format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n").into_bytes()
        };
        let secrets =
            [pem("PUBLIC KEY", &der), pem("RSA PUBLIC KEY", &bare), key.jwk().to_string().into_bytes(), der, bare];
        for secret in secrets {
            let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
            // With the right name the algorithm is refused, with a wrong one the signature is.
            for (algorithm, cause) in [("HS256", Cause::Algorithm), (key.algorithm(), Cause::Signature)] {
                let signed = signing_input(&json!({ "alg": algorithm, "kid": "k" }), &claims());
                let signature = aws_lc_rs::hmac::sign(&secret, signed.as_bytes());
                let token = format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()));
                assert_eq!(service.verify(&token).await, refused(cause), "{algorithm}");
            }
        }
    }
}

#[tokio::test]
async fn the_algorithm_must_fit_the_key() {
    let (rsa, p256, ed25519) = (SigningKey::rsa("r"), SigningKey::p256("p"), SigningKey::ed25519("e"));
    let service = Service::start(&[&rsa, &p256, &ed25519]).await;
    for (key, algorithm) in [(&rsa, "ES256"), (&rsa, "EdDSA"), (&p256, "RS256"), (&p256, "EdDSA"), (&ed25519, "ES256")]
    {
        let token = key.token_with(&json!({ "alg": algorithm, "kid": key.id }), &claims());
        assert_eq!(service.verify(&token).await, refused(Cause::KeyOfAnotherAlgorithm), "{algorithm}");
    }
    for algorithm in ["RS384", "RS512", "PS512", "ES384", "HS512", "rs256", "RSA-OAEP"] {
        let token = rsa.token_with(&json!({ "alg": algorithm, "kid": "r" }), &claims());
        assert_eq!(service.verify(&token).await, refused(Cause::Algorithm), "{algorithm}");
    }
}

#[tokio::test]
async fn a_key_with_a_declared_algorithm_is_used_for_no_other() {
    let key = SigningKey::rsa("k");
    let mut jwk = key.jwk();
    jwk["alg"] = json!("PS256");
    let service = Service::start(&[]).await;
    service.server.reply_with(JwksReply::Body(json!({ "keys": [jwk] }).to_string()));
    assert_eq!(service.verifier.reload().await.unwrap(), KeyReload::Changed);
    let pss = key.token_with(&json!({ "alg": "PS256", "kid": "k" }), &claims());
    assert!(service.verify(&pss).await.is_ok());
    assert_eq!(service.verify(&key.token(&claims())).await, refused(Cause::KeyOfAnotherAlgorithm));
}

#[tokio::test]
async fn a_token_signed_by_another_key_is_refused_whatever_key_it_carries() {
    let (key, attacker) = (SigningKey::rsa("k"), SigningKey::rsa("k"));
    let service = Service::start(&[&key]).await;
    assert_eq!(service.verify(&attacker.token(&claims())).await, refused(Cause::Signature));
    let theirs = JwksServer::start(JwksReply::Body(jwks(&[&attacker]))).await;
    let header = json!({ "alg": "RS256", "kid": "k", "jwk": attacker.jwk(), "jku": theirs.url(), "x5u": theirs.url() });
    assert_eq!(service.verify(&attacker.token_with(&header, &claims())).await, refused(Cause::Signature));
    assert_eq!(theirs.requested_paths(), [""; 0], "a token's own key set is never fetched");

    let good = key.token(&claims());
    let [header, _, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    let forged = BASE64URL_NOPAD.encode(claims_with(&json!({ "sub": "admin" })).to_string().as_bytes());
    assert_eq!(service.verify(&format!("{header}.{forged}.{signature}")).await, refused(Cause::Signature));
}

#[tokio::test]
async fn the_caller_is_told_of_expiry_only_if_the_token_was_valid_before() {
    let (key, attacker) = (SigningKey::ed25519("k"), SigningKey::ed25519("k"));
    let service = Service::start(&[&key]).await;
    let token = key.token(&claims());
    assert!(service.verify(&token).await.is_ok());
    service.clock.advance(3600 + 29);
    assert!(service.verify(&token).await.is_ok());
    service.clock.advance(1);
    assert_eq!(service.verify(&token).await, Err(TokenError::Expired));
    assert_eq!(service.verify(&attacker.token(&claims())).await, refused(Cause::Signature));
    let of_another_issuer = key.token(&claims_with(&json!({ "iss": "https://other.example" })));
    assert_eq!(service.verify(&of_another_issuer).await, refused(Cause::Issuer));
}

#[tokio::test]
async fn tokens_for_another_audience_or_a_later_time_are_refused() {
    let key = SigningKey::ed25519("k");
    let service = Service::start(&[&key]).await;
    for (changes, cause) in [
        (json!({ "iss": "https://issuer.example/other" }), Cause::Issuer),
        (json!({ "aud": "other" }), Cause::Audience),
        (json!({ "aud": ["other", "another"] }), Cause::Audience),
        (json!({ "nbf": NOW + 31 }), Cause::NotYetValid),
        (json!({ "exp": null }), Cause::Claim("exp".to_owned())),
        (json!({ "sub": "" }), Cause::Claim("sub".to_owned())),
    ] {
        assert_eq!(service.verify(&key.token(&claims_with(&changes))).await, refused(cause), "{changes}");
    }
    assert!(service.verify(&key.token(&claims_with(&json!({ "aud": ["other", "mfagate"] })))).await.is_ok());
}

#[tokio::test]
async fn tokens_of_other_kinds_and_with_extensions_are_refused() {
    let key = SigningKey::ed25519("k");
    let service = Service::start(&[&key]).await;
    let with = |extra: &Value| {
        let mut header = json!({ "alg": "EdDSA", "kid": "k" });
        header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        key.token_with(&header, &claims())
    };
    for typ in ["JWT", "jwt", "at+jwt", "application/at+jwt"] {
        assert!(service.verify(&with(&json!({ "typ": typ }))).await.is_ok(), "{typ}");
    }
    for typ in ["logout+jwt", "dpop+jwt", "secevent+jwt", "JOSE", ""] {
        let answer = service.verify(&with(&json!({ "typ": typ }))).await;
        assert_eq!(answer, refused(Cause::Header("typ is not that of an access token")), "{typ}");
    }
    for crit in [json!(["b64"]), json!([]), json!("exp")] {
        let answer = service.verify(&with(&json!({ "crit": crit, "b64": false }))).await;
        assert_eq!(answer, refused(Cause::Header("crit asks for extensions")));
    }
}

#[tokio::test]
async fn a_key_id_is_required() {
    let key = SigningKey::ed25519("k");
    let service = Service::start(&[&key]).await;
    for header in [json!({ "alg": "EdDSA" }), json!({ "alg": "EdDSA", "kid": "" })] {
        assert_eq!(service.verify(&key.token_with(&header, &claims())).await, refused(Cause::NoKeyId));
    }
    assert_eq!(service.server.requested_paths().len(), 1, "what names no key is worth no fetch");
}

#[tokio::test]
async fn made_up_key_ids_cause_at_most_one_fetch_in_thirty_seconds() {
    let key = SigningKey::ed25519("k");
    let service = Service::start(&[&key]).await;
    let made_up = ["../../etc/passwd", "k/../k", "' OR 1=1 --", "k\u{0}", "http://127.0.0.1/", "K", &"k".repeat(4000)];
    let try_all = async || {
        for id in made_up {
            let token = key.token_with(&json!({ "alg": "EdDSA", "kid": id }), &claims());
            assert_eq!(service.verify(&token).await, refused(Cause::UnknownKey), "{id}");
        }
    };
    try_all().await;
    assert_eq!(service.server.requested_paths(), ["/keys"], "the fetch at the start was a moment ago");
    service.clock.advance(30);
    try_all().await;
    service.clock.advance(29);
    try_all().await;
    assert_eq!(service.server.requested_paths(), ["/keys", "/keys"]);
    service.clock.advance(1);
    try_all().await;
    assert_eq!(service.server.requested_paths(), ["/keys", "/keys", "/keys"]);
    assert!(service.verify(&key.token(&claims())).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_rotate_under_load_with_one_fetch_and_no_refusal() {
    let (old, new) = (SigningKey::ed25519("old"), SigningKey::ed25519("new"));
    let service = Arc::new(Service::start(&[&old]).await);
    service.server.reply_with(JwksReply::Body(jwks(&[&old, &new])));
    service.clock.advance(60);

    let mut calls = tokio::task::JoinSet::new();
    for call in 0..400 {
        let token = if call % 2 == 0 { old.token(&claims()) } else { new.token(&claims()) };
        let service = Arc::clone(&service);
        calls.spawn(async move { service.verify(&token).await });
    }
    while let Some(answer) = calls.join_next().await {
        assert_eq!(answer.unwrap().unwrap().name, "payments");
    }
    assert_eq!(service.server.requested_paths().len(), 2, "the start and one fetch for all who waited");
}

#[tokio::test]
async fn a_withdrawn_key_is_dropped_by_the_next_background_fetch() {
    let (old, new) = (SigningKey::ed25519("old"), SigningKey::ed25519("new"));
    let service = Service::with(&[&old], |options| options.times.url = Duration::from_millis(5)).await;
    assert!(service.verify(&old.token(&claims())).await.is_ok());
    service.server.reply_with(JwksReply::Body(jwks(&[&new])));
    // The first of these may still have read the old reply; the last began when the one before was in use.
    service.server.wait_for_requests(service.server.requested_paths().len() + 3).await;
    assert!(service.verify(&new.token(&claims())).await.is_ok());
    assert_eq!(service.verify(&old.token(&claims())).await, refused(Cause::UnknownKey));
}

/// Whether a fault is the expected one.
type Check = fn(&SourceFault) -> bool;

#[tokio::test]
async fn the_last_valid_keys_stay_in_use_when_the_endpoint_fails() {
    let (key, other) = (SigningKey::ed25519("k"), SigningKey::ed25519("other"));
    let times = |options: &mut TokenOptions| options.times.timeout = Duration::from_millis(200);
    let service = Service::with(&[&key], times).await;
    let huge = json!({ "keys": [other.jwk()], "padding": "x".repeat(256 * 1024) }).to_string();
    let duplicate = json!({ "keys": [other.jwk(), SigningKey::p256("other").jwk()] }).to_string();
    let answers: [(JwksReply, Check); 9] = [
        (JwksReply::Stalled, |fault| matches!(fault, SourceFault::TimedOut)),
        (JwksReply::Body(huge), |fault| matches!(fault, SourceFault::TooLarge)),
        (JwksReply::Body("<html>".to_owned()), |fault| matches!(fault, SourceFault::KeySet(KeySetFault::NotAKeySet))),
        (JwksReply::Body("[]".to_owned()), |fault| matches!(fault, SourceFault::KeySet(KeySetFault::NotAKeySet))),
        (JwksReply::Body("{\"keys\":[]}".to_owned()), |fault| {
            matches!(fault, SourceFault::KeySet(KeySetFault::NoUsableKey))
        }),
        (JwksReply::Body(duplicate), |fault| matches!(fault, SourceFault::KeySet(KeySetFault::DuplicateKeyId))),
        (JwksReply::Status(500), |fault| matches!(fault, SourceFault::Status(status) if status.as_u16() == 500)),
        (JwksReply::Status(204), |fault| matches!(fault, SourceFault::Status(status) if status.as_u16() == 204)),
        (JwksReply::Redirect("/moved", jwks(&[&other])), |fault| matches!(fault, SourceFault::Status(_))),
    ];
    for (answer, expected) in answers {
        service.server.reply_with(answer.clone());
        let fault = service.verifier.reload().await.unwrap_err();
        assert!(expected(&fault), "{answer:?}: {fault}");
        service.clock.advance(60);
        assert!(service.verify(&key.token(&claims())).await.is_ok(), "{answer:?}");
        assert_eq!(service.verify(&other.token(&claims())).await, refused(Cause::UnknownKey), "{answer:?}");
    }
    assert!(
        service.server.requested_paths().iter().all(|path| path == "/keys"),
        "{:?}",
        service.server.requested_paths()
    );

    service.server.reply_with(JwksReply::Body(jwks(&[&other])));
    assert_eq!(service.verifier.reload().await.unwrap(), KeyReload::Changed);
    assert!(service.verify(&other.token(&claims())).await.is_ok());
}

#[tokio::test]
async fn known_keys_are_used_at_once_while_the_endpoint_is_slow() {
    let (key, unknown) = (SigningKey::ed25519("k"), SigningKey::ed25519("unknown"));
    let service = Arc::new(Service::start(&[&key]).await);
    service.server.reply_with(JwksReply::Stalled);
    service.clock.advance(60);
    let waiting = tokio::spawn({
        let (service, token) = (Arc::clone(&service), unknown.token(&claims()));
        async move { service.verify(&token).await }
    });
    service.server.wait_for_requests(2).await;
    // The fetch is in flight and ends in seconds at the earliest.
    for _ in 0..10 {
        assert!(service.verify(&key.token(&claims())).await.is_ok());
    }
    assert!(!waiting.is_finished());
    waiting.abort();
}

#[tokio::test]
async fn a_caller_who_leaves_does_not_cancel_the_fetch_that_others_need() {
    let (old, new) = (SigningKey::ed25519("old"), SigningKey::ed25519("new"));
    let service = Arc::new(Service::start(&[&old]).await);
    service.server.reply_with(JwksReply::Body(jwks(&[&old, &new])));
    service.clock.advance(60);
    let token = old.token_with(&json!({ "alg": "EdDSA", "kid": "made up" }), &claims());
    let headers = authorization(&format!("Bearer {token}"));
    {
        let leaving = service.verifier.verify(&headers);
        tokio::pin!(leaving);
        // Polled once and dropped, as when the client resets the call. That uses up the fetch of these thirty seconds.
        let first = std::future::poll_fn(|context| std::task::Poll::Ready(leaving.as_mut().poll(context))).await;
        assert!(first.is_pending());
    }
    service.server.wait_for_requests(2).await;
    assert!(service.verify(&new.token(&claims())).await.is_ok());
    assert_eq!(service.server.requested_paths().len(), 2);
}

#[tokio::test]
async fn an_endpoint_that_is_down_at_startup_is_retried_until_it_is_up() {
    let key = SigningKey::ed25519("k");
    let free = listen().await;
    let address = free.local_addr().unwrap();
    drop(free);
    let clock = TestClock::new();
    let mut options = options(KeySource::Url(format!("http://{address}/keys").parse().unwrap()), &clock);
    options.times.without_keys = Duration::from_millis(5);
    let verifier = TokenVerifier::start(options).await.unwrap();
    assert_eq!(verify(&verifier, &key.token(&claims())).await, refused(Cause::UnknownKey));
    assert!(matches!(verifier.reload().await, Err(SourceFault::Request(_))));

    let server = JwksServer::start_on(TcpListener::bind(address).await.unwrap(), JwksReply::Body(jwks(&[&key])));
    server.wait_for_requests(1).await;
    // The fetch that was seen holds the lock that this one waits for.
    verifier.reload().await.unwrap();
    assert!(verify(&verifier, &key.token(&claims())).await.is_ok());
}

#[tokio::test]
async fn keys_for_other_uses_and_keys_that_anyone_can_sign_with_are_ignored() {
    let (key, other) = (SigningKey::p256("k"), SigningKey::rsa("other"));
    let service = Service::start(&[]).await;
    let changed = |field: &str, value: Value| {
        let mut jwk = other.jwk();
        jwk[field] = value;
        jwk
    };
    for ignored in [
        changed("use", json!("enc")),
        changed("key_ops", json!(["encrypt"])),
        changed("alg", json!("HS256")),
        changed("alg", json!("RSA-OAEP")),
        changed("alg", json!("RS512")),
        changed("alg", json!("unheard of")),
        changed("alg", json!(7)),
        changed("d", json!("AQAB")),
        changed("kty", json!("new")),
        changed("n", json!(BASE64URL_NOPAD.encode(&[0xFF; 128]))),
        changed("n", json!("not base64url!")),
        changed("kid", Value::Null),
        json!({ "kty": "oct", "kid": "other", "k": "AAAA", "alg": "HS256" }),
        json!({ "kty": "EC", "crv": "P-384", "kid": "other", "x": "AA", "y": "AA" }),
        json!("text"),
    ] {
        service.server.reply_with(JwksReply::Body(json!({ "keys": [ignored, key.jwk()] }).to_string()));
        assert_eq!(service.verifier.reload().await.unwrap(), KeyReload::Changed, "{ignored}");
        assert!(service.verify(&key.token(&claims())).await.is_ok(), "{ignored}");
        assert_eq!(service.verify(&other.token(&claims())).await, refused(Cause::UnknownKey), "{ignored}");
    }
}

#[tokio::test]
async fn a_key_file_must_be_valid_at_startup_and_its_keys_stay_when_it_turns_invalid() {
    let (old, new) = (SigningKey::ed25519("old"), SigningKey::ed25519("new"));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.json");
    let clock = TestClock::new();
    let options = || options(KeySource::File(path.clone()), &clock);
    assert!(matches!(TokenVerifier::start(options()).await, Err(SourceFault::Unreadable(_))));
    std::fs::write(&path, "{}").unwrap();
    assert!(matches!(TokenVerifier::start(options()).await, Err(SourceFault::KeySet(KeySetFault::NotAKeySet))));

    std::fs::write(&path, jwks(&[&old])).unwrap();
    let verifier = TokenVerifier::start(options()).await.unwrap();
    assert!(verify(&verifier, &old.token(&claims())).await.is_ok());
    assert_eq!(verifier.reload().await.unwrap(), KeyReload::Unchanged);

    std::fs::remove_file(&path).unwrap();
    assert!(matches!(verifier.reload().await, Err(SourceFault::Unreadable(_))));
    std::fs::write(&path, "x".repeat(256 * 1024 + 1)).unwrap();
    assert!(matches!(verifier.reload().await, Err(SourceFault::TooLarge)));
    assert!(verify(&verifier, &old.token(&claims())).await.is_ok());

    std::fs::write(&path, jwks(&[&new])).unwrap();
    assert_eq!(verifier.reload().await.unwrap(), KeyReload::Changed);
    assert!(verify(&verifier, &new.token(&claims())).await.is_ok());
    assert_eq!(verify(&verifier, &old.token(&claims())).await, refused(Cause::UnknownKey));
}

#[tokio::test]
async fn a_changed_key_file_is_noticed() {
    let (old, new) = (SigningKey::ed25519("old"), SigningKey::ed25519("new"));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.json");
    std::fs::write(&path, jwks(&[&old])).unwrap();
    let clock = TestClock::new();
    let mut options = options(KeySource::File(path.clone()), &clock);
    options.times.file = Duration::from_millis(1);
    let verifier = TokenVerifier::start(options).await.unwrap();
    let replacement = directory.path().join("new.json");
    std::fs::write(&replacement, jwks(&[&new])).unwrap();
    std::fs::rename(replacement, &path).unwrap();
    // The clock stands still, so no unknown key makes the file be read: only the background task does.
    let token = new.token(&claims());
    let noticed = async { while verify(&verifier, &token).await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(30), noticed).await.expect("the change is noticed");
}

#[test]
fn a_key_set_is_fetched_over_https_or_from_loopback() {
    for url in ["https://issuer.example/keys", "http://127.0.0.1:1/k", "http://localhost/k", "http://[::1]:80/k"] {
        assert!(url.parse::<mfagate::access::token::KeySetUrl>().is_ok(), "{url}");
    }
    for url in [
        "http://issuer.example/keys",
        "http://localhost.example/keys",
        "http://127.0.0.1@issuer.example/keys",
        "https://user:password@issuer.example/keys",
        "http://0.0.0.0/keys",
        "file:///keys",
        "ftp://127.0.0.1/keys",
        "/keys",
        "127.0.0.1",
        "",
    ] {
        assert!(url.parse::<mfagate::access::token::KeySetUrl>().is_err(), "{url}");
    }
}
