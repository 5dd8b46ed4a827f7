//! `SetUserSettings` and `AdminSetUserSettings`, which Cognito keeps for old callers.
//!
//! They change `MFAOptions` and nothing else (L1 to L4): no preference and no sign-in.

use crate::model::input::Input;
use crate::operation::call::{Call, Outcome, nothing};
use crate::operation::caller::{self, EVERY_STATE};
use crate::protocol::Failure;
use crate::state::user::MfaOption;

pub(super) fn set(call: &mut Call<'_>) -> Outcome {
    let bearer = caller::bearer(call, EVERY_STATE)?;
    let (options, now) = (options(call.input)?, call.state.now());
    let user = call.state.user(&bearer.pool_id, &bearer.username)?;
    user.mfa_options = options;
    user.touch(now);
    Ok(nothing())
}

pub(super) fn admin_set(call: &mut Call<'_>) -> Outcome {
    call.user()?.must_be_enabled()?;
    let (options, now) = (options(call.input)?, call.state.now());
    let user = call.user()?;
    user.mfa_options = options;
    user.touch(now);
    Ok(nothing())
}

/// An e-mail without an attribute, the sample of the AWS CLI, is accepted and leaves nothing; SMS to `phone_number` turns the legacy record on, an empty list turns it off (L2).
fn options(input: Input<'_>) -> Result<Vec<MfaOption>, Failure> {
    let mut options = Vec::new();
    for option in input.structures("MFAOptions") {
        let (medium, attribute) = (option.optional_text("DeliveryMedium"), option.optional_text("AttributeName"));
        if (medium, attribute) == (Some("EMAIL"), None) {
            continue;
        }
        if (medium, attribute) != (Some("SMS"), Some("phone_number")) {
            return Err(Failure::invalid_parameter(
                "MFAOptions accepts the DeliveryMedium SMS with the AttributeName phone_number only",
            ));
        }
        let option = MfaOption { delivery_medium: "SMS".to_owned(), attribute_name: "phone_number".to_owned() };
        if !options.contains(&option) {
            options.push(option);
        }
    }
    Ok(options)
}
