//! Checks the body of a request against the model, as Cognito does before any operation sees it.

use serde_json::{Map, Value};

use crate::model::operation::Operation;
use crate::model::pattern;
use crate::model::shape::{Kind, Member, Shape};
use crate::protocol::Failure;

/// Parses and checks the members of a request; unknown members and nulls are dropped.
pub(crate) fn check(operation: &Operation, body: &[u8]) -> Result<Map<String, Value>, Failure> {
    let Ok(Value::Object(body)) = serde_json::from_slice(body) else {
        return Err(Failure::silent("SerializationException"));
    };
    let members = read_members(operation.members, body)?;
    let mut violations = Vec::new();
    check_members(operation.members, &members, "", &mut violations);
    match violations.len() {
        0 => Ok(members),
        count => Err(Failure::invalid_parameter(format!(
            "{count} validation error{} detected: {}",
            if count == 1 { "" } else { "s" },
            violations.join("; ")
        ))),
    }
}

fn read_members(members: &[Member], mut object: Map<String, Value>) -> Result<Map<String, Value>, Failure> {
    let mut known = Map::new();
    for member in members {
        match object.remove(member.name) {
            None | Some(Value::Null) => {}
            Some(value) => {
                known.insert(member.name.to_owned(), read(member.shape, value)?);
            }
        }
    }
    Ok(known)
}

fn read(shape: &Shape, value: Value) -> Result<Value, Failure> {
    match (shape.kind, value) {
        (Kind::Text | Kind::OneOf(_), Value::String(text)) => Ok(Value::String(text)),
        (Kind::Boolean, Value::Bool(flag)) => Ok(Value::Bool(flag)),
        (Kind::Integer, Value::Number(number)) => match number.as_i64() {
            Some(integer) => Ok(Value::from(integer)),
            None => Err(unconvertible("NUMBER_VALUE", "an Integer")),
        },
        (Kind::List(item), Value::Array(items)) => items
            .into_iter()
            .filter(|value| !value.is_null())
            .map(|value| read(item, value))
            .collect::<Result<Vec<_>, _>>()
            .map(Value::Array),
        (Kind::Map(_, of), Value::Object(entries)) => entries
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| Ok((key, read(of, value)?)))
            .collect::<Result<Map<_, _>, _>>()
            .map(Value::Object),
        (Kind::Structure(members), Value::Object(object)) => read_members(members, object).map(Value::Object),
        (Kind::Document, value) => Ok(value),
        (_, Value::Object(_)) => Err(misplaced("structure or map")),
        (_, Value::Array(_)) => Err(misplaced("list")),
        (kind, Value::String(_)) => Err(unconvertible("STRING_VALUE", name(kind))),
        (kind, Value::Number(_)) => Err(unconvertible("NUMBER_VALUE", name(kind))),
        (kind, Value::Bool(true)) => Err(unconvertible("TRUE_VALUE", name(kind))),
        (kind, Value::Bool(false)) => Err(unconvertible("FALSE_VALUE", name(kind))),
        (_, Value::Null) => Err(Failure::silent("SerializationException")),
    }
}

fn unconvertible(from: &str, to: &str) -> Failure {
    Failure::new("SerializationException", format!("{from} can not be converted to {to}"))
}

fn misplaced(what: &str) -> Failure {
    Failure::new("SerializationException", format!("Start of {what} found where not expected."))
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::OneOf(_) => "a String",
        Kind::Integer => "an Integer",
        Kind::Boolean => "a Boolean",
        Kind::List(_) => "a List",
        Kind::Map(..) => "a Map",
        Kind::Structure(_) | Kind::Document => "a Structure",
    }
}

fn check_members(members: &[Member], object: &Map<String, Value>, path: &str, violations: &mut Vec<String>) {
    for member in members {
        let path = format!("{path}{}", lower_camel(member.name));
        match object.get(member.name) {
            Some(value) => check_value(member.shape, value, &path, violations),
            None if member.required => {
                let shown = if member.shape.sensitive { "Value" } else { "Value null" };
                violations.push(format!("{shown} at '{path}' failed to satisfy constraint: Member must not be null"));
            }
            None => {}
        }
    }
}

