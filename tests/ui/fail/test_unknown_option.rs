//! An option of another test attribute.

use imperal::testing::TestPlatform;

#[imperal::test(start_paused = true)]
async fn greets(platform: TestPlatform) {
    drop(platform);
}

fn main() {}
