//! Who calls: tokens, certificates, and both.

mod identity;
mod tls;
mod token;
