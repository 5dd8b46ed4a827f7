//! What a decoded request asks for, before any of it is validated.

use std::borrow::Cow;
use std::fmt;

use crate::api::Rpc;
use crate::domain::effect::Effect;
use crate::domain::findings::Before;

/// What a decoded request asks for. Pool and user are as the request has them, and may be anything.
#[derive(Clone, Debug)]
pub struct Intent<'a> {
    /// The RPC.
    pub rpc: Rpc,
    /// The pool; empty if the request names none.
    pub user_pool_id: Cow<'a, str>,
    /// The user, if the request names one.
    pub username: Option<&'a str>,
    /// The user that the access token names, if the request has one.
    pub claimed_user: Option<ClaimedUser>,
    /// What the request would do.
    pub effect: Effect,
    /// What is there now, where it was read to know the effect.
    pub before: Option<Before>,
}

/// The user that an access token names. It is a claim until Cognito has accepted the token.
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimedUser {
    /// The username.
    pub username: Option<String>,
    /// The `sub`.
    pub sub: Option<String>,
}

impl fmt::Debug for ClaimedUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClaimedUser([redacted])")
    }
}
