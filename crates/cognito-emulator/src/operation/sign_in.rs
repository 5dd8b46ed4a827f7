//! `InitiateAuth` and `AdminInitiateAuth`: the password, then what pool and preferences ask for.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::model::input::Input;
use crate::operation::call::{Call, Outcome};
use crate::operation::delivery;
use crate::protocol::Failure;
use crate::state::client::Client;
use crate::state::pool::{MfaMode, Pool};
use crate::state::session::Step;
use crate::state::user::{Factor, SignIn, Status, User};
use crate::token::{self, ADMIN_SCOPE, Grant, Issue};

/// Who signs in, and through which app client.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) pool_id: String,
    pub(super) username: String,
    pub(super) client_id: String,
}

pub(super) fn initiate(call: &mut Call<'_>) -> Outcome {
    let client_id = call.input.text("ClientId")?;
    let pool_id = call.state.pool_of_client(client_id)?.id.clone();
    let flow = call.input.text("AuthFlow")?;
    match flow {
        "USER_PASSWORD_AUTH" => with_password(
            call,
            &pool_id,
            &["ALLOW_USER_PASSWORD_AUTH", "USER_PASSWORD_AUTH"],
            "USER_PASSWORD_AUTH flow not enabled for this client",
        ),
        "REFRESH_TOKEN_AUTH" | "REFRESH_TOKEN" => with_refresh_token(call, &pool_id),
        "ADMIN_USER_PASSWORD_AUTH" | "ADMIN_NO_SRP_AUTH" => {
            Err(Failure::invalid_parameter("Initiate Auth method not supported."))
        }
        _ => Err(not_emulated(flow)),
    }
}

pub(super) fn admin_initiate(call: &mut Call<'_>) -> Outcome {
    let pool_id = call.pool()?.id.clone();
    let flow = call.input.text("AuthFlow")?;
    match flow {
        "ADMIN_USER_PASSWORD_AUTH" | "ADMIN_NO_SRP_AUTH" => with_password(
            call,
            &pool_id,
            &["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"],
            "Auth flow not enabled for this client",
        ),
        "USER_PASSWORD_AUTH" => with_password(
            call,
            &pool_id,
            &["ALLOW_USER_PASSWORD_AUTH", "USER_PASSWORD_AUTH"],
            "USER_PASSWORD_AUTH flow not enabled for this client",
        ),
        "REFRESH_TOKEN_AUTH" | "REFRESH_TOKEN" => with_refresh_token(call, &pool_id),
        _ => Err(not_emulated(flow)),
    }
}

fn not_emulated(flow: &str) -> Failure {
    Failure::invalid_parameter(format!("The emulator does not implement the {flow} flow"))
}

fn with_password(call: &mut Call<'_>, pool_id: &str, flows: &[&str], refusal: &str) -> Outcome {
    let client_id = call.input.text("ClientId")?;
    let pool = call.state.pool(pool_id, None)?;
    let client = pool.client(client_id)?;
    if !client.allows(flows) {
        return Err(Failure::invalid_parameter(refusal));
    }
    let parameters = call.input.structure("AuthParameters");
    let name = parameter(parameters, "USERNAME")?;
    let password = parameter(parameters, "PASSWORD")?;
    let hash = parameters.and_then(|parameters| parameters.optional_text("SECRET_HASH"));
    client.check_secret_hash(name, hash)?;
    let wrong = || Failure::not_authorized("Incorrect username or password.");
    let user = match pool.user(name) {
        Err(_) if client.hides_users() => return Err(wrong()),
        user => user?,
    };
    user.must_be_enabled()?;
    // A federated user signs in elsewhere (U13).
    let known = user.password.as_ref().filter(|_| user.status != Status::ExternalProvider);
    if !known.is_some_and(|known| known.matches(password)) {
        return Err(wrong());
    }
    user.must_be_confirmed()?;
    user.must_not_need_reset()?;
    let attempt =
        Attempt { pool_id: pool_id.to_owned(), username: user.username.clone(), client_id: client_id.to_owned() };
    if user.status == Status::ForceChangePassword {
        let attributes: Value = user
            .attributes
            .iter()
            .filter(|(name, _)| *name != "sub")
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
            .collect();
        let parameters = json!({
            "USER_ID_FOR_SRP": user.username,
            "requiredAttributes": "[]",
            "userAttributes": attributes.to_string(),
        });
        return challenge(call, &attempt, Step::NewPassword, &parameters);
    }
    after_password(call, &attempt)
}

