//! The ledger in PostgreSQL, shared by any number of nodes.
//!
//! Owns [`PostgresLedger`] and the statement of each method. The rules are functions in the database (`functions/`):
//! each method is one statement, so one round trip, and the server's clock is the only one. Most writes of work share
//! their transaction with others while many arrive, see `batches`.

mod batches;
mod channel_binding;
mod claims;
mod document_arrays;
mod documents;
mod drafts;
mod dsn;
mod durable;
mod event_reads;
mod fault;
mod files;
mod identity;
mod leases;
mod listener;
mod notifier;
mod operators;
mod owner_permits;
mod pool;
mod questions;
mod queues;
mod reads;
mod recovery;
mod rows;
mod schedules;
mod schema;
mod secrets;
mod server;
mod steps;
mod stored_text;
mod tls;
mod writes;

use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::types::Type;

use self::batches::Batches;
use self::claims::Claims;
use self::event_reads::EventReads;
use self::listener::AbortOnDrop;
use self::notifier::PeerNotifier;
use self::owner_permits::OwnerPermits;
use self::pool::{Lane, Param, Store, int, text, texts};
use self::rows::{audit, get, get_number, micros, number, step_texts, to_json};
use self::steps::StepWriter;
use self::stored_text::stored;
use super::contract::{AuditTrail, Calls, Chat, Health, LedgerResult, Retention, Tasks};
use super::{
    Attempt, AuditFilter, AuditRow, CallCancel, CallRecord, CancelOutcome, ChainEnds, Event, Feed, Fence, Incarnation,
    LedgerError, LedgerMeters, MessageSource, NewAudit, NewCall, NewTask, Owner, Page, PageLimit, Progress, Pruned,
    RetentionPolicy, Task, TaskEnd, TaskRecord, Turn, TurnBody, Work,
};
use crate::ids::{CallId, TaskId, TurnId};

/// The time limit of a write check, whose caller wants a fast answer.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// A [`Ledger`](super::Ledger) in a PostgreSQL database, version 15 or later, for any number of nodes.
///
/// Everything is in one schema, `imperal` unless you name another; the rest of the database is left alone. The ledger
/// works behind a pooler in transaction mode. There, other nodes' commits reach watchers within about a second instead
/// of at once.
///
/// A DSN is `postgres://USER:PASSWORD@HOST:PORT/DATABASE` or `host=.. user=..`. Its `sslmode` is one of `disable`,
/// `prefer` (TLS if the server offers it; the default), `require`, `verify-ca` (a trusted authority issued the
/// certificate) and `verify-full` (also, it is for this host). The trusted authorities are the machine's, or those in
/// the PEM file that `sslrootcert` names; `require` with such a file means `verify-ca`. A server certificate that is
/// itself in the file is accepted. There is no TLS on a Unix socket.
///
/// With several hosts (`HOST:PORT,HOST:PORT` or `host=..,..`), for example a primary and its standbys, the node uses
/// the first one that accepts writes, and looks for another when that one stops accepting them.
///
/// `sslcert` names a file with this node's certificate, followed by its intermediates, and `sslkey` its key, both in
/// PEM form. A server that asks for a certificate gets it; one that has `cert` in its `pg_hba.conf` then needs no
/// password. The key must not be encrypted, and by libpq's rule only its owner may read its file: mode 600, or 640 if
/// root owns it. Neither has a default. A node reads these files once, before it first connects.
///
/// A statement fails after 10 s, an attempt to connect after 5 s.
///
/// Must be created and used within a tokio runtime. Dropping it closes its connections.
#[derive(Debug)]
pub struct PostgresLedger {
    store: Store,
    notifier: Arc<PeerNotifier>,
    permits: OwnerPermits,
    batches: Batches,
    event_reads: EventReads,
    steps: StepWriter,
    claims: Claims,
    feed: Feed,
    meters: LedgerMeters,
    _loops: AbortOnDrop,
}

