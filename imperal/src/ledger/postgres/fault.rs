//! Errors inside the backend, and their translation into [`LedgerError`].
//!
//! Owns the one table from the server's codes: an error that may pass by itself is `Unavailable`, one with an unknown
//! outcome is `Indeterminate`, one that needs a person is `Unusable` and names the way out. No text contains the
//! connection's address, which may hold a password.

use std::borrow::Cow;
use std::error::Error;
use std::io;

use tokio_postgres::error::{DbError, SqlState};

use super::identity;
use super::stored_text::original;
use super::tls::rustls_error;
use crate::error::RunningTask;
use crate::ledger::{CannotFollow, DocumentConflict, LedgerError};

/// Why an operation failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// A rule of the contract, or an error that is translated already.
    Refused(LedgerError),
    /// The server or the connection.
    Postgres(tokio_postgres::Error),
    /// A stored row that cannot have been written so.
    Row(String),
}

impl Fault {
    /// Whether the server refused by a rule of the contract.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Refused(_) => true,
            Self::Postgres(error) => error.code().is_some_and(|code| code.code().starts_with("IM") || was_an_id(error)),
            Self::Row(_) => false,
        }
    }
}

impl From<LedgerError> for Fault {
    fn from(error: LedgerError) -> Self {
        Self::Refused(error)
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

impl From<Fault> for LedgerError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(error) => error,
            Fault::Row(why) => damaged(&why),
            Fault::Postgres(error) => from_postgres(&error),
        }
    }
}

/// Whether the server undid the statement because it clashed with others. It may be sent again.
pub(super) fn was_a_clash(error: &tokio_postgres::Error) -> bool {
    error
        .code()
        .is_some_and(|code| [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(code))
}

/// A statement found that an owner's numbers do not fit its rows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Damage {
    /// This owner's next number belongs to a row already.
    TakenNumber(i64),
    /// A number is at its largest.
    TooLarge,
}

/// The damage that made a statement fail, if that is the reason.
pub(super) fn damage(error: &tokio_postgres::Error) -> Option<Damage> {
    let answer = error.as_db_error()?;
    match answer.code() {
        code if *code == SqlState::NUMERIC_VALUE_OUT_OF_RANGE => Some(Damage::TooLarge),
        code if *code == SqlState::UNIQUE_VIOLATION
            && matches!(answer.constraint(), Some("turn_owner_id_seq_key" | "task_event_pkey")) =>
        {
            // The server writes this part in every language: `.. (owner_id, seq)=(5, 1) ..`.
            let (_, values) = answer.detail()?.split_once("=(")?;
            values.split(',').next()?.trim().parse().ok().map(Damage::TakenNumber)
        }
        _ => None,
    }
}

/// The keys whose numbers the server generates. A request brings none of them: if one is taken, the server's sequence is
/// behind its table, for example after a restore of a part.
const GENERATED: &[&str] =
    &["audit_pkey", "owner_pkey", "node_pkey", "shelf_pkey", "collection_pkey", "document_pkey", "schedule_pkey"];

/// The generated key that is taken, if that is the reason.
fn taken_number(error: &tokio_postgres::Error) -> Option<&str> {
    let answer = error.as_db_error().filter(|answer| *answer.code() == SqlState::UNIQUE_VIOLATION)?;
    answer.constraint().filter(|constraint| GENERATED.contains(constraint))
}

/// Whether the statement was refused because its id exists.
fn was_an_id(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::UNIQUE_VIOLATION) && damage(error).is_none() && taken_number(error).is_none()
}

/// Whether the connection is gone. The outcome of its statement is unknown.
pub(super) fn was_a_loss(error: &tokio_postgres::Error) -> bool {
    let broke = || error.source().is_some_and(<dyn Error>::is::<io::Error>);
    error.code().map_or_else(|| error.is_closed() || broke(), |code| says_loss(code.code()))
}

/// The server was shut down, possibly after the commit; or a connection behind the sender of this error failed.
/// `PgBouncer` reports a lost server only in the second way.
fn says_loss(code: &str) -> bool {
    code.starts_with("08") || [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN].iter().any(|it| it.code() == code)
}

/// Whether the connection leads to a standby.
pub(super) fn takes_no_writes(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION)
}

/// Translates the error of a statement that was not sent, or that may be sent again.
pub(super) fn unavailable(error: &tokio_postgres::Error) -> LedgerError {
    match from_postgres(error) {
        LedgerError::Indeterminate(why) => LedgerError::Unavailable(why),
        error => error,
    }
}