/// A required member of `AuthParameters` or `ChallengeResponses`.
pub(super) fn parameter<'a>(parameters: Option<Input<'a>>, name: &str) -> Result<&'a str, Failure> {
    parameters
        .and_then(|parameters| parameters.optional_text(name))
        .ok_or_else(|| Failure::invalid_parameter(format!("Missing required parameter {name}")))
}

/// The step after a correct password: a second factor, its setup, or the tokens.
pub(super) fn after_password(call: &mut Call<'_>, attempt: &Attempt) -> Outcome {
    let pool = call.state.pool(&attempt.pool_id, None)?;
    let user = pool.user(&attempt.username)?;
    let factors = asked_factors(pool, user);
    match factors.as_slice() {
        // T10: from the first sign-in on, whoever created the user.
        [] if pool.mfa.mode == MfaMode::On => set_up(call, attempt),
        [] => tokens(call, attempt),
        [factor] => ask(call, attempt, *factor),
        several => {
            let names: Vec<_> = several.iter().map(|factor| factor.name()).collect();
            let parameters = json!({
                "MFAS_CAN_CHOOSE": json!(names).to_string(),
                "USER_ID_FOR_SRP": attempt.username,
            });
            let step = Step::ChooseFactor(several.to_vec());
            challenge(call, attempt, step, &parameters)
        }
    }
}

/// The factors to ask for: only the preferred one if it can be asked for (U2).
fn asked_factors(pool: &Pool, user: &User) -> Vec<Factor> {
    let on: BTreeSet<Factor> = match pool.mfa.mode {
        // P14: the preferences stay stored and are ignored.
        MfaMode::Off => BTreeSet::new(),
        MfaMode::Optional => user.factors.iter().copied().collect(),
        // B1: in an ON pool a phone number or address is enough, listed or not.
        MfaMode::On => {
            let has = |factor: &Factor| match factor {
                Factor::Sms => user.attribute("phone_number").is_some(),
                Factor::Email => user.attribute("email").is_some() && pool.offers_email(),
                Factor::SoftwareToken => user.has_software_token() || user.has_factor(Factor::SoftwareToken),
                Factor::WebAuthn => false,
            };
            [Factor::Sms, Factor::SoftwareToken, Factor::Email].into_iter().filter(has).collect()
        }
    };
    let can_be_asked = |factor: &Factor| match factor {
        Factor::Sms => pool.has_sms() && user.attribute("phone_number").is_some(),
        Factor::Email => pool.sends_own_email() && user.attribute("email").is_some(),
        // B6: a token still works after the pool has stopped offering tokens. B2: one that was replaced and not
        // verified is still asked for, and no code is accepted.
        Factor::SoftwareToken => user.software_token.is_some(),
        // The emulator does not verify assertions.
        Factor::WebAuthn => false,
    };
    let factors: Vec<Factor> = on.into_iter().filter(can_be_asked).collect();
    match user.preferred {
        Some(preferred) if factors.contains(&preferred) => vec![preferred],
        Some(_) | None => factors,
    }
}

fn set_up(call: &mut Call<'_>, attempt: &Attempt) -> Outcome {
    let pool = call.state.pool(&attempt.pool_id, None)?;
    let mut possible = Vec::new();
    if pool.has_sms() {
        possible.push(Factor::Sms.name());
    }
    if pool.offers_software_token() {
        possible.push(Factor::SoftwareToken.name());
    }
    if pool.offers_email() {
        possible.push(Factor::Email.name());
    }
    let parameters = json!({
        "MFAS_CAN_SETUP": json!(possible).to_string(),
        "USER_ID_FOR_SRP": attempt.username,
    });
    challenge(call, attempt, Step::SetUp, &parameters)
}

