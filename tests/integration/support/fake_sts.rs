//! A fake STS: `AssumeRole` over real HTTP.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use mfagate::cognito::{AssumedRole, Credentials, Endpoint, RoleOptions};
use tokio::sync::watch;

use crate::support::loopback::serve;

/// The role that is assumed.
pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/mfagate";
/// How long its credentials are valid unless a test says otherwise.
pub(crate) const HOUR: Duration = Duration::from_hours(1);

/// A fake STS with `AssumeRole`, over HTTP.
#[derive(Clone)]
pub(crate) struct FakeSts {
    pub(crate) url: String,
    state: Arc<State>,
}

struct State {
    asked: watch::Sender<Vec<AssumeRoleRequest>>,
    answer: Mutex<StsReply>,
    /// Whether replies are held back.
    held: watch::Sender<bool>,
}

/// One request for the role, and the access key that signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AssumeRoleRequest {
    pub(crate) session: String,
    pub(crate) role: String,
    pub(crate) access_key: String,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum StsReply {
    /// Credentials that are valid for so long.
    Grant(Duration),
    /// `AccessDenied`.
    Refuse,
    /// HTTP 200 without credentials.
    Malformed,
}

impl FakeSts {
    pub(crate) async fn start() -> Self {
        let state = Arc::new(State {
            asked: watch::Sender::default(),
            answer: Mutex::new(StsReply::Grant(HOUR)),
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

    /// The role, assumed at this STS. No failure is remembered.
    pub(crate) fn role(&self) -> AssumedRole {
        self.role_with_pauses().with_first_pause(Duration::ZERO)
    }

    /// The role, assumed at this STS. A failure is remembered as in production.
    pub(crate) fn role_with_pauses(&self) -> AssumedRole {
        let options = RoleOptions {
            arn: ROLE.parse().unwrap(),
            region: "eu-west-1".to_owned(),
            endpoint: Endpoint::Url(self.url.clone()),
        };
        AssumedRole::new(options, &Credentials::for_development())
    }

    pub(crate) fn reply_with(&self, answer: StsReply) {
        *self.state.answer.lock().unwrap() = answer;
    }

    pub(crate) fn requests(&self) -> Vec<AssumeRoleRequest> {
        self.state.asked.borrow().clone()
    }

    /// Waits until so many requests have arrived.
    pub(crate) async fn wait_for_requests(&self, times: usize) {
        let mut asked = self.state.asked.subscribe();
        let came = asked.wait_for(|asked| asked.len() >= times);
        // Without a limit, a request that never comes would hang the tests instead of failing one.
        tokio::time::timeout(Duration::from_secs(10), came).await.unwrap().unwrap();
    }

    pub(crate) fn request_count(&self) -> usize {
        self.requests().len()
    }

    /// Holds all replies back until `release`.
    pub(crate) fn hold(&self) {
        self.state.held.send_replace(true);
    }

    pub(crate) fn release(&self) {
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
            asked.push(AssumeRoleRequest {
                session: session.clone(),
                role: field("RoleArn"),
                access_key: access_key(headers),
            });
            number = asked.len();
        });
        self.held.subscribe().wait_for(|held| !held).await.unwrap();
        let answer = *self.answer.lock().unwrap();
        match answer {
            StsReply::Grant(lasts) => {
                let end = DateTime::from(SystemTime::now() + lasts).fmt(Format::DateTime).unwrap();
                let keys = format!(
                    "<AccessKeyId>ASIA{number}{session}</AccessKeyId><SecretAccessKey>secret-canary</SecretAccessKey>\
                     <SessionToken>token-of-{session}</SessionToken><Expiration>{end}</Expiration>"
                );
                (StatusCode::OK, envelope(&format!("<Credentials>{keys}</Credentials>")))
            }
            StsReply::Refuse => {
                let error = "<Type>Sender</Type><Code>AccessDenied</Code><Message>User: arn:aws:iam::123456789012:user/x \
                     is not authorized to perform: sts:AssumeRole</Message>";
                let text = format!("<ErrorResponse><Error>{error}</Error><RequestId>r-1</RequestId></ErrorResponse>");
                (StatusCode::FORBIDDEN, text)
            }
            StsReply::Malformed => (StatusCode::OK, envelope("")),
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
pub(crate) fn access_key(headers: &HeaderMap) -> String {
    let signature = headers["authorization"].to_str().unwrap();
    let credential = signature.split("Credential=").nth(1).unwrap();
    credential.split('/').next().unwrap().to_owned()
}
