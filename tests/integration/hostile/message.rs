//! Hostile messages: whatever is in a body gets a clear status, and the connection survives.

use std::collections::BTreeMap;

use mfagate::api::Rpc;
use mfagate::api::v1::{AdminGetUserRequest, CompleteWebAuthnRegistrationRequest};
use prost::Message as _;
use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use tonic::Code;

use super::service;
use crate::support::raw_h2::{frame_with, framed, grpc_request, rpc_request};
use crate::support::refusal::{invalid_fields, refused, violated_fields};
use crate::support::test_cognito::{POOL, USER};
use crate::support::test_service::TestService;

const MEBIBYTE: usize = 1 << 20;

async fn malformed(body: impl Into<tonic::codegen::Bytes>) {
    let (_service, mut raw) = service().await;
    raw.refused(rpc_request(Rpc::AdminGetUser), body, Code::InvalidArgument, "REQUEST_MALFORMED").await;
}

#[tokio::test]
async fn text_that_is_not_utf8_is_malformed() {
    malformed(framed(b"\x0a\x02\xff\xfe")).await;
}

#[tokio::test]
async fn a_lone_surrogate_is_malformed() {
    malformed(framed(b"\x12\x03\xed\xa0\x80")).await;
}

#[tokio::test]
async fn a_truncated_message_is_malformed() {
    malformed(framed(b"\x0a\x64abc")).await;
}

#[tokio::test]
async fn a_truncated_frame_is_malformed() {
    malformed(frame_with(0, 100, b"\x0a\x01a")).await;
}

#[tokio::test]
async fn a_second_message_is_refused_and_nothing_is_sent() {
    let (service, mut raw) = service().await;
    let message =
        framed(&AdminGetUserRequest { user_pool_id: POOL.to_owned(), username: USER.to_owned() }.encode_to_vec());
    for second in [&message[..], &framed(b"")[..], b"\0"] {
        let body = [&message[..], second].concat();
        raw.refused(rpc_request(Rpc::AdminGetUser), body, Code::InvalidArgument, "REQUEST_MALFORMED").await;
    }
    assert_eq!(service.cognito.requests("AdminGetUser").await, Vec::<serde_json::Value>::new());
}

#[tokio::test]
async fn a_truncated_frame_header_is_malformed() {
    malformed(&b"\0\0"[..]).await;
}

#[tokio::test]
async fn no_message_at_all_is_malformed() {
    malformed(&b""[..]).await;
}

#[tokio::test]
async fn a_field_of_another_wire_type_is_malformed() {
    malformed(framed(b"\x08\x01")).await;
}

#[tokio::test]
async fn an_invalid_tag_is_malformed() {
    malformed(framed(b"\x00\x00")).await;
}

#[tokio::test]
async fn an_endless_varint_is_malformed() {
    malformed(framed(&[0xff; 32])).await;
}

#[tokio::test]
async fn a_compressed_message_without_an_encoding_is_malformed() {
    malformed(frame_with(1, 3, b"\x0a\x01a")).await;
}

#[tokio::test]
async fn an_unknown_compression_flag_is_malformed() {
    malformed(frame_with(7, 3, b"\x0a\x01a")).await;
}

#[tokio::test]
async fn an_unknown_encoding_is_unimplemented_and_the_known_ones_are_returned() {
    let (_service, mut raw) = service().await;
    let request = grpc_request(Rpc::AdminGetUser.path()).header("grpc-encoding", "zpaq").body(()).unwrap();
    let answer = raw.call(request, frame_with(1, 3, b"\x0a\x01a")).await;
    refused::<()>(Err(answer.status()), Code::Unimplemented, "RPC_UNKNOWN");
    assert!(answer.headers.contains_key("grpc-accept-encoding"), "{answer:?}");
    raw.still_serves().await;
}

#[tokio::test]
async fn a_message_of_five_mebibytes_is_too_large() {
    let (_service, mut raw) = service().await;
    let request = AdminGetUserRequest { user_pool_id: POOL.to_owned(), username: "a".repeat(5 * MEBIBYTE) };
    let body = framed(&request.encode_to_vec());
    raw.refused(rpc_request(Rpc::AdminGetUser), body, Code::InvalidArgument, "REQUEST_TOO_LARGE").await;
}

