//! What a decoded request asks for, before any of it is validated.

use std::borrow::Cow;

use crate::api::Rpc;
use crate::domain::effect::Effect;

/// What a decoded request asks for. Pool and user are as the request has them, and may be anything.
#[derive(Clone, Debug)]
pub struct Intent<'a> {
    /// The RPC.
    pub rpc: Rpc,
    /// The pool; empty if the request names none.
    pub user_pool_id: Cow<'a, str>,
    /// The user, if the request names one.
    pub username: Option<&'a str>,
    /// What the request would do.
    pub effect: Effect,
}