fn check_value(shape: &Shape, value: &Value, path: &str, violations: &mut Vec<String>) {
    let at = || {
        let shown = if shape.sensitive { String::new() } else { format!(" '{}'", show(value)) };
        format!("Value{shown} at '{path}'")
    };
    for broken in broken_constraints(shape, value) {
        violations.push(format!("{} failed to satisfy constraint: {broken}", at()));
    }
    match (shape.kind, value) {
        (Kind::Structure(members), Value::Object(object)) => {
            check_members(members, object, &format!("{path}."), violations);
        }
        (Kind::List(item), Value::Array(items)) if is_simple(item) => {
            let broken = items.iter().flat_map(|value| broken_constraints(item, value));
            push_inner("Member", broken.collect(), &at, violations);
        }
        (Kind::List(item), Value::Array(items)) => {
            for (value, index) in items.iter().zip(1_usize..) {
                check_value(item, value, &format!("{path}.{index}.member"), violations);
            }
        }
        (Kind::Map(key, of), Value::Object(entries)) => {
            let keys = entries.keys().flat_map(|name| broken_constraints(key, &Value::from(name.as_str()))).collect();
            push_inner("Map keys", keys, &at, violations);
            if is_simple(of) {
                let values = entries.values().flat_map(|value| broken_constraints(of, value));
                push_inner("Map value", values.collect(), &at, violations);
            } else {
                for (name, value) in entries {
                    check_value(of, value, &format!("{path}.{name}.member"), violations);
                }
            }
        }
        _ => {}
    }
}

fn is_simple(shape: &Shape) -> bool {
    matches!(shape.kind, Kind::Text | Kind::OneOf(_) | Kind::Integer | Kind::Boolean)
}

/// AWS reports the simple items of a list together, not one by one.
fn push_inner(what: &str, mut broken: Vec<String>, at: &dyn Fn() -> String, violations: &mut Vec<String>) {
    broken.dedup();
    if !broken.is_empty() {
        let broken = broken.join(", ");
        violations.push(format!("{} failed to satisfy constraint: {what} must satisfy constraint: [{broken}]", at()));
    }
}

fn broken_constraints(shape: &Shape, value: &Value) -> Vec<String> {
    let mut broken = Vec::new();
    let (measure, unit) = match value {
        Value::String(text) => {
            if let Kind::OneOf(values) = shape.kind
                && !values.contains(&text.as_str())
            {
                broken.push(format!("Member must satisfy enum value set: [{}]", values.join(", ")));
            }
            if let Some(pattern) = shape.pattern
                && !pattern::matches(pattern, text)
            {
                broken.push(format!("Member must satisfy regular expression pattern: {pattern}"));
            }
            (Some(length(text.chars().count())), "length")
        }
        Value::Number(number) => (number.as_i64(), "value"),
        Value::Array(items) => (Some(length(items.len())), "length"),
        Value::Object(entries) => (Some(length(entries.len())), "length"),
        Value::Bool(_) | Value::Null => (None, "value"),
    };
    if let (Some(min), Some(measure)) = (shape.min, measure)
        && measure < min
    {
        broken.push(format!("Member must have {unit} greater than or equal to {min}"));
    }
    if let (Some(max), Some(measure)) = (shape.max, measure)
        && measure > max
    {
        broken.push(format!("Member must have {unit} less than or equal to {max}"));
    }
    broken
}

fn length(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn show(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", "))
        }
        Value::Object(entries) => {
            let entries: Vec<_> = entries.iter().map(|(key, value)| format!("{key}={}", show(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// `SMSMfaSettings` becomes `sMSMfaSettings`, as in AWS's texts.
fn lower_camel(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map_or_else(String::new, |first| first.to_ascii_lowercase().to_string() + characters.as_str())
}