impl PostgresLedger {
    /// Connects, and makes the schema `imperal` if it does not exist. Keeps up to 16 connections for calls, one for the
    /// lease and one for notifications.
    ///
    /// # Errors
    /// [`LedgerError::Unusable`] for a DSN that cannot be read, a server that is too old or has unsuitable settings, or
    /// a schema of another version; [`LedgerError::Unavailable`] if the server cannot be reached now.
    pub async fn connect(url: &str) -> Result<Self, LedgerError> {
        Self::connect_in(url, "imperal", Self::CONNECTIONS).await
    }

    /// The default number of connections for calls.
    pub const CONNECTIONS: usize = 16;

    /// [`PostgresLedger::connect`] with another schema name (a-z, 0-9 and _) and number of connections for calls.
    pub async fn connect_in(url: &str, schema: &str, connections: usize) -> Result<Self, LedgerError> {
        let meters = LedgerMeters::default();
        let store = Store::new(url, schema, connections, meters.clone())?;
        schema::prepare(&store).await?;
        let feed = Feed::default();
        let notifier = Arc::new(PeerNotifier::new(feed.clone()));
        let loops = listener::start(&notifier, &store, meters.loops());
        let permits = OwnerPermits::new(connections, meters.clone());
        let batches = Batches::new(store.clone(), connections, meters.clone());
        let event_reads = EventReads::new(store.clone());
        let steps = StepWriter::new(store.clone(), meters.clone());
        Ok(Self {
            store,
            notifier,
            permits,
            batches,
            event_reads,
            steps,
            claims: Claims::default(),
            feed,
            meters,
            _loops: loops,
        })
    }
}

/// Adds the limit, which the server's refusal does not repeat.
fn quota(error: LedgerError, max_stored: Option<u64>) -> LedgerError {
    match error {
        LedgerError::QuotaExceeded(_) => LedgerError::QuotaExceeded(max_stored.unwrap_or_default()),
        error => error,
    }
}

impl Calls for PostgresLedger {
    async fn accept_call(&self, incarnation: &Incarnation, call: NewCall) -> LedgerResult<Turn> {
        self.write_accepted(incarnation, call).await
    }

    async fn reply(&self, incarnation: &Incarnation, call_id: CallId, turn: TurnBody) -> LedgerResult<Turn> {
        self.settle_call(incarnation, call_id, false, turn).await
    }

    async fn answer_call(&self, incarnation: &Incarnation, call: NewCall, reply: TurnBody) -> LedgerResult<[Turn; 2]> {
        self.write_answered(incarnation, call, reply).await
    }

    async fn accept_and_start(
        &self,
        incarnation: &Incarnation,
        call: NewCall,
        task: NewTask,
    ) -> LedgerResult<(Turn, Task)> {
        let (call_id, owner) = (call.call_id, call.owner.clone());
        let accepted = self.write_first_start(incarnation, call, task, None).await;
        self.permits.accepted(call_id, owner, &accepted);
        accepted.map(|(turn, task, _)| (turn, task))
    }

    async fn start_and_answer(
        &self,
        incarnation: &Incarnation,
        call: NewCall,
        task: NewTask,
        reply: TurnBody,
    ) -> LedgerResult<(Turn, Task, Turn)> {
        match self.write_first_start(incarnation, call, task, Some(reply)).await? {
            (asked, task, Some(replied)) => Ok((asked, task, replied)),
            _ => Err(LedgerError::Unavailable("the server returned no reply".to_owned())),
        }
    }

    async fn reply_and_finish(
        &self,
        incarnation: &Incarnation,
        call_id: CallId,
        turn: TurnBody,
        attempt: Attempt,
        end: TaskEnd,
    ) -> LedgerResult<[Turn; 2]> {
        self.settle_with_end(incarnation, (call_id, turn), (attempt, end)).await
    }

