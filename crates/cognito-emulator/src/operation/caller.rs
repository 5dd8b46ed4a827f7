//! This file finds out who makes a token call, and refuses users in a state that forbids it.

use crate::operation::call::Call;
use crate::protocol::Failure;
use crate::state::user::User;
use crate::token::{self, Bearer, Refusal};

/// Which refusals of the user an operation has in the model.
///
/// A refusal that it lacks shows as a rejected token (user gone) or does not happen (the others).
#[derive(Clone, Copy, Debug)]
pub(super) struct Refuses {
    pub(super) missing_user: bool,
    pub(super) unconfirmed_user: bool,
    pub(super) reset_required: bool,
}

/// Most token operations.
pub(super) const EVERY_STATE: Refuses = Refuses { missing_user: true, unconfirmed_user: true, reset_required: true };

/// `AssociateSoftwareToken`.
pub(super) const NO_STATE: Refuses = Refuses { missing_user: false, unconfirmed_user: false, reset_required: false };

/// The `WebAuthn` operations.
pub(super) const RESET_ONLY: Refuses = Refuses { missing_user: false, unconfirmed_user: false, reset_required: true };

/// `GlobalSignOut`.
pub(super) const NOT_MISSING: Refuses = Refuses { missing_user: false, unconfirmed_user: true, reset_required: true };

/// Whose access token the request carries.
pub(super) fn bearer(call: &mut Call<'_>, refuses: Refuses) -> Result<Bearer, Failure> {
    let token = call.input.text("AccessToken")?;
    let bearer = token::verify(call.state, call.signer()?, token).map_err(|refusal| match refusal {
        Refusal::Token(failure) => failure,
        Refusal::UserGone if refuses.missing_user => Failure::user_not_found(),
        Refusal::UserGone => Failure::not_authorized("Invalid Access Token"),
    })?;
    let user = call.state.user(&bearer.pool_id, &bearer.username)?;
    must_be_usable(user, refuses)?;
    Ok(bearer)
}

/// Refuses a user who is disabled, not confirmed or waiting for a new password.
pub(super) fn must_be_usable(user: &User, refuses: Refuses) -> Result<(), Failure> {
    user.must_be_enabled()?;
    if refuses.unconfirmed_user {
        user.must_be_confirmed()?;
    }
    if refuses.reset_required {
        user.must_not_need_reset()?;
    }
    Ok(())
}
