//! Behaviour of the role that is assumed for each caller, before an STS over real HTTP.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::config::{
    self, BehaviorVersion, IdentityCache, ProvideCredentials as _, Region, SharedCredentialsProvider,
};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use mfagate::cognito::{AssumedRole, Credentials, Endpoint, RoleOptions, SessionName};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

const ROLE: &str = "arn:aws:iam::123456789012:role/mfagate";
const HOUR: Duration = Duration::from_hours(1);
const MINUTE: Duration = Duration::from_mins(1);

/// A part of STS: `AssumeRole`, over HTTP.
#[derive(Clone)]
struct FakeSts {
    url: String,
    state: Arc<State>,
}

struct State {
    asked: watch::Sender<Vec<Asked>>,
    answer: Mutex<Answer>,
    /// Whether answers wait.
    held: watch::Sender<bool>,
}

/// What a request asked for, and whose access key signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    session: String,
    role: String,
    access_key: String,
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    /// Credentials that are good for so long.
    Grant(Duration),
    /// `AccessDenied`.
    Refuse,
    /// HTTP 200 with something else.
    Nonsense,
}

impl FakeSts {
    async fn start() -> Self {
        let state = Arc::new(State {
            asked: watch::Sender::default(),
            answer: Mutex::new(Answer::Grant(HOUR)),
            held: watch::Sender::new(false),
        });
        let shared = Arc::clone(&state);
        let app = Router::new().route(
            "/",
            post(move |headers: HeaderMap, body: Bytes| {
                let state = Arc::clone(&shared);
                async move { state.answer(&headers, &body).await }
            }),
        );
        Self { url: serve(app).await, state }
    }

    /// The role, and the way to it.
    fn role(&self) -> AssumedRole {
        let options = RoleOptions {
            arn: ROLE.parse().unwrap(),
            region: "eu-west-1".to_owned(),
            endpoint: Endpoint::Url(self.url.clone()),
        };
        AssumedRole::new(options, &Credentials::for_development())
    }

    fn will(&self, answer: Answer) {
        *self.state.answer.lock().unwrap() = answer;
    }

    fn asked(&self) -> Vec<Asked> {
        self.state.asked.borrow().clone()
    }

    /// Done when so many requests have come.
    async fn until_asked(&self, times: usize) {
        let mut asked = self.state.asked.subscribe();
        let came = asked.wait_for(|asked| asked.len() >= times);
        // Without a limit, a question that never comes would hold up the tests instead of failing one.
        tokio::time::timeout(Duration::from_secs(10), came).await.unwrap().unwrap();
    }

    fn times(&self) -> usize {
        self.asked().len()
    }

    /// Lets nothing be answered until `go_on`.
    fn hold(&self) {
        self.state.held.send_replace(true);
    }

    fn go_on(&self) {
        self.state.held.send_replace(false);
    }
}

impl State {
    async fn answer(&self, headers: &HeaderMap, body: &[u8]) -> (StatusCode, String) {
        let form: Vec<(String, String)> = url::form_urlencoded::parse(body).into_owned().collect();
        let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap();
        assert_eq!(field("Action"), "AssumeRole");
        let session = field("RoleSessionName");
        let mut number = 0;
        self.asked.send_modify(|asked| {
            asked.push(Asked { session: session.clone(), role: field("RoleArn"), access_key: access_key(headers) });
            number = asked.len();
        });
        self.held.subscribe().wait_for(|held| !held).await.unwrap();
        let answer = *self.answer.lock().unwrap();
        match answer {
            Answer::Grant(lasts) => {
                let end = DateTime::from(SystemTime::now() + lasts).fmt(Format::DateTime).unwrap();
                let keys = format!(
                    "<AccessKeyId>ASIA{number}{session}</AccessKeyId><SecretAccessKey>secret-canary</SecretAccessKey>\
                     <SessionToken>token-of-{session}</SessionToken><Expiration>{end}</Expiration>"
                );
                (StatusCode::OK, envelope(&format!("<Credentials>{keys}</Credentials>")))
            }
            Answer::Refuse => {
                let error = "<Type>Sender</Type><Code>AccessDenied</Code><Message>User: arn:aws:iam::123456789012:user/x \
                     is not authorized to perform: sts:AssumeRole</Message>";
                let text = format!("<ErrorResponse><Error>{error}</Error><RequestId>r-1</RequestId></ErrorResponse>");
                (StatusCode::FORBIDDEN, text)
            }
            Answer::Nonsense => (StatusCode::OK, envelope("")),
        }
    }
}

