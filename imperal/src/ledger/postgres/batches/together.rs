//! Several writes in one transaction, in one message to the server and one back.

use std::pin::Pin;

use futures_util::future::poll_immediate;
use tokio::time::timeout;
use tokio_postgres::Row;

use super::Write;
use crate::ledger::LedgerError;
use crate::ledger::postgres::fault::{Fault, takes_no_writes, was_a_loss};
use crate::ledger::postgres::pool::{Lane, STATEMENT, Store};
use crate::ledger::postgres::writes::one;

/// The limit, `LOCK_LIMIT`, keeps a write that waits for another transaction from delaying the other writes.
const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = '50ms'";

/// Why writes are not on disk, as far as this node knows.
#[derive(Debug)]
pub(super) enum NotWritten {
    /// The server has undone all of them, because of the one at this place if that is known.
    Undone(Option<usize>),
    /// None can be sent, or the outcome of all is unknown.
    Failed(LedgerError),
}

impl Store {
    /// Sends the writes as one transaction. Returns their rows, once all are on disk.
    pub(super) async fn together(&self, writes: &[&Write]) -> Result<Vec<Result<Row, Fault>>, NotWritten> {
        let connection = self.connection(Lane::Calls).await.map_err(NotWritten::Failed)?;
        let statements: Vec<_> = writes.iter().map(|write| (self.named(write.sql()), write.params())).collect();
        let sending = async {
            // The first poll of each sends it.
            let begin = begun(connection.batch_execute(BEGIN)).await;
            let mut sent = Vec::with_capacity(statements.len());
            for (sql, params) in &statements {
                sent.push(begun(connection.query_typed(sql, params)).await);
            }
            // Also after a failure, when the server takes it for a rollback.
            let commit = begun(connection.batch_execute("COMMIT")).await;
            begin.end().await.map_err(|error| (None, error))?;
            let (mut rows, mut failed) = (Vec::with_capacity(sent.len()), None);
            for (place, statement) in sent.into_iter().enumerate() {
                match statement.end().await {
                    Ok(found) => rows.push(found),
                    // The others fail because of the first.
                    Err(error) => failed = failed.or(Some((Some(Undoing::Write(place)), error))),
                }
            }
            let committed = commit.end().await.map_err(|error| (Some(Undoing::Commit), error));
            failed.map_or(committed, Err).map(|()| rows)
        };
        let Ok(outcome) = timeout(STATEMENT, sending).await else {
            self.forget(connection);
            let why = format!("PostgreSQL did not answer within {} s", STATEMENT.as_secs_f32());
            return Err(NotWritten::Failed(LedgerError::Indeterminate(why)));
        };
        match outcome {
            // Each function returns a row, or the database is not the one that was made.
            Ok(rows) => Ok(rows.into_iter().map(one).collect()),
            Err((by, error)) => {
                if takes_no_writes(&error) {
                    // This connection leads to a standby; a new one may lead to the primary.
                    self.forget(connection);
                }
                Err(not_written(by, error))
            }
        }
    }
}

/// The reason for which the server undid a transaction.
#[derive(Debug, Clone, Copy)]
enum Undoing {
    /// The write at this place.
    Write(usize),
    Commit,
}

/// A request that was sent.
enum Sent<F: Future> {
    Under(Pin<Box<F>>),
    Done(F::Output),
}

async fn begun<F: Future>(request: F) -> Sent<F> {
    let mut request = Box::pin(request);
    poll_immediate(&mut request).await.map_or(Sent::Under(request), Sent::Done)
}

impl<F: Future> Sent<F> {
    async fn end(self) -> F::Output {
        match self {
            Self::Under(request) => request.await,
            Self::Done(outcome) => outcome,
        }
    }
}

/// Only what the server says of a write is certain: the commit is on its way already when an answer is missing, and
/// without a begin each write was a transaction.
fn not_written(by: Option<Undoing>, error: tokio_postgres::Error) -> NotWritten {
    let code = error.code().filter(|_| !was_a_loss(&error)).map(|code| code.code().to_owned());
    match (by, code) {
        (Some(Undoing::Write(place)), Some(_)) => NotWritten::Undone(Some(place)),
        // A constraint, a clash with others, a cancel. Of any other the commit may have been made.
        (Some(Undoing::Commit), Some(code)) if ["23", "40", "57014"].iter().any(|of| code.starts_with(of)) => {
            NotWritten::Undone(None)
        }
        _ => NotWritten::Failed(match LedgerError::from(Fault::from(error)) {
            LedgerError::Unavailable(why) => LedgerError::Indeterminate(why),
            error => error,
        }),
    }
}
