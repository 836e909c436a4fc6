//! A parameter that nobody fills in.

use imperal::prelude::*;

/// Tidies up at night.
#[schedule(cron = "0 3 * * *")]
async fn tidy(_ctx: Context, url: String) -> Result<()> {
    println!("{url}");
    Ok(())
}

fn main() {}