fn envelope(result: &str) -> String {
    format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>{result}\
         </AssumeRoleResult><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></AssumeRoleResponse>"
    )
}

/// The access key in a signature (Signature Version 4): the first part of `Credential`.
fn access_key(headers: &HeaderMap) -> String {
    let signature = headers["authorization"].to_str().unwrap();
    let credential = signature.split("Credential=").nth(1).unwrap();
    credential.split('/').next().unwrap().to_owned()
}

async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}

async fn key_of(provider: &SharedCredentialsProvider) -> Result<String, String> {
    let keys = provider.provide_credentials().await.map_err(|error| {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        source.unwrap_or_else(|| error.to_string())
    })?;
    Ok(keys.access_key_id().to_owned())
}

#[tokio::test]
async fn each_caller_signs_with_a_session_of_its_own_through_one_client() {
    let signatures = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&signatures);
    let cognito = serve(Router::new().route(
        "/",
        post(move |headers: HeaderMap| {
            let token = headers["x-amz-security-token"].to_str().unwrap().to_owned();
            seen.lock().unwrap().push((access_key(&headers), token));
            async { ([("content-type", "application/x-amz-json-1.1")], "{}") }
        }),
    ))
    .await;
    // As `Cognito` has it: one client and one identity cache for everybody.
    let shared = config::Builder::new()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .identity_cache(IdentityCache::lazy().build())
        .credentials_provider(config::Credentials::new("base", "base", None, None, "test"))
        .region(Region::new("eu-west-1"))
        .endpoint_url(cognito);
    let client = Client::from_conf(shared.build());

    let sts = FakeSts::start().await;
    let role = sts.role();
    let call = async |caller: &str| {
        let config = config::Builder::new().credentials_provider(role.for_caller(caller));
        let call = client.admin_delete_software_token().user_pool_id("eu-west-1_Ab1").username("alice");
        call.customize().config_override(config).send().await.unwrap();
    };
    for caller in ["payments", "support", "payments", "spiffe://example.org/desk", "support"] {
        call(caller).await;
    }

    let desk = SessionName::of("spiffe://example.org/desk");
    let desk = desk.as_str();
    let expected = [("1", "payments"), ("2", "support"), ("1", "payments"), ("3", desk), ("2", "support")];
    let expected: Vec<_> =
        expected.map(|(number, name)| (format!("ASIA{number}{name}"), format!("token-of-{name}"))).into();
    assert_eq!(*signatures.lock().unwrap(), expected);
    let asked = |session: &str| Asked {
        session: session.to_owned(),
        role: ROLE.to_owned(),
        access_key: "development".to_owned(),
    };
    assert_eq!(sts.asked(), ["payments", "support", desk].map(asked));
    assert!(desk.starts_with("example.org-desk-"), "{desk}");
}

#[tokio::test]
async fn callers_at_the_same_time_share_one_question_and_its_failure() {
    let sts = FakeSts::start().await;
    let role = Arc::new(sts.role());
    for (answer, expected) in [
        (Answer::Refuse, Err("sts refused to let the role be assumed: AccessDenied".to_owned())),
        (Answer::Nonsense, Err("sts answered without credentials".to_owned())),
        (Answer::Grant(HOUR), Ok("payments")),
    ] {
        sts.will(answer);
        sts.hold();
        let before = sts.times();
        let mut callers = JoinSet::new();
        // On this runtime of one thread, each has begun to wait before the answer is let go.
        for _ in 0..8 {
            let provider = role.for_caller("payments");
            callers.spawn(async move { key_of(&provider).await });
        }
        sts.until_asked(before + 1).await;
        sts.go_on();
        while let Some(outcome) = callers.join_next().await {
            match (&outcome.unwrap(), &expected) {
                (Ok(key), Ok(name)) => assert_eq!(*key, format!("ASIA{}{name}", before + 1)),
                (Err(error), Err(expected)) => assert_eq!(error, expected),
                (outcome, expected) => panic!("{outcome:?} instead of {expected:?}"),
            }
        }
        assert_eq!(sts.times(), before + 1);
    }
}

