//! A request has one reading: what the policies saw and what is recorded is what Cognito is sent, whatever the bytes.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use mfagate::api::Rpc;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use prost::Message as _;
use prost_reflect::DynamicMessage;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tonic::Code;

use crate::support::policy_fixture::PolicyFixture;
use crate::support::raw_h2::{RawClient, framed, grpc_request};
use crate::support::refusal::violated_fields;
use crate::support::rpc_call::{operation, takes_token};
use crate::support::serve_harness::ServeHarness;
use crate::support::test_cognito::{POOL, USER};
use crate::support::wire_bytes::{canonical, other, same};
use crate::support::wire_requests::{any_response, descriptors, input, whole_requests};

const FACTORS: [&str; 4] = ["SMS_MFA", "SOFTWARE_TOKEN_MFA", "EMAIL_OTP", "WEB_AUTHN"];
const MODES: [&str; 3] = ["OFF", "ON", "OPTIONAL"];
/// The pools that requests name: the demo pool, and another.
const POOLS: [&str; 2] = [POOL, "us-west-2_OTHER"];
const FLAGS: [&str; 5] = ["weakens_mfa", "legacy", "for_signed_in_user", "by_session", "texts_changed"];
/// The attributes of a pool with a value of few, and their entities.
const CHOICES: [(&str, &str, &str); 4] = [
    ("user_verification", "UserVerification", "REQUIRED"),
    ("user_verification", "UserVerification", "PREFERRED"),
    ("factor_configuration", "FactorConfiguration", "SINGLE_FACTOR"),
    ("factor_configuration", "FactorConfiguration", "MULTI_FACTOR_WITH_USER_VERIFICATION"),
];
/// The texts of a pool that policies see, and the values that the requests have.
const TEXTS: [(&str, &str); 4] = [
    ("sms_role_arn", "arn:aws:iam::123456789012:role/sms"),
    ("sms_role_arn", "arn:aws:iam::123456789012:role/eums"),
    ("sms_role_account", "123456789012"),
    ("relying_party_id", "example.com"),
];

/// Stands for each text that no request has before its bytes are changed.
const ANOTHER: &str = "another";

/// What a policy says of a text: which of the known ones it is, or that it is none of them.
fn seen_text(name: &str, value: &str) -> String {
    let known = TEXTS.contains(&(name, value));
    format!("{name}={}", if known { value } else { ANOTHER })
}

/// One policy for each thing that policies can see of a request; the ids of those that permit say what they saw. A pool is not
/// read before it is set: what it would be then is no part of the request.
fn policies(rpc: Rpc) -> String {
    let mut policies = vec!["@id(\"everything\") permit (principal, action, resource);".to_owned()];
    if rpc == Rpc::SetUserPoolMfaConfig {
        policies.push(
            "@id(\"unread\") forbid (principal, action == Mfagate::Action::\"GetUserPoolMfaConfig\", resource);"
                .to_owned(),
        );
    }
    let mut add = |id: String, condition: String| {
        policies.push(format!("@id(\"{id}\") permit (principal, action, resource) when {{ {condition} }};"));
    };
    for factor in FACTORS {
        let entity = format!("Mfagate::Factor::\"{factor}\"");
        for set in ["factors_enabled", "factors_disabled"] {
            add(format!("{set}={factor}"), format!("context.{set}.contains({entity})"));
        }
        add(format!("preferred={factor}"), format!("context has preferred && context.preferred == {entity}"));
    }
    for mode in MODES {
        let condition = format!(
            "context has mfa_configuration && context.mfa_configuration == Mfagate::MfaConfiguration::\"{mode}\""
        );
        add(format!("mfa_configuration={mode}"), condition);
    }
    for (name, entity, value) in CHOICES {
        let condition = format!("context has {name} && context.{name} == Mfagate::{entity}::\"{value}\"");
        add(format!("{name}={value}"), condition);
    }
    for (name, value) in TEXTS {
        add(format!("{name}={value}"), format!("context has {name} && context.{name} == \"{value}\""));
    }
    for name in TEXTS.map(|(name, _)| name).into_iter().collect::<BTreeSet<_>>() {
        let values: Vec<_> = TEXTS.iter().filter(|(of, _)| *of == name).map(|(_, value)| value).collect();
        add(format!("{name}={ANOTHER}"), format!("context has {name} && !{values:?}.contains(context.{name})"));
    }
    for flag in FLAGS {
        add(flag.to_owned(), format!("context.{flag}"));
    }
    for pool in POOLS {
        add(format!("pool={pool}"), format!("resource == Mfagate::UserPool::\"{pool}\""));
    }
    policies.join(
        "
",
    )
}

