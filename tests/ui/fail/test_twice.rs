//! Two test attributes on one fn.

#[imperal::test]
#[test]
async fn greets() {}

fn main() {}
