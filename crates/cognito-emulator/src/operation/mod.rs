//! This file is the map from an operation's name to the code that performs it.

mod app_client;
mod attribute;
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

use serde_json::{Value, json};

use super::model::input::Input;
use super::model::operation::{Access, Operation};
use super::protocol::Failure;
use super::signer::Signer;
use super::state::State;
use super::state::pool::Pool;
use super::state::user::User;

/// What an operation answers.
pub(crate) type Outcome = Result<Value, Failure>;

type Perform = fn(&mut Call<'_>) -> Outcome;

/// One call of an operation, its request checked.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) input: Input<'a>,
    /// The region that the request was signed for; an unsigned request has none.
    pub(crate) region: Option<&'a str>,
    pub(crate) signer: Option<&'a Signer>,
}

impl Call<'_> {
    /// The pool of `UserPoolId`.
    fn pool(&mut self) -> Result<&mut Pool, Failure> {
        self.state.pool(self.input.text("UserPoolId")?, self.region)
    }

    /// The user of `UserPoolId` and `Username`.
    fn user(&mut self) -> Result<&mut User, Failure> {
        let username = self.input.text("Username")?;
        self.pool()?.user_mut(username)
    }

    fn signer(&self) -> Result<&Signer, Failure> {
        self.signer.ok_or_else(|| Failure::internal("the operation has no key"))
    }
}

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

/// Whether an operation leaves everything as it was.
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

/// The answer of an operation that has nothing to tell.
fn nothing() -> Value {
    json!({})
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
