//! No return type.

use imperal::prelude::*;

/// Tidies up at night.
#[schedule(cron = "0 3 * * *")]
async fn tidy(_ctx: Context) {
    Ok(())
}

fn main() {}
