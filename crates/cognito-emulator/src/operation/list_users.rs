//! `ListUsers`: its filter and its pages.

use serde_json::{Value, json};

use crate::operation::call::{Call, Outcome};
use crate::protocol::Failure;
use crate::state::user::User;

/// The attributes that a filter may name.
const SEARCHABLE: [&str; 11] = [
    "username",
    "email",
    "phone_number",
    "name",
    "given_name",
    "family_name",
    "preferred_username",
    "cognito:user_status",
    "status",
    "sub",
    "cognito:username",
];

pub(super) fn list(call: &mut Call<'_>) -> Outcome {
    let input = call.input;
    let filter = input.optional_text("Filter").filter(|filter| !filter.trim().is_empty());
    let filter = filter.map(Filter::parse).transpose()?;
    let limit = match input.integer("Limit").and_then(|limit| usize::try_from(limit).ok()) {
        None | Some(0) => 60,
        Some(limit) => limit,
    };
    let after = input.optional_text("PaginationToken");
    let wanted = input.has("AttributesToGet").then(|| input.texts("AttributesToGet"));
    let pool = call.pool()?;
    if after.is_some_and(|after| !pool.users.values().any(|user| user.sub() == after)) {
        return Err(Failure::invalid_parameter("Invalid pagination token."));
    }
    let mut users: Vec<&User> = pool.users.values().collect();
    users.sort_by(|one, other| one.sub().cmp(other.sub()));
    let mut matching = users
        .into_iter()
        .filter(|user| after.is_none_or(|after| user.sub() > after))
        .filter(|user| filter.as_ref().is_none_or(|filter| filter.matches(user)));
    let page: Vec<&User> = matching.by_ref().take(limit).collect();
    let mut output = json!({
        "Users": page.iter().map(|user| entry(user, wanted.as_deref())).collect::<Vec<_>>(),
    });
    if let (Some(last), true, Some(members)) = (page.last(), matching.next().is_some(), output.as_object_mut()) {
        members.insert("PaginationToken".to_owned(), Value::from(last.sub()));
    }
    Ok(output)
}

fn entry(user: &User, wanted: Option<&[&str]>) -> Value {
    let mut entry = user.profile();
    let attributes = entry.get_mut("Attributes").and_then(Value::as_array_mut);
    if let (Some(wanted), Some(attributes)) = (wanted, attributes) {
        attributes.retain(|attribute| {
            let name = attribute.as_object().cloned().and_then(|mut it| it.remove("Name"));
            name.as_ref().and_then(Value::as_str).is_some_and(|name| wanted.contains(&name))
        });
    }
    entry
}

/// `name = "value"` or `name ^= "value"`.
struct Filter {
    name: String,
    value: String,
    is_prefix: bool,
}

impl Filter {
    fn parse(filter: &str) -> Result<Self, Failure> {
        let invalid = || Failure::invalid_parameter(format!("Error while parsing filter: {filter}"));
        let (name, value) = filter.split_once('=').ok_or_else(invalid)?;
        let (name, is_prefix) = name.strip_suffix('^').map_or((name, false), |name| (name, true));
        let name = name.trim().trim_matches('"');
        let quoted = value.trim().strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        let value = quoted.ok_or_else(invalid)?.replace("\\\"", "\"");
        if !SEARCHABLE.contains(&name) {
            return Err(Failure::invalid_parameter(format!("Invalid search attribute: {name}")));
        }
        Ok(Self { name: name.to_owned(), value, is_prefix })
    }

    fn matches(&self, user: &User) -> bool {
        let actual = match self.name.as_str() {
            "username" | "cognito:username" => Some(user.username.as_str()),
            "cognito:user_status" => Some(user.status.name()),
            "status" => Some(if user.enabled { "Enabled" } else { "Disabled" }),
            name => user.attribute(name),
        };
        // Cognito compares the status without regard to case.
        let (actual, value) = match (self.name.as_str(), actual) {
            ("cognito:user_status" | "status", Some(actual)) => {
                (Some(actual.to_lowercase()), self.value.to_lowercase())
            }
            (_, actual) => (actual.map(str::to_owned), self.value.clone()),
        };
        actual.is_some_and(|actual| if self.is_prefix { actual.starts_with(&value) } else { actual == value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_name_an_operator_and_a_quoted_value() {
        let filter = Filter::parse(r#"email ^= "jane""#).unwrap();
        assert_eq!((filter.name.as_str(), filter.is_prefix), ("email", true));
        assert_eq!(filter.value, "jane");
        let filter = Filter::parse(r#""name"="a \"b\" c""#).unwrap();
        assert_eq!((filter.name.as_str(), filter.is_prefix), ("name", false));
        assert_eq!(filter.value, r#"a "b" c"#);
        for refused in ["email", "email = jane", r#"birthdate = "2000-01-01""#] {
            assert!(Filter::parse(refused).is_err(), "{refused}");
        }
    }
}
