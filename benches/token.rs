//! Benchmarks of token verification.
fn main() {}
