//! What is left out of a request: it is refused, or it changes nothing but what its comment says.

use std::collections::{BTreeMap, BTreeSet};

use mfagate::api::Rpc;
use proptest::prelude::*;
use proptest::sample::subsequence;
use proptest::test_runner::{Config, TestRunner};
use prost::Message as _;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage as _, Value as FieldValue,
};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tonic::{Code, Status};

use crate::support::policy_fixture::ALLOW_ALL;
use crate::support::raw_h2::{RawClient, framed, grpc_request, rpc_request};
use crate::support::refusal::invalid_fields;
use crate::support::rpc_call::operation;
use crate::support::serve_harness::ServeHarness;
use crate::support::test_cognito::USER;
use crate::support::test_service::TestService;
use crate::support::wire_requests::{any_response, descriptors, input, is_ours, member, whole_requests};

/// A field of a request, or of a message in it.
type Path = Vec<FieldDescriptor>;

/// The service before a Cognito that accepts everything, and what that was sent.
struct Harness {
    service: TestService,
    client: RawClient,
}

impl Harness {
    async fn start() -> Self {
        let service = TestService::start().await;
        service.cognito.inject_fault(json!({ "kind": "replace", "body": any_response() })).await;
        let client = RawClient::connect(service.address).await;
        Self { service, client }
    }

    /// The status of a request, and what Cognito was sent for it: the body of the RPC's own operation, if it was called.
    async fn send(&mut self, rpc: Rpc, request: &DynamicMessage) -> (Status, Option<Value>) {
        self.service.cognito.call(http::Method::DELETE, "/_embedded/requests", Value::Null).await;
        let status = self.client.call(rpc_request(rpc), framed(&request.encode_to_vec())).await.status();
        let sent = self.service.cognito.bodies(operation(rpc)).await.pop();
        if status.code() != Code::Ok {
            assert_eq!(self.service.cognito.operations().await, Vec::<String>::new(), "{}", rpc.name());
        }
        (status, sent)
    }
}

/// The fields that a request has, those of its messages included.
fn present(request: &DynamicMessage) -> Vec<Path> {
    let mut paths = Vec::new();
    for (field, value) in request.fields() {
        paths.push(vec![field.clone()]);
        let inner = match value {
            FieldValue::Message(inner) => Some(inner),
            FieldValue::List(list) => list.first().and_then(FieldValue::as_message),
            _ => None,
        };
        let inner = inner.filter(|inner| is_ours(&inner.descriptor())).map(present).unwrap_or_default();
        paths.extend(inner.into_iter().map(|path| [vec![field.clone()], path].concat()));
    }
    paths
}

/// The fields that a request could have.
fn declared(message: &MessageDescriptor) -> Vec<Path> {
    let mut paths = Vec::new();
    for field in message.fields() {
        paths.push(vec![field.clone()]);
        if let Kind::Message(inner) = field.kind()
            && is_ours(&inner)
        {
            paths.extend(declared(&inner).into_iter().map(|path| [vec![field.clone()], path].concat()));
        }
    }
    paths
}

/// Leaves a field out, unless it is gone already.
fn leave_out(request: &mut DynamicMessage, path: &[FieldDescriptor]) {
    let [field, rest @ ..] = path else { return };
    if rest.is_empty() {
        request.clear_field(field);
    } else if request.has_field(field) {
        match request.get_field_mut(field) {
            FieldValue::Message(inner) => leave_out(inner, rest),
            FieldValue::List(list) => {
                if let Some(FieldValue::Message(inner)) = list.first_mut() {
                    leave_out(inner, rest);
                }
            }
            _ => {}
        }
    }
}

/// The path as a violation has it.
fn named(path: &[FieldDescriptor]) -> String {
    let (last, parents) = path.split_last().unwrap();
    let parents = parents.iter().map(|field| format!("{}{}.", field.name(), if field.is_list() { "[0]" } else { "" }));
    parents.chain([last.name().to_owned()]).collect()
}

/// What Cognito is sent without a field: the member is gone, unless Cognito has none of that name.
fn without(mut sent: Value, path: &[FieldDescriptor]) -> Value {
    // Cognito's SDK cannot leave this flag out: what is true now is sent in its place.
    if path.last().is_some_and(|field| field.name() == "preferred_mfa") {
        return sent;
    }
    let (last, parents) = path.split_last().unwrap();
    let mut inner = Some(&mut sent);
    for field in parents {
        inner = inner.and_then(|inner| inner.get_mut(member(field)));
    }
    if let Some(inner) = inner.and_then(Value::as_object_mut) {
        inner.remove(&member(last));
    }
    sent
}

