//! The audit log and its records.

mod destination;
mod log;
mod manual;
