//! The deployment behind the golden access table: the real program with the example policies, and its callers.

use std::collections::BTreeMap;

use mfagate::api::Rpc;
use mfagate::domain::Caller as Identity;
use prost::Message;
use serde_json::{Value, json};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_prost::ProstCodec;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;

use crate::authz::policy::{client, example_directory, workload};
use crate::support::certificate_authority::{CertificateAuthority, uri};
use crate::support::policy_fixture::{PolicyFixture, bearer};
use crate::support::process::Process;
use crate::support::reflection::list_services;
use crate::support::serve_harness::AWS_CREDENTIALS;
use crate::support::test_cognito::TestCognito;

const AUDITOR: &str = "3k9audit0client";
const AUDIT_SCOPE: &str = "mfagate/audit";

/// The company's issuer, whose tokens the examples know, and another.
const ISSUERS: [&str; 2] = ["https://login.example.org", "https://login.example.net"];

/// The servers, by the index of the issuer that they trust.
const TRUSTS_COMPANY: usize = 0;
const TRUSTS_OTHER: usize = 1;

/// One caller of the table.
pub(super) struct Caller {
    pub(super) name: &'static str,
    /// The caller that the policies see; `None` if unauthenticated.
    pub(super) identity: Option<Identity>,
    server: usize,
    presents: Presented,
}

/// What a caller presents.
enum Presented {
    /// A client certificate for this SPIFFE ID.
    Certificate(String),
    /// A bearer token of the auditor from this issuer.
    Token(&'static str),
    Nothing,
}

/// The callers of the examples, one that no policy knows, one with the token of an untrusted issuer, and one that
/// presents nothing.
pub(super) fn callers() -> Vec<Caller> {
    let by_certificate = |name, path: &str| {
        let id = format!("spiffe://example.org/{path}");
        Caller { name, identity: Some(workload(&id)), server: TRUSTS_COMPANY, presents: Presented::Certificate(id) }
    };
    let by_token = |name, issuer: &'static str, server, trusted: bool| Caller {
        name,
        identity: trusted.then(|| client(AUDITOR, issuer, &[AUDIT_SCOPE], &[])),
        server,
        presents: Presented::Token(issuer),
    };
    let [ours, theirs] = ISSUERS;
    vec![
        by_certificate("account-settings", "account-settings"),
        by_certificate("sign-in-page", "sign-in-page"),
        by_certificate("support-tool", "support-tool"),
        by_certificate("onboarding-job", "onboarding-job"),
        by_certificate("platform-console", "platform-console"),
        by_certificate("security-console", "security-console"),
        by_certificate("engineer/alice", "engineer/alice"),
        by_token("auditor", ours, TRUSTS_COMPANY, true),
        by_token("false auditor", theirs, TRUSTS_OTHER, true),
        by_token("untrusted", theirs, TRUSTS_COMPANY, false),
        by_certificate("unknown", "unheard-of"),
        Caller { name: "anonymous", identity: None, server: TRUSTS_COMPANY, presents: Presented::Nothing },
    ]
}

/// Two instances of the program before one Cognito: they trust the same certificate authority and different issuers.
pub(super) struct Deployment {
    fixture: PolicyFixture,
    authority: CertificateAuthority,
    cognito: TestCognito,
    processes: Vec<Process>,
}

impl Deployment {
    pub(super) async fn start() -> Self {
        // The policies are the examples, and not the fixture's.
        let (fixture, authority) = (PolicyFixture::with(""), CertificateAuthority::new("the authority"));
        fixture.write_tls(&authority.server(), &authority.certificate);
        let cognito = TestCognito::start().await;
        let mut deployment = Self { fixture, authority, cognito, processes: Vec::new() };
        for (server, issuer) in ISSUERS.into_iter().enumerate() {
            let options = deployment.options(server, issuer);
            deployment.processes.push(Process::serve_with(&options, &deployment.cognito.url, AWS_CREDENTIALS).await);
        }
        deployment
    }

    fn options(&self, server: usize, issuer: &str) -> Vec<String> {
        let policies = example_directory();
        let entities = policies.join("entities.json");
        let options = self.fixture.options_with(&[
            ("--policies", policies.to_str().unwrap()),
            ("--entities", entities.to_str().unwrap()),
            ("--jwt-issuer", issuer),
            ("--audit-log", &self.fixture.path(&audit_log(server))),
        ]);
        [options, self.fixture.tls_options()].concat()
    }

    /// The connection of a caller to its server.
    pub(super) async fn connect(&mut self, caller: &Caller) -> Connection {
        let (certificate, authorization) = match &caller.presents {
            Presented::Certificate(id) => (Some(self.authority.client(vec![uri(id)])), None),
            Presented::Token(issuer) => {
                let claims = json!({ "iss": issuer, "scope": AUDIT_SCOPE });
                (None, Some(bearer(&self.fixture.token(AUDITOR, claims))))
            }
            Presented::Nothing => (None, None),
        };
        let address = self.processes[caller.server].address().await;
        let channel = self.authority.channel(address, certificate.as_ref()).await.unwrap();
        Connection { channel, authorization }
    }

    pub(super) fn cognito(&self) -> &TestCognito {
        &self.cognito
    }

    /// Terminates the programs, and returns the records of all decisions by the caller's request id.
    pub(super) async fn stop(mut self) -> BTreeMap<String, Vec<Value>> {
        for process in std::mem::take(&mut self.processes) {
            process.terminate().await;
        }
        let mut decisions: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for server in 0..ISSUERS.len() {
            for line in self.fixture.read(&audit_log(server)).lines() {
                let record: Value = serde_json::from_str(line).unwrap();
                if record["kind"] == "decision" {
                    let id = record["caller_request_id"].as_str().unwrap().to_owned();
                    decisions.entry(id).or_default().push(record);
                }
            }
        }
        decisions
    }
}

fn audit_log(server: usize) -> String {
    format!("audit-{server}.jsonl")
}

/// One caller's connection, with the credentials that the caller presents.
#[derive(Clone)]
pub(super) struct Connection {
    channel: Channel,
    authorization: Option<String>,
}

impl Connection {
    /// Calls an RPC, under this request id.
    pub(super) async fn send<M: Message + 'static>(&self, rpc: Rpc, id: &str, message: M) -> Result<(), Status> {
        let mut client = tonic::client::Grpc::new(self.channel.clone());
        client.ready().await.unwrap();
        // The response does not matter here: an empty message decodes from any.
        let codec = ProstCodec::<M, ()>::default();
        client.unary(self.presenting(id, message), PathAndQuery::from_static(rpc.path()), codec).await.map(drop)
    }

    /// Asks for the list of services.
    pub(super) async fn reflect(&self, id: &str) -> Result<(), Status> {
        let mut client = ServerReflectionClient::new(self.channel.clone());
        let mut answers = client.server_reflection_info(self.presenting(id, list_services())).await?.into_inner();
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
