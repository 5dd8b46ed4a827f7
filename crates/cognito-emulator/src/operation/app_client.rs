//! `CreateUserPoolClient`.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::operation::call::{Call, Outcome};
use crate::protocol::{Failure, timestamp};
use crate::random;
use crate::state::client::Client;

const MIN_ACCESS_TOKEN_VALIDITY: Duration = Duration::from_mins(5);
const MAX_ACCESS_TOKEN_VALIDITY: Duration = Duration::from_hours(24);

pub(super) fn create(call: &mut Call<'_>) -> Outcome {
    let (input, now) = (call.input, call.state.now());
    let pool = call.pool()?;
    let given = input.optional_text("ClientSecret").map(str::to_owned);
    let secret = match given {
        None if input.boolean("GenerateSecret") == Some(true) => Some(random::alphanumeric::<52>()?),
        given => given,
    };
    let client =
        Client { id: random::alphanumeric::<26>()?.to_lowercase(), secret, created: now, settings: settings(input.0) };
    let validity = client.access_token_validity();
    if !(MIN_ACCESS_TOKEN_VALIDITY..=MAX_ACCESS_TOKEN_VALIDITY).contains(&validity) {
        return Err(Failure::invalid_parameter(
            "Invalid range for token validity: access tokens live 5 minutes to 1 day",
        ));
    }
    let output = json!({ "UserPoolClient": describe(&client) });
    pool.clients.insert(client.id.clone(), client);
    Ok(output)
}

/// The settings of the request, with the flows that Cognito allows by default.
fn settings(input: &Map<String, Value>) -> Map<String, Value> {
    let mut settings = input.clone();
    for handled in ["GenerateSecret", "ClientSecret"] {
        settings.remove(handled);
    }
    settings
        .entry("ExplicitAuthFlows")
        .or_insert_with(|| json!(["ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_CUSTOM_AUTH"]));
    settings
}

fn describe(client: &Client) -> Value {
    let mut description = client.settings.clone();
    description.insert("ClientId".to_owned(), Value::from(client.id.as_str()));
    for (name, at) in [("CreationDate", client.created), ("LastModifiedDate", client.created)] {
        description.insert(name.to_owned(), json!(timestamp(at)));
    }
    if let Some(secret) = &client.secret {
        description.insert("ClientSecret".to_owned(), Value::from(secret.as_str()));
    }
    Value::Object(description)
}
