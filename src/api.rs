//! The code generated from `proto/`: messages, services, the table of RPCs, and the wire names of error reasons.

/// The messages and services of the package `mfagate.v1`.
#[allow(
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    reason = "generated code"
)]
pub mod v1 {
    tonic::include_proto!("mfagate.v1");
    include!(concat!(env!("OUT_DIR"), "/redacted_debug.rs"));
}

#[expect(clippy::match_same_arms, reason = "generated code")]
mod rpc {
    use crate::api::v1;

    include!(concat!(env!("OUT_DIR"), "/rpc.rs"));
}

pub use rpc::{Rpc, RpcRequest};

/// The permission that reading the descriptors by server reflection needs, of which no proto of ours declares one.
pub const READ_REFLECTION: &str = "ReadReflection";

/// The descriptors of the package and of what it imports, as an encoded `google.protobuf.FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/mfagate.v1.bin"));

impl Rpc {
    /// The full name of the RPC's service.
    pub fn service(self) -> &'static str {
        self.path().split('/').nth(1).unwrap_or_default()
    }

    /// The RPC that requests to `path` reach, if any does.
    pub fn from_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rpc| rpc.path() == path)
    }
}

impl v1::ErrorReason {
    /// The name that `ErrorInfo.reason` carries: the value's name without the prefix that buf requires.
    pub fn wire_name(self) -> &'static str {
        let name = self.as_str_name();
        name.strip_prefix("ERROR_REASON_").unwrap_or(name)
    }
}
