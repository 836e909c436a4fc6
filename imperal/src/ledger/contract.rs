//! The storage contract: what every ledger backend does, one trait for each caller.
//!
//! | trait | what it stores | who calls it |
//! |---|---|---|
//! | [`Leases`] | which incarnation of a node may write | the loop that renews the lease |
//! | [`Recovery`] | replies and outcomes of work whose node has gone | the recovery loop |
//! | [`Calls`] | calls and their replies | dispatch |
//! | [`Tasks`] | background and durable tasks | the supervisor, everything that shows or cancels tasks |
//! | [`DurableTasks`] | attempts and steps of durable tasks | the loop that takes them up, their steps |
//! | [`Questions`] | questions of durable tasks and their answers | bodies, everything that answers |
//! | [`Documents`] | documents of extensions | handlers, steps, operators |
//! | [`Drafts`] | texts of running work, piece by piece | the loop that writes them, streams, recovery |
//! | [`Schedules`] | schedules, and users as last seen | the loop that runs them, surfaces |
//! | [`Files`] | rows of files | handlers, steps, uploads, the sweep |
//! | [`Secrets`] | sealed secrets of users and extensions | surfaces, the user's settings, rotation |
//! | [`Chat`] | turns and numbered events | deliveries, history, streams |
//! | [`AuditTrail`] | the audit trail | access checks, operators |
//! | [`Retention`] | the removal of old rows | the pruning loop |
//! | [`Health`] | nothing: hints, metrics, readiness | readiness, metrics, streams |
//!
//! A type with all of these traits is a [`Ledger`](super::Ledger), the form that the platform holds.
//! The rules below hold for every method; each trait has the rules of its own methods. Backends in
//! Rust take the rules about who may write from one place, and every backend passes the same
//! conformance suite (feature `conformance`).
//!
//! **Division of work.** The platform decides what is written and in which words. A backend stores
//! it, numbers it, stamps it with the ledger's clock, and refuses what the rules forbid.
//!
//! **Transactions.** Each method is one transaction. When it returns `Ok`, all of it is durable. When
//! it returns an error other than [`LedgerError::Indeterminate`], nothing was written. If the caller
//! drops the future, the transaction may or may not happen.
//!
//! **Ids.** The platform makes the ids of calls, tasks and turns. A write with an id that is in the
//! ledger is refused with `IdExists`, so repeating a write whose answer was lost cannot write twice.
//! The ids of a call and of an injected turn may come from a request key; see [`Calls`].
//!
//! **Order of refusals.** If several rules forbid a write, the first of these is the answer:
//!
//! 1. `TooDeep`
//! 2. `Fenced`
//! 3. `NotFound`, then `NotHolder`
//! 4. `AlreadyReplied`, `AlreadyEnded`
//! 5. `NotOrphaned`
//! 6. `CallNotReplied`, then `OpenEffects`
//! 7. `IdExists`
//! 8. `AlreadyRunning`, then `TooManyTasks`, `TooManyQuestions`, `TooManySchedules`
//! 9. `QuotaExceeded`, `CannotFollow`
//! 10. `DocumentConflict`, then `TooManyDocuments`, `TooManyDocumentBytes`
//! 11. `FileMissing`, then `TooManyFiles`, `TooManyFileBytes`
//!
//! **Texts.** Every text and JSON value comes back as it was written: NUL, characters of every plane,
//! every key, the order of keys, numbers to the last digit. JSON that is nested too deep to be read
//! back is refused with `TooDeep` (see [`TurnBody::check_depth`](super::TurnBody::check_depth)).
//!
//! **Damage.** A disk, a tool or a fault of an earlier version may damage a stored row. That costs the
//! row's content and nothing else:
//!
//! - No method fails because of it, for the row's owner or another user.
//! - A read shows the row in its place and under its number, with a stand-in for what cannot be read.
//!   A turn says so in its text ([`TurnBody::unreadable`](super::TurnBody::unreadable)); a task keeps
//!   the columns that can be read; an audit row has a hash that the check reports.
//! - Event numbers have no gap: a number whose row is missing or has no content is such a turn.
//! - An id that cannot be read is replaced by one that names the row, and every method accepts that.
//! - [`Recovery::orphans`] lists damaged work, so that it is settled without its content. Work whose
//!   owner's row is missing cannot be settled; it is marked as ended.
//! - Each damaged row is reported once, see
//!   [`LedgerMeters::unreadable_rows`](super::LedgerMeters::unreadable_rows).

mod audit;
mod calls;
mod chat;
mod documents;
mod drafts;
mod durable;
mod error;
mod files;
mod health;
mod leases;
mod operators;
mod questions;
mod queues;
mod recovery;
mod retention;
mod schedules;
mod secrets;
mod tasks;

pub use audit::AuditTrail;
pub use calls::Calls;
pub use chat::Chat;
pub use documents::Documents;
pub use drafts::Drafts;
pub use durable::DurableTasks;
pub use error::{CannotFollow, LedgerError};
pub use files::Files;
pub use health::Health;
pub use leases::Leases;
pub use operators::Operators;
pub use questions::Questions;
pub use queues::Queues;
pub use recovery::Recovery;
pub use retention::Retention;
pub use schedules::Schedules;
pub use secrets::Secrets;
pub use tasks::Tasks;

/// The result of a method of the contract.
pub type LedgerResult<T> = Result<T, LedgerError>;
