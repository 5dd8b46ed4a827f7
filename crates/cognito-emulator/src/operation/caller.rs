//! The user behind an access token, and the states in which an operation refuses users.

use crate::operation::call::Call;
use crate::protocol::Failure;
use crate::state::user::User;
use crate::token::{self, Bearer, Refusal};

/// The states of a user that an operation refuses, which are those of its errors in the service model.
///
/// Without its check, a missing user is refused as an invalid token and the other states are accepted.
#[derive(Clone, Copy, Debug)]
pub(super) struct StateChecks {
    pub(super) missing_user: bool,
    pub(super) unconfirmed_user: bool,
    pub(super) reset_required: bool,
}

/// For most operations with an access token.
pub(super) const EVERY_STATE: StateChecks =
    StateChecks { missing_user: true, unconfirmed_user: true, reset_required: true };

/// For `AssociateSoftwareToken`.
pub(super) const NO_STATE: StateChecks =
    StateChecks { missing_user: false, unconfirmed_user: false, reset_required: false };

/// For the `WebAuthn` operations.
pub(super) const RESET_ONLY: StateChecks =
    StateChecks { missing_user: false, unconfirmed_user: false, reset_required: true };

/// For `GlobalSignOut`.
pub(super) const ALL_BUT_MISSING: StateChecks =
    StateChecks { missing_user: false, unconfirmed_user: true, reset_required: true };

/// The user of the access token that the request carries.
pub(super) fn bearer(call: &mut Call<'_>, checks: StateChecks) -> Result<Bearer, Failure> {
    let token = call.input.text("AccessToken")?;
    let bearer = token::verify(call.state, call.signer()?, token).map_err(|refusal| match refusal {
        Refusal::Token(failure) => failure,
        Refusal::UserGone if checks.missing_user => Failure::user_not_found(),
        Refusal::UserGone => Failure::not_authorized("Invalid Access Token"),
    })?;
    let user = call.state.user(&bearer.pool_id, &bearer.username)?;
    check_state(user, checks)?;
    Ok(bearer)
}

/// Refuses a disabled user, and one in a state that these checks name.
pub(super) fn check_state(user: &User, checks: StateChecks) -> Result<(), Failure> {
    user.must_be_enabled()?;
    if checks.unconfirmed_user {
        user.must_be_confirmed()?;
    }
    if checks.reset_required {
        user.must_not_need_reset()?;
    }
    Ok(())
}
