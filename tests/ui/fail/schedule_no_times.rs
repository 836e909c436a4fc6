//! No times.

use imperal::prelude::*;

/// Tidies up at night.
#[schedule]
async fn tidy(_ctx: Context) -> Result<()> {
    Ok(())
}

fn main() {}
