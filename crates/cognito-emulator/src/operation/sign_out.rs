//! This file performs `GlobalSignOut` and `AdminUserGlobalSignOut`.

use super::caller::{self, NOT_MISSING};
use super::{Call, Outcome, nothing};

pub(super) fn own(call: &mut Call<'_>) -> Outcome {
    let bearer = caller::bearer(call, NOT_MISSING)?;
    call.state.user(&bearer.pool_id, &bearer.username)?.sign_out();
    Ok(nothing())
}

pub(super) fn admin(call: &mut Call<'_>) -> Outcome {
    call.user()?.sign_out();
    Ok(nothing())
}
