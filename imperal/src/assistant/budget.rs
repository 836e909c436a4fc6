//! The tokens of a user and a day, as documents of the assistant: one for each reply of the model, written with its step.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::model::Usage;
use super::settings::Assistant;
use crate::codes;
use crate::context::{Collection, Context};
use crate::error::Error;
use crate::result::Result;

/// The tokens of one reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Used {
    /// The day (UTC), such as `2026-11-29`.
    pub(crate) day: String,
    pub(crate) tokens: u64,
}

/// The tokens used on each day.
pub(crate) const USAGE: Collection<Used> = Collection::new("usage").index(["day"]);

/// Tokens that were used on an earlier day are forgotten after this.
const KEPT: std::time::Duration = std::time::Duration::from_secs(3 * 24 * 3600);
/// Documents that are read at once.
const PAGE: u32 = 1000;

/// The day (UTC) of a moment.
pub(crate) fn day_of(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d").to_string()
}

/// Refuses a reply that could take its user above the day's limit.
///
/// # Errors
/// `TOKENS_EXCEEDED`.
pub(super) async fn check(ctx: &Context, assistant: &Assistant, needed: u64) -> Result<()> {
    let most = assistant.tokens_per_user_and_day;
    if most == 0 {
        return Ok(());
    }
    let used = used_today(ctx).await?;
    if used.saturating_add(needed) <= most {
        return Ok(());
    }
    Err(Error::user(
        codes::TOKENS_EXCEEDED,
        format!(
            "You have used {used} of the {most} tokens that the assistant has for you today, and this needs about {needed}. \
             It goes on tomorrow (UTC). The functions work as always."
        ),
    ))
}

async fn used_today(ctx: &Context) -> Result<u64> {
    let (documents, day) = (ctx.documents(&USAGE), day_of(Timestamp::now()));
    let (mut used, mut after) = (0_u64, None);
    loop {
        let mut find = documents.find().eq("day", &day).limit(PAGE);
        if let Some(cursor) = after {
            find = find.after(cursor);
        }
        let found = find.await?;
        used = found.documents.iter().fold(used, |used, one| used.saturating_add(one.value.tokens));
        match found.next {
            Some(next) => after = Some(next.to_string()),
            None => return Ok(used),
        }
    }
}

/// Notes the tokens of a reply. In a step it is stored with it.
pub(super) async fn note(ctx: &Context, reply: &str, usage: Usage) -> Result<()> {
    let used = Used { day: day_of(Timestamp::now()), tokens: usage.total() };
    ctx.documents(&USAGE).expires_in(KEPT).put(reply, &used).await
}
