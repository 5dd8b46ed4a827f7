//! What an operator sees of a running process.

pub mod log;
mod writer;
