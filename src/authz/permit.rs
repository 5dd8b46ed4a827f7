//! This file holds an allow decision and the permit: the values without which nothing reaches Cognito.

use crate::api::Rpc;
use crate::authz::recorder::MutationRecorder;
use crate::domain::text::{Text, UserPoolIdText, region};
use crate::error::Violation;

/// An allow decision on one call. Only the gate makes it, and there is one for each call.
#[derive(Debug)]
pub struct Grant {
    rpc: Rpc,
    user_pool_id: String,
    recorder: Option<MutationRecorder>,
}

/// The proof that a call on one pool was allowed: what a [`Grant`] becomes once its pool id is known to be well formed.
///
/// The Cognito port takes the pool and the Region from here, so a call cannot reach another pool than the one decided on.
#[derive(Debug)]
pub struct Permit {
    rpc: Rpc,
    user_pool_id: UserPoolIdText,
    recorder: Option<MutationRecorder>,
}

impl Grant {
    /// The decision that a call on a pool may be made. The pool id is as the request has it, and may be anything.
    pub(super) fn new(rpc: Rpc, user_pool_id: &str, recorder: Option<MutationRecorder>) -> Self {
        Self { rpc, user_pool_id: user_pool_id.to_owned(), recorder }
    }

    /// The permit, or the violation where the pool id that was decided on is not one.
    pub fn permit(self) -> Result<Permit, Violation> {
        let violation = |description: String| Violation { field: "user_pool_id".to_owned(), description };
        if self.user_pool_id.is_empty() {
            return Err(violation("required".to_owned()));
        }
        let user_pool_id = Text::parse(self.user_pool_id).map_err(violation)?;
        Ok(Permit { rpc: self.rpc, user_pool_id, recorder: self.recorder })
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

    /// The Region of the pool: what stands before the underscore of its id.
    pub fn region(&self) -> &str {
        region(self.user_pool_id())
    }

    /// The name of the caller, where callers are known.
    pub fn caller(&self) -> Option<&str> {
        self.recorder.as_ref().map(MutationRecorder::caller)
    }

    /// Who records what becomes of the call, where calls are recorded.
    pub(crate) fn recorder(&self) -> Option<&MutationRecorder> {
        self.recorder.as_ref()
    }
}