/// What became of one call.
#[derive(Debug)]
struct Seen {
    code: Code,
    refused: Vec<String>,
    /// The operations that Cognito was asked for, with their bodies.
    sent: Vec<(String, Value)>,
    decision: Option<Value>,
    mutation: Option<Value>,
}

struct Harness {
    served: ServeHarness,
    client: RawClient,
    bearer: String,
    rpc: Rpc,
    /// How many of the encodings were accepted.
    accepted: u32,
}

impl Harness {
    async fn start(rpc: Rpc) -> Self {
        let fixture = PolicyFixture::with(&policies(rpc));
        let options = fixture.options_with(&[("--audit-username", "plain")]);
        let mut served = ServeHarness::with_options(fixture, options).await;
        served.cognito.inject_fault(json!({ "kind": "replace", "body": any_response() })).await;
        let client = RawClient::connect(served.process.address().await).await;
        let bearer = served.fixture.bearer("caller");
        Self { served, client, bearer, rpc, accepted: 0 }
    }

    async fn call(&mut self, bytes: &[u8]) -> Seen {
        let cognito = &self.served.cognito;
        cognito.call(http::Method::DELETE, "/_embedded/requests", Value::Null).await;
        let request = grpc_request(self.rpc.path()).header("authorization", &self.bearer).body(()).unwrap();
        let response = self.client.call(request, framed(bytes)).await;
        let status = response.status();
        let id = response.headers["x-request-id"].to_str().unwrap().to_owned();
        let requests = cognito.call(http::Method::GET, "/_embedded/requests", Value::Null).await;
        let requests = requests["Requests"].as_array().unwrap().iter();
        let sent: Vec<_> = requests
            .map(|request| (request["Operation"].as_str().unwrap().to_owned(), request["Body"].clone()))
            .collect();
        let is_mutation = !self.rpc.is_read() && sent.iter().any(|(sent, _)| sent == operation(self.rpc));
        let mutation = if is_mutation { Some(self.record(&id, "mutation").await) } else { self.find(&id, "mutation") };
        let details = tonic_types::StatusExt::get_error_details(&status);
        let refused = violated_fields(&details);
        Seen { code: status.code(), refused, sent, decision: self.find(&id, "decision"), mutation }
    }

    fn find(&self, id: &str, kind: &str) -> Option<Value> {
        let records = self.served.fixture.read("audit.jsonl");
        let mut of_call =
            records.lines().filter(|line| line.contains(id)).map(|line| serde_json::from_str(line).unwrap());
        of_call.find(|record: &Value| record["kind"] == kind)
    }

