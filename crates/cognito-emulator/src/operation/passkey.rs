//! The `WebAuthn` operations: start, complete, list, delete.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::operation::call::{Call, Outcome, nothing};
use crate::operation::caller::{self, RESET_ONLY};
use crate::protocol::{Failure, timestamp};
use crate::random;
use crate::state::pool::Pool;
use crate::state::user::{Passkey, PasskeyChallenge, User};
use crate::webauthn::{self, ALGORITHMS, Ceremony};

/// Passkeys that a user can have.
const MAX_PASSKEYS: usize = 20;

/// How long a registration may take.
const CHALLENGE_VALIDITY: Duration = Duration::from_mins(3);

pub(super) fn start(call: &mut Call<'_>) -> Outcome {
    let bearer = caller::bearer(call, RESET_ONLY)?;
    let now = call.state.now();
    let pool = call.state.pool(&bearer.pool_id, None)?;
    let party = relying_party(pool)?;
    let verification = pool.web_authn("UserVerification").unwrap_or("preferred").to_owned();
    let user = pool.user_mut(&bearer.username)?;
    check_limit(user)?;
    let challenge = BASE64URL_NOPAD.encode(&random::bytes::<32>()?);
    user.passkey_challenge = Some(PasskeyChallenge {
        challenge: challenge.clone(),
        client_id: bearer.client_id,
        expires: now.saturating_add(CHALLENGE_VALIDITY),
    });
    let excluded: Vec<Value> = user
        .passkeys
        .iter()
        .map(|passkey| json!({ "type": "public-key", "id": passkey.id, "transports": passkey.transports }))
        .collect();
    let algorithms = ALGORITHMS.map(|number| json!({ "type": "public-key", "alg": number }));
    Ok(json!({ "CredentialCreationOptions": {
        "rp": { "id": party, "name": party },
        "user": {
            "id": BASE64URL_NOPAD.encode(user.sub().as_bytes()),
            "name": user.username,
            "displayName": user.username,
        },
        "challenge": challenge,
        "pubKeyCredParams": algorithms,
        "timeout": CHALLENGE_VALIDITY.as_millis(),
        "excludeCredentials": excluded,
        "authenticatorSelection": {
            "requireResidentKey": true,
            "residentKey": "required",
            "userVerification": verification,
        },
    }}))
}

pub(super) fn complete(call: &mut Call<'_>) -> Outcome {
    let bearer = caller::bearer(call, RESET_ONLY)?;
    let now = call.state.now();
    let credential = call.input.value("Credential").unwrap_or(&Value::Null);
    let pool = call.state.pool(&bearer.pool_id, None)?;
    let party = relying_party(pool)?;
    // First, so that a document that no authenticator made is refused as one, with or without a challenge.
    webauthn::transports(credential)?;
    let must_verify_user = pool.web_authn("UserVerification") == Some("required");
    let user = pool.user_mut(&bearer.username)?;
    let challenge = user.passkey_challenge.clone().filter(|challenge| now < challenge.expires);
    let Some(challenge) = challenge else {
        return Err(webauthn::challenge_not_found());
    };
    if challenge.client_id != bearer.client_id {
        return Err(Failure::new(
            "WebAuthnClientMismatchException",
            "The registration was started with an access token of another app client.",
        ));
    }
    check_limit(user)?;
    let ceremony = Ceremony { challenge: &challenge.challenge, relying_party_id: &party, must_verify_user };
    let registered = webauthn::register(credential, ceremony)?;
    if user.passkeys.iter().any(|passkey| passkey.id == registered.id) {
        return Err(Failure::invalid_parameter("The credential is registered already"));
    }
    user.passkey_challenge = None;
    user.passkeys.push(Passkey {
        id: registered.id,
        friendly_name: "Passkey".to_owned(),
        relying_party_id: party,
        attachment: registered.attachment,
        transports: registered.transports,
        created: now,
    });
    user.touch(now);
    Ok(nothing())
}

pub(super) fn list(call: &mut Call<'_>) -> Outcome {
    let bearer = caller::bearer(call, RESET_ONLY)?;
    let limit = match call.input.integer("MaxResults").and_then(|most| usize::try_from(most).ok()) {
        None | Some(0) => MAX_PASSKEYS,
        Some(limit) => limit,
    };
    let after = call.input.optional_text("NextToken");
    let user = call.state.user(&bearer.pool_id, &bearer.username)?;
    let first = match after {
        None => 0,
        Some(after) => {
            let position = user.passkeys.iter().position(|passkey| passkey.id == after);
            position.ok_or_else(|| Failure::invalid_parameter("Invalid pagination token."))? + 1
        }
    };
    let page: Vec<&Passkey> = user.passkeys.iter().skip(first).take(limit).collect();
    let mut output = json!({
        "Credentials": page.iter().map(|passkey| describe(passkey)).collect::<Vec<_>>(),
    });
    let more = first + page.len() < user.passkeys.len();
    if let (Some(last), true, Some(members)) = (page.last(), more, output.as_object_mut()) {
        members.insert("NextToken".to_owned(), Value::from(last.id.as_str()));
    }
    Ok(output)
}

pub(super) fn delete(call: &mut Call<'_>) -> Outcome {
    let bearer = caller::bearer(call, RESET_ONLY)?;
    let (id, now) = (call.input.text("CredentialId")?, call.state.now());
    let user = call.state.user(&bearer.pool_id, &bearer.username)?;
    let position = user
        .passkeys
        .iter()
        .position(|passkey| passkey.id == id)
        .ok_or_else(|| Failure::resource_not_found("The requested credential does not exist."))?;
    user.passkeys.remove(position);
    user.touch(now);
    Ok(nothing())
}

fn describe(passkey: &Passkey) -> Value {
    let mut description = json!({
        "CredentialId": passkey.id,
        "FriendlyCredentialName": passkey.friendly_name,
        "RelyingPartyId": passkey.relying_party_id,
        "AuthenticatorTransports": passkey.transports,
        "CreatedAt": timestamp(passkey.created),
    });
    if let (Some(attachment), Some(members)) = (&passkey.attachment, description.as_object_mut()) {
        members.insert("AuthenticatorAttachment".to_owned(), Value::from(attachment.as_str()));
    }
    description
}

/// The relying party of a pool with passkeys: allowed as first or as second factor, or set up with a relying party.
fn relying_party(pool: &Pool) -> Result<String, Failure> {
    let set_up = pool.web_authn("RelyingPartyId").is_some();
    if !(set_up || pool.first_factors().contains(&"WEB_AUTHN") || pool.offers_web_authn_factor()) {
        return Err(Failure::new("WebAuthnNotEnabledException", "WebAuthn is not enabled for the user pool."));
    }
    let party = pool.web_authn("RelyingPartyId").ok_or_else(|| {
        Failure::new("WebAuthnConfigurationMissingException", "The user pool has no relying party id.")
    })?;
    Ok(party.to_owned())
}

fn check_limit(user: &User) -> Result<(), Failure> {
    if user.passkeys.len() < MAX_PASSKEYS {
        return Ok(());
    }
    Err(Failure::new("LimitExceededException", "The user has the largest number of passkeys."))
}
