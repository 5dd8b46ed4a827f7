//! No secret leaves: not in a log, a record, a reply or a debug text.

mod canary;
mod redaction;
