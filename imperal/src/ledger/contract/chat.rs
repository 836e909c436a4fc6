//! A user's chat: its turns, and the numbered events that streams read.

use std::future::Future;

use super::LedgerResult;
use crate::ids::TurnId;
use crate::ledger::{Event, MessageSource, NewAudit, Owner, Page, PageLimit, Turn, TurnBody};

/// The chat of each owner. Used by deliveries, services' messages, pages of history and streams.
///
/// **Numbers.** Each owner's events have the numbers 1, 2, 3 .. without gaps, in commit order; turns
/// and changes of tasks share them. A reader that has seen `n` never finds a number below `n` later.
/// Retention does not restart the numbers.
///
/// **Stored bytes.** The stored text of each turn counts for its owner and for the day (UTC, by the
/// ledger's clock). A call or message that comes with a limit is refused with `QuotaExceeded` if it
/// would lift the day's total above the limit. Replies, outcomes and messages of accepted work count
/// too and are never refused.
///
/// **Pages.** A page ends at the limit's rows or bytes, whichever comes first; bytes are those of the
/// stored text. Rows beyond the end are not read into memory. A page has at least one row, however
/// large that row is.
pub trait Chat: Send + Sync {
    /// Adds a turn that is neither a reply nor an outcome, with its audit row and event. From a step of a
    /// durable task it also stores the step, as [`DurableTasks::store_step`](super::DurableTasks::store_step).
    ///
    /// # Errors
    /// From work: `Fenced`; `NotFound`, also if the work is another owner's; `NotHolder`;
    /// `AlreadyReplied` or `AlreadyEnded` once the work has ended. From outside: `QuotaExceeded`. From
    /// all: `IdExists`, also for a step's ordinal; `TooDeep`.
    fn inject(
        &self,
        owner: Owner,
        turn: TurnBody,
        audit: NewAudit,
        source: MessageSource,
    ) -> impl Future<Output = LedgerResult<Turn>> + Send;

    /// The owner's kept turns with a higher number, in order.
    fn turns(
        &self,
        owner: &Owner,
        after: u64,
        limit: PageLimit,
    ) -> impl Future<Output = LedgerResult<Page<Turn>>> + Send;

    /// The owner's latest turns below a number, in order: for a page that opens on a long history.
    /// `more` says whether there are earlier ones.
    fn latest_turns(
        &self,
        owner: &Owner,
        before: Option<u64>,
        limit: PageLimit,
    ) -> impl Future<Output = LedgerResult<Page<Turn>>> + Send;

    /// The owner's turn with this id, as long as it is kept; `None` for another owner's.
    fn find_turn(&self, owner: &Owner, turn_id: TurnId) -> impl Future<Output = LedgerResult<Option<Turn>>> + Send;

    /// The owner's events with a higher number, in order and without a gap. A task's event shows the
    /// task as it was then, without its result: the next event is the outcome turn, which has it.
    ///
    /// # Errors
    /// `Pruned` if the next number is no longer kept. The read that would have shown the gap decides.
    fn events(
        &self,
        owner: &Owner,
        after: u64,
        limit: PageLimit,
    ) -> impl Future<Output = LedgerResult<Page<Event>>> + Send;

    /// The owner's latest event number; 0 if there is none.
    fn head(&self, owner: &Owner) -> impl Future<Output = LedgerResult<u64>> + Send;
}
