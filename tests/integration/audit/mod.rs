//! The audit log: what is recorded, where, and what happens when it cannot be.

mod destination;
mod investigation;
mod log;
mod manual;
