//! No context.

use imperal::prelude::*;

/// Tidies up at night.
#[schedule(cron = "0 3 * * *")]
async fn tidy() -> Result<()> {
    Ok(())
}

fn main() {}
