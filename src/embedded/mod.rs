//! A Cognito-compatible HTTP server on loopback, for development and tests.
