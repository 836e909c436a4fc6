//! Nothing is declared.

imperal::extension! {}

fn main() {}
