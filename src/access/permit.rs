//! This file holds the gate, its decision, and the permit: the value without which nothing reaches Cognito.

use crate::error::Error;
use crate::proto::Rpc;
use crate::request::Violation;
use crate::request::text::{Text, UserPoolIdText};

/// Decides whether a call may be made.
#[derive(Clone, Copy, Debug)]
pub enum Gate {
    /// Lets every call pass. Only for backends that hold nothing worth protecting, which the commands see to.
    Open,
}

/// An allow decision on one call. Only [`Gate::authorize`] makes it, and there is one for each call.
#[derive(Debug)]
pub struct Decision {
    rpc: Rpc,
    user_pool_id: String,
}

/// The proof that a call on one pool was allowed: what a [`Decision`] becomes once its pool id is known to be well formed.
///
/// The Cognito port takes the pool and the Region from here, so a call cannot reach another pool than the one decided on.
#[derive(Debug)]
pub struct Permit {
    rpc: Rpc,
    user_pool_id: UserPoolIdText,
}

impl Gate {
    /// Decides on a call of `rpc` on the pool that the request names, before anything of the request is validated.
    pub fn authorize(self, rpc: Rpc, user_pool_id: &str) -> Result<Decision, Error> {
        match self {
            Self::Open => Ok(Decision { rpc, user_pool_id: user_pool_id.to_owned() }),
        }
    }
}

impl Decision {
    /// The permit, or the violation where the pool id that was decided on is not one.
    pub fn permit(self) -> Result<Permit, Violation> {
        let violation = |description: String| Violation { field: "user_pool_id".to_owned(), description };
        if self.user_pool_id.is_empty() {
            return Err(violation("required".to_owned()));
        }
        let user_pool_id = Text::parse(self.user_pool_id).map_err(violation)?;
        Ok(Permit { rpc: self.rpc, user_pool_id })
    }
}

impl Permit {
    /// The RPC that was allowed.
    #[must_use]
    pub fn rpc(&self) -> Rpc {
        self.rpc
    }

    /// The pool that the RPC was allowed on.
    #[must_use]
    pub fn user_pool_id(&self) -> &str {
        self.user_pool_id.as_str()
    }

    /// The Region of the pool: what stands before the underscore of its id.
    #[must_use]
    pub fn region(&self) -> &str {
        let pool = self.user_pool_id();
        pool.rsplit_once('_').map_or(pool, |(region, _)| region)
    }
}
