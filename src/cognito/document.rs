//! Converts passkey documents between `google.protobuf.Struct` and the SDK's `Document`.

use std::collections::BTreeMap;

use aws_smithy_types::{Document, Number};
use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};

/// The maximum of whole numbers that are exact in a JSON number, which is all that a `Struct` has.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// The document of a struct.
pub(super) fn to_document(object: Struct) -> Document {
    Document::Object(object.fields.into_iter().map(|(name, value)| (name, value_to_document(value))).collect())
}

fn value_to_document(value: Value) -> Document {
    match value.kind {
        None | Some(Kind::NullValue(_)) => Document::Null,
        Some(Kind::NumberValue(number)) => Document::Number(to_number(number)),
        Some(Kind::StringValue(text)) => Document::String(text),
        Some(Kind::BoolValue(truth)) => Document::Bool(truth),
        Some(Kind::StructValue(object)) => to_document(object),
        Some(Kind::ListValue(list)) => Document::Array(list.values.into_iter().map(value_to_document).collect()),
    }
}

/// Whole numbers are sent as such: `-7` is an algorithm, `-7.0` may not be.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "only whole numbers that are exact in both types are cast"
)]
fn to_number(number: f64) -> Number {
    let whole = number.fract() == 0.0 && number.abs() <= MAX_EXACT;
    match number {
        number if whole && number >= 0.0 => Number::PosInt(number as u64),
        number if whole => Number::NegInt(number as i64),
        number => Number::Float(number),
    }
}

/// The struct of a document, or `None` if it is not an object.
pub(super) fn to_struct(document: Document) -> Option<Struct> {
    let Document::Object(fields) = document else { return None };
    let fields: BTreeMap<_, _> = fields.into_iter().map(|(name, value)| (name, to_value(value))).collect();
    Some(Struct { fields })
}

fn to_value(document: Document) -> Value {
    let kind = match document {
        Document::Null => Kind::NullValue(0),
        Document::Number(number) => Kind::NumberValue(number.to_f64_lossy()),
        Document::String(text) => Kind::StringValue(text),
        Document::Bool(truth) => Kind::BoolValue(truth),
        Document::Array(values) => Kind::ListValue(ListValue { values: values.into_iter().map(to_value).collect() }),
        Document::Object(fields) => Kind::StructValue(Struct {
            fields: fields.into_iter().map(|(name, value)| (name, to_value(value))).collect(),
        }),
    };
    Value { kind: Some(kind) }
}
