//! Generates `Debug` impls that redact the fields that the protos mark with `debug_redact`.

use std::fmt::Write as _;

use prost_reflect::{DescriptorPool, MessageDescriptor};

use crate::PACKAGE;

fn is_secret(field: &prost_reflect::FieldDescriptor) -> bool {
    field.options().get_field_by_name("debug_redact").and_then(|value| value.as_bool()).unwrap_or(false)
}

/// The messages with a `debug_redact` field.
pub(crate) fn secret_messages(pool: &DescriptorPool) -> Vec<MessageDescriptor> {
    pool.all_messages()
        .filter(|message| message.package_name() == PACKAGE && message.fields().any(|field| is_secret(&field)))
        .collect()
}

/// `Debug` for the messages with a `debug_redact` field, since prost's own `Debug` prints such fields.
pub(crate) fn generate(messages: &[MessageDescriptor]) -> Result<String, std::fmt::Error> {
    let mut code = String::new();
    for message in messages {
        let name = message.name().to_owned();
        writeln!(code, "impl ::core::fmt::Debug for {name} {{")?;
        writeln!(code, "    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {{")?;
        writeln!(code, "        f.debug_struct({name:?})")?;
        for field in message.fields().filter(|field| !in_oneof(field)) {
            if is_secret(&field) {
                writeln!(code, "            .field({:?}, &\"[redacted]\")", field.name())?;
            } else {
                writeln!(code, "            .field({0:?}, &self.{0})", field.name())?;
            }
        }
        // Our oneofs hold credentials only, so a oneof is redacted whole.
        for oneof in message.oneofs().filter(|oneof| !oneof.name().starts_with('_')) {
            writeln!(code, "            .field({:?}, &\"[redacted]\")", oneof.name())?;
            let module = snake_case(&name);
            let variant = format!("{module}::{}", capitalised(oneof.name()));
            writeln!(code, "            .finish()\n    }}\n}}\n\nimpl ::core::fmt::Debug for {variant} {{")?;
            writeln!(code, "    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {{")?;
            writeln!(code, "        f.debug_struct({:?})", capitalised(oneof.name()))?;
        }
        writeln!(code, "            .finish()\n    }}\n}}\n")?;
    }
    Ok(code)
}

fn in_oneof(field: &prost_reflect::FieldDescriptor) -> bool {
    field.containing_oneof().is_some_and(|oneof| !oneof.name().starts_with('_'))
}

fn capitalised(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (position, character) in name.chars().enumerate() {
        if character.is_uppercase() && position > 0 {
            snake.push('_');
        }
        snake.extend(character.to_lowercase());
    }
    snake
}
