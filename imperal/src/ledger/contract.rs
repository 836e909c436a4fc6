//! What a ledger must do, for whoever writes a backend and whoever relies on one.
//!
//! **Who does what.** The platform decides what is written and in which words; a backend stores it,
//! numbers it, stamps the time by its own clock, and refuses what its rules below forbid. Each
//! method is one transaction: all of it is durable when the future completes with `Ok`, and none
//! of it is there after an `Err`, save after [`LedgerError::Unsure`]. A future that is dropped may or
//! may not have been carried out.
//!
//! **Numbers.** Each owner's events are numbered 1, 2, 3 .. without gaps, in commit order, turns
//! and task changes together. A reader that has seen `n` never later finds a number below `n`.
//!
//! **Lives.** A node writes under its [`Incarnation`]. A write whose epoch is not the node's
//! current one is refused with [`LedgerError::Fenced`], in the same transaction that checks it.
//! An epoch ends when the node joins again, or when [`Ledger::orphans`] finds its lease lapsed.
//!
//! **Order of a call.** `accept_call`, any number of `start_task`, one `reply`; a task's end is
//! refused with [`LedgerError::TooEarly`] while its call has no reply. A running task may start
//! others on behalf of its call, which has its reply by then.
//!
//! **Keys.** Among an owner's running tasks of one extension no two have the same key, whichever
//! nodes start them and however many at once. A key is free again when its task has ended, in the
//! transaction that ends it.
//!
//! **Ids.** Come from the platform and are new, or those of a repeated request. A call, task or turn id
//! that is in the ledger already is refused with [`LedgerError::Settled`]: who repeats a write whose
//! answer was lost cannot do it twice. A call's or an injected turn's id may be one that another request
//! came with, on this node or another; of those one is written, and the others find it by
//! [`Ledger::call`] and [`Ledger::turn`].
//!
//! **Order of refusals.** `Fenced` before all else; then whether the work exists and this life
//! may write for it; then `Settled`, then `TooEarly`; of a start `AlreadyRunning`, then `TooManyTasks`; of a
//! call and a message `QuotaExceeded`.
//!
//! **Texts.** Any text and any JSON comes back as it was: NUL, characters beyond the first plane, any
//! key, the order of keys. JSON that is nested too deep to be read back is refused with
//! [`LedgerError::TooDeep`] (see [`TurnBody::check_depth`]) and nothing is written.
//!
//! **Damage.** A stored row may be damaged by a disk, a tool or a fault of an earlier version. It costs
//! that row's content and nothing else. No method fails because of it, for its owner or anybody else. A
//! read shows the row in its place, under its number, with a stand-in for what cannot be read: a turn
//! says so in its text ([`TurnBody::unreadable`]), a task keeps the columns that can be read, an audit
//! row has a hash that the check names. Event numbers have no gap: a number whose row is missing or has
//! no content is such a turn. An id that cannot be read is replaced by one that names the row, which every
//! method takes in its place. `orphans` lists damaged work, so that it is settled without its content;
//! work without an owner cannot be settled and is put aside. A task whose call is missing waits for no
//! reply. Each damaged row is reported once, see [`LedgerMeters::unreadable_rows`].
//!
//! **Audit.** Rows are only ever added, and taken away by retention alone, oldest first. Each carries the
//! hash that [`AuditHash::of`] makes of it, of its time, and of the hash before it in its owner's chain:
//! one chain an owner, so that owners do not wait for one another. The owner's latest hash is kept beside
//! the owner, in the same transaction; so is the hash of the last row that retention took, which the
//! first kept row follows.
//!
//! **Leases.** A lease that lies further ahead than it is long was given before the clock was set
//! back: [`Ledger::orphans`] cuts it to its length from now. So a dead node is found within a lease,
//! and a live one has the time to renew.
//!
//! **Retention.** [`Ledger::prune`] takes what is old. Numbers never start again: a reader of events
//! from before what is kept is refused with [`LedgerError::Pruned`], in the same look at the ledger
//! that would have shown it a gap. From the oldest call on that has no reply or a running task, all
//! of an owner's events, turns, calls and tasks are kept, however old.
//!
//! **Stored bytes.** The text of each turn, as it is stored, counts for its owner and for the day (UTC, by the
//! ledger's clock). A call or a message that comes with a limit is refused with [`LedgerError::QuotaExceeded`] when
//! the day's total would be larger with it. Replies, outcomes and messages of accepted work count and are not
//! refused.
//!
//! **Pages.** A read that gives a page ends at the limit's rows or bytes, whichever comes first; the bytes
//! are those of the texts as they are stored. Rows beyond the end are not read into memory. One row comes
//! however large it is.
//!
//! **Hints.** After a commit the backend tells its [`Feed`]: events and, from `note_progress`,
//! progress. Losing a hint may cost time, never an event.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::{
    AuditEnds, AuditFilter, AuditRow, CallRecord, CancelAnswer, Event, Feed, Incarnation, Keep, LedgerMeters, Limit,
    NewAudit, NewCall, NewTask, Orphan, Owner, Page, Progress, Pruned, Sender, Task, TaskEnd, TaskRecord, TooDeep,
    Turn, TurnBody,
};
use crate::error::RunningTask;
use crate::ids::{CallId, TaskId, TurnId};

