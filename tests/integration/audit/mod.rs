//! The audit log: what is recorded, where, and what happens when it cannot be.

mod destination;
mod log;
mod manual;
