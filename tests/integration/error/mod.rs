//! Errors: what a caller receives when a call fails.

mod cognito_error;
mod cognito_message;
mod connection;
mod manual;
mod newcomer;
mod read_back;
