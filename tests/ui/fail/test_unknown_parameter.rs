//! A test with a parameter of another type.

#[imperal::test]
async fn greets(name: String) {
    drop(name);
}

fn main() {}