/// The comment of a field in the protos, and of the `oneof` that it is in.
fn comment(field: &FieldDescriptor) -> String {
    let file = field.parent_file();
    let locations = &file.file_descriptor_proto().source_code_info.as_ref().unwrap().location;
    let of = |path: &[i32]| {
        let found = locations.iter().find(|location| location.path == path);
        found.map(|location| location.leading_comments().to_owned()).unwrap_or_default()
    };
    let oneof = field.containing_oneof().filter(|oneof| !oneof.name().starts_with('_'));
    of(field.path()) + &oneof.map(|oneof| of(oneof.path())).unwrap_or_default()
}

#[test]
fn every_field_of_a_request_says_what_its_omission_means() {
    let descriptors = descriptors();
    for rpc in Rpc::ALL {
        for path in declared(&input(&descriptors, rpc)) {
            let comment = comment(path.last().unwrap());
            let says = comment.contains("Required") || comment.contains("Absent:");
            assert!(says, "{} {}: {comment}", rpc.name(), named(&path));
        }
    }
}

#[tokio::test]
async fn the_whole_requests_are_accepted_and_have_every_field() {
    let descriptors = descriptors();
    for rpc in Rpc::ALL {
        let mut harness = Harness::start().await;
        let token = harness.service.cognito.token(USER).await;
        let mut covered = BTreeSet::new();
        for whole in whole_requests(&descriptors, rpc, &token) {
            let (status, sent) = harness.send(rpc, &whole).await;
            assert_eq!(status.code(), Code::Ok, "{} {status:?}", rpc.name());
            assert!(sent.is_some(), "{}", rpc.name());
            covered.extend(present(&whole).iter().map(|path| named(path)));
        }
        let declared: BTreeSet<_> = declared(&input(&descriptors, rpc)).iter().map(|path| named(path)).collect();
        assert_eq!(covered, declared, "{}", rpc.name());
    }
}

#[tokio::test]
async fn a_field_that_is_left_out_is_refused_or_means_what_its_comment_says() {
    let descriptors = descriptors();
    let mut outcomes: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for rpc in Rpc::ALL {
        let mut harness = Harness::start().await;
        let token = harness.service.cognito.token(USER).await;
        for whole in whole_requests(&descriptors, rpc, &token) {
            let (_, before) = harness.send(rpc, &whole).await;
            for path in present(&whole) {
                let name = named(&path);
                let (field, of) = (path.last().unwrap(), format!("{} without {name}", rpc.name()));
                let mut request = whole.clone();
                leave_out(&mut request, &path);
                let (status, sent) = harness.send(rpc, &request).await;
                let outcome = if status.code() == Code::Ok {
                    assert_eq!(sent, before.clone().map(|before| without(before, &path)), "{of}");
                    assert!(comment(field).contains("Absent:"), "{of} is accepted, and no comment says what it means");
                    "accepted"
                } else {
                    let refused = invalid_fields::<()>(Err(status));
                    let parent = named(&path).rsplit_once('.').map_or(String::new(), |(parent, _)| parent.to_owned());
                    let oneof = field.containing_oneof().map(|oneof| oneof.name().to_owned());
                    // Where one field says that others are meant to be left out, those are named.
                    let is_for_others = ["unconfigured_factors", "clear_mfa_options"].contains(&name.as_str());
                    let is_named = |refused: &String| {
                        *refused == name || *refused == parent || Some(refused) == oneof.as_ref() || is_for_others
                    };
                    assert!(refused.iter().any(is_named), "{of} is refused for {refused:?}");
                    let says = comment(field).contains("Required") || parent_needs_one(&parent, &refused);
                    assert!(says, "{of} is refused, and no comment says so");
                    "refused"
                };
                outcomes.entry(format!("{} {name}", rpc.name())).or_default().insert(outcome);
            }
        }
    }
    // The fields that must never be assumed, whatever the rest of the request is.
    for (name, outcomes) in outcomes {
        if name.ends_with("enabled") || name.ends_with("mfa_options") || name.ends_with(" mfa_configuration") {
            assert!(!outcomes.contains("accepted"), "{name}");
        }
    }
}

/// Whether the request as a whole is refused, as one without any factor is. The comment of its RPC says so.
fn parent_needs_one(parent: &str, refused: &[String]) -> bool {
    parent.is_empty() && refused == [String::new()]
}

