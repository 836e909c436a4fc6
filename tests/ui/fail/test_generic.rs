//! A test with a generic parameter.

#[imperal::test]
async fn greets<T>() {}

fn main() {}
