//! `RespondToAuthChallenge` and `AdminRespondToAuthChallenge`.

use crate::model::input::Input;
use crate::operation::call::{Call, Outcome};
use crate::operation::sign_in::{self, Attempt, parameter};
use crate::password::{self, PasswordHash};
use crate::protocol::Failure;
use crate::state::session::{Session, Step};
use crate::state::user::{Factor, Status, temporarily_locked};
use crate::totp;

/// A response to a challenge, whose session is valid.
struct Response<'a> {
    session_name: &'a str,
    session: Session,
    responses: Option<Input<'a>>,
}

impl Response<'_> {
    fn attempt(&self) -> Attempt {
        Attempt {
            pool_id: self.session.pool_id.clone(),
            username: self.session.username.clone(),
            client_id: self.session.client_id.clone(),
        }
    }
}

pub(super) fn respond(call: &mut Call<'_>) -> Outcome {
    let pool_id = call.state.pool_of_client(call.input.text("ClientId")?)?.id.clone();
    respond_to_challenge(call, &pool_id)
}

pub(super) fn admin_respond(call: &mut Call<'_>) -> Outcome {
    let pool = call.pool()?;
    let pool_id = pool.id.clone();
    respond_to_challenge(call, &pool_id)
}

fn respond_to_challenge(call: &mut Call<'_>, pool_id: &str) -> Outcome {
    let input = call.input;
    let client_id = input.text("ClientId")?;
    let pool = call.state.pool(pool_id, None)?;
    let client = pool.client(client_id)?;
    let responses = input.structure("ChallengeResponses");
    let name = parameter(responses, "USERNAME")?;
    client.check_secret_hash(name, responses.and_then(|responses| responses.optional_text("SECRET_HASH")))?;
    let username = pool.resolve(name).map(str::to_owned);
    let Some(session_name) = input.optional_text("Session") else {
        return Err(Failure::invalid_parameter("Missing required parameter Session"));
    };
    let session = call.state.session(session_name)?;
    let is_theirs = session.pool_id == pool_id
        && session.client_id == client_id
        && username.as_deref() == Some(session.username.as_str());
    if !is_theirs {
        return Err(Failure::not_authorized("Invalid session for the user."));
    }
    call.state.user(pool_id, &session.username)?.must_be_enabled()?;
    let step = session.step.clone();
    let response = Response { session_name, session, responses };
    if input.text("ChallengeName")? != step.challenge_name() {
        return Err(Failure::not_authorized("Invalid session for the user."));
    }
    match step {
        Step::NewPassword => new_password(call, &response),
        Step::ChooseFactor(factors) => choose(call, &response, &factors),
        Step::SentCode(factor, sent) => sent_code(call, &response, factor, &sent),
        Step::SoftwareTokenCode => software_token_code(call, &response),
        Step::SetUpDone => set_up_done(call, &response),
        Step::SetUp => set_up_email(call, &response),
    }
}

fn new_password(call: &mut Call<'_>, response: &Response<'_>) -> Outcome {
    let attempt = response.attempt();
    let password = parameter(response.responses, "NEW_PASSWORD")?;
    let now = call.state.now();
    let pool = call.state.pool(&attempt.pool_id, None)?;
    password::check_policy(password, pool.password_policy())?;
    let user = pool.user_mut(&attempt.username)?;
    user.password = Some(PasswordHash::new(password)?);
    user.status = Status::Confirmed;
    user.touch(now);
    call.state.use_session(response.session_name);
    sign_in::after_password(call, &attempt)
}

fn choose(call: &mut Call<'_>, response: &Response<'_>, factors: &[Factor]) -> Outcome {
    let answer = parameter(response.responses, "ANSWER")?;
    let chosen = Factor::named(answer).filter(|factor| factors.contains(factor));
    let Some(chosen) = chosen else {
        return Err(Failure::new("MFAMethodNotFoundException", "The selected MFA method is not available to the user"));
    };
    call.state.use_session(response.session_name);
    sign_in::ask(call, &response.attempt(), chosen)
}

