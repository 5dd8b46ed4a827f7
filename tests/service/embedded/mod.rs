//! The embedded Cognito, driven by the real SDK and by raw HTTP.

mod cognito;
mod preference;
