//! `GlobalSignOut` and `AdminUserGlobalSignOut`.

use crate::operation::call::{Call, Outcome, nothing};
use crate::operation::caller::{self, ALL_BUT_MISSING};

pub(super) fn own(call: &mut Call<'_>) -> Outcome {
    let bearer = caller::bearer(call, ALL_BUT_MISSING)?;
    call.state.user(&bearer.pool_id, &bearer.username)?.sign_out();
    Ok(nothing())
}

pub(super) fn admin(call: &mut Call<'_>) -> Outcome {
    call.user()?.sign_out();
    Ok(nothing())
}
