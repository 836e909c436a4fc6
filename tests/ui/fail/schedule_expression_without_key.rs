//! The expression alone.

use imperal::prelude::*;

/// Tidies up at night.
#[schedule("0 3 * * *")]
async fn tidy(_ctx: Context) -> Result<()> {
    Ok(())
}

fn main() {}
