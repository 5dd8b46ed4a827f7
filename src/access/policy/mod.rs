//! This module decides by Cedar policies: it loads them whole or not at all, asks them, explains them, and reloads them.
//!
//! A decision in five steps, for a support tool that deletes a user's software token in `eu-west-1_Shop01`:
//! the caller becomes the principal `Mfagate::Caller::"spiffe://…/support-tool"`, whose groups the entities file tells; the RPC's
//! permission is the action; the pool is the resource, with its Region; what the request would do is the context; and every
//! policy is asked. One `forbid` that holds denies, else one `permit` allows, else the call is denied. A policy that cannot
//! be evaluated denies the call as well, since it might have been the one that forbids.

mod action;
mod entities;
mod explain;
mod fault;
mod load;
mod question;
mod request;
mod schema;
mod scope;
mod set;
mod source;
mod store;
mod table;

pub use action::Action;
pub use explain::{explain, schema_text};
pub use fault::{Fault, LoadError};
pub use question::{ContextWords, Question, QuestionError, QuestionWords};
pub use set::{Policies, Verdict};
pub use store::{PolicyStore, Reload};
pub use table::{TableReport, test_table};
