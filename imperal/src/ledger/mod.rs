//! The durable truth: calls, turns, tasks, events, audit.
//!
//! Owns the storage contract ([`Ledger`]), the rows it speaks of, and its backends. Backends store
//! and the platform computes meaning: the one text here that a user reads stands in for a row that
//! cannot be read. Every backend passes the same conformance suite.

mod chain;
mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
mod contract;
#[cfg(feature = "platform")]
mod decode;
mod feed;
mod memory;
mod meters;
mod page;
#[cfg(feature = "postgres")]
mod postgres;
mod retention;
#[cfg(feature = "platform")]
mod sqlite;
mod unreadable;

pub use crate::rows::{
    AuditHash, AuditOutcome, AuditRow, AuditScope, CallRecord, CancelAnswer, Event, EventBody, Fence, Incarnation,
    NewAudit, NewCall, NewTask, Orphan, Owner, Progress, Role, Sender, Task, TaskEnd, TaskRecord, TaskState, TooDeep,
    Turn, TurnBody, Work,
};
pub use chain::{AuditCheck, BrokenAudit};
pub use clock::{Clock, HeldClock, SystemClock};
pub use contract::{Fut, Ledger, LedgerError};
pub use feed::{Feed, Pulse, Subscription};
pub use memory::MemoryLedger;
pub use meters::LedgerMeters;
pub use page::{AuditFilter, Limit, Page};
#[cfg(feature = "postgres")]
pub use postgres::PostgresLedger;
pub use retention::{AuditEnds, Keep, Pruned};
#[cfg(feature = "platform")]
pub use sqlite::SqliteLedger;
