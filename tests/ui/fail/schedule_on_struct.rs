//! On a struct.

use imperal::prelude::*;

#[schedule(cron = "0 3 * * *")]
struct Tidy {}

fn main() {
    let _ = Tidy {};
}
