//! This file starts the program.

fn main() {}
