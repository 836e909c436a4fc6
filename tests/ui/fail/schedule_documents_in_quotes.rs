//! The name of a collection instead of its constant.

use imperal::prelude::*;

#[derive(Serialize, Deserialize)]
struct Page {
    url: String,
}

const PAGES: imperal::documents::Collection<Page> = imperal::documents::Collection::new("pages");

/// Tidies up at night.
#[schedule(cron = "0 3 * * *", documents = "pages")]
async fn tidy(ctx: Context) -> Result<()> {
    let page = ctx.documents(&PAGES).get("first").await?;
    println!("{}", page.map_or(String::new(), |page| page.value.url));
    Ok(())
}

fn main() {}
