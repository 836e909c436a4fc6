//! refine
fn main() {}