fn sent_code(call: &mut Call<'_>, response: &Response<'_>, factor: Factor, sent: &str) -> Outcome {
    let (name, attribute) = match factor {
        Factor::Email => ("EMAIL_OTP_CODE", "email_verified"),
        Factor::Sms | Factor::SoftwareToken | Factor::WebAuthn => ("SMS_MFA_CODE", "phone_number_verified"),
    };
    let code = parameter(response.responses, name)?;
    let attempt = response.attempt();
    must_not_be_locked(call, &attempt)?;
    if code != sent {
        record_failure(call, &attempt)?;
        return Err(Failure::new("CodeMismatchException", "Invalid code or auth state for the user."));
    }
    // U8: whoever read the code has the phone or the mailbox.
    let user = call.state.user(&attempt.pool_id, &attempt.username)?;
    user.attributes.insert(attribute.to_owned(), "true".to_owned());
    succeed(call, response, &attempt)
}

fn software_token_code(call: &mut Call<'_>, response: &Response<'_>) -> Outcome {
    let code = parameter(response.responses, "SOFTWARE_TOKEN_MFA_CODE")?;
    let attempt = response.attempt();
    must_not_be_locked(call, &attempt)?;
    let now = call.state.now().as_secs();
    let user = call.state.user(&attempt.pool_id, &attempt.username)?;
    let verified = user.software_token.as_mut().filter(|token| token.verified);
    let Some(token) = verified else {
        record_failure(call, &attempt)?;
        return Err(wrong_totp());
    };
    if let Some(step) = totp::accepted_step(&token.secret, code, now, token.used_step) {
        token.used_step = Some(step);
        return succeed(call, response, &attempt);
    }
    if totp::matching_step(&token.secret, code, now).is_some() {
        return Err(Failure::new("ExpiredCodeException", "Your software token has already been used once."));
    }
    record_failure(call, &attempt)?;
    Err(wrong_totp())
}

fn wrong_totp() -> Failure {
    Failure::new("CodeMismatchException", "Invalid code received for user")
}

/// The authenticator app was verified during this sign-in, so it is turned on.
fn set_up_done(call: &mut Call<'_>, response: &Response<'_>) -> Outcome {
    let attempt = response.attempt();
    let user = call.state.user(&attempt.pool_id, &attempt.username)?;
    user.turn_on(Factor::SoftwareToken);
    succeed(call, response, &attempt)
}

/// `MFA_SETUP` with an address sends a code to it; without one, the response is out of order.
fn set_up_email(call: &mut Call<'_>, response: &Response<'_>) -> Outcome {
    let attempt = response.attempt();
    let address = response.responses.and_then(|responses| responses.optional_text("EMAIL"));
    let Some(address) = address.filter(|address| address.contains('@')) else {
        return Err(Failure::not_authorized("Invalid session for the user."));
    };
    let pool = call.state.pool(&attempt.pool_id, None)?;
    if !pool.offers_email() {
        return Err(Failure::invalid_parameter("EMAIL_OTP is not offered by the user pool"));
    }
    let user = pool.user_mut(&attempt.username)?;
    user.attributes.insert("email".to_owned(), address.to_owned());
    user.attributes.insert("email_verified".to_owned(), "false".to_owned());
    user.turn_on(Factor::Email);
    call.state.use_session(response.session_name);
    sign_in::ask(call, &attempt, Factor::Email)
}

fn must_not_be_locked(call: &mut Call<'_>, attempt: &Attempt) -> Result<(), Failure> {
    let now = call.state.now();
    let user = call.state.user(&attempt.pool_id, &attempt.username)?;
    if user.failures.locked(now) {
        return Err(temporarily_locked());
    }
    Ok(())
}

/// Counts a wrong code. The session stays usable: the user may try again.
fn record_failure(call: &mut Call<'_>, attempt: &Attempt) -> Result<(), Failure> {
    let now = call.state.now();
    call.state.user(&attempt.pool_id, &attempt.username)?.failures.add(now);
    Ok(())
}

fn succeed(call: &mut Call<'_>, response: &Response<'_>, attempt: &Attempt) -> Outcome {
    call.state.use_session(response.session_name);
    call.state.user(&attempt.pool_id, &attempt.username)?.failures.clear();
    sign_in::tokens(call, attempt)
}
