//! The rows that a ledger stores, and what the platform hands it to write them.
//!
//! Plain values without I/O. Rows that reach users serialise in the shape of the HTTP API. The platform
//! writes the types named `New..` and `..Body`; the ledger adds the number and the time.

mod audit;
mod audit_hash;
mod msg_type;
mod names;
mod task;
mod turn;
mod work;

pub use self::audit::{AuditOutcome, AuditRow, AuditScope, NewAudit};
pub use self::audit_hash::AuditHash;
pub use self::msg_type::MsgType;
pub use self::names::UnknownName;
pub use self::task::{CancelOutcome, NewTask, Progress, Task, TaskEnd, TaskRecord, TaskState};
pub use self::turn::{CallRecord, NewCall, Role, TooDeep, Turn, TurnBody};
pub use self::work::{Event, EventBody, Fence, Incarnation, MessageSource, Orphan, Owner, Work};
