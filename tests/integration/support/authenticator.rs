//! An authenticator in software, and JSON documents as protobuf values.

use aws_lc_rs::digest;
use ciborium::cbor;
use data_encoding::BASE64URL_NOPAD;
use prost_types::value::Kind;
use prost_types::{ListValue, Struct};
use serde_json::{Value, json};

/// An authenticator, and the page that it is used on. The defaults fit the demo pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Authenticator {
    pub(crate) id: &'static [u8],
    pub(crate) origin: &'static str,
    pub(crate) relying_party: &'static str,
    pub(crate) algorithm: i64,
    pub(crate) format: &'static str,
}

impl Authenticator {
    pub(crate) fn new(id: &'static [u8]) -> Self {
        Self { id, origin: "http://localhost:3000", relying_party: "localhost", algorithm: -7, format: "none" }
    }

    /// The `RegistrationResponseJSON` for these options.
    pub(crate) fn register(self, options: &Struct) -> Struct {
        let options = object_to_json(options);
        let client_data =
            json!({ "type": "webauthn.create", "challenge": options["challenge"], "origin": self.origin });
        let key = cbor!({ 1 => 2, 3 => self.algorithm, -1 => 1 }).unwrap();
        let mut data = digest::digest(&digest::SHA256, self.relying_party.as_bytes()).as_ref().to_vec();
        // User present, user verified, credential included; a counter and a model of zeros.
        data.push(0x45);
        data.extend([0; 20]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(self.id);
        ciborium::into_writer(&key, &mut data).unwrap();
        let authenticator_data = BASE64URL_NOPAD.encode(&data);
        let object = ciborium::Value::Map(vec![
            ("fmt".into(), self.format.into()),
            ("attStmt".into(), ciborium::Value::Map(vec![])),
            ("authData".into(), ciborium::Value::Bytes(data)),
        ]);
        let mut attestation = Vec::new();
        ciborium::into_writer(&object, &mut attestation).unwrap();
        to_struct(json!({
            "id": BASE64URL_NOPAD.encode(self.id),
            "rawId": BASE64URL_NOPAD.encode(self.id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": BASE64URL_NOPAD.encode(client_data.to_string().as_bytes()),
                "attestationObject": BASE64URL_NOPAD.encode(&attestation),
                "authenticatorData": authenticator_data,
                "publicKeyAlgorithm": self.algorithm,
                "transports": ["internal", "hybrid"],
            },
        }))
    }
}

/// Converts a JSON value to a protobuf value.
fn to_proto(value: Value) -> prost_types::Value {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(truth) => Kind::BoolValue(truth),
        Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap()),
        Value::String(text) => Kind::StringValue(text),
        Value::Array(values) => Kind::ListValue(ListValue { values: values.into_iter().map(to_proto).collect() }),
        Value::Object(_) => Kind::StructValue(to_struct(value)),
    };
    prost_types::Value { kind: Some(kind) }
}

pub(crate) fn to_struct(value: Value) -> Struct {
    let Value::Object(members) = value else { panic!("{value} is no object") };
    Struct { fields: members.into_iter().map(|(name, value)| (name, to_proto(value))).collect() }
}

/// Converts a protobuf value to JSON; every number is whole here.
fn to_json(value: &prost_types::Value) -> Value {
    match value.kind.as_ref().unwrap() {
        Kind::NullValue(_) => Value::Null,
        Kind::BoolValue(truth) => json!(truth),
        Kind::NumberValue(number) => json!(number.to_string().parse::<i64>().unwrap()),
        Kind::StringValue(text) => json!(text),
        Kind::ListValue(list) => list.values.iter().map(to_json).collect(),
        Kind::StructValue(object) => object_to_json(object),
    }
}

pub(crate) fn object_to_json(object: &Struct) -> Value {
    object.fields.iter().map(|(name, value)| (name.clone(), to_json(value))).collect()
}