/// Asks for a code of this factor, after sending it if it is one that is sent.
pub(super) fn ask(call: &mut Call<'_>, attempt: &Attempt, factor: Factor) -> Outcome {
    let user = call.state.user(&attempt.pool_id, &attempt.username)?.clone();
    let mut parameters = json!({ "USER_ID_FOR_SRP": attempt.username });
    let step = if delivery::channel(factor).is_some() {
        let sent = delivery::send(call, &attempt.pool_id, &user, factor)?;
        if let Some(members) = parameters.as_object_mut() {
            members.insert("CODE_DELIVERY_DELIVERY_MEDIUM".to_owned(), Value::from(sent.medium));
            members.insert("CODE_DELIVERY_DESTINATION".to_owned(), Value::from(sent.masked));
        }
        Step::SentCode(factor, sent.code)
    } else {
        // As in AWS's samples: InitiateAuth returns the device's name only, AdminInitiateAuth the user as well.
        if call.region.is_none() {
            parameters = json!({});
        }
        let device = user.software_token.and_then(|token| token.device_name);
        if let (Some(device), Some(members)) = (device, parameters.as_object_mut()) {
            members.insert("FRIENDLY_DEVICE_NAME".to_owned(), Value::from(device));
        }
        Step::SoftwareTokenCode
    };
    challenge(call, attempt, step, &parameters)
}

fn challenge(call: &mut Call<'_>, attempt: &Attempt, step: Step, parameters: &Value) -> Outcome {
    let name = step.challenge_name();
    let Attempt { pool_id, username, client_id } = attempt;
    let session = call.state.open_session(pool_id, username, client_id, step)?;
    Ok(json!({ "ChallengeName": name, "Session": session, "ChallengeParameters": parameters }))
}

/// Completes a sign-in with tokens.
pub(super) fn tokens(call: &mut Call<'_>, attempt: &Attempt) -> Outcome {
    let now = call.state.now();
    let pool = call.state.pool(&attempt.pool_id, None)?;
    let client = pool.client(&attempt.client_id)?.clone();
    let user = pool.user_mut(&attempt.username)?;
    let sign_in = token::start_sign_in(user, &client, now)?;
    let refresh_token = sign_in.refresh_token.clone();
    let mut result = token_set(call, attempt, &client, &sign_in)?;
    if let (Some(refresh_token), Some(members)) = (refresh_token, result.as_object_mut()) {
        members.insert("RefreshToken".to_owned(), Value::from(refresh_token));
    }
    Ok(json!({ "AuthenticationResult": result, "ChallengeParameters": {} }))
}

fn token_set(call: &mut Call<'_>, attempt: &Attempt, client: &Client, sign_in: &SignIn) -> Outcome {
    let now = call.state.now();
    let validity = client.access_token_validity();
    let signer = call.signer.ok_or_else(|| Failure::internal("the operation has no key"))?;
    let issuer = call.state.issuer(&attempt.pool_id).unwrap_or_default();
    let pool = call.state.pool(&attempt.pool_id, None)?;
    let user = pool.user(&attempt.username)?;
    let grant = Grant { scope: ADMIN_SCOPE.to_owned(), issued: now, expires: now.saturating_add(validity) };
    let issue = Issue { signer, issuer: &issuer, pool, user, sign_in };
    Ok(json!({
        "AccessToken": issue.access_token(&grant)?,
        "IdToken": issue.id_token(now)?,
        "ExpiresIn": validity.as_secs(),
        "TokenType": "Bearer",
    }))
}

fn with_refresh_token(call: &mut Call<'_>, pool_id: &str) -> Outcome {
    let now = call.state.now();
    let client_id = call.input.text("ClientId")?;
    let pool = call.state.pool(pool_id, None)?;
    let client = pool.client(client_id)?.clone();
    if !client.allows(&["ALLOW_REFRESH_TOKEN_AUTH", "USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"]) {
        return Err(Failure::invalid_parameter("REFRESH_TOKEN_AUTH flow not enabled for this client"));
    }
    let token = parameter(call.input.structure("AuthParameters"), "REFRESH_TOKEN")?;
    let found = pool.users.values().find_map(|user| {
        let own = |sign_in: &&SignIn| sign_in.refresh_token.as_deref() == Some(token) && sign_in.client_id == client_id;
        Some((user, user.sign_ins.iter().find(own)?))
    });
    let Some((user, sign_in)) = found else {
        return Err(Failure::not_authorized("Invalid Refresh Token"));
    };
    user.must_be_enabled()?;
    if sign_in.expires <= now {
        return Err(Failure::not_authorized("Refresh Token has expired"));
    }
    let attempt =
        Attempt { pool_id: pool_id.to_owned(), username: user.username.clone(), client_id: client_id.to_owned() };
    let sign_in = sign_in.clone();
    let result = token_set(call, &attempt, &client, &sign_in)?;
    Ok(json!({ "AuthenticationResult": result, "ChallengeParameters": {} }))
}
