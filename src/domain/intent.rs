//! What a decoded request asks for, before any of it is validated.

use crate::api::Rpc;
use crate::domain::effect::Effect;

/// What a decoded request asks for.
#[derive(Clone, Debug)]
pub struct Intent<'a> {
    /// The RPC.
    pub rpc: Rpc,
    /// The pool, as the request has it.
    pub user_pool_id: &'a str,
    /// The user, where the request names one.
    pub username: Option<&'a str>,
    /// What the request would do.
    pub effect: Effect,
}

impl<'a> Intent<'a> {
    /// A call of `rpc` on a pool and, where the request names one, a user. Both are as the request has them.
    #[must_use]
    pub fn new(rpc: Rpc, user_pool_id: &'a str, username: Option<&'a str>, effect: Effect) -> Self {
        Self { rpc, user_pool_id, username, effect }
    }
}
