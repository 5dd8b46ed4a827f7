//! One call of an operation, and what it works on.

use serde_json::{Value, json};

use crate::model::input::Input;
use crate::protocol::Failure;
use crate::signer::Signer;
use crate::state::State;
use crate::state::pool::Pool;
use crate::state::user::User;

/// The output of an operation, or its refusal.
pub(crate) type Outcome = Result<Value, Failure>;

/// A call of an operation whose request satisfies the constraints.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) input: Input<'a>,
    /// The region of the signature, `None` if the operation is not signed.
    pub(crate) region: Option<&'a str>,
    pub(crate) signer: Option<&'a Signer>,
}

impl Call<'_> {
    /// The pool of `UserPoolId`.
    pub(super) fn pool(&mut self) -> Result<&mut Pool, Failure> {
        self.state.pool(self.input.text("UserPoolId")?, self.region)
    }

    /// The user of `UserPoolId` and `Username`.
    pub(super) fn user(&mut self) -> Result<&mut User, Failure> {
        let username = self.input.text("Username")?;
        self.pool()?.user_mut(username)
    }

    pub(super) fn signer(&self) -> Result<&Signer, Failure> {
        self.signer.ok_or_else(|| Failure::internal("the operation has no key"))
    }
}

/// The output of an operation that returns nothing.
pub(super) fn nothing() -> Value {
    json!({})
}
