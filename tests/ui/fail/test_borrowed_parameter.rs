//! A test that borrows its platform.

use imperal::testing::TestPlatform;

#[imperal::test]
async fn greets(platform: &TestPlatform) {
    let _ = platform;
}

fn main() {}
