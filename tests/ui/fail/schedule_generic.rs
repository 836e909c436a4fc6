//! A type parameter.

use imperal::prelude::*;

/// Tidies up at night.
#[schedule(cron = "0 3 * * *")]
async fn tidy<T>(_ctx: Context) -> Result<()> {
    Ok(())
}

fn main() {}
