//! The durable truth: calls, turns, tasks, events, audit.
//!
//! Owns the storage [`contract`], its backends, and the form [`Ledger`] that the platform holds.
//! Backends store; the platform decides the content. Every backend passes the same conformance suite.

mod audit_check;
mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod contract;
#[cfg(feature = "platform")]
mod decode;
mod dynamic;
mod feed;
mod memory;
mod meters;
#[cfg(not(feature = "otel"))]
mod no_spans;
mod page;
#[cfg(feature = "postgres")]
mod postgres;
mod retention;
mod rules;
#[cfg(feature = "otel")]
mod spans;
#[cfg(feature = "platform")]
mod sqlite;
mod unreadable;

pub use crate::rows::{
    AnswerOutcome, Attempt, AuditHash, AuditOutcome, AuditRow, AuditScope, CallCancel, CallRecord, CancelOutcome,
    ClaimRequest, ClaimedTask, CloseQuestion, CurrentStep, DurableName, DurableProgram, Event, EventBody, Fence,
    Incarnation, MessageSource, NewAnswer, NewAudit, NewCall, NewDurable, NewQuestion, NewStep, NewTask, Orphan, Owner,
    Park, Progress, Question, QuestionState, Release, RenewalNews, Role, StepKind, StepsSoFar, StoredAnswer,
    StoredStep, Task, TaskEnd, TaskRecord, TaskState, TooDeep, Turn, TurnBody, UnknownName, WaitsFor, Work,
};
pub use audit_check::{AuditCheck, BrokenAudit};
pub use clock::{Clock, ManualClock, SystemClock};
pub use contract::{LedgerError, LedgerResult};
pub use dynamic::{Fut, Ledger};
pub use feed::{Feed, FeedSignal, Subscription};
pub use memory::MemoryLedger;
pub use meters::LedgerMeters;
pub use page::{AuditFilter, Page, PageLimit};
#[cfg(feature = "postgres")]
pub use postgres::PostgresLedger;
pub use retention::{ChainEnds, Pruned, RetentionPolicy};
#[cfg(feature = "platform")]
pub use sqlite::SqliteLedger;

#[cfg(not(feature = "otel"))]
use no_spans as spans;