#[tokio::test]
async fn credentials_are_renewed_before_they_end_and_used_while_sts_fails() {
    let sts = FakeSts::start().await;
    let role = sts.role();
    let provider = role.for_caller("payments");

    sts.will(Answer::Grant(6 * MINUTE));
    assert_eq!(key_of(&provider).await.unwrap(), "ASIA1payments");
    assert_eq!(key_of(&provider).await.unwrap(), "ASIA1payments");
    assert_eq!(sts.times(), 1, "good for more than five minutes");

    let provider = role.for_caller("support");
    sts.will(Answer::Grant(4 * MINUTE));
    assert_eq!(key_of(&provider).await.unwrap(), "ASIA2support");
    // Renewing is not waited for, and its failure is nobody's.
    sts.hold();
    sts.will(Answer::Refuse);
    assert_eq!(key_of(&provider).await.unwrap(), "ASIA2support");
    sts.until_asked(3).await;
    assert_eq!(key_of(&provider).await.unwrap(), "ASIA2support");
    assert_eq!(sts.times(), 3, "one renewal at a time");
    sts.go_on();
    let renewed = async {
        loop {
            let asked = sts.times();
            let key = key_of(&provider).await.unwrap();
            if key != "ASIA2support" {
                break key;
            }
            // The failed renewal is followed by another, which is granted.
            if asked > 3 {
                sts.will(Answer::Grant(HOUR));
            }
            tokio::task::yield_now().await;
        }
    };
    let renewed = tokio::time::timeout(MINUTE, renewed).await.unwrap();
    assert!(renewed.ends_with("support"), "{renewed}");

    // Credentials that have all but ended are not used.
    let provider = role.for_caller("desk");
    sts.will(Answer::Grant(Duration::from_secs(20)));
    let first = key_of(&provider).await.unwrap();
    sts.will(Answer::Refuse);
    assert_eq!(key_of(&provider).await, Err("sts refused to let the role be assumed: AccessDenied".to_owned()));
    sts.will(Answer::Grant(HOUR));
    assert_ne!(key_of(&provider).await.unwrap(), first);
}

#[tokio::test]
async fn a_caller_that_cannot_wait_leaves_the_answer_for_the_next() {
    let sts = FakeSts::start().await;
    let role = sts.role();
    let provider = role.for_caller("payments");
    sts.hold();
    tokio::select! {
        outcome = key_of(&provider) => panic!("{outcome:?}"),
        () = sts.until_asked(1) => {}
    }
    sts.go_on();
    assert_eq!(key_of(&provider).await.unwrap(), "ASIA1payments");
    assert_eq!(sts.times(), 1);
}

#[tokio::test]
async fn the_credentials_of_256_callers_are_kept_and_those_not_seen_for_longest_make_room() {
    let sts = FakeSts::start().await;
    let role = sts.role();
    let call = async |number: usize| key_of(&role.for_caller(&format!("caller-{number}"))).await.unwrap();
    for number in 0..256 {
        call(number).await;
    }
    call(0).await;
    assert_eq!(sts.times(), 256);
    call(256).await;
    call(0).await;
    assert_eq!(sts.times(), 257, "the first was seen last");
    call(1).await;
    assert_eq!(sts.times(), 258, "the second made room");
}

#[tokio::test]
async fn an_sts_that_is_not_there_is_said_to_be_so_and_nothing_prints_a_key() {
    let options = RoleOptions {
        arn: ROLE.parse().unwrap(),
        region: "eu-west-1".to_owned(),
        // Nothing listens on the port that is reserved for discarding.
        endpoint: Endpoint::Url("http://127.0.0.1:9".to_owned()),
    };
    let role = AssumedRole::new(options, &Credentials::for_development());
    let error = key_of(&role.for_caller("payments")).await.unwrap_err();
    assert!(error.starts_with("sts could not be asked: "), "{error}");

    let sts = FakeSts::start().await;
    let role = sts.role();
    let provider = role.for_caller("payments");
    key_of(&provider).await.unwrap();
    let printed = format!("{role:?} {provider:?}");
    assert!(printed.contains("payments") && !printed.contains("canary") && !printed.contains("token-of"), "{printed}");
}