    async fn request_call_cancel(&self, owner: &Owner, call_id: CallId, audit: NewAudit) -> LedgerResult<CallCancel> {
        self.write_call_cancel(owner, call_id, &audit).await
    }

    async fn find_call(&self, owner: &Owner, call_id: CallId) -> LedgerResult<Option<CallRecord>> {
        reads::call(&self.store, owner, call_id).await
    }
}

impl Tasks for PostgresLedger {
    async fn start_task(&self, incarnation: &Incarnation, task: NewTask) -> LedgerResult<Task> {
        self.begin_task(incarnation, task).await
    }

    async fn finish_task(&self, incarnation: &Incarnation, attempt: Attempt, end: TaskEnd) -> LedgerResult<Turn> {
        self.end_task(incarnation, attempt.task_id, Some(attempt), end).await
    }

    async fn note_progress(&self, incarnation: &Incarnation, latest: Vec<(u32, Progress)>) -> LedgerResult<()> {
        self.write_progress(incarnation, latest).await
    }

    async fn request_cancel(&self, task_id: TaskId, audit_row: NewAudit, end: TaskEnd) -> LedgerResult<CancelOutcome> {
        self.write_cancel(task_id, audit_row, end).await
    }

    async fn find_task(&self, task_id: TaskId) -> LedgerResult<Option<TaskRecord>> {
        reads::task(&self.store, task_id).await
    }

    async fn open_tasks(&self, owner: &Owner) -> LedgerResult<Vec<Task>> {
        reads::open_tasks(&self.store, owner).await
    }

    async fn recent_tasks(&self, owner: &Owner, limit: u32) -> LedgerResult<Vec<Task>> {
        reads::recent_tasks(&self.store, owner, limit).await
    }

    async fn tasks_of_call(&self, owner: &Owner, call_id: CallId) -> LedgerResult<Vec<Task>> {
        reads::tasks_of_call(&self.store, owner, call_id).await
    }
}

impl Chat for PostgresLedger {
    async fn inject(
        &self,
        owner: Owner,
        turn: TurnBody,
        audit_row: NewAudit,
        from: MessageSource,
    ) -> LedgerResult<Turn> {
        let sql = "SELECT * FROM @.inject($1, $2, $3::uuid, $4::uuid, $5, $6, $7::uuid, $8, $9, $10, $11, $12)";
        let (fence, max_stored) = match &from {
            MessageSource::Work(fence) | MessageSource::Step(fence, _) => (Some(fence), None),
            MessageSource::Outside { max_stored } => (None, *max_stored),
        };
        let node = fence.map(|fence| stored(&fence.incarnation.node));
        let incarnation = fence.map_or(0, |fence| fence.incarnation.number);
        let (call_id, attempt) = match fence.map(|fence| fence.work) {
            None => (None, None),
            Some(Work::Call(id)) => (Some(id.to_string()), None),
            Some(Work::Task(attempt)) => (None, Some(attempt)),
        };
        let (task_id, attempt) =
            (attempt.map(|attempt| attempt.task_id.to_string()), attempt.map(|attempt| i64::from(attempt.number)));
        let step = match &from {
            MessageSource::Step(Fence { work: Work::Call(_), .. }, _) => return Err(LedgerError::NotFound),
            MessageSource::Step(_, step) => Some(step_texts(step)?),
            MessageSource::Work(_) | MessageSource::Outside { .. } => None,
        };
        let most = max_stored.map(number);
        let (tenant, user) = (stored(&owner.tenant_id), stored(&owner.user_id));
        let (turn_id, json, row) = (turn.turn_id.to_string(), to_json(&turn)?, audit(&audit_row));
        let whose = [text(&node), int(&incarnation), text(&call_id), text(&task_id), text(&tenant), text(&user)];
        let what =
            [text(&turn_id), text(&json), texts(&row), (&most, Type::INT8), (&attempt, Type::INT8), texts(&step)];
        let _permit = self.permits.acquire(&owner).await?;
        let written = self.write_turn(sql, &[&whose[..], &what[..]].concat(), turn).await;
        written.map_err(|error| quota(error, max_stored))
    }

