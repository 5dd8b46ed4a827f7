//! Behaviour of the embedded Cognito, shown by the real SDK and by raw HTTP.
