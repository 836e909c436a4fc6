//! A test that wants what nobody can hand it.

#[imperal::test]
async fn greets(name: String) {
    drop(name);
}

fn main() {}
