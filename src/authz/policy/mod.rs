//! Decisions by Cedar policies: loaded whole or not at all, asked, explained, and reloaded.
//!
//! A decision in five steps, for a support tool that deletes a user's software token in `eu-west-1_Shop01`: the caller becomes
//! the principal `Mfagate::Caller::"spiffe://…/support-tool"`, with the groups of the entities file; the RPC's permission is
//! the action; the pool is the resource, with its Region; what the request would do is the context; and every policy is asked.
//! One `forbid` that holds denies, else one `permit` allows, else the call is denied. A policy that cannot be evaluated denies
//! the call as well, since it might have been the one that forbids.

mod action;
mod context;
mod decision_table;
mod error;
mod explain;
mod groups;
mod index;
mod load;
mod loading;
mod named;
mod nesting;
mod policies;
mod prepared;
mod probe;
mod query;
mod schema;
mod source;
mod stack;
mod store;

pub use action::Action;
pub use decision_table::{TableReport, test_table};
pub use error::{LoadError, PolicyProblem};
pub use explain::{explain, schema_text};
pub use policies::{Decision, Policies};
pub use query::{ContextArg, Query, QueryArgs, QueryError};
pub use store::PolicyStore;
