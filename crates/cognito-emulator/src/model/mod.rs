//! The service model: which operations there are and what their requests may carry.
//!
//! The constraints are data (`operation`, `structure` and `value`, written in the words of
//! `shape`); `check` is the only code that applies them.

pub(crate) mod check;
pub(crate) mod input;
pub(crate) mod operation;
pub(crate) mod pattern;
pub(crate) mod shape;
mod structure;
mod value;
