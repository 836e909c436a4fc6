//! Schedules with every option, in modules, with patterns, beside a chat function.

#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub, clippy::all, clippy::pedantic)]

use imperal::documents::Collection;
use imperal::prelude::*;

/// A page.
#[derive(Debug, Serialize, Deserialize)]
pub struct Page {
    /// Where it is.
    pub url: String,
}

const PAGES: Collection<Page> = Collection::new("pages");

/// Looks at pages.
#[schedule(cron = "*/15 8-18 * * mon-fri", documents = PAGES, spread = "10m", name = "look", crate = ::imperal)]
async fn look_at_pages(ctx: Context) -> Result<()> {
    for page in ctx.documents(&PAGES).find().await?.documents {
        ctx.deliver_chat_message(page.url.clone()).await?;
    }
    Ok(())
}

#[schedule(cron = "@daily")]
async fn nothing(_: Context) -> imperal::Result<()> {
    Ok(())
}

mod inner {
    use imperal::Context;

    pub(crate) mod collections {
        pub(crate) const NOTES: imperal::documents::Collection<u32> = imperal::documents::Collection::new("notes");
    }

    #[cfg(not(windows))]
    #[imperal::schedule(cron = "0 0 1,15 * *", documents = self::collections::NOTES)]
    pub(super) async fn clean(ctx: Context) -> imperal::Result<()> {
        ctx.documents(&collections::NOTES).delete("old").await.map(drop)
    }

    #[cfg(windows)]
    #[imperal::schedule(cron = "@hourly")]
    async fn left_out(ctx: Missing) -> imperal::Result<()> {
        Ok(())
    }
}

/// Nothing.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Nothing {}

/// Runs a schedule by hand, which is a fn as any other.
#[chat_function(action_type = "write", event = "looked", effects = ["update:page"])]
#[allow(deprecated)]
async fn look_now(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    look_at_pages(ctx.clone()).await?;
    inner::clean(ctx.clone()).await?;
    nothing(ctx).await?;
    Ok(ActionResult::done("Looked."))
}

imperal::extension! {
    app_id: "pages",
    name: "Pages",
    description: "Looks at pages, for the tests of the attribute of schedules.",
    icon: "../../icon.svg",
    capabilities: ["pages:read"],
}

fn main() {}
