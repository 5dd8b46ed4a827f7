//! Encodings of a message that protobuf allows and no library writes: fields and sub-messages given twice, in any order, among
//! unknown ones, with longer numbers than needed.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use prost::encoding::encode_varint;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage as _, Value};

use crate::support::test_cognito::{NEW_USER, POOL, USER};
use crate::support::wire_requests::is_ours;

/// A part of an encoded message: a field with its tag.
type Chunk = Vec<u8>;

const VARINT: u8 = 0;
const SIXTY_FOUR_BITS: u8 = 1;
const LENGTH_DELIMITED: u8 = 2;
const GROUP_BEGINS: u8 = 3;
const GROUP_ENDS: u8 = 4;
const THIRTY_TWO_BITS: u8 = 5;

/// Encodings that mean the same as `message`.
pub(crate) fn same(message: &DynamicMessage) -> impl Strategy<Value = Vec<u8>> + use<> {
    chunks(message).prop_map(|chunks| chunks.concat())
}

/// Encodings of `message` with more in between, which may change what it means, or be no protobuf.
pub(crate) fn other(message: &DynamicMessage) -> impl Strategy<Value = Vec<u8>> + use<> {
    let fields: Vec<_> = message.descriptor().fields().collect();
    let odd = select(fields).prop_flat_map(|field| any_chunk(&field, 3));
    (chunks(message), vec((odd, any::<prop::sample::Index>()), 1..4)).prop_map(|(mut chunks, more)| {
        for (chunk, index) in more {
            chunks.insert(index.index(chunks.len() + 1), chunk);
        }
        chunks.concat()
    })
}

/// The message that a library would write of the same meaning: the fields that are declared, each once.
pub(crate) fn canonical(message: &DynamicMessage) -> DynamicMessage {
    let mut canonical = DynamicMessage::new(message.descriptor());
    for (field, value) in message.fields() {
        canonical.set_field(&field, known(value));
    }
    canonical
}

fn known(value: &Value) -> Value {
    match value {
        Value::Message(message) => Value::Message(canonical(message)),
        Value::List(list) => Value::List(list.iter().map(known).collect()),
        Value::Map(map) => Value::Map(map.iter().map(|(key, value)| (key.clone(), known(value))).collect()),
        other => other.clone(),
    }
}

/// The parts of an encoding that means the same, in order.
fn chunks(message: &DynamicMessage) -> BoxedStrategy<Vec<Chunk>> {
    // Of a `oneof`, the last one given counts, so its members are one slot.
    let mut slots: Vec<BoxedStrategy<Vec<Chunk>>> =
        message.fields().map(|(field, value)| slot(&field, value)).collect();
    slots.push(vec(unknown(), 0..3).boxed());
    let keys = vec(vec(any::<u16>(), 32), slots.len());
    (slots, keys)
        .prop_map(|(slots, keys)| {
            // Each slot keeps its order, and the slots are interleaved.
            let mut ordered = BTreeMap::new();
            for (slot, (chunks, mut keys)) in slots.into_iter().zip(keys).enumerate() {
                let keys = {
                    keys.resize(chunks.len().max(32), u16::MAX);
                    keys.truncate(chunks.len());
                    keys.sort_unstable();
                    keys
                };
                for (position, (chunk, key)) in chunks.into_iter().zip(keys).enumerate() {
                    ordered.insert((key, slot, position), chunk);
                }
            }
            ordered.into_values().collect()
        })
        .boxed()
}

/// The parts that give a field its value, the last of which counts.
fn slot(field: &FieldDescriptor, value: &Value) -> BoxedStrategy<Vec<Chunk>> {
    match value {
        Value::List(list) if matches!(field.kind(), Kind::Message(_)) => {
            let elements = list.iter().filter_map(Value::as_message).map(|element| {
                let field = field.clone();
                chunks(element).prop_map(move |chunks| delimited(field.number(), &chunks.concat()))
            });
            elements.collect::<Vec<_>>().boxed()
        }
        Value::List(list) => repeated(field, list),
        Value::Map(map) => {
            let entries = map.iter().map(|(key, value)| entry(field, key, value));
            entries.collect::<Vec<_>>().prop_map(|entries| entries.concat()).boxed()
        }
        Value::Message(inner) => {
            let number = field.number();
            (chunks(inner), vec(any::<prop::sample::Index>(), 0..3))
                .prop_map(move |(chunks, cuts)| in_parts(number, &chunks, &cuts))
                .boxed()
        }
        value => {
            let earlier = alternatives(field);
            let earlier = vec(select(earlier).prop_flat_map(|field| any_chunk(&field, 1)), 0..3);
            (earlier, scalar(field, value.clone()))
                .prop_map(|(mut chunks, last)| {
                    chunks.push(last);
                    chunks
                })
                .boxed()
        }
    }
}

/// The fields that a later one replaces: itself, and the other members of its `oneof` that are no messages.
fn alternatives(field: &FieldDescriptor) -> Vec<FieldDescriptor> {
    match field.containing_oneof() {
        Some(oneof) => oneof.fields().filter(|field| !matches!(field.kind(), Kind::Message(_))).collect(),
        None => vec![field.clone()],
    }
}

/// A message given in several parts, which are merged.
fn in_parts(number: u32, chunks: &[Chunk], cuts: &[prop::sample::Index]) -> Vec<Chunk> {
    let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(chunks.len() + 1)).collect();
    places.extend([0, chunks.len()]);
    places.sort_unstable();
    let parts = places.windows(2).map(|window| &chunks[window[0]..window[1]]);
    parts.map(|part| delimited(number, &part.concat())).collect()
}