fn from_postgres(error: &tokio_postgres::Error) -> LedgerError {
    let Some(answer) = error.as_db_error() else {
        // With TLS 1.3 a server refuses a client's certificate only after the handshake.
        let broke = error.source().and_then(<dyn Error>::downcast_ref).and_then(rustls_error);
        let why = broke.and_then(identity::way_out).unwrap_or_else(|| reasons(error));
        let why = format!("the connection to PostgreSQL failed: {why}");
        return if was_a_loss(error) {
            LedgerError::Indeterminate(why)
        } else {
            LedgerError::Unavailable(without_tls(why))
        };
    };
    let (code, message) = (answer.code().code(), answer.message());
    if let Some(key) = taken_number(error) {
        return LedgerError::Unavailable(format!(
            "a number that PostgreSQL generated for the key {key} is taken: its sequence is behind the table; set it \
             behind the largest number with setval"
        ));
    }
    if let Some(refusal) = refusal(code) {
        return refusal;
    }
    match code {
        "IM005" => LedgerError::TooManyTasks(answer.detail().and_then(|max| max.parse().ok()).unwrap_or_default()),
        "IM006" => already_running(answer),
        "IM012" => LedgerError::TooManyQuestions(answer.detail().and_then(|max| max.parse().ok()).unwrap_or_default()),
        "IM018" => LedgerError::TooManySchedules(answer.detail().and_then(|max| max.parse().ok()).unwrap_or_default()),
        "IM013" => LedgerError::OpenEffects(answer.detail().and_then(|open| open.parse().ok()).unwrap_or_default()),
        "IM014" => LedgerError::CannotFollow(match answer.detail() {
            Some("gone") => CannotFollow::ValuesGone,
            Some("row") => CannotFollow::NoSuchRow,
            _ => CannotFollow::NotEnded,
        }),
        "IM015" => conflict(answer.detail().unwrap_or_default()),
        "IM016" => LedgerError::TooManyDocuments(answer.detail().and_then(|max| max.parse().ok()).unwrap_or_default()),
        "IM017" => {
            LedgerError::TooManyDocumentBytes(answer.detail().and_then(|max| max.parse().ok()).unwrap_or_default())
        }
        "IM019" => answer
            .detail()
            .and_then(|id| id.parse().ok())
            .map_or_else(|| damaged("a missing file has no id"), LedgerError::FileMissing),
        "IM020" => LedgerError::TooManyFiles(answer.detail().and_then(|max| max.parse().ok()).unwrap_or_default()),
        "IM021" => LedgerError::TooManyFileBytes(answer.detail().and_then(|max| max.parse().ok()).unwrap_or_default()),
        // The caller knows the limit.
        "IM007" => LedgerError::QuotaExceeded(0),
        "42501" => LedgerError::Unusable(format!(
            "PostgreSQL denies it ({message}): grant the role all rights on the ledger's schema, or let it make that"
        )),
        "3F000" | "42P01" | "42703" | "42883" => LedgerError::Unusable(format!(
            "the ledger's schema is not as it was made ({message}): restore it, or drop it to begin with an empty one"
        )),
        "XX001" | "XX002" => damaged(message),
        _ if says_loss(code) => LedgerError::Indeterminate(format!("PostgreSQL says: {message} (code {code})")),
        "28000" => LedgerError::Unavailable(
            identity::refusal(message).unwrap_or_else(|| format!("PostgreSQL says: {message} (code {code})")),
        ),
        "53100" => LedgerError::Unavailable(format!("PostgreSQL has no space left ({message}): free some")),
        "25006" => LedgerError::Unavailable(format!("PostgreSQL takes no writes ({message}): name the primary server")),
        _ => LedgerError::Unavailable(format!("PostgreSQL says: {message} (code {code})")),
    }
}

/// A refusal by a rule of the contract that says everything.
pub(super) fn refusal(code: &str) -> Option<LedgerError> {
    Some(match code {
        "IM001" => LedgerError::Fenced,
        "IM002" => LedgerError::AlreadyReplied,
        "IM003" => LedgerError::NotFound,
        "IM004" => LedgerError::CallNotReplied,
        "IM008" => LedgerError::AlreadyEnded,
        // The other unique columns are ids.
        "IM009" | "23505" => LedgerError::IdExists,
        "IM010" => LedgerError::NotHolder,
        "IM011" => LedgerError::NotOrphaned,
        _ => return None,
    })
}

/// Adds the way out to the driver's text.
fn without_tls(why: String) -> String {
    if why.ends_with("server does not support TLS") {
        return format!("{why}: turn it on there, or write sslmode=disable if the way there is safe");
    }
    why
}

/// The refusal's detail and hint name the task.
fn already_running(answer: &DbError) -> LedgerError {
    match answer.detail().map(str::parse) {
        Some(Ok(task_id)) => {
            let name = original(answer.hint().unwrap_or_default()).map_or_else(|rest| rest, Cow::into_owned);
            LedgerError::AlreadyRunning(RunningTask::new(task_id, &name))
        }
        _ => damaged("a key is taken by a task without an id"),
    }
}

/// The refusal's detail is the place of the write and the stored version.
/// From the document's place, its version, and its shape if that is too new.
fn conflict(detail: &str) -> LedgerError {
    let mut parts = detail.split(' ');
    let place = parts.next().and_then(|part| part.parse().ok()).unwrap_or_default();
    let found = parts.next().and_then(|part| part.parse().ok()).unwrap_or_default();
    let newer = parts.next().map(|part| part.parse().unwrap_or(u32::MAX));
    LedgerError::DocumentConflict(DocumentConflict { place, found, newer })
}

fn damaged(why: &str) -> LedgerError {
    LedgerError::Unusable(format!("the database is damaged or not a ledger ({why}): restore a copy"))
}

/// The error with its causes.
pub(super) fn reasons(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