#[tokio::test]
async fn a_grpc_client_reads_why_its_message_is_too_large() {
    let service = TestService::start().await;
    let request = AdminGetUserRequest { user_pool_id: POOL.to_owned(), username: "a".repeat(5 * MEBIBYTE) };
    let answer = service.preferences().admin_get_user(request).await;
    refused(answer, Code::InvalidArgument, "REQUEST_TOO_LARGE");
}

#[tokio::test]
async fn a_frame_that_claims_four_gibibytes_is_too_large() {
    let (_service, mut raw) = service().await;
    let body = frame_with(0, u32::MAX, b"\x0a\x01a");
    raw.refused(rpc_request(Rpc::AdminGetUser), body, Code::InvalidArgument, "REQUEST_TOO_LARGE").await;
}

#[tokio::test]
async fn each_rpc_reads_as_much_as_its_largest_message_needs_and_refuses_a_byte_more() {
    let (service, mut raw) = service().await;
    for rpc in Rpc::ALL {
        let with_document = [Rpc::CompleteWebAuthnRegistration, Rpc::SetUserPoolMfaConfig].contains(&rpc);
        let limit = if with_document { 256 << 10 } else { 16 << 10 };
        // An unknown field: the message is read, and lacks what the RPC requires.
        let message = |length: usize| framed(&length_delimited_of(length));
        raw.refused(rpc_request(rpc), message(limit), Code::InvalidArgument, "REQUEST_INVALID").await;
        raw.refused(rpc_request(rpc), message(limit + 1), Code::InvalidArgument, "REQUEST_TOO_LARGE").await;
    }
    assert!(service.cognito.operations().await.iter().all(|operation| operation == "GetUserPoolMfaConfig"));
}

/// A message of this length that holds one field, number 1000, and nothing that is known.
fn length_delimited_of(length: usize) -> Vec<u8> {
    // Two bytes are the tag.
    let of_length = if length < (1 << 14) + 4 { 2 } else { 3 };
    let content = length - 2 - of_length;
    let mut bytes = Vec::new();
    prost::encoding::encode_key(1000, prost::encoding::WireType::LengthDelimited, &mut bytes);
    prost::encoding::encode_varint(content as u64, &mut bytes);
    assert_eq!(bytes.len(), 2 + of_length);
    bytes.resize(length, 0);
    bytes
}

#[tokio::test]
async fn a_text_that_is_too_long_is_read_and_refused_by_its_length() {
    let (_service, mut raw) = service().await;
    let request = AdminGetUserRequest { user_pool_id: POOL.to_owned(), username: "a".repeat(15 << 10) };
    let body = framed(&request.encode_to_vec());
    let details = raw.refused(rpc_request(Rpc::AdminGetUser), body, Code::InvalidArgument, "REQUEST_INVALID").await;
    assert_eq!(violated_fields(&details), ["username"]);
}

#[tokio::test]
async fn every_rpc_refuses_the_empty_message() {
    let (_service, mut raw) = service().await;
    for each in Rpc::ALL {
        let details = raw.refused(rpc_request(each), framed(b""), Code::InvalidArgument, "REQUEST_INVALID").await;
        assert!(!details.bad_request().unwrap().field_violations.is_empty(), "{each:?}");
    }
}

#[tokio::test]
async fn every_rpc_refuses_what_is_not_a_message() {
    let (_service, mut raw) = service().await;
    for each in Rpc::ALL {
        raw.refused(rpc_request(each), framed(b"\x0a\x02\xff\xfe"), Code::InvalidArgument, "REQUEST_MALFORMED").await;
    }
}

#[tokio::test]
async fn unknown_fields_are_ignored() {
    let (_service, mut raw) = service().await;
    let mut message = AdminGetUserRequest { user_pool_id: POOL.to_owned(), username: USER.to_owned() }.encode_to_vec();
    message.extend_from_slice(b"\xfa\x07\x05hello\xf8\x3f\x2a");
    let answer = raw.call(rpc_request(Rpc::AdminGetUser), framed(&message)).await;
    assert_eq!(answer.status().code(), Code::Ok, "{answer:?}");
}

