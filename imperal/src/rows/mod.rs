//! The rows that a ledger stores, and the values from which the platform has it write them.
//!
//! Plain values without I/O. Rows that reach users serialise in the shape of the HTTP API. The platform
//! writes the types named `New..` and `..Body`; the ledger adds the number and the time.

mod audit;
mod audit_hash;
mod durable;
mod msg_type;
mod names;
mod question;
mod task;
mod turn;
mod work;

pub use self::audit::{AuditOutcome, AuditRow, AuditScope, NewAudit};
pub use self::audit_hash::AuditHash;
pub use self::durable::{
    ClaimRequest, ClaimedTask, CurrentStep, DurableName, DurableProgram, NewDurable, NewStep, Park, Release, StepKind,
    StepsSoFar, StoredStep,
};
pub use self::msg_type::MsgType;
pub use self::names::UnknownName;
pub use self::question::{AnswerOutcome, CloseQuestion, NewAnswer, NewQuestion, Question, QuestionState, StoredAnswer};
pub use self::task::{CancelOutcome, NewTask, Progress, Task, TaskEnd, TaskRecord, TaskState, WaitsFor};
pub use self::turn::{CallRecord, NewCall, Role, TooDeep, Turn, TurnBody};
pub use self::work::{
    Attempt, CallCancel, Event, EventBody, Fence, Incarnation, MessageSource, Orphan, Owner, RenewalNews, Work,
};
