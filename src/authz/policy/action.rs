//! What policies decide on: the RPCs, by the permission each declares, and reflection.

use crate::api::{READ_REFLECTION, Rpc};

/// What a caller may be permitted to do: an action of the Cedar schema that stands for something served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Calling an RPC.
    Rpc(Rpc),
    /// Reading the descriptors by server reflection, of which no proto of ours declares a permission.
    ReadReflection,
}

impl Action {
    /// Every action.
    pub fn all() -> impl Iterator<Item = Self> {
        Rpc::ALL.into_iter().map(Self::Rpc).chain([Self::ReadReflection])
    }

    /// The permission that the caller needs: the id of the action in the Cedar schema.
    pub const fn permission(self) -> &'static str {
        match self {
            Self::Rpc(rpc) => rpc.permission(),
            Self::ReadReflection => READ_REFLECTION,
        }
    }

    /// The first action that needs `permission`, if any does.
    pub fn from_permission(permission: &str) -> Option<Self> {
        Self::all().find(|action| action.permission() == permission)
    }
}