#[tokio::test]
async fn the_last_of_a_repeated_field_counts() {
    let (_service, mut raw) = service().await;
    let mut message = AdminGetUserRequest { user_pool_id: "no pool".to_owned(), username: USER.to_owned() };
    let mut bytes = message.encode_to_vec();
    message.user_pool_id = POOL.to_owned();
    bytes.extend_from_slice(&message.encode_to_vec());
    let answer = raw.call(rpc_request(Rpc::AdminGetUser), framed(&bytes)).await;
    assert_eq!(answer.status().code(), Code::Ok, "{answer:?}");
}

fn nested(depth: usize) -> Struct {
    let leaf = Value { kind: Some(Kind::StringValue("leaf".to_owned())) };
    let value =
        (0..depth).fold(leaf, |inner, _| Value { kind: Some(Kind::ListValue(ListValue { values: vec![inner] })) });
    Struct { fields: BTreeMap::from([("nested".to_owned(), value)]) }
}

#[tokio::test]
async fn a_document_nested_ten_thousand_deep_is_malformed() {
    let (_service, mut raw) = service().await;
    // By hand: prost would recurse to encode it.
    let message = (0..10_000).fold(b"\x1a\x01a".to_vec(), |inner, _| {
        let list = length_delimited(0x0a, &inner);
        length_delimited(0x32, &list)
    });
    let field = [&b"\x0a\x01a"[..], &length_delimited(0x12, &message)].concat();
    let message = length_delimited(0x12, &length_delimited(0x0a, &field));
    let request = rpc_request(Rpc::CompleteWebAuthnRegistration);
    raw.refused(request, framed(&message), Code::InvalidArgument, "REQUEST_MALFORMED").await;
}

fn length_delimited(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    prost::encoding::encode_varint(content.len() as u64, &mut bytes);
    bytes.extend_from_slice(content);
    bytes
}

#[tokio::test]
async fn a_document_as_deep_as_can_be_read_is_sent_to_cognito() {
    let service = TestService::start().await;
    let access_token = service.cognito.token(USER).await;
    let request = CompleteWebAuthnRegistrationRequest { access_token, credential: Some(nested(45)) };
    let answer = service.passkeys().complete_web_authn_registration(request).await;
    assert_ne!(answer.unwrap_err().code(), Code::Ok);
    assert_eq!(service.cognito.requests("CompleteWebAuthnRegistration").await.len(), 1);
}

#[tokio::test]
async fn numbers_that_json_lacks_are_refused_at_any_depth() {
    let service = TestService::start().await;
    let access_token = service.cognito.token(USER).await;
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let number = || Value { kind: Some(Kind::NumberValue(number)) };
        let in_list = Value { kind: Some(Kind::ListValue(ListValue { values: vec![number()] })) };
        let in_struct = Value {
            kind: Some(Kind::StructValue(Struct { fields: BTreeMap::from([("inner".to_owned(), number())]) })),
        };
        for value in [number(), in_list, in_struct] {
            let credential = Some(Struct { fields: BTreeMap::from([("rawId".to_owned(), value)]) });
            let request = CompleteWebAuthnRegistrationRequest { access_token: access_token.clone(), credential };
            let answer = service.passkeys().complete_web_authn_registration(request).await;
            assert_eq!(invalid_fields(answer), ["credential"]);
        }
    }
    assert_eq!(service.cognito.requests("CompleteWebAuthnRegistration").await.len(), 0);
}

#[tokio::test]
async fn a_value_without_a_kind_is_refused_and_not_sent() {
    let service = TestService::start().await;
    let access_token = service.cognito.token(USER).await;
    let credential = Some(Struct { fields: BTreeMap::from([("rawId".to_owned(), Value { kind: None })]) });
    let request = CompleteWebAuthnRegistrationRequest { access_token, credential };
    let answer = service.passkeys().complete_web_authn_registration(request).await;
    assert_eq!(invalid_fields(answer), ["credential"]);
    assert_eq!(service.cognito.operations().await, Vec::<String>::new());
}