/// Numbers, packed or not or both.
fn repeated(field: &FieldDescriptor, list: &[Value]) -> BoxedStrategy<Vec<Chunk>> {
    let numbers: Vec<_> = list.iter().map(number).collect();
    let field = field.number();
    vec(any::<bool>(), numbers.len())
        .prop_map(move |packed| {
            let chunk = |(number, packed): (&u64, bool)| {
                if packed { delimited(field, &varint(*number, false)) } else { numbered(field, *number, false) }
            };
            numbers.iter().zip(packed).map(chunk).collect()
        })
        .boxed()
}

/// An entry of a map, after others of the same key.
fn entry(field: &FieldDescriptor, key: &MapKey, value: &Value) -> BoxedStrategy<Vec<Chunk>> {
    let (number, key) = (field.number(), delimited(1, key.as_str().unwrap().as_bytes()));
    let inner = value.as_message().unwrap();
    let earlier = vec(select(vec![delimited(2, b""), delimited(2, b"\x08\x00"), Vec::new()]), 0..2);
    (earlier, chunks(inner), vec(any::<prop::sample::Index>(), 0..2))
        .prop_map(move |(earlier, chunks, cuts)| {
            let value = in_parts(2, &chunks, &cuts).concat();
            earlier.into_iter().chain([value]).map(|value| delimited(number, &[key.clone(), value].concat())).collect()
        })
        .boxed()
}

/// Any part with this field, valid or not. Messages in it are nested this deep at most.
fn any_chunk(field: &FieldDescriptor, depth: u32) -> BoxedStrategy<Chunk> {
    let number = field.number();
    match field.kind() {
        Kind::Message(inner) => any_message(&inner, depth).prop_map(move |bytes| delimited(number, &bytes)).boxed(),
        Kind::String | Kind::Bytes => {
            let token = "e30.eyJpc3MiOiJodHRwczovL2NvZ25pdG8vdXMtd2VzdC0yX09USEVSIn0.c2ln";
            let texts = ["", " ", "x", POOL, "us-west-2_OTHER", USER, NEW_USER, token, "phone_number", "123456"];
            let texts = select(texts.map(|text| text.as_bytes().to_vec()).to_vec());
            // Rarely no UTF-8, so that most encodings can be read.
            prop_oneof![30 => texts, 1 => Just(vec![0xff])].prop_map(move |text| delimited(number, &text)).boxed()
        }
        Kind::Double => Just([tag(number, SIXTY_FOUR_BITS), 1.5_f64.to_le_bytes().to_vec()].concat()).boxed(),
        _ => {
            let beyond = (1_u64 << 32) | 2;
            let numbers = select(vec![0, 1, 2, 3, 4, 5, 6, 77, beyond, u64::MAX, u64::from(u32::MAX)]);
            (numbers, any::<bool>()).prop_map(move |(value, long)| numbered(number, value, long)).boxed()
        }
    }
}

fn any_message(message: &MessageDescriptor, depth: u32) -> BoxedStrategy<Vec<u8>> {
    let fields: Vec<_> = message.fields().collect();
    if depth == 0 || !is_ours(message) || fields.is_empty() {
        return select(vec![b"".to_vec(), b"\x0a\x00".to_vec(), b"\x0a\x06\x0a\x01k\x12\x01\x08".to_vec()]).boxed();
    }
    vec(select(fields).prop_flat_map(move |field| any_chunk(&field, depth - 1)), 0..4)
        .prop_map(|chunks| chunks.concat())
        .boxed()
}

/// A part with a field that no message has.
fn unknown() -> impl Strategy<Value = Chunk> {
    let number = select(vec![90_u32, 5000, (1 << 29) - 1]);
    (number, vec(any::<u8>(), 8), 0..5_u8).prop_map(|(number, bytes, kind)| match kind {
        0 => numbered(number, u64::from(bytes[0]), true),
        1 => [tag(number, SIXTY_FOUR_BITS), bytes].concat(),
        2 => delimited(number, &bytes),
        3 => [tag(number, GROUP_BEGINS), numbered(1, 7, false), tag(number, GROUP_ENDS)].concat(),
        _ => [tag(number, THIRTY_TWO_BITS), bytes[..4].to_vec()].concat(),
    })
}

fn scalar(field: &FieldDescriptor, value: Value) -> BoxedStrategy<Chunk> {
    let field = field.number();
    match value {
        Value::String(text) => Just(delimited(field, text.as_bytes())).boxed(),
        Value::F64(value) => Just([tag(field, SIXTY_FOUR_BITS), value.to_le_bytes().to_vec()].concat()).boxed(),
        value => {
            let value = number(&value);
            any::<bool>().prop_map(move |long| numbered(field, value, long)).boxed()
        }
    }
}

fn number(value: &Value) -> u64 {
    match value {
        Value::Bool(value) => u64::from(*value),
        // As protobuf does it: a negative number has all 64 bits.
        Value::EnumNumber(value) | Value::I32(value) => i64::from(*value).cast_unsigned(),
        other => panic!("no request has a field with {other:?}"),
    }
}

fn tag(field: u32, wire_type: u8) -> Chunk {
    varint(u64::from(field << 3) | u64::from(wire_type), false)
}

fn numbered(field: u32, value: u64, long: bool) -> Chunk {
    [tag(field, VARINT), varint(value, long)].concat()
}

fn delimited(field: u32, bytes: &[u8]) -> Chunk {
    [tag(field, LENGTH_DELIMITED), varint(bytes.len() as u64, false), bytes.to_vec()].concat()
}

/// A number; a long one has a byte more than it needs, where it can.
fn varint(value: u64, long: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_varint(value, &mut bytes);
    if long && bytes.len() < 9 {
        if let Some(last) = bytes.last_mut() {
            *last |= 0x80;
        }
        bytes.push(0);
    }
    bytes
}
