//! Decoding of stored rows, shared by the backends that keep rows in columns.
//!
//! A column that cannot be decoded costs that column: the row keeps its place and its number, a stand-in replaces
//! what is lost, and the row is reported once (see [`Unreadable`](super::unreadable::Unreadable)). Nothing here
//! fails. Knows no SQL: columns are found by name.

mod columns;
mod documents;
mod files;
mod gaps;
mod schedules;
mod tables;

pub(super) use columns::{Cell, Columns};
pub(super) use documents::{collection, document};
pub(super) use files::{file, file_id, file_state};
pub(super) use gaps::without_gaps;
pub(super) use schedules::{due_schedule, job_owners, schedule, seen_user};
#[cfg(feature = "postgres")]
pub(super) use tables::progress;
pub(super) use tables::{
    EventKind, attempt, audit_row, call, call_id, chain_ends, claimed, durable, event, left_call, owner, paused_task,
    question, queue_load, record, running_task, secret, step, step_value, task_id, turn,
};