/// What a ledger method returns.
pub type Fut<'a, T> = Pin<Box<dyn Future<Output = Result<T, LedgerError>> + Send + 'a>>;

/// Why a ledger did not do it. Nothing was written, save perhaps after [`LedgerError::Unsure`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LedgerError {
    /// It cannot write or read now: disk full, file locked, connection lost. The same may succeed
    /// later. The text is for the operator.
    Unavailable(String),
    /// The connection was lost while it was writing: nobody knows whether it is written. Who repeats
    /// the same write, with the same ids, finds out: [`LedgerError::Settled`] says that it was. The
    /// text is for the operator.
    Unsure(String),
    /// The node's life is over: another took its place.
    Fenced,
    /// The call has its reply, or the task its end, already; or the id is in the ledger.
    Settled,
    /// There is no such call or task.
    Unknown,
    /// The task's call has no reply yet.
    TooEarly,
    /// The owner has this many running tasks already.
    TooManyTasks(u32),
    /// The owner has a running task with the same key.
    AlreadyRunning(RunningTask),
    /// With this write the owner's turns of today would have more than so many bytes.
    QuotaExceeded(u64),
    /// Events as far as this number are not kept any more: go on after it, and take what was before
    /// it from [`Ledger::turns`] and [`Ledger::recent_tasks`].
    Pruned(u64),
    /// This part of a turn is nested deeper than readers take: stored, it could not be read again.
    TooDeep(&'static str),
    /// It cannot be used at all: a newer schema, a damaged file. The text says the way out.
    Unusable(String),
}

impl std::fmt::Display for LedgerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unavailable(why) => write!(f, "the ledger is not available: {why}"),
            Self::Unsure(why) => write!(f, "whether it was written is not known: {why}"),
            Self::Fenced => f.write_str("this node's lease was taken over"),
            Self::Settled => f.write_str("it has ended already"),
            Self::Unknown => f.write_str("it is not in the ledger"),
            Self::TooEarly => f.write_str("its call has no reply yet"),
            Self::TooManyTasks(limit) => write!(f, "the user has {limit} running tasks already"),
            Self::AlreadyRunning(task) => write!(f, "task {} runs under the same key already", task.task_id),
            Self::QuotaExceeded(limit) => write!(f, "the user may store {limit} bytes a day"),
            Self::Pruned(floor) => write!(f, "events up to number {floor} are not kept any more"),
            Self::TooDeep(part) => write!(f, "{}", TooDeep { part }),
            Self::Unusable(why) => write!(f, "the ledger cannot be used: {why}"),
        }
    }
}

impl std::error::Error for LedgerError {}

impl From<TooDeep> for LedgerError {
    fn from(TooDeep { part }: TooDeep) -> Self {
        Self::TooDeep(part)
    }
}

