//! Validates the attributes of a user.

use std::collections::BTreeMap;

use crate::model::input::Input;
use crate::model::pattern;
use crate::protocol::Failure;
use crate::state::pool::{Pool, STANDARD_ATTRIBUTES};

/// Reads a list of `AttributeType`; each must be known to the pool and well formed.
pub(super) fn read(pool: &Pool, list: &[Input<'_>]) -> Result<BTreeMap<String, String>, Failure> {
    let mut attributes = BTreeMap::new();
    for attribute in list {
        let name = attribute.text("Name")?;
        let value = attribute.optional_text("Value").unwrap_or_default();
        check(pool, name, value)?;
        attributes.insert(name.to_owned(), value.to_owned());
    }
    Ok(attributes)
}

fn check(pool: &Pool, name: &str, value: &str) -> Result<(), Failure> {
    if name == "sub" {
        return Err(Failure::invalid_parameter("user.sub: Attribute cannot be updated."));
    }
    if !STANDARD_ATTRIBUTES.contains(&name) && !is_custom(pool, name) {
        return Err(Failure::invalid_parameter(format!(
            "user.{name}: Attributes did not conform to the schema: Type for attribute {{{name}}} \
             could not be determined"
        )));
    }
    if value.is_empty() {
        return Ok(());
    }
    match name {
        "phone_number" if !pattern::matches(r"\+[0-9]{1,15}", value) => {
            Err(Failure::invalid_parameter("Invalid phone number format."))
        }
        "email" if !pattern::matches(r"[^@\s]+@[^@\s]+", value) => {
            Err(Failure::invalid_parameter("Invalid email address format."))
        }
        "email_verified" | "phone_number_verified" if !["true", "false"].contains(&value) => {
            Err(Failure::invalid_parameter(format!("user.{name}: Attribute must be true or false")))
        }
        _ => Ok(()),
    }
}

fn is_custom(pool: &Pool, name: &str) -> bool {
    let name = name.strip_prefix("dev:").unwrap_or(name);
    name.strip_prefix("custom:").is_some_and(|name| {
        let schema = pool.settings().structures("Schema");
        schema.iter().any(|attribute| attribute.optional_text("Name") == Some(name))
    })
}
