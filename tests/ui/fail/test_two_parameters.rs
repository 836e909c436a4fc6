//! A test with two parameters.

use imperal::testing::TestPlatform;

#[imperal::test]
async fn greets(platform: TestPlatform, name: String) {
    drop((platform, name));
}

fn main() {}