    /// A record that may still be on its way when the response has arrived.
    async fn record(&self, id: &str, kind: &str) -> Value {
        for _ in 0..500 {
            if let Some(record) = self.find(id, kind) {
                return record;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no {kind} of {id} was recorded")
    }

    /// Checks one encoding. What protobuf says that it means is `known`, or is asked of another reader.
    async fn check(&mut self, bytes: &[u8], known: Option<&[u8]>) {
        let input = input(&descriptors(), self.rpc);
        let seen = self.call(bytes).await;
        self.accepted += u32::from(seen.code == Code::Ok);
        let Ok(read) = DynamicMessage::decode(input, bytes) else {
            assert_eq!((seen.code, seen.sent.len()), (Code::InvalidArgument, 0), "{seen:?}");
            assert!(seen.mutation.is_none(), "{seen:?}");
            return;
        };
        let read = canonical(&read);
        if let Some(known) = known {
            assert_eq!((seen.code, read.encode_to_vec().as_slice()), (Code::Ok, known));
        }
        let plain = self.call(&read.encode_to_vec()).await;
        assert_eq!((seen.code, &seen.refused, &seen.sent), (plain.code, &plain.refused, &plain.sent));
        for field in ["effect", "user_pool_id", "user_pool_id_malformed", "username", "policy_ids", "decision"] {
            let of = |seen: &Seen| seen.decision.as_ref().map(|decision| decision[field].clone());
            assert_eq!(of(&seen), of(&plain), "{field}");
        }
        self.agrees(&seen);
        self.agrees(&plain);
    }

    /// Checks that policies, records and Cognito saw the same.
    fn agrees(&self, seen: &Seen) {
        let decision = seen.decision.as_ref().unwrap();
        let mut said = saw(decision);
        let own = seen.sent.iter().find(|(sent, _)| sent == operation(self.rpc)).map(|(_, body)| body);
        assert_eq!(own.is_some(), seen.code == Code::Ok, "{seen:?}");
        assert_eq!(recorded(decision), said, "the record is not what the policies saw: {seen:?}");
        let Some(body) = own else {
            assert!(seen.sent.is_empty() && seen.mutation.is_none(), "{seen:?}");
            return;
        };
        if body.get("Session").is_some() {
            // Cognito is told neither the pool of a session nor whether another software token may be replaced.
            said.retain(|said| !said.starts_with("pool=") && said != "weakens_mfa");
        }
        assert_eq!(asked(self.rpc, body, &seen.sent), said, "what is sent is not what the policies saw: {seen:?}");
        if let Some(pool) = pool(body) {
            assert_eq!(decision["user_pool_id"], pool);
        }
        if let Some(username) = body.get("Username") {
            assert_eq!(&decision["username"], username);
        }
        if self.rpc == Rpc::SetUserPoolMfaConfig {
            for (name, sent) in texts_asked(&body["SmsMfaConfiguration"], &body["WebAuthnConfiguration"]) {
                assert_eq!(decision["effect"][name].as_str(), sent, "{name}: {seen:?}");
            }
        }
        assert_eq!(seen.mutation.is_some(), !self.rpc.is_read(), "{seen:?}");
        if let Some(mutation) = &seen.mutation {
            for field in ["effect", "user_pool_id", "rpc", "caller"] {
                assert_eq!(mutation[field], decision[field], "{field}");
            }
            // A signed-in user is known from the token, once Cognito has accepted it.
            if !takes_token(self.rpc) {
                assert_eq!(mutation["username"], decision["username"]);
            }
        }
    }
}

/// What the policies saw, by the ids of those that permitted.
fn saw(decision: &Value) -> BTreeSet<String> {
    let ids = decision["policy_ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned());
    ids.filter(|id| id != "everything").collect()
}

/// The same, by the record of the decision.
fn recorded(decision: &Value) -> BTreeSet<String> {
    let effect = &decision["effect"];
    let mut recorded = BTreeSet::new();
    for set in ["factors_enabled", "factors_disabled"] {
        let factors = effect[set].as_array().into_iter().flatten();
        recorded.extend(factors.map(|factor| format!("{set}={}", factor.as_str().unwrap())));
    }
    let choices = CHOICES.iter().map(|(name, ..)| *name).collect::<BTreeSet<_>>();
    for value in ["preferred", "mfa_configuration"].into_iter().chain(choices) {
        recorded.extend(effect[value].as_str().map(|text| format!("{value}={text}")));
    }
    let texts = TEXTS.map(|(name, _)| name);
    recorded.extend(texts.iter().filter_map(|name| Some(seen_text(name, effect[*name].as_str()?))));
    recorded.extend(FLAGS.iter().filter(|flag| effect[**flag] == true).map(|flag| (*flag).to_owned()));
    let pool = decision["user_pool_id"].as_str().filter(|pool| POOLS.contains(pool));
    recorded.extend(pool.map(|pool| format!("pool={pool}")));
    recorded
}

/// The same, by what Cognito was asked for.
fn asked(rpc: Rpc, body: &Value, sent: &[(String, Value)]) -> BTreeSet<String> {
    let mut asked = BTreeSet::new();
    let mut weakens = matches!(rpc, Rpc::AdminDeleteSoftwareToken | Rpc::DeleteWebAuthnCredential);
    let mut add = |factor: &str, is_enabled: bool| {
        asked.insert(format!("factors_{}={factor}", if is_enabled { "enabled" } else { "disabled" }));
    };
    match rpc {
        Rpc::AdminSetUserMfaPreference | Rpc::SetUserMfaPreference => {
            let members = ["SMSMfaSettings", "SoftwareTokenMfaSettings", "EmailMfaSettings", "WebAuthnMfaSettings"];
            for (factor, member) in FACTORS.into_iter().zip(members) {
                if let Some(enabled) = body[member]["Enabled"].as_bool() {
                    add(factor, enabled);
                    weakens |= !enabled;
                }
            }
            for (factor, member) in FACTORS.into_iter().zip(members) {
                // The preference that was read and is kept is none that the request makes.
                let is_kept = sent.len() > 1;
                if body[member]["PreferredMfa"] == true && !is_kept {
                    asked.insert(format!("preferred={factor}"));
                }
            }
        }
        Rpc::AdminSetUserSettings | Rpc::SetUserSettings => {
            let is_enabled = !body["MFAOptions"].as_array().unwrap().is_empty();
            add("SMS_MFA", is_enabled);
            weakens |= !is_enabled;
            asked.insert("legacy".to_owned());
        }
        Rpc::AdminDeleteSoftwareToken => add("SOFTWARE_TOKEN_MFA", false),
        Rpc::SetUserPoolMfaConfig => {
            let members = [
                "SmsMfaConfiguration",
                "SoftwareTokenMfaConfiguration",
                "EmailMfaConfiguration",
                "WebAuthnConfiguration",
            ];
            let mode = body["MfaConfiguration"].as_str().unwrap();
            weakens |= mode != "ON";
            for (factor, member) in FACTORS.into_iter().zip(members) {
                let is_enabled = body.get(member).is_some_and(|block| block.get("Enabled") != Some(&json!(false)));
                add(factor, is_enabled);
                weakens |= !is_enabled;
            }
            asked.insert(format!("mfa_configuration={mode}"));
            weakens |= asked_of_pool(body, &mut asked);
        }
        // Whether the user has a software token already is read, unless it may be replaced.
        Rpc::AssociateSoftwareToken if body.get("AccessToken").is_some() => {
            weakens |= !sent.iter().any(|(operation, _)| operation == "GetUserAuthFactors");
        }
        _ => {}
    }
    let pool = pool(body).filter(|pool| POOLS.contains(&pool.as_str()));
    asked.extend(pool.map(|pool| format!("pool={pool}")));
    asked.extend(weakens.then(|| "weakens_mfa".to_owned()));
    asked.extend(takes_token(rpc).then(|| "for_signed_in_user".to_owned()));
    asked.extend(body.get("Session").is_some().then(|| "by_session".to_owned()));
    asked
}

/// What a pool is to become besides its factors. Returns whether that could weaken it.
fn asked_of_pool(body: &Value, asked: &mut BTreeSet<String>) -> bool {
    let (sms, email, passkeys) =
        (&body["SmsMfaConfiguration"], &body["EmailMfaConfiguration"], &body["WebAuthnConfiguration"]);
    let verification = passkeys["UserVerification"].as_str().map(str::to_uppercase);
    let factor = passkeys["FactorConfiguration"].as_str();
    let texts = texts_asked(sms, passkeys);
    asked.extend(texts.into_iter().filter_map(|(name, value)| Some(seen_text(name, value?))));
    let seen = [("user_verification", verification.as_deref()), ("factor_configuration", factor)];
    asked.extend(seen.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?))));
    let has_text =
        [&sms["SmsAuthenticationMessage"], &email["Message"], &email["Subject"]].iter().any(|text| text.is_string());
    asked.extend(has_text.then(|| "texts_changed".to_owned()));
    let is_weak = verification.as_deref() != Some("REQUIRED") || factor != Some("MULTI_FACTOR_WITH_USER_VERIFICATION");
    texts.iter().any(|(_, value)| value.is_some()) || passkeys.is_object() && is_weak
}