    async fn turns(&self, owner: &Owner, after: u64, limit: PageLimit) -> LedgerResult<Page<Turn>> {
        reads::turns(&self.store, owner, after, limit).await
    }

    async fn latest_turns(&self, owner: &Owner, before: Option<u64>, limit: PageLimit) -> LedgerResult<Page<Turn>> {
        reads::latest_turns(&self.store, owner, before, limit).await
    }

    async fn find_turn(&self, owner: &Owner, turn_id: TurnId) -> LedgerResult<Option<Turn>> {
        reads::turn_of(&self.store, owner, turn_id).await
    }

    async fn events(&self, owner: &Owner, after: u64, limit: PageLimit) -> LedgerResult<Page<Event>> {
        reads::events(&self.event_reads, &self.store, owner, after, limit).await
    }

    async fn head(&self, owner: &Owner) -> LedgerResult<u64> {
        reads::head(&self.store, owner).await
    }
}

impl AuditTrail for PostgresLedger {
    async fn write_audit(&self, row: NewAudit) -> LedgerResult<()> {
        let _permit = self.permits.acquire_for_audit(&row).await?;
        let row = audit(&row);
        self.counted(self.store.rows("SELECT FROM @.write_audit($1)", &[texts(&row)])).await?;
        Ok(())
    }

    async fn audit_rows(&self, filter: AuditFilter) -> LedgerResult<Page<AuditRow>> {
        reads::audit_rows(&self.store, &filter).await
    }

    async fn chain_ends(&self, owner: Option<Owner>) -> LedgerResult<Vec<(Owner, ChainEnds)>> {
        reads::chain_ends(&self.store, owner.as_ref()).await
    }
}

impl Retention for PostgresLedger {
    async fn prune(&self, policy: &RetentionPolicy, from: u64, limit: u32) -> LedgerResult<Pruned> {
        let [turns, tasks, events, audit] =
            [policy.turns, policy.tasks, policy.events(), policy.audit].map(|age| age.map(micros));
        let (from, limit) = (number(from), i64::from(limit.max(1)));
        let ages: [Param<'_>; 4] =
            [(&turns, Type::INT8), (&tasks, Type::INT8), (&events, Type::INT8), (&audit, Type::INT8)];
        let row = self.one("SELECT @.prune_documents($1)", &[int(&limit)]).await?;
        let documents = get_number(&row, 0)?;
        if documents >= limit.unsigned_abs() {
            return Ok(Pruned { documents, next: u64::try_from(from).ok(), ..Pruned::default() });
        }
        let sql = "SELECT * FROM @.prune($1, $2, $3, $4, $5, $6)";
        let row = self.one(sql, &[&ages[..], &[int(&from), int(&limit)]].concat()).await?;
        Ok(Pruned {
            turns: get_number(&row, 0)?,
            calls: get_number(&row, 1)?,
            tasks: get_number(&row, 2)?,
            events: get_number(&row, 3)?,
            audit: get_number(&row, 4)?,
            step_values: get_number(&row, 5)?,
            documents,
            next: get::<Option<i64>>(&row, 6)?.and_then(|next| u64::try_from(next).ok()),
        })
    }
}

impl Health for PostgresLedger {
    async fn check_writable(&self) -> LedgerResult<()> {
        async {
            let sql = "INSERT INTO @.checked (only_one, at) VALUES (true, @.micros())
                       ON CONFLICT (only_one) DO UPDATE SET at = excluded.at";
            self.counted(self.store.repeat(Lane::Calls, CHECK_TIMEOUT, sql, &[])).await?;
            Ok(())
        }
        .await
    }

    fn feed(&self) -> &Feed {
        &self.feed
    }

    fn meters(&self) -> &LedgerMeters {
        &self.meters
    }
}
