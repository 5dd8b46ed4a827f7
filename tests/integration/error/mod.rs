//! What a caller is told when a call fails.

mod cognito_error;
mod cognito_message;
mod manual;
