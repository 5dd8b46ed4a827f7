//! Who tokens say that they are from.

use std::fmt;

/// The issuer (`iss`) of tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Issuer {
    /// AWS's, `https://cognito-idp.REGION.amazonaws.com/POOL`, as in production.
    #[default]
    Aws,
    /// The emulator's own, `http://127.0.0.1:PORT/POOL`, for clients that find the keys from the issuer.
    Embedded,
}

/// Where the emulator is reached, and whose name its tokens carry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Issuers {
    pub(crate) issuer: Issuer,
    pub(crate) url: String,
}

impl Issuers {
    /// The issuer of a pool's tokens.
    pub(crate) fn of(&self, region: &str, pool_id: impl fmt::Display) -> String {
        match self.issuer {
            Issuer::Aws => format!("https://cognito-idp.{region}.amazonaws.com/{pool_id}"),
            Issuer::Embedded => format!("{}/{pool_id}", self.url),
        }
    }

    /// Where a pool's keys are, whoever the issuer is.
    pub(crate) fn key_set_url(&self, pool_id: impl fmt::Display) -> String {
        format!("{}/{pool_id}/.well-known/jwks.json", self.url)
    }
}
