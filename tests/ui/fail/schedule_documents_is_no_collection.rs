//! A constant that is no collection.

use imperal::prelude::*;

const PAGES: &str = "pages";

/// Tidies up at night.
#[schedule(cron = "0 3 * * *", documents = PAGES)]
async fn tidy(_ctx: Context) -> Result<()> {
    Ok(())
}

fn main() {}
