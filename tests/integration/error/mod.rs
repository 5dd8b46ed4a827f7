//! Errors: what a caller receives when a call fails.

mod cognito_error;
mod cognito_message;
mod manual;
mod newcomer;
