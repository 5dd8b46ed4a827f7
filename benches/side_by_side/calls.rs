//! The two calls of the benchmark, as requests of mfagate and of the SDK.

use std::{fmt, iter};

use mfagate::api::Rpc;
use mfagate::api::v1::{AdminGetUserRequest, AdminSetUserMfaPreferenceRequest, SmsMfaSettings};
use prost::Message;
use prost::bytes::{BufMut as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

/// A pool in which the caller may make both calls.
pub(crate) const POOL: &str = "eu-west-1_Shop01";

/// A pool in which the caller may make neither.
pub(crate) const OTHER_POOL: &str = "us-east-1_Other1";

/// The user of every call of the SDK, and of the first call through a service.
pub(crate) const USERNAME: &str = "7d5f3f0a-1c2b-4d3e-8f90-a1b2c3d4e5f6";

/// How many users the calls are about: many more than calls are in flight at a time.
const USERS: usize = 1009;

/// A kind of call.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CallKind {
    /// `AdminSetUserMFAPreference`: SMS messages, enabled and preferred, so that mfagate need not read the user first.
    Change,
    /// `AdminGetUser`, which the SDKs of both languages have.
    Read,
}

impl CallKind {
    /// The RPC.
    pub(crate) fn rpc(self) -> Rpc {
        match self {
            Self::Change => Rpc::AdminSetUserMfaPreference,
            Self::Read => Rpc::AdminGetUser,
        }
    }

    /// The bodies of requests about many users, each one gRPC message with its prefix: reads of one user at the same time are one request
    /// to Cognito, and would measure less than a call.
    pub(crate) fn bodies(self, user_pool_id: &str) -> Vec<Bytes> {
        let prefix = USERNAME.get(..USERNAME.len() - 4).unwrap_or_default();
        let first = iter::once(USERNAME.to_owned());
        first
            .chain((1..USERS).map(|number| format!("{prefix}{number:04x}")))
            .map(|user| self.body(user_pool_id, user))
            .collect()
    }

    fn body(self, user_pool_id: &str, username: String) -> Bytes {
        let user_pool_id = user_pool_id.to_owned();
        match self {
            Self::Change => {
                let sms = SmsMfaSettings { enabled: Some(true), preferred_mfa: Some(true) };
                framed(&AdminSetUserMfaPreferenceRequest {
                    user_pool_id,
                    username,
                    sms_mfa_settings: Some(sms),
                    ..Default::default()
                })
            }
            Self::Read => framed(&AdminGetUserRequest { user_pool_id, username }),
        }
    }
}

impl fmt::Display for CallKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Change => "change",
            Self::Read => "read",
        })
    }
}

fn framed(message: &impl Message) -> Bytes {
    let message = message.encode_to_vec();
    let mut body = BytesMut::with_capacity(5 + message.len());
    // Not compressed.
    body.put_u8(0);
    body.put_u32(u32::try_from(message.len()).unwrap_or_default());
    body.put_slice(&message);
    body.freeze()
}