#[test]
fn whatever_is_left_out_nothing_else_is_asked_of_cognito() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let descriptors = descriptors();
    for rpc in Rpc::ALL {
        let mut harness = runtime.block_on(Harness::start());
        let token = runtime.block_on(harness.service.cognito.token(USER));
        for whole in whole_requests(&descriptors, rpc, &token) {
            let before = runtime.block_on(harness.send(rpc, &whole)).1.unwrap();
            holds_for_subsets(&runtime, &mut harness, rpc, &whole, &before);
        }
    }
}

fn has(request: &DynamicMessage, field: &str) -> bool {
    request.descriptor().get_field_by_name(field).is_some_and(|field| request.has_field(&field))
}

/// A request that still names its user or pool and has its parts, but nothing in them.
fn hollow(whole: &DynamicMessage, keep_parts: bool) -> DynamicMessage {
    let mut hollow = DynamicMessage::new(whole.descriptor());
    for (field, value) in whole.fields() {
        match value {
            FieldValue::Message(inner) if keep_parts => {
                hollow.set_field(&field, FieldValue::Message(DynamicMessage::new(inner.descriptor())));
            }
            FieldValue::String(_) | FieldValue::EnumNumber(_) => hollow.set_field(&field, value.clone()),
            _ => {}
        }
    }
    hollow
}

#[tokio::test]
async fn a_change_whose_parts_were_lost_is_neither_sent_nor_recorded_nor_logged_as_made() {
    let mut served = ServeHarness::with(ALLOW_ALL).await;
    let mut client = RawClient::connect(served.process.address().await).await;
    let (descriptors, bearer) = (descriptors(), served.fixture.bearer("caller"));
    let token = served.cognito.token(USER).await;
    for rpc in [
        Rpc::AdminSetUserMfaPreference,
        Rpc::SetUserMfaPreference,
        Rpc::AdminSetUserSettings,
        Rpc::SetUserSettings,
        Rpc::CompleteWebAuthnRegistration,
        Rpc::SetUserPoolMfaConfig,
    ] {
        for whole in whole_requests(&descriptors, rpc, &token) {
            for keep_parts in [false, true] {
                // The mode of a pool alone is a request: it replaces the configuration as a whole.
                if rpc == Rpc::SetUserPoolMfaConfig && !(keep_parts && has(&whole, "software_token_mfa_configuration"))
                {
                    continue;
                }
                let request = grpc_request(rpc.path()).header("authorization", &bearer).body(()).unwrap();
                let body = framed(&hollow(&whole, keep_parts).encode_to_vec());
                let answer = client.call(request, body).await;
                assert!(!invalid_fields::<()>(Err(answer.status())).is_empty(), "{}", rpc.name());
            }
        }
    }
    assert_eq!(served.cognito.operations().await, Vec::<String>::new());
    assert!(served.fixture.records().iter().all(|record| record["kind"] == "decision"));
    let ServeHarness { process, fixture: _fixture, .. } = served;
    let exit = process.terminate().await;
    assert!(!exit.stderr.contains("mutation"), "{}", exit.stderr);
}

/// Whether a request to Cognito asks for more than it names.
fn asks(body: &Value) -> bool {
    let names = ["UserPoolId", "Username", "AccessToken", "Session"];
    body.as_object().unwrap().keys().any(|member| !names.contains(&member.as_str()))
}

fn holds_for_subsets(runtime: &Runtime, harness: &mut Harness, rpc: Rpc, whole: &DynamicMessage, before: &Value) {
    let paths = present(whole);
    let subsets = subsequence((0..paths.len()).collect::<Vec<_>>(), 0..=paths.len());
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(24) });
    let harness = std::cell::RefCell::new(harness);
    let outcome = runner.run(&subsets, |subset| {
        let (mut request, mut expected) = (whole.clone(), before.clone());
        for index in subset {
            leave_out(&mut request, &paths[index]);
            expected = without(expected, &paths[index]);
        }
        let (status, sent) = runtime.block_on(harness.borrow_mut().send(rpc, &request));
        if status.code() == Code::Ok {
            let changes = rpc.is_read() || asks(before) == asks(&expected);
            prop_assert!(changes, "a change without anything to change is accepted");
            prop_assert_eq!(sent, Some(expected));
        } else {
            prop_assert_eq!(status.code(), Code::InvalidArgument);
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{}: {error}", rpc.name()));
}
