//! `#[imperal::test]` on a struct.

#[imperal::test]
struct Suite;

fn main() {}
