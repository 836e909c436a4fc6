//! What can go wrong inside, and what the contract calls it.
//!
//! Owns the one table from the server's codes to [`LedgerError`]: what may pass by itself is
//! `Unavailable`, what nobody knows the outcome of is `Unsure`, what needs a person is `Unusable` and
//! names the way out. No text names the connection's address: it may hold a password.

use std::borrow::Cow;
use std::error::Error;
use std::io;

use tokio_postgres::error::{DbError, SqlState};

use super::identity;
use super::stored_text::original;
use super::tls::rustls_error;
use crate::error::RunningTask;
use crate::ledger::LedgerError;

/// Why an operation did not come about.
#[derive(Debug)]
pub(super) enum Fault {
    /// A rule of the contract, or a state in the contract's words.
    Refused(LedgerError),
    /// The server or the connection.
    Postgres(tokio_postgres::Error),
    /// A stored row that is not what was written.
    Row(String),
}

impl Fault {
    /// Whether the server answered with a rule of the contract.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Refused(_) => true,
            Self::Postgres(error) => error.code().is_some_and(|code| code.code().starts_with("IM")),
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

/// Whether the server undid the statement because of what others did at the same time: the same
/// statement may be sent again.
pub(super) fn was_a_clash(error: &tokio_postgres::Error) -> bool {
    error
        .code()
        .is_some_and(|code| [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(code))
}

/// Numbers of an owner that do not fit its rows, as a statement met them.
#[derive(Debug, Clone, Copy)]
pub(super) enum Damage {
    /// This owner's next number is a row's already.
    TakenNumber(i64),
    /// There is no next number.
    TooLarge,
}

/// What damage a statement met, if that is why it failed.
pub(super) fn damage(error: &tokio_postgres::Error) -> Option<Damage> {
    let answer = error.as_db_error()?;
    match answer.code() {
        code if *code == SqlState::NUMERIC_VALUE_OUT_OF_RANGE => Some(Damage::TooLarge),
        code if *code == SqlState::UNIQUE_VIOLATION
            && matches!(answer.constraint(), Some("turn_owner_id_seq_key" | "task_event_pkey")) =>
        {
            // In every language: `.. (owner_id, seq)=(5, 1) ..`.
            let (_, values) = answer.detail()?.split_once("=(")?;
            values.split(',').next()?.trim().parse().ok().map(Damage::TakenNumber)
        }
        _ => None,
    }
}

/// Whether the connection is gone, and with it whatever was asked on it.
pub(super) fn was_a_loss(error: &tokio_postgres::Error) -> bool {
    let broke = || error.source().is_some_and(<dyn Error>::is::<io::Error>);
    error.code().map_or_else(|| error.is_closed() || broke(), |code| says_loss(code.code()))
}

/// The server was ended, under a statement that may have been committed by then; or the connection
/// failed somewhere behind who says so. The latter is all that `PgBouncer` says of a server that it lost.
fn says_loss(code: &str) -> bool {
    code.starts_with("08") || [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN].iter().any(|it| it.code() == code)
}

/// Whether the server that the connection leads to is a standby, or has become one.
pub(super) fn takes_no_writes(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION)
}

/// The error of a statement that was not sent, or that may be sent again.
pub(super) fn unavailable(error: &tokio_postgres::Error) -> LedgerError {
    match from_postgres(error) {
        LedgerError::Unsure(why) => LedgerError::Unavailable(why),
        error => error,
    }
}

fn from_postgres(error: &tokio_postgres::Error) -> LedgerError {
    let Some(answer) = error.as_db_error() else {
        // By TLS 1.3 a server says only after the handshake what it thinks of a client's certificate.
        let broke = error.source().and_then(<dyn Error>::downcast_ref).and_then(rustls_error);
        let why = broke.and_then(identity::way_out).unwrap_or_else(|| reasons(error));
        let why = format!("the connection to PostgreSQL failed: {why}");
        return if was_a_loss(error) { LedgerError::Unsure(why) } else { LedgerError::Unavailable(without_tls(why)) };
    };
    let (code, message) = (answer.code().code(), answer.message());
    match code {
        "IM001" => LedgerError::Fenced,
        // The only unique columns besides numbers that are given out there are the ids.
        "IM002" | "23505" => LedgerError::Settled,
        "IM003" => LedgerError::Unknown,
        "IM004" => LedgerError::TooEarly,
        // Who asked knows the limit.
        "IM005" => LedgerError::TooManyTasks(0),
        "IM006" => already_running(answer),
        "IM007" => LedgerError::QuotaExceeded(0),
        "42501" => LedgerError::Unusable(format!(
            "PostgreSQL denies it ({message}): grant the role all rights on the ledger's schema, or let it make that"
        )),
        "3F000" | "42P01" | "42703" | "42883" => LedgerError::Unusable(format!(
            "the ledger's schema is not as it was made ({message}): restore it, or drop it to begin with an empty one"
        )),
        "XX001" | "XX002" => damaged(message),
        _ if says_loss(code) => LedgerError::Unsure(format!("PostgreSQL says: {message} (code {code})")),
        "28000" => LedgerError::Unavailable(
            identity::refusal(message).unwrap_or_else(|| format!("PostgreSQL says: {message} (code {code})")),
        ),
        "53100" => LedgerError::Unavailable(format!("PostgreSQL has no space left ({message}): free some")),
        "25006" => LedgerError::Unavailable(format!("PostgreSQL takes no writes ({message}): name the primary server")),
        _ => LedgerError::Unavailable(format!("PostgreSQL says: {message} (code {code})")),
    }
}

/// The driver's own sentence, with the way out.
fn without_tls(why: String) -> String {
    if why.ends_with("server does not support TLS") {
        return format!("{why}: turn it on there, or write sslmode=disable if the way there is safe");
    }
    why
}

/// The task is named beside the refusal.
fn already_running(answer: &DbError) -> LedgerError {
    match answer.detail().map(str::parse) {
        Some(Ok(task_id)) => {
            let name = original(answer.hint().unwrap_or_default()).map_or_else(|rest| rest, Cow::into_owned);
            LedgerError::AlreadyRunning(RunningTask::new(task_id, &name))
        }
        _ => damaged("a key is taken by a task without an id"),
    }
}

fn damaged(why: &str) -> LedgerError {
    LedgerError::Unusable(format!("the database is damaged or not a ledger ({why}): restore a copy"))
}

/// The error with what caused it.
pub(super) fn reasons(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
