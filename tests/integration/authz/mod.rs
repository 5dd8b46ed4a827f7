//! What a caller may do: policies, paths, and the golden access table.

pub(crate) mod access;
mod golden;
mod paths;
mod policy;
