//! Times that are less than 5 minutes apart.

use imperal::prelude::*;

/// Tidies up at night.
#[schedule(cron = "* * * * *")]
async fn tidy(_ctx: Context) -> Result<()> {
    Ok(())
}

fn main() {}
