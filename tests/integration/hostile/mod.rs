//! Hostile input: HTTP/2, messages, and what either may make mfagate hold.

mod http;
mod limits;
mod message;
