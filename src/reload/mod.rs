//! Values that are replaced while the service runs: whole or not at all.

pub(crate) mod file;
