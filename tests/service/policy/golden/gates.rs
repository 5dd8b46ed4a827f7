//! This file opens the gates of the golden access table: the real program with the example policies, and its callers.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mfagate::access::Caller as Named;
use mfagate::proto::Rpc;
use prost::Message;
use serde_json::{Value, json};
use tempfile::TempDir;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_prost::ProstCodec;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;

use crate::authority::{Authority, channel_over, uri};
use crate::binary::{AWS_KEYS, Binary};
use crate::issuer::{SigningKey, key_set};
use crate::policy::{client, example_directory, workload};
use crate::support::{CognitoControl, TestService};

const AUDITOR: &str = "3k9audit0client";
const AUDIT_SCOPE: &str = "mfagate/audit";

/// The issuer of the company, whose tokens the examples know, and another.
const ISSUERS: [&str; 2] = ["https://login.example.org", "https://login.example.net"];

/// The gates, by the place of the issuer that they trust.
const OF_THE_COMPANY: usize = 0;
const OF_ANOTHER: usize = 1;

/// One caller of the table.
pub(super) struct Caller {
    pub(super) name: &'static str,
    /// Whom the policies see, if anybody.
    pub(super) named: Option<Named>,
    gate: usize,
    presents: Proof,
}

/// What a caller presents.
enum Proof {
    /// A client certificate for this SPIFFE ID.
    Certificate(String),
    /// A bearer token of the auditor, of this issuer.
    Token(&'static str),
    Nothing,
}

/// The callers of the examples, one that nobody knows, one with the token of an issuer that is not trusted, and one that
/// presents nothing.
pub(super) fn callers() -> Vec<Caller> {
    let by_certificate = |name, path: &str| {
        let id = format!("spiffe://example.org/{path}");
        Caller { name, named: Some(workload(&id)), gate: OF_THE_COMPANY, presents: Proof::Certificate(id) }
    };
    let by_token = |name, issuer: &'static str, gate, trusted: bool| Caller {
        name,
        named: trusted.then(|| client(AUDITOR, issuer, &[AUDIT_SCOPE], &[])),
        gate,
        presents: Proof::Token(issuer),
    };
    let [ours, theirs] = ISSUERS;
    vec![
        by_certificate("account-settings", "account-settings"),
        by_certificate("support-tool", "support-tool"),
        by_certificate("onboarding-job", "onboarding-job"),
        by_certificate("platform-console", "platform-console"),
        by_certificate("security-console", "security-console"),
        by_certificate("engineer/alice", "engineer/alice"),
        by_token("auditor", ours, OF_THE_COMPANY, true),
        by_token("false auditor", theirs, OF_ANOTHER, true),
        by_token("untrusted", theirs, OF_THE_COMPANY, false),
        by_certificate("unknown", "unheard-of"),
        Caller { name: "anonymous", named: None, gate: OF_THE_COMPANY, presents: Proof::Nothing },
    ]
}

/// Two of the real program, each trusting another issuer and both the same authority, before one Cognito.
pub(super) struct Gates {
    directory: TempDir,
    authority: Authority,
    key: SigningKey,
    cognito: TestService,
    binaries: Vec<Binary>,
}

impl Gates {
    pub(super) async fn open() -> Self {
        let (authority, key) = (Authority::new("the authority"), SigningKey::p256("key-1"));
        let directory = tempfile::tempdir().unwrap();
        let server = authority.server();
        for (file, text) in [
            ("server.pem", &server.certificate),
            ("server.key", &server.key),
            ("ca.pem", &authority.certificate),
            ("jwks.json", &key_set(&[&key])),
        ] {
            fs::write(directory.path().join(file), text).unwrap();
        }
        let cognito = TestService::start().await;
        let mut gates = Self { directory, authority, key, cognito, binaries: Vec::new() };
        for (gate, issuer) in ISSUERS.into_iter().enumerate() {
            let options = gates.options(gate, issuer);
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            gates.binaries.push(Binary::serve_with(&options, &gates.cognito.cognito.url, AWS_KEYS).await);
        }
        gates
    }

