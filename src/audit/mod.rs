//! The audit record: one line of JSON for each decision and each completed mutation.
//!
//! A decision is written before anything is sent to Cognito (write-ahead), a mutation once it has ended. If the decision cannot
//! be written, the mutation must not be made. If the mutation has been made and its own record cannot be written, the caller
//! still gets the true outcome, since the change is made; the record is kept in memory and written, late, before anything else,
//! and until then no decision can be recorded and so no other mutation is made. Records of decisions that could not be written
//! are counted, and the count is written as a record of its own (`"kind": "gap"`).
//!
//! Each record holds the HMAC of the one before it (`chain.rs`), so that an edit or a gap shows to who has the key.
//!
//! A line has reached the operating system when it is acknowledged, and survives the end of the process. Whether it is forced to the
//! disk, and so survives a power failure, is an option.
//!
//! Refusals of those who did not authenticate wait behind everything else: anybody can cause them.

mod chain;
mod log;
mod progress;
mod queue;
mod receipt;
mod record;
mod target;
mod text;
mod username;
mod write_buffer;
mod writer;

pub use chain::{ChainCheck, ChainFinding, ChainKey};
pub use log::{AuditLog, OpenError};
pub use receipt::AuditUnavailable;
pub use record::{
    CallFields, DecisionOutcome, DecisionRecord, MutationOutcome, MutationRecord, RefusalsRecord, Target,
};
pub use target::AuditTarget;
pub use text::{CallerRecord, Policies, PoolId};
pub use username::{UsernameForm, UsernameKey, UsernameKeyError, UsernameRecord};
pub use writer::Fsync;
