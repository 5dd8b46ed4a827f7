//! What mfagate knows of the target of a change, where it read it before.

use std::collections::BTreeSet;
use std::fmt;

use crate::domain::factor::Factor;
use crate::domain::pool_mfa::PoolMfa;

/// What was there before a change, where mfagate had read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Before {
    /// The configuration of the pool.
    Pool(Box<PoolMfa>),
    /// The user's enabled factors and the preferred one.
    User {
        /// The enabled factors.
        factors: BTreeSet<Factor>,
        /// The preferred factor.
        preferred: Option<Factor>,
    },
}

/// What the reads of a call found, before its change.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// Whether Cognito has returned the user, so that it has accepted the access token, if there is one.
    pub user_was_read: bool,
    /// The username, which the request may call by an alias or by its `sub`.
    pub username: Option<String>,
    /// The user's `sub`.
    pub sub: Option<String>,
    /// What was there.
    pub before: Option<Before>,
}

impl fmt::Debug for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Findings([redacted])")
    }
}
