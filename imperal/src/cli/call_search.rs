//! Finds the turn that began a call, which alone has the call's parameters.
//!
//! The API reads turns by their number and in order of time, so the place in the chat is found by halving.

use jiff::{SignedDuration, Timestamp};

use super::client::Client;
use super::exit::CliError;
use super::turns::TurnPage;
use crate::ids::CallId;
use crate::ledger::{Role, Turn};

/// A call's first turn is no older than this before any other turn or task of it.
const LONGEST_CALL: SignedDuration = SignedDuration::from_hours(1);
/// Turns per request.
const PAGE: u32 = 200;

/// The turn that began a call, if retention has kept it. `until`: the time of a later turn or task of the call.
pub(super) async fn find_call_turn(
    client: &Client,
    call_id: CallId,
    until: Timestamp,
) -> Result<Option<Turn>, CliError> {
    let mut before = first_number_after(client, until).await?;
    let oldest = until.saturating_sub(LONGEST_CALL).unwrap_or(Timestamp::MIN);
    loop {
        let TurnPage { turns, next } = client.get(&format!("/v1/chat/turns?before={before}&limit={PAGE}")).await?;
        let is_sought = |turn: &&Turn| turn.body.role == Role::User && turn.body.call_id == Some(call_id);
        if let Some(found) = turns.iter().find(is_sought) {
            return Ok(Some(found.clone()));
        }
        let reached = turns.first().is_none_or(|turn| turn.at < oldest);
        match next {
            Some(next) if !reached => before = next,
            _ => return Ok(None),
        }
    }
}

/// A number such that the turns before it are no later than `until`, and few of them are missing.
async fn first_number_after(client: &Client, until: Timestamp) -> Result<u64, CliError> {
    let latest: TurnPage = client.get("/v1/chat/turns?latest=1").await?;
    let (mut low, mut high) = (0, latest.turns.last().map_or(0, |turn| turn.seq));
    if latest.turns.last().is_none_or(|turn| turn.at <= until) {
        return Ok(high + 1);
    }
    // The turn before `high` or at it is later than `until`; the one before `low` is not.
    while high - low > u64::from(PAGE) {
        let middle = low.midpoint(high);
        let page: TurnPage = client.get(&format!("/v1/chat/turns?before={middle}&limit=1")).await?;
        if page.turns.last().is_none_or(|turn| turn.at <= until) {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(high)
}