    fn options(&self, gate: usize, issuer: &str) -> Vec<String> {
        let examples = example_directory();
        let options = [
            ("--tls-certificate", self.path("server.pem")),
            ("--tls-key", self.path("server.key")),
            ("--tls-client-ca", self.path("ca.pem")),
            ("--jwt-issuer", issuer.to_owned()),
            ("--jwt-audience", "mfagate".to_owned()),
            ("--jwks-file", self.path("jwks.json")),
            ("--entities", examples.join("entities.json").to_str().unwrap().to_owned()),
            ("--policies", examples.to_str().unwrap().to_owned()),
            ("--audit-log", self.audit_log(gate)),
            ("--audit-username", "none".to_owned()),
        ];
        options.into_iter().flat_map(|(option, value)| [option.to_owned(), value]).collect()
    }

    fn path(&self, file: &str) -> String {
        self.directory.path().join(file).to_str().unwrap().to_owned()
    }

    fn audit_log(&self, gate: usize) -> String {
        self.path(&format!("audit-{gate}.jsonl"))
    }

    /// The connection of a caller to its gate.
    pub(super) async fn line(&mut self, caller: &Caller) -> Line {
        let (certificate, issuer) = match &caller.presents {
            Proof::Certificate(id) => (Some(self.authority.client(vec![uri(id)])), None),
            Proof::Token(issuer) => (None, Some(*issuer)),
            Proof::Nothing => (None, None),
        };
        let address = self.binaries[caller.gate].address().await;
        let channel = channel_over(self.authority.connector(certificate.as_ref()), address).await.unwrap();
        Line { channel, authorization: issuer.map(|issuer| format!("Bearer {}", self.token(issuer))) }
    }

    fn token(&self, issuer: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let expires = (now + Duration::from_mins(5)).as_secs();
        let claims = json!({ "iss": issuer, "aud": "mfagate", "sub": AUDITOR, "exp": expires, "scope": AUDIT_SCOPE });
        self.key.token(&claims)
    }

    pub(super) fn cognito(&self) -> &CognitoControl {
        &self.cognito.cognito
    }

    /// Ends the programs as an operator does, and gives the records of all decisions by the id of their call.
    pub(super) async fn close(mut self) -> BTreeMap<String, Vec<Value>> {
        for binary in std::mem::take(&mut self.binaries) {
            binary.end().await;
        }
        let mut decisions: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for gate in 0..ISSUERS.len() {
            for line in fs::read_to_string(self.audit_log(gate)).unwrap().lines() {
                let record: Value = serde_json::from_str(line).unwrap();
                if record["kind"] == "decision" {
                    let id = record["request_id"].as_str().unwrap().to_owned();
                    decisions.entry(id).or_default().push(record);
                }
            }
        }
        decisions
    }
}

/// One connection of one caller, which presents what the caller has.
#[derive(Clone)]
pub(super) struct Line {
    channel: Channel,
    authorization: Option<String>,
}

impl Line {
    /// Calls an RPC, under this request id.
    pub(super) async fn send<M: Message + 'static>(&self, rpc: Rpc, id: &str, message: M) -> Result<(), Status> {
        let mut client = tonic::client::Grpc::new(self.channel.clone());
        client.ready().await.unwrap();
        // What is answered does not matter here: no message at all reads any.
        let codec = ProstCodec::<M, ()>::default();
        client.unary(self.presenting(id, message), PathAndQuery::from_static(rpc.path()), codec).await.map(drop)
    }

    /// Asks for the list of services.
    pub(super) async fn reflect(&self, id: &str) -> Result<(), Status> {
        let message_request = Some(MessageRequest::ListServices(String::new()));
        let list = tokio_stream::iter([ServerReflectionRequest { host: String::new(), message_request }]);
        let mut client = ServerReflectionClient::new(self.channel.clone());
        let mut answers = client.server_reflection_info(self.presenting(id, list)).await?.into_inner();
        assert!(answers.message().await?.is_some());
        Ok(())
    }

    fn presenting<T>(&self, id: &str, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("x-request-id", id.parse().unwrap());
        if let Some(authorization) = &self.authorization {
            request.metadata_mut().insert("authorization", authorization.parse().unwrap());
        }
        request
    }
}
