//! Why a ledger refused or failed.

use std::fmt;

use crate::error::RunningTask;
use crate::ids::FileId;
use crate::rows::{DocumentConflict, TooDeep};

/// Why a task cannot follow another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a caller that ignores a new reason must not compile")]
pub enum CannotFollow {
    /// The other task has no outcome yet.
    NotEnded,
    /// The other task has no row with this ordinal.
    NoSuchRow,
    /// Values of its rows are no longer kept.
    ValuesGone,
}

impl fmt::Display for CannotFollow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotEnded => "the task to follow has not ended; wait for its end, or cancel it",
            Self::NoSuchRow => "the task to follow has no row of this ordinal; read which ones it has",
            Self::ValuesGone => "the values of the task to follow are no longer kept; run it again from the start",
        })
    }
}

/// Why a ledger did not do what it was asked to. Nothing was written, except perhaps after
/// [`LedgerError::Indeterminate`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LedgerError {
    /// The ledger cannot read or write now: the disk is full, the file is locked, the connection is
    /// lost. The same request may succeed later. The text is for the operator.
    Unavailable(String),
    /// The connection was lost during a write, so its outcome is unknown. To learn it, repeat the
    /// write with the same ids: `IdExists`, `AlreadyReplied` or `AlreadyEnded` says that it is in the
    /// ledger. The text is for the operator.
    Indeterminate(String),
    /// The incarnation that asks has ended: its node joined again, left, or let its lease expire.
    Fenced,
    /// No call or task of this owner has this id.
    NotFound,
    /// Another incarnation holds the call or task, so this one may not write for it.
    NotHolder,
    /// The incarnation that holds the call or task has not ended, so the work cannot be reclaimed.
    NotOrphaned,
    /// The call has its reply.
    AlreadyReplied,
    /// The task has its outcome.
    AlreadyEnded,
    /// A call, task or turn with this id is in the ledger.
    IdExists,
    /// The task cannot end: its call has no reply yet.
    CallNotReplied,
    /// The task has this many open effects, and its end speaks of another number. Read which ones they are, and write
    /// an end that names them.
    OpenEffects(u32),
    /// The owner has this many running tasks, which is the limit.
    TooManyTasks(u32),
    /// The task has this many open questions, which is the limit.
    TooManyQuestions(u32),
    /// The owner has this many schedules, which is the limit.
    TooManySchedules(u32),
    /// A task cannot go on from another one, or run it again.
    CannotFollow(CannotFollow),
    /// The owner has a running task with the same key.
    AlreadyRunning(RunningTask),
    /// With this write, the owner's turns of today would have more bytes than this limit.
    QuotaExceeded(u64),
    /// The stored document is not the one that the write expects, or of a newer type than the write.
    DocumentConflict(DocumentConflict),
    /// The owner has this many documents of the extension already, which is the limit.
    TooManyDocuments(u64),
    /// With this write, the owner's documents of the extension would have more bytes than this limit.
    TooManyDocumentBytes(u64),
    /// The owner has no such file of the extension, or its content is not written.
    FileMissing(FileId),
    /// The owner has this many files of the extension already, which is the limit.
    TooManyFiles(u64),
    /// With this write, the owner's files of the extension would have more bytes than this limit.
    TooManyFileBytes(u64),
    /// Events up to this number are no longer kept. Read the turns and the recent tasks, then
    /// continue with the events after this number.
    Pruned(u64),
    /// This part of a turn is nested deeper than readers accept: once stored, it could not be read.
    TooDeep(&'static str),
    /// The ledger cannot be used at all: a newer schema, a damaged file. The text names the way out.
    Unusable(String),
}

