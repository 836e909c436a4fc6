//! The rows that a ledger stores, and the values from which the platform has it write them.
//!
//! Plain values without I/O. Rows that reach users serialise in the shape of the HTTP API. The platform
//! writes the types named `New..` and `..Body`; the ledger adds the number and the time.

mod assistant;
mod attempt_notes;
mod attempts;
mod audit;
mod audit_hash;
mod document;
pub(crate) mod document_key;
mod document_query;
mod draft;
mod durable;
mod effect;
mod file;
mod follow;
mod msg_type;
mod names;
mod new_task;
mod operators;
mod question;
mod queue;
mod schedule;
mod secret;
mod step;
mod task;
mod turn;
mod work;

pub use self::assistant::AssistantMark;
pub(crate) use self::attempt_notes::AttemptNotes;
pub use self::attempt_notes::{AttemptReport, StepEnding, UnfinishedStep};
pub use self::attempts::{AttemptEnding, StoredDurable, TaskAttempt};
pub use self::audit::{AuditOutcome, AuditRow, AuditScope, NewAudit};
pub use self::audit_hash::AuditHash;
pub use self::document::{
    CollectionUse, DocumentConflict, DocumentLimits, DocumentSource, DocumentSpace, DocumentWrite, DocumentWrites,
    Expected, Expiry, NewDocument, StoredDocument, WrittenDocument,
};
pub(crate) use self::document_query::PageSize;
pub use self::document_query::{DocumentKeys, DocumentQuery, FoundDocuments};
pub use self::draft::DraftPiece;
pub use self::durable::{Backlog, ClaimRequest, ClaimedTask, DurableName, DurableProgram, NewDurable, Park, Release};
pub use self::effect::{EffectAnswer, KnownBy, StoredEffect};
pub(crate) use self::effect::{NotDoneBy, RESERVED_NAMES, effect_question, open_effects};
pub use self::file::{
    FileChange, FileContent, FileLimits, FileRemoval, FileSource, FileState, NewFile, StoredFile, SweptFiles,
};
pub use self::follow::Follows;
#[cfg(test)]
pub(crate) use self::follow::step_of_message;
pub(crate) use self::follow::{is_inherited, keeps_step};
pub use self::msg_type::MsgType;
pub use self::names::UnknownName;
pub use self::new_task::NewTask;
pub use self::operators::{InvalidPlace, OpenTask, PausedTask, TaskPlace};
pub use self::question::{AnswerOutcome, CloseQuestion, NewAnswer, NewQuestion, Question, QuestionState, StoredAnswer};
pub use self::queue::{QueueLimit, QueueLoad, QueuePlace};
pub use self::schedule::{
    AppOwners, DueSchedule, JobOwners, JobStep, NewSeen, ScheduleKind, ScheduleMark, ScheduleSource, ScheduleWrite,
    SeenUser, StoredSchedule,
};
pub use self::secret::{NewSecret, SealedSecret, SecretPlace, SecretWrite, StoredSecret};
pub use self::step::{CurrentStep, FailedStep, NewStep, StepKind, StepsSoFar, StoredStep};
pub use self::task::{CancelOutcome, Progress, Task, TaskEnd, TaskRecord, TaskState, WaitsFor};
pub use self::turn::{CallRecord, NewCall, Role, TooDeep, Turn, TurnBody};
pub use self::work::{
    Attempt, CallCancel, Event, EventBody, Fence, Incarnation, MessageSource, Orphan, Owner, RenewalNews, Work,
};
