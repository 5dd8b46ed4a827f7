//! Hostile input: HTTP/2, messages, and limits.

mod http;
mod limits;
mod message;
