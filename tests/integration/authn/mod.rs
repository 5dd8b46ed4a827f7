//! Authentication: tokens, certificates, and both together.

mod identity;
mod tls;
mod token;
