//! `#[imperal::test]` on a method.

struct Suite;

impl Suite {
    #[imperal::test]
    async fn greets(&self) {}
}

fn main() {}
