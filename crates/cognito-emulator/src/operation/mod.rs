//! Dispatch: from the name of an operation to its function.

mod app_client;
mod attribute;
pub(crate) mod call;
mod caller;
mod challenge;
mod delivery;
mod legacy_settings;
mod list_users;
mod passkey;
mod pool;
mod pool_mfa;
mod preference;
mod read_user;
mod sign_in;
mod sign_out;
mod sign_up;
mod software_token;
mod user;

use crate::model::operation::{Access, Operation};
use crate::operation::call::{Call, Outcome};
use crate::protocol::Failure;

type Perform = fn(&mut Call<'_>) -> Outcome;

/// Performs an operation on a checked request.
pub(crate) fn perform(operation: &Operation, call: &mut Call<'_>) -> Outcome {
    let perform =
        find(operation.name).ok_or_else(|| Failure::internal("an operation of the table is not implemented"))?;
    perform(call)
}

/// Whether an operation issues or verifies tokens.
pub(crate) fn needs_key(operation: &Operation) -> bool {
    operation.access == Access::Unsigned
        || operation.name.ends_with("InitiateAuth")
        || operation.name.ends_with("AuthChallenge")
}

/// Whether an operation changes nothing.
pub(crate) fn only_reads(operation: &Operation) -> bool {
    ["Get", "AdminGet", "List", "Describe"].iter().any(|prefix| operation.name.starts_with(prefix))
}

fn find(name: &str) -> Option<Perform> {
    Some(match name {
        "AdminConfirmSignUp" => sign_up::admin_confirm,
        "AdminCreateUser" => user::create,
        "AdminDeleteSoftwareToken" => software_token::admin_delete,
        "AdminDeleteUser" => user::delete,
        "AdminDisableUser" => user::disable,
        "AdminEnableUser" => user::enable,
        "AdminGetUser" => read_user::admin_get_user,
        "AdminGetUserAuthFactors" => read_user::admin_get_auth_factors,
        "AdminInitiateAuth" => sign_in::admin_initiate,
        "AdminResetUserPassword" => user::reset_password,
        "AdminRespondToAuthChallenge" => challenge::admin_respond,
        "AdminSetUserMFAPreference" => preference::admin_set,
        "AdminSetUserPassword" => user::set_password,
        "AdminSetUserSettings" => legacy_settings::admin_set,
        "AdminUpdateUserAttributes" => user::update_attributes,
        "AdminUserGlobalSignOut" => sign_out::admin,
        "AssociateSoftwareToken" => software_token::associate,
        "CompleteWebAuthnRegistration" => passkey::complete,
        "CreateUserPool" => pool::create,
        "CreateUserPoolClient" => app_client::create,
        "DeleteUserPool" => pool::delete,
        "DeleteWebAuthnCredential" => passkey::delete,
        "DescribeUserPool" => pool::describe,
        "GetUser" => read_user::get_user,
        "GetUserAuthFactors" => read_user::get_auth_factors,
        "GetUserPoolMfaConfig" => pool_mfa::get,
        "GlobalSignOut" => sign_out::own,
        "InitiateAuth" => sign_in::initiate,
        "ListUserPools" => pool::list,
        "ListUsers" => list_users::list,
        "ListWebAuthnCredentials" => passkey::list,
        "RespondToAuthChallenge" => challenge::respond,
        "SetUserMFAPreference" => preference::set,
        "SetUserPoolMfaConfig" => pool_mfa::set,
        "SetUserSettings" => legacy_settings::set,
        "SignUp" => sign_up::sign_up,
        "StartWebAuthnRegistration" => passkey::start,
        "VerifySoftwareToken" => software_token::verify,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::operation::OPERATIONS;

    #[test]
    fn every_operation_of_the_table_is_implemented() {
        for operation in OPERATIONS {
            assert!(find(operation.name).is_some(), "{}", operation.name);
        }
    }
}
