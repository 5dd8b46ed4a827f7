//! Authorization: what a caller may do, by policy, by path, and by the golden access table.

pub(crate) mod access;
mod golden;
mod one_reading;
mod paths;
mod policy;