/// The texts of a pool that policies see, as Cognito is sent them.
fn texts_asked<'a>(sms: &'a Value, passkeys: &'a Value) -> [(&'static str, Option<&'a str>); 3] {
    let sender = &sms["SmsConfiguration"];
    let role =
        sender["SnsCallerArn"].as_str().filter(|arn| !arn.is_empty()).or(sender["EumsSms"]["CallerArn"].as_str());
    [
        ("sms_role_arn", role),
        ("sms_role_account", role.and_then(|arn| arn.split(':').nth(4))),
        ("relying_party_id", passkeys["RelyingPartyId"].as_str()),
    ]
}

/// The pool that Cognito is asked about. A session does not say.
fn pool(body: &Value) -> Option<String> {
    let claimed = body["AccessToken"].as_str().map(claimed_pool);
    claimed.or_else(|| body["UserPoolId"].as_str().map(str::to_owned))
}

/// The pool that the token's issuer names.
fn claimed_pool(token: &str) -> String {
    let payload = BASE64URL_NOPAD.decode(token.split('.').nth(1).unwrap().as_bytes()).unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    claims["iss"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}

/// An encoded message, printed as hexadecimal.
#[derive(Clone)]
struct Encoded(Vec<u8>);

impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

/// How often the cases are tried until enough of them are accepted.
const MAX_ROUNDS: usize = 4;

fn holds(cases: u32, encodings: fn(&DynamicMessage) -> BoxedStrategy<Vec<u8>>, is_known: bool) {
    let runtime: Runtime = Builder::new_current_thread().enable_all().build().unwrap();
    for rpc in Rpc::ALL {
        let harness = runtime.block_on(Harness::start(rpc));
        let token = runtime.block_on(harness.served.cognito.token(USER));
        let wholes = whole_requests(&descriptors(), rpc, &token);
        let strategy = select(wholes)
            .prop_flat_map(move |whole| (encodings(&whole).prop_map(Encoded), Just(Encoded(whole.encode_to_vec()))));
        let harness = RefCell::new(harness);
        let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(cases) });
        // How many are accepted is chance, so a round with too few is followed by another.
        for _ in 0..MAX_ROUNDS {
            let outcome = runner.run(&strategy, |(bytes, whole)| {
                let known = is_known.then_some(whole.0.as_slice());
                runtime.block_on(harness.borrow_mut().check(&bytes.0, known));
                Ok(())
            });
            outcome.unwrap_or_else(|error| panic!("{}: {error}", rpc.name()));
            if harness.borrow().accepted > cases / 8 {
                break;
            }
        }
        assert!(harness.borrow().accepted > cases / 8, "{}: hardly any encoding was accepted", rpc.name());
    }
}

#[test]
fn every_encoding_of_a_request_is_read_as_the_request_by_policies_records_and_cognito() {
    holds(24, |whole| same(whole).boxed(), true);
}

#[test]
fn whatever_the_bytes_policies_and_records_see_what_cognito_is_sent() {
    holds(40, |whole| other(whole).boxed(), false);
}