/// The storage contract. See the module's head for the rules that hold for every method.
pub trait Ledger: Debug + Send + Sync + 'static {
    /// Begins a new life of the node, with a higher epoch than every earlier one; the work of
    /// earlier lives is orphaned at once. The lease runs from now.
    fn join<'a>(&'a self, node: &'a str, lease: Duration) -> Fut<'a, Incarnation>;

    /// Prolongs the lease, also one that has lapsed but was not taken over yet. Returns this
    /// life's running tasks that were asked to cancel.
    ///
    /// # Errors
    /// `Fenced` when the life is over.
    fn renew<'a>(&'a self, incarnation: &'a Incarnation, lease: Duration) -> Fut<'a, Vec<TaskId>>;

    /// Ends the life: what it still holds is orphaned at once. No error when it was over already.
    fn leave<'a>(&'a self, incarnation: &'a Incarnation) -> Fut<'a, ()>;

    /// Writes the call and its user turn with its event.
    ///
    /// # Errors
    /// `QuotaExceeded`, `Settled`, `Fenced`.
    fn accept_call<'a>(&'a self, incarnation: &'a Incarnation, call: NewCall) -> Fut<'a, Turn>;

    /// Writes the reply turn of an open call with its event, and settles the call.
    ///
    /// # Errors
    /// `Settled`, `Unknown`, `Fenced`; `Unknown` also when another life holds the call.
    fn reply<'a>(&'a self, incarnation: &'a Incarnation, call_id: CallId, turn: TurnBody) -> Fut<'a, Turn>;

    /// Writes a running task with its event. The call must be of this life and of the task's owner.
    ///
    /// # Errors
    /// `AlreadyRunning`, `TooManyTasks`, `Fenced`, `Unknown` for another owner's or life's call.
    fn start_task<'a>(&'a self, incarnation: &'a Incarnation, task: NewTask) -> Fut<'a, Task>;

    /// Ends a running task of this life: state, finish time, result, outcome turn, audit row, and
    /// the two events (the task's end, then the turn).
    ///
    /// # Errors
    /// `Settled`, `TooEarly`, `Unknown`, `Fenced`; `Fenced` also when another life holds the task.
    fn finish_task<'a>(&'a self, incarnation: &'a Incarnation, task_id: TaskId, end: TaskEnd) -> Fut<'a, Turn>;

    /// Keeps the latest progress of running tasks of this life; others are passed over. The one
    /// write that need not be durable when it returns, and that makes no event. Readers and the
    /// feed have it when it returns.
    fn note_progress<'a>(&'a self, incarnation: &'a Incarnation, latest: Vec<Progress>) -> Fut<'a, ()>;

    /// Notes that a task was asked to cancel, with the task's event, and writes the audit row. A
    /// second request writes its audit row only; so does one for a task that has ended.
    ///
    /// # Errors
    /// `Unknown`.
    fn ask_cancel(&self, task_id: TaskId, audit: NewAudit) -> Fut<'_, CancelAnswer>;

    /// Adds a turn outside a call's reply or a task's end, with its audit row and event.
    ///
    /// # Errors
    /// From work: as `reply` and `finish_task` refuse that work, and `Unknown` when it is of another
    /// owner. Else `QuotaExceeded`.
    fn inject(&self, owner: Owner, turn: TurnBody, audit: NewAudit, from: Sender) -> Fut<'_, Turn>;

    /// Writes an audit row alone.
    fn audit(&self, row: NewAudit) -> Fut<'_, ()>;

    /// Ends every other node's life whose lease has lapsed, and cuts leases from a clock that was
    /// ahead (see the module's head); then lists work that ended lives have
    /// left, calls before tasks, oldest first. The asking life is evidently alive: its own lapsed
    /// lease does not end it.
    ///
    /// # Errors
    /// `Fenced` when the asking life is over itself.
    fn orphans<'a>(&'a self, incarnation: &'a Incarnation, limit: u32) -> Fut<'a, Vec<Orphan>>;

    /// Lists the same and ends no life: for a node that starts, and does not know whether others could
    /// renew theirs until now. A ledger that one process has, where nobody else is to be spared, need not
    /// tell the two apart.
    fn left<'a>(&'a self, incarnation: &'a Incarnation, limit: u32) -> Fut<'a, Vec<Orphan>> {
        self.orphans(incarnation, limit)
    }

    /// `reply` on behalf of an ended life.
    ///
    /// # Errors
    /// `Settled` when somebody was faster; `Fenced` when the asking life is over; `Unknown` also
    /// when the life that holds the call is not.
    fn reclaim_call<'a>(&'a self, incarnation: &'a Incarnation, call_id: CallId, turn: TurnBody) -> Fut<'a, Turn>;

    /// `finish_task` on behalf of an ended life.
    ///
    /// # Errors
    /// As `reclaim_call`, and `TooEarly`.
    fn reclaim_task<'a>(&'a self, incarnation: &'a Incarnation, task_id: TaskId, end: TaskEnd) -> Fut<'a, Turn>;

    /// Takes away what is older than asked, by the ledger's clock, of some owners; at most about
    /// `limit` rows, in a transaction of its own that holds nobody up for long. It need not be durable
    /// when it returns. `from` is 0 for the first owners, then what the step before answered, until
    /// that is `None`. Several nodes may do it at once.
    ///
    /// A row that is old enough may stay for another pass: what unsettled work may need, what
    /// somebody is writing to, and, where the clock was set back, whatever is behind a younger row.
    fn prune<'a>(&'a self, keep: &'a Keep, from: u64, limit: u32) -> Fut<'a, Pruned>;

    /// The owner's turns with a higher number that are kept, in order.
    fn turns<'a>(&'a self, owner: &'a Owner, after: u64, limit: Limit) -> Fut<'a, Page<Turn>>;

    /// The owner's latest turns, in order: for a page that opens on a long history. `more` is about
    /// those before them.
    fn latest_turns<'a>(&'a self, owner: &'a Owner, before: Option<u64>, limit: Limit) -> Fut<'a, Page<Turn>>;

    /// The turn of the owner's with this id, for as long as it is kept; none for another owner's.
    fn turn<'a>(&'a self, owner: &'a Owner, turn_id: TurnId) -> Fut<'a, Option<Turn>>;

    /// The call of the owner's with this id, for as long as its turn is kept; none for another owner's.
    /// Every node sees it once it is accepted, and its reply once that is written.
    fn call<'a>(&'a self, owner: &'a Owner, call_id: CallId) -> Fut<'a, Option<CallRecord>>;

    /// The owner's events with a higher number, in order, without a gap. A task's event has the task
    /// as it was then, without its result: the outcome turn, which is the next event, has that.
    ///
    /// # Errors
    /// `Pruned` when the next number is not kept any more.
    fn events<'a>(&'a self, owner: &'a Owner, after: u64, limit: Limit) -> Fut<'a, Page<Event>>;

    /// The owner's latest event number; 0 when there is none.
    fn head<'a>(&'a self, owner: &'a Owner) -> Fut<'a, u64>;

    /// A task, whoever's it is: the caller must check the owner.
    fn task(&self, task_id: TaskId) -> Fut<'_, Option<TaskRecord>>;

    /// The owner's running tasks, oldest first. No list of tasks has their results, which are in the
    /// outcome turns and in [`Ledger::task`]: so a list is bounded by its rows.
    fn running_tasks<'a>(&'a self, owner: &'a Owner) -> Fut<'a, Vec<Task>>;

    /// The owner's tasks in any state, newest first.
    fn recent_tasks<'a>(&'a self, owner: &'a Owner, limit: u32) -> Fut<'a, Vec<Task>>;

    /// The tasks that a call of the owner's started, oldest first; none for another owner's call.
    fn tasks_of_call<'a>(&'a self, owner: &'a Owner, call_id: CallId) -> Fut<'a, Vec<Task>>;

    /// Audit rows by number.
    fn audit_rows(&self, filter: AuditFilter) -> Fut<'_, Page<AuditRow>>;

    /// The ends of the audit chain of each owner that has one; of this owner where one is given.
    fn audit_ends(&self, owner: Option<Owner>) -> Fut<'_, Vec<(Owner, AuditEnds)>>;

    /// Whether it can write right now.
    fn check(&self) -> Fut<'_, ()>;

    /// Where commits are announced.
    fn feed(&self) -> &Feed;

    /// What it measures of itself.
    fn meters(&self) -> &LedgerMeters;
}