impl LedgerError {
    /// A short name without the text, which may name hosts: for spans and metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Indeterminate(_) => "indeterminate",
            Self::Fenced => "fenced",
            Self::NotFound => "not_found",
            Self::NotHolder => "not_holder",
            Self::NotOrphaned => "not_orphaned",
            Self::AlreadyReplied => "already_replied",
            Self::AlreadyEnded => "already_ended",
            Self::IdExists => "id_exists",
            Self::CallNotReplied => "call_not_replied",
            Self::OpenEffects(_) => "open_effects",
            Self::TooManyTasks(_) => "too_many_tasks",
            Self::TooManyQuestions(_) => "too_many_questions",
            Self::TooManySchedules(_) => "too_many_schedules",
            Self::CannotFollow(_) => "cannot_follow",
            Self::AlreadyRunning(_) => "already_running",
            Self::QuotaExceeded(_) => "quota_exceeded",
            Self::DocumentConflict(_) => "document_conflict",
            Self::TooManyDocuments(_) => "too_many_documents",
            Self::TooManyDocumentBytes(_) => "too_many_document_bytes",
            Self::FileMissing(_) => "file_missing",
            Self::TooManyFiles(_) => "too_many_files",
            Self::TooManyFileBytes(_) => "too_many_file_bytes",
            Self::Pruned(_) => "pruned",
            Self::TooDeep(_) => "too_deep",
            Self::Unusable(_) => "unusable",
        }
    }

    /// Whether the ledger failed. All other errors are refusals: the ledger works and a rule forbids
    /// the write.
    pub const fn is_failure(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Indeterminate(_) | Self::Unusable(_))
    }
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(why) => write!(f, "the ledger is not available: {why}"),
            Self::Indeterminate(why) => {
                write!(f, "the outcome of the write is unknown: {why}; repeat it with the same ids to learn it")
            }
            Self::Fenced => f.write_str("this node's incarnation has ended; join again before you write"),
            Self::NotFound => f.write_str("the ledger has no such call or task; check its id and its owner"),
            Self::NotHolder => {
                f.write_str("another incarnation holds the call or task; only that one may write for it")
            }
            Self::NotOrphaned => {
                f.write_str("the node that holds the call or task is alive; wait until its lease has expired")
            }
            Self::AlreadyReplied => f.write_str("the call has its reply already; read it instead"),
            Self::AlreadyEnded => f.write_str("the task has ended already; read its outcome instead"),
            Self::IdExists => f.write_str("the id is in the ledger already; read what it names, or use a new one"),
            Self::CallNotReplied => f.write_str("the task's call has no reply yet; reply to it first"),
            Self::OpenEffects(open) => {
                write!(f, "the task has {open} effects that may have happened; write an end that names them")
            }
            Self::TooManyTasks(limit) => {
                write!(f, "the user has {limit} running tasks already; wait for one to end, or cancel one")
            }
            Self::TooManyQuestions(limit) => {
                write!(f, "the task has {limit} open questions already; wait for an answer, or withdraw one")
            }
            Self::TooManySchedules(limit) => {
                write!(f, "the user has {limit} schedules already; delete one first")
            }
            Self::CannotFollow(why) => why.fmt(f),
            Self::AlreadyRunning(task) => {
                write!(f, "task {} runs under the same key already; wait for it to end, or cancel it", task.task_id)
            }
            Self::QuotaExceeded(limit) => {
                write!(f, "the user may store {limit} bytes a day; send less, or continue after midnight UTC")
            }
            Self::DocumentConflict(DocumentConflict { newer: Some(shape), .. }) => {
                write!(
                    f,
                    "the stored document has the newer shape {shape}; let the newer version of the program write it"
                )
            }
            Self::DocumentConflict(DocumentConflict { found: 0, .. }) => {
                f.write_str("there is no such document; it may have been deleted")
            }
            Self::DocumentConflict(DocumentConflict { found, .. }) => {
                write!(f, "the stored document has version {found}; read it again and repeat the change")
            }
            Self::TooManyDocuments(limit) => {
                write!(f, "the user has {limit} documents of the extension already; delete some first")
            }
            Self::TooManyDocumentBytes(limit) => {
                write!(f, "the user may have {limit} bytes of documents of the extension; delete some first")
            }
            Self::FileMissing(file_id) => {
                write!(f, "the user has no file {file_id} of the extension; it may have been deleted or have expired")
            }
            Self::TooManyFiles(limit) => {
                write!(f, "the user has {limit} files of the extension already; delete some first")
            }
            Self::TooManyFileBytes(limit) => {
                write!(f, "the user may have {limit} bytes of files of the extension; delete some first")
            }
            Self::Pruned(floor) => {
                write!(f, "events up to number {floor} are no longer kept; read the turns, then continue after it")
            }
            Self::TooDeep(part) => TooDeep { part }.fmt(f),
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
