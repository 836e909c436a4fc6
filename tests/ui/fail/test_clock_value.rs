//! A clock that there is not.

use imperal::testing::TestPlatform;

#[imperal::test(clock = "fast")]
async fn greets(platform: TestPlatform) {
    drop(platform);
}

fn main() {}
