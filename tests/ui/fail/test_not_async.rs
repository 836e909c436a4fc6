//! The fn under `#[imperal::test]` is not async.

use imperal::testing::TestPlatform;

#[imperal::test]
fn greets(platform: TestPlatform) {
    drop(platform);
}

fn main() {}
