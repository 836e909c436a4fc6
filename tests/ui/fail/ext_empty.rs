//! No options.

imperal::extension! {}

fn main() {}
