//! The grant of an allowed call, and the permit: without it, nothing reaches Cognito.

use std::fmt;

use crate::api::Rpc;
use crate::authz::recorder::MutationRecorder;
use crate::domain::text::{self, UserPoolIdText, region};
use crate::error::Violation;

/// The decision that one call is allowed. Only the gate makes it.
pub struct Grant {
    rpc: Rpc,
    user_pool_id: String,
    user: Option<String>,
    recorder: Option<MutationRecorder>,
}

/// The proof that a call on one pool was allowed: what a [`Grant`] becomes once its pool id is known to be well formed.
///
/// The Cognito client takes the pool and the Region from here, so a call cannot reach another pool than the one decided on.
pub struct Permit {
    rpc: Rpc,
    user_pool_id: UserPoolIdText,
    user: Option<String>,
    recorder: Option<MutationRecorder>,
}

impl Grant {
    /// The decision that a call on a pool is allowed. The pool id is as the request has it, and may be anything.
    pub(super) fn new(rpc: Rpc, user_pool_id: &str, recorder: Option<MutationRecorder>) -> Self {
        Self { rpc, user_pool_id: user_pool_id.to_owned(), user: None, recorder }
    }

    /// The same for a call that is about this user, by the name that the request or its access token has.
    pub(super) fn about(self, user: Option<String>) -> Self {
        Self { user, ..self }
    }

    /// The permit, or the violation if the pool id that was decided on is malformed.
    pub fn permit(self) -> Result<Permit, Violation> {
        let violation = |description: String| Violation { field: "user_pool_id".to_owned(), description };
        if self.user_pool_id.is_empty() {
            return Err(violation("is required".to_owned()));
        }
        let user_pool_id = text::user_pool_id(self.user_pool_id).map_err(violation)?;
        Ok(Permit { rpc: self.rpc, user_pool_id, user: self.user, recorder: self.recorder })
    }
}

impl Permit {
    /// The RPC that was allowed.
    pub fn rpc(&self) -> Rpc {
        self.rpc
    }

    /// The pool that the RPC was allowed on.
    pub fn user_pool_id(&self) -> &str {
        self.user_pool_id.as_str()
    }

    /// The user that the call is about, by the name that the request or its access token has: a claim, and not to be logged.
    /// `None` if it is about no user, or a session says which.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The Region of the pool: the part of its id before the last underscore.
    pub fn region(&self) -> &str {
        region(self.user_pool_id())
    }

    /// The name of the caller, if callers are authenticated.
    pub fn caller(&self) -> Option<&str> {
        self.recorder.as_ref().map(MutationRecorder::caller)
    }

    /// The recorder of the call's mutations, if calls are recorded.
    pub(crate) fn recorder(&self) -> Option<&MutationRecorder> {
        self.recorder.as_ref()
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").field("rpc", &self.rpc).finish_non_exhaustive()
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("rpc", &self.rpc).finish_non_exhaustive()
    }
}
