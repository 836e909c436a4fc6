//! Event numbers without gaps, whatever rows are missing.

use jiff::Timestamp;

use crate::ids::TurnId;
use crate::ledger::unreadable::{Unreadable, UnreadableRow};
use crate::ledger::{Event, EventBody, Owner, Page, PageLimit, Turn, TurnBody};

/// Stands in for an event of which only the number is left.
pub(super) fn lost_turn(seq: u64) -> Turn {
    let row = i64::try_from(seq).unwrap_or_default();
    Turn { seq, at: Timestamp::UNIX_EPOCH, body: TurnBody::unreadable(TurnId::of_row(row)) }
}

/// Puts a stand-in at each missing number, so that a reader sees no gap. Of two events with the same number the
/// first one stays.
pub(in crate::ledger) fn without_gaps(
    found: Page<Event>,
    after: u64,
    limit: PageLimit,
    owner: &Owner,
    unreadable: &Unreadable,
) -> Page<Event> {
    let report = |seq: u64, why: &str| {
        let row = seq.to_string();
        unreadable.report(&UnreadableRow { table: "event", row: &row, owner: Some(owner), why });
    };
    let limit = limit.rows as usize;
    let mut page = Page { rows: Vec::with_capacity(found.rows.len()), more: found.more };
    let mut next = after.saturating_add(1);
    for event in found.rows {
        if event.seq < next {
            report(event.seq, "two rows have this number");
            continue;
        }
        while next < event.seq && page.rows.len() < limit {
            report(next, "the row of this number is missing");
            page.rows.push(Event { seq: next, body: EventBody::Turn(lost_turn(next)) });
            next += 1;
        }
        if page.rows.len() >= limit {
            return Page { more: limit > 0, ..page };
        }
        next = event.seq.saturating_add(1);
        page.rows.push(event);
    }
    page
}
