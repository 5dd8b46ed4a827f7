//! Secrecy: no secret in a log, a record, a response or a debug text.

mod canary;
mod redaction;
