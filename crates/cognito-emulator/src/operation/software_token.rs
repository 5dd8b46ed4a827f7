//! The operations on authenticator apps: associate, verify, delete.

use serde_json::{Value, json};

use crate::operation::call::{Call, Outcome, nothing};
use crate::operation::caller::{self, EVERY_STATE, NO_STATE, StateChecks};
use crate::protocol::Failure;
use crate::random;
use crate::state::session::{Session, Step};
use crate::state::user::{Factor, SoftwareToken, temporarily_locked};
use crate::totp;

/// Who enrols: a signed-in user, or one during a sign-in (T2).
enum Enrolment {
    SignedIn { pool_id: String, username: String },
    SigningIn { name: String, session: Session },
}

impl Enrolment {
    fn user(&self) -> (&str, &str) {
        match self {
            Self::SignedIn { pool_id, username } => (pool_id, username),
            Self::SigningIn { session, .. } => (&session.pool_id, &session.username),
        }
    }
}

pub(super) fn associate(call: &mut Call<'_>) -> Outcome {
    let enrolment = enrolment(call, NO_STATE)?;
    let (pool_id, username) = enrolment.user();
    pool_must_offer(call, pool_id)?;
    let (secret, now) = (random::totp_secret()?, call.state.now());
    let user = call.state.user(pool_id, username)?;
    // T4: the previous token stops working at once, although its preference stays (B2).
    user.software_token = Some(SoftwareToken {
        secret: secret.clone(),
        verified: false,
        replaces_verified: user.has_set_up_software_token(),
        device_name: None,
        used_step: None,
    });
    user.touch(now);
    let output = json!({ "SecretCode": secret });
    next_session(call, &enrolment, Step::SetUp, output)
}

pub(super) fn verify(call: &mut Call<'_>) -> Outcome {
    let enrolment = enrolment(call, EVERY_STATE)?;
    let (pool_id, username) = enrolment.user();
    pool_must_offer(call, pool_id)?;
    let now = call.state.now();
    let code = call.input.text("UserCode")?;
    let user = call.state.user(pool_id, username)?;
    let Some(token) = &mut user.software_token else {
        return Err(Failure::new(
            "SoftwareTokenMFANotFoundException",
            "Software Token MFA does not exist for the user.",
        ));
    };
    if user.failures.locked(now) {
        return Err(temporarily_locked());
    }
    let Some(step) = totp::accepted_step(&token.secret, code, now.as_secs(), token.used_step) else {
        user.failures.add(now);
        return Err(match enrolment {
            Enrolment::SignedIn { .. } => {
                Failure::new("EnableSoftwareTokenMFAException", "Code mismatch and fail enable Software Token MFA")
            }
            Enrolment::SigningIn { .. } => Failure::new("CodeMismatchException", "Invalid code received for user"),
        });
    };
    token.verified = true;
    token.device_name = call.input.optional_text("FriendlyDeviceName").map(str::to_owned);
    token.used_step = Some(step);
    user.failures.clear();
    user.touch(now);
    // T6: verified is not turned on; that takes a preference.
    next_session(call, &enrolment, Step::SetUpDone, json!({ "Status": "SUCCESS" }))
}

/// Idempotent: returns the same for a user without a token.
pub(super) fn admin_delete(call: &mut Call<'_>) -> Outcome {
    let now = call.state.now();
    let user = call.user()?;
    user.must_be_enabled()?;
    user.must_be_confirmed()?;
    user.software_token = None;
    user.turn_off(Factor::SoftwareToken);
    user.touch(now);
    Ok(nothing())
}

fn enrolment(call: &mut Call<'_>, checks: StateChecks) -> Result<Enrolment, Failure> {
    match (call.input.has("AccessToken"), call.input.optional_text("Session")) {
        (true, None) => {
            let bearer = caller::bearer(call, checks)?;
            Ok(Enrolment::SignedIn { pool_id: bearer.pool_id, username: bearer.username })
        }
        (false, Some(name)) => {
            let session = call.state.session(name)?;
            if session.step != Step::SetUp {
                return Err(Failure::not_authorized("Invalid session for the user."));
            }
            let user = call.state.user(&session.pool_id, &session.username)?;
            caller::check_state(user, checks)?;
            Ok(Enrolment::SigningIn { name: name.to_owned(), session })
        }
        (true, Some(_)) => Err(Failure::invalid_parameter("Only one of AccessToken and Session can be provided")),
        (false, None) => Err(Failure::invalid_parameter("One of AccessToken and Session must be provided")),
    }
}

/// T9: refuses a pool that does not offer authenticator apps.
fn pool_must_offer(call: &mut Call<'_>, pool_id: &str) -> Result<(), Failure> {
    if call.state.pool(pool_id, None)?.offers_software_token() {
        return Ok(());
    }
    Err(Failure::new("SoftwareTokenMFANotFoundException", "Software Token MFA has not been enabled by the userPool"))
}

/// T3: during a sign-in, each step spends its session and returns the next one.
fn next_session(call: &mut Call<'_>, enrolment: &Enrolment, step: Step, mut output: Value) -> Outcome {
    if let Enrolment::SigningIn { name, session } = enrolment {
        call.state.use_session(name);
        let Session { pool_id, username, client_id, .. } = session;
        let next = call.state.open_session(pool_id, username, client_id, step)?;
        if let Some(members) = output.as_object_mut() {
            members.insert("Session".to_owned(), Value::from(next));
        }
    }
    Ok(output)
}
