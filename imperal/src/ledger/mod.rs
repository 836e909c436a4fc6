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
mod rounds;
mod rules;
#[cfg(feature = "otel")]
mod spans;
#[cfg(feature = "platform")]
mod sqlite;
mod unreadable;

pub use crate::rows::{
    AnswerOutcome, AppOwners, AssistantMark, Attempt, AttemptEnding, AttemptReport, AuditHash, AuditOutcome, AuditRow,
    AuditScope, Backlog, CallCancel, CallRecord, CancelOutcome, ClaimRequest, ClaimedTask, CloseQuestion,
    CollectionUse, CurrentStep, DocumentConflict, DocumentKeys, DocumentLimits, DocumentQuery, DocumentSource,
    DocumentSpace, DocumentWrite, DocumentWrites, DraftPiece, DueSchedule, DurableName, DurableProgram, EffectAnswer,
    Event, EventBody, Expected, Expiry, FailedStep, Fence, FileChange, FileContent, FileLimits, FileRemoval,
    FileSource, FileState, Follows, FoundDocuments, Incarnation, InvalidPlace, JobOwners, JobStep, KnownBy,
    MessageSource, NewAnswer, NewAudit, NewCall, NewDocument, NewDurable, NewFile, NewQuestion, NewSecret, NewSeen,
    NewStep, NewTask, OpenTask, Orphan, Owner, Park, PausedTask, Progress, Question, QuestionState, QueueLimit,
    QueueLoad, QueuePlace, Release, RenewalNews, Role, ScheduleKind, ScheduleMark, ScheduleSource, ScheduleWrite,
    SealedSecret, SecretPlace, SecretWrite, SeenUser, StepEnding, StepKind, StepsSoFar, StoredAnswer, StoredDocument,
    StoredDurable, StoredEffect, StoredFile, StoredSchedule, StoredSecret, StoredStep, SweptFiles, Task, TaskAttempt,
    TaskEnd, TaskPlace, TaskRecord, TaskState, TooDeep, Turn, TurnBody, UnfinishedStep, UnknownName, WaitsFor, Work,
    WrittenDocument,
};
pub use audit_check::{AuditCheck, BrokenAudit};
pub use clock::{Clock, ManualClock, SystemClock};
pub use contract::{CannotFollow, LedgerError, LedgerResult};
pub use dynamic::{Fut, Ledger};
pub use feed::{Feed, FeedItem, FeedSignal, Subscription};
pub use memory::MemoryLedger;
pub use meters::LedgerMeters;
pub use page::{AuditFilter, Page, PageLimit};
#[cfg(feature = "postgres")]
pub use postgres::PostgresLedger;
pub use retention::{ChainEnds, Pruned, RetentionPolicy};
pub(crate) use rules::SUSPECT;
#[cfg(feature = "platform")]
pub use sqlite::SqliteLedger;

#[cfg(not(feature = "otel"))]
use no_spans as spans;
