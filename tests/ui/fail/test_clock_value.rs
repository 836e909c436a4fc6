//! An invalid clock.

use imperal::testing::TestPlatform;

#[imperal::test(clock = "fast")]
async fn greets(platform: TestPlatform) {
    drop(platform);
}

fn main() {}
