//! The Cognito operations that mfagate calls: one row each, with everything that the other modules need to know of it.

use crate::api::Rpc;
use crate::api::v1::QuotaCategory;

/// What is true of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The name on the wire, in IAM policies and in CloudTrail.
    pub name: &'static str,
    /// Whose credential the operation acts with.
    pub acts_as: ActsAs,
    /// Whether the operation changes anything.
    pub kind: Kind,
    /// The quota category that the operation spends from.
    pub quota: QuotaCategory,
    /// Whether a second call with the same arguments leaves the state of the first, so that it may be retried.
    pub idempotent: bool,
    /// What `ResourceNotFoundException` is about.
    pub resource: Resource,
    /// The RPCs that call the operation: it is the one behind the RPC, or a read that the RPC makes before or after it.
    pub used_by: &'static [Rpc],
}

/// Whose credential an operation acts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActsAs {
    /// mfagate: the request is signed with its IAM credentials.
    Iam,
    /// The end user, by access token or session: the request is not signed.
    User,
}

/// Whether an operation changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It changes nothing.
    Read,
    /// It changes the state of a user or a pool.
    Write,
}

/// What can be missing from Cognito.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// A user pool.
    UserPool,
    /// A user of a pool.
    User,
    /// A passkey of a user.
    Passkey,
}

impl Resource {
    /// The name in `ResourceInfo.resource_type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UserPool => "user_pool",
            Self::User => "user",
            Self::Passkey => "passkey",
        }
    }
}

/// Declares the operations: a variant and its facts, and the list of all.
macro_rules! operations {
    ($($operation:ident $name:literal: $acts_as:ident, $kind:ident, $quota:ident, $idempotent:ident, $resource:ident,
        [$($rpc:ident),+];)+) => {
        /// A Cognito operation behind one of our RPCs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Operation {
            $(#[doc = concat!("`", $name, "`.")] $operation,)+
        }

        impl Operation {
            /// Every operation.
            pub const ALL: &[Self] = &[$(Self::$operation),+];

            /// What is true of the operation.
            pub const fn facts(self) -> Facts {
                match self {
                    $(Self::$operation => Facts {
                        name: $name,
                        acts_as: ActsAs::$acts_as,
                        kind: Kind::$kind,
                        quota: QuotaCategory::$quota,
                        idempotent: matches!(Idempotence::$idempotent, Idempotence::Idempotent),
                        resource: Resource::$resource,
                        used_by: &[$(Rpc::$rpc),+],
                    },)+
                }
            }
        }
    };
}

// AssociateSoftwareToken makes another secret each time; VerifySoftwareToken and CompleteWebAuthnRegistration use up what
// they are given.
operations! {
    AdminDeleteSoftwareToken "AdminDeleteSoftwareToken": Iam, Write, UserResourceUpdate, Idempotent, UserPool,
        [AdminDeleteSoftwareToken];
    AdminGetUser "AdminGetUser": Iam, Read, UserRead, Idempotent, UserPool, [AdminGetUser, AdminSetUserMfaPreference, AdminSetUserSettings];
    AdminGetUserAuthFactors "AdminGetUserAuthFactors": Iam, Read, UserRead, Idempotent, UserPool,
        [AdminGetUserAuthFactors];
    AdminSetUserMfaPreference "AdminSetUserMFAPreference": Iam, Write, UserResourceUpdate, Idempotent, UserPool,
        [AdminSetUserMfaPreference];
    AdminSetUserSettings "AdminSetUserSettings": Iam, Write, UserResourceUpdate, Idempotent, UserPool,
        [AdminSetUserSettings];
    AssociateSoftwareToken "AssociateSoftwareToken": User, Write, UserResourceUpdate, NotIdempotent, UserPool,
        [AssociateSoftwareToken];
    CompleteWebAuthnRegistration "CompleteWebAuthnRegistration": User, Write, Unpublished, NotIdempotent, UserPool,
        [CompleteWebAuthnRegistration];
    DeleteWebAuthnCredential "DeleteWebAuthnCredential": User, Write, Unpublished, Idempotent, Passkey,
        [DeleteWebAuthnCredential];
    GetUser "GetUser": User, Read, UserRead, Idempotent, UserPool,
        [GetUser, SetUserMfaPreference, SetUserSettings, AssociateSoftwareToken];
    GetUserAuthFactors "GetUserAuthFactors": User, Read, Unpublished, Idempotent, UserPool,
        [GetUserAuthFactors, AssociateSoftwareToken];
    GetUserPoolMfaConfig "GetUserPoolMfaConfig": Iam, Read, UserPoolResourceRead, Idempotent, UserPool,
        [GetUserPoolMfaConfig, SetUserPoolMfaConfig];
    ListWebAuthnCredentials "ListWebAuthnCredentials": User, Read, Unpublished, Idempotent, UserPool,
        [ListWebAuthnCredentials, DeleteWebAuthnCredential];
    SetUserMfaPreference "SetUserMFAPreference": User, Write, UserResourceUpdate, Idempotent, UserPool,
        [SetUserMfaPreference];
    SetUserPoolMfaConfig "SetUserPoolMfaConfig": Iam, Write, UserPoolResourceUpdate, Idempotent, UserPool,
        [SetUserPoolMfaConfig];
    SetUserSettings "SetUserSettings": User, Write, UserResourceUpdate, Idempotent, UserPool, [SetUserSettings];
    StartWebAuthnRegistration "StartWebAuthnRegistration": User, Write, Unpublished, Idempotent, UserPool,
        [StartWebAuthnRegistration];
    VerifySoftwareToken "VerifySoftwareToken": User, Write, UserResourceUpdate, NotIdempotent, UserPool,
        [VerifySoftwareToken];
}

/// The words of the column `idempotent`.
enum Idempotence {
    Idempotent,
    NotIdempotent,
}

impl Operation {
    /// The name on the wire, in IAM policies and in CloudTrail.
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// Whether the operation changes nothing.
    pub const fn is_read(self) -> bool {
        matches!(self.facts().kind, Kind::Read)
    }

    /// Whether the operation may be retried.
    pub const fn is_idempotent(self) -> bool {
        self.facts().idempotent
    }

    /// Whether calls of `rpc` use the operation.
    pub fn serves(self, rpc: Rpc) -> bool {
        self.facts().used_by.contains(&rpc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_rpc_declares_the_kind_and_the_quota_of_the_operation_behind_it() {
        for rpc in Rpc::ALL {
            let behind = |operation: &&Operation| operation.name().eq_ignore_ascii_case(rpc.name());
            let facts = Operation::ALL.iter().find(behind).unwrap().facts();
            assert_eq!((rpc.quota(), rpc.is_read()), (facts.quota, facts.kind == Kind::Read), "{rpc:?}");
            assert!(facts.used_by.contains(&rpc), "{rpc:?}");
        }
    }
}
