//! The ledger in PostgreSQL: the contract's checks, and behaviour that needs several nodes.
//!
//! Every backend has its own schema. Every handle is a `PostgresLedger` with its own connections, as on
//! several machines.

mod batches;
mod document_plans;
mod durable;
mod event_reads;
mod locks;
mod places;
mod reclaims;
mod renewals;
mod schema;
mod suspect_crowd;
mod trouble;
mod unheld_tasks;
mod waits;

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use imperal::ids::{CallId, TaskId, TurnId};
use imperal::ledger::conformance::{Backend, BoxFuture};
use imperal::ledger::{
    AuditOutcome, FeedSignal, Incarnation, Ledger, LedgerError, MessageSource, NewAudit, NewCall, NewTask, Owner,
    PostgresLedger, Progress, RenewalNews, Role, Subscription, TaskEnd, TaskState, TurnBody,
};
use imperal_tests::cluster;
use imperal_tests::eventually;
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, NoTls};

const LONG: Duration = Duration::from_secs(3600);

/// Until its end, this transaction holds up each write of a node, as the end of an incarnation does.
const HOLD_WRITES: &str = "BEGIN; SELECT pg_advisory_xact_lock(@.node_lock(node_key)) FROM @.node";

pub(crate) struct InPostgres {
    schema: String,
}

impl InPostgres {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self { schema: format!("contract_{}_{count}", std::process::id()) }
    }

    async fn try_connect(&self) -> Result<PostgresLedger, LedgerError> {
        drop(cluster::client().await);
        PostgresLedger::connect_in(&cluster::url(&self.schema), &self.schema, 8).await
    }

    async fn connect(&self) -> PostgresLedger {
        self.try_connect().await.unwrap()
    }

    async fn node(&self, name: &str) -> (PostgresLedger, Incarnation) {
        let ledger = self.connect().await;
        let incarnation = ledger.join(name, LONG).await.unwrap();
        (ledger, incarnation)
    }

    fn named(&self, sql: &str) -> String {
        sql.replace("@.", &format!("{}.", self.schema))
    }

    async fn sql(&self, sql: &str) {
        cluster::client().await.batch_execute(&self.named(sql)).await.unwrap();
    }

    /// Completes once as many locks are waited for by this schema's nodes.
    async fn locks_waited_for(&self, count: i64) {
        let sql = "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                   WHERE NOT l.granted AND a.application_name = $1";
        let looking = cluster::client().await;
        eventually("the writes wait for locks", async || {
            let waiting: i64 = looking.query_one(sql, &[&self.schema]).await.unwrap().get(0);
            (waiting >= count).then_some(())
        })
        .await;
    }

    async fn row(&self, sql: &str) -> tokio_postgres::Row {
        cluster::client().await.query_one(&self.named(sql), &[]).await.unwrap()
    }
}

impl Drop for InPostgres {
    fn drop(&mut self) {
        cluster::drop_schema(&self.schema);
    }
}

impl Backend for InPostgres {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Ledger>> {
        Box::pin(async { Arc::new(self.connect().await) as Arc<dyn Ledger> })
    }

    /// A test cannot move the server's clock, but it can move every lease.
    fn lapse(&self, lease: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.sql(&format!("UPDATE @.node SET lease_until = lease_until - {}", lease.as_micros())).await;
        })
    }

    fn pass(&self, time: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(time))
    }

    fn age_tasks(&self, by: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let by = by.as_micros();
            self.sql(&format!(
                "UPDATE @.task SET ready_at = ready_at - {by}, finished_at = finished_at - {by},
                     untold_since = untold_since - {by};
                 UPDATE @.durable SET claimed_at = claimed_at - {by}, stuck_since = stuck_since - {by},
                     refused_since = refused_since - {by},
                     values_until = values_until - {by};
                 UPDATE @.attempt SET began_at = began_at - {by}, ended_at = ended_at - {by};
                 UPDATE @.step SET began_at = began_at - {by}, done_at = done_at - {by};
                 UPDATE @.question SET asked_at = asked_at - {by}, until = until - {by};
                 UPDATE @.file SET due_at = due_at - {by}, expires_at = expires_at - {by};
                 UPDATE @.document SET keyed_at = keyed_at - {by}, created_at = created_at - {by},
                     updated_at = updated_at - {by}, expires_at = expires_at - {by}"
            ))
            .await;
        })
    }

    fn set_back(&self, by: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.sql(&format!("UPDATE @.node SET lease_until = lease_until + {}", by.as_micros())).await;
        })
    }
}

imperal::ledger_conformance!(durable InPostgres::new());

fn anna() -> Owner {
    Owner::new("tenant", "anna")
}

fn turn(text: &str) -> TurnBody {
    TurnBody::new(Role::Bot, text, "app")
}

fn audit() -> NewAudit {
    NewAudit::new(&anna(), "platform", "chat.inject", AuditOutcome::Done)
}

async fn start_task(ledger: &PostgresLedger, incarnation: &Incarnation) -> TaskId {
    let call = NewCall::new(CallId::generate(), anna(), turn("?"));
    let call_id = call.call_id;
    ledger.accept_call(incarnation, call).await.unwrap();
    let new = NewTask::new(call_id, anna(), "app", "work").cap(LONG, false);
    ledger.start_task(incarnation, new).await.unwrap().task_id
}

async fn pulse(watch: &mut Subscription) -> FeedSignal {
    tokio::time::timeout(Duration::from_secs(30), watch.next()).await.expect("no watcher was woken")
}

/// Waits until the watcher has seen this number; a hint may announce an earlier one.
async fn wait_for_head(ledger: &PostgresLedger, watch: &mut Subscription, head: u64) {
    while ledger.head(&anna()).await.unwrap() < head {
        pulse(watch).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn watcher_sees_commit_of_another_node() {
    let backend = InPostgres::new();
    let (writer, _) = backend.node("a").await;
    let reader = backend.connect().await;
    let mut watch = reader.feed().subscribe(&anna());
    for n in 1..=3 {
        writer.inject(anna(), turn("news"), audit(), MessageSource::OUTSIDE).await.unwrap();
        assert!(matches!(pulse(&mut watch).await, FeedSignal::Events));
        assert_eq!(reader.head(&anna()).await.unwrap(), n);
    }
}

/// The notification has the node and the owner's number, and comes after the commit.
#[tokio::test(flavor = "multi_thread")]
async fn commit_is_notified_after_it() {
    let backend = InPostgres::new();
    let (writer, _) = backend.node("a").await;
    let (client, mut connection) = tokio_postgres::connect(&cluster::url("test"), NoTls).await.unwrap();
    let (heard, mut hear) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
            if let AsyncMessage::Notification(note) = message {
                heard.send(note.payload().to_owned()).unwrap();
            }
        }
    });
    client.batch_execute(&format!("LISTEN {}", backend.schema)).await.unwrap();
    writer.inject(anna(), turn("news"), audit(), MessageSource::OUTSIDE).await.unwrap();
    // A node that joins also says that tasks may be ready.
    let owner_id: i64 = loop {
        let payload = tokio::time::timeout(Duration::from_secs(30), hear.recv()).await.expect("nothing was announced");
        if let Some(Ok(owner_id)) = payload.unwrap().split(' ').nth(1).map(str::parse) {
            break owner_id;
        }
    };
    let sql = format!("SELECT user_id, head FROM {}.owner WHERE owner_id = {owner_id}", backend.schema);
    let row = client.query_one(&sql, &[]).await.unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, i64>(1)), ("anna", 1));
}

/// The end of an incarnation waits for a write that has passed the fence; a renewal does not wait.
#[tokio::test(flavor = "multi_thread")]
async fn incarnation_ends_after_its_running_write() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let writer = cluster::client().await;
    writer
        .batch_execute(&format!("BEGIN; SELECT {}.fence('a', {})", backend.schema, incarnation.number))
        .await
        .unwrap();
    let renewed = tokio::time::timeout(Duration::from_secs(10), ledger.renew(&incarnation, LONG)).await;
    assert_eq!(renewed.expect("a write holds up the renewal"), Ok(RenewalNews::default()));

    let again = backend.connect().await;
    let mut joining = tokio::spawn(async move { again.join("a", LONG).await });
    let look = cluster::client().await;
    let waiting = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = '{}' AND wait_event_type = 'Lock'",
        backend.schema
    );
    while look.query_one(&waiting, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        let joined = tokio::time::timeout(Duration::from_millis(5), &mut joining).await;
        assert!(joined.is_err(), "a life ended while a write was under way");
    }
    writer.batch_execute("COMMIT").await.unwrap();
    assert_eq!(joining.await.unwrap().unwrap().number, incarnation.number + 1);
    assert_eq!(ledger.renew(&incarnation, LONG).await, Err(LedgerError::Fenced));
}

/// The write began before the end of its incarnation was committed, and waited for it.
#[tokio::test(flavor = "multi_thread")]
async fn write_that_waited_for_the_end_of_its_incarnation_is_refused() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let other = cluster::client().await;
    let end = format!("BEGIN; SELECT @.leave('a', {})", incarnation.number);
    other.batch_execute(&backend.named(&end)).await.unwrap();
    let call = NewCall::new(CallId::generate(), anna(), turn("?"));
    let mut accepting = std::pin::pin!(ledger.accept_call(&incarnation, call));
    let early = tokio::time::timeout(Duration::from_millis(300), &mut accepting).await;
    assert!(early.is_err(), "the write did not wait for the end");
    other.batch_execute("COMMIT").await.unwrap();
    assert_eq!(accepting.await, Err(LedgerError::Fenced));
    assert_eq!(backend.row("SELECT count(*) FROM @.call").await.get::<_, i64>(0), 0);
}

/// Two nodes that take each other's lease for lapsed would wait for each other.
#[tokio::test(flavor = "multi_thread")]
async fn lapsed_lease_is_left_while_a_write_of_its_node_is_under_way() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let lapsed = ledger.join("b", LONG).await.unwrap();
    backend.sql("UPDATE @.node SET lease_until = 1 WHERE node = 'b'").await;
    let writer = cluster::client().await;
    let write = format!("BEGIN; SELECT @.fence('b', {})", lapsed.number);
    writer.batch_execute(&backend.named(&write)).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(5), ledger.expire_leases(&incarnation)).await;
    assert_eq!(ended.expect("an expiry waited for a write"), Ok(0));
    writer.batch_execute("COMMIT").await.unwrap();
    assert_eq!(ledger.expire_leases(&incarnation).await, Ok(1));
    assert_eq!(ledger.renew(&lapsed, LONG).await, Err(LedgerError::Fenced));
}

/// Turns, calls, tasks, events and audit rows have no foreign keys.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_others_name_cannot_be_removed() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    start_task(&ledger, &incarnation).await;
    for table in ["owner", "node"] {
        let removed = cluster::client().await.batch_execute(&backend.named(&format!("DELETE FROM @.{table}"))).await;
        assert_eq!(removed.unwrap_err().code(), Some(&SqlState::FOREIGN_KEY_VIOLATION), "{table}");
    }
}

/// As with a pooler that loses every NOTIFY: the test calls the database's function itself.
#[tokio::test(flavor = "multi_thread")]
async fn watcher_sees_commit_without_a_notification() {
    let backend = InPostgres::new();
    let reader = backend.connect().await;
    let mut watch = reader.feed().subscribe(&anna());
    let body = serde_json::to_string(&turn("news")).unwrap();
    for n in 1..=2 {
        backend
            .sql(&format!(
                "SELECT @.inject(NULL, 0, NULL, NULL, 'tenant', 'anna', '{}', '{body}', \
                 ARRAY['tenant', 'anna', 'platform', NULL, 'chat.inject', NULL, 'done', NULL], NULL)",
                TurnId::generate()
            ))
            .await;
        // The pulse must come; the committed rows are readable by then.
        assert!(matches!(pulse(&mut watch).await, FeedSignal::Events));
        assert_eq!(reader.head(&anna()).await.unwrap(), n);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn watcher_sees_progress_of_another_node() {
    let backend = InPostgres::new();
    let (writer, incarnation) = backend.node("a").await;
    let task_id = start_task(&writer, &incarnation).await;
    let reader = backend.connect().await;
    let mut watch = reader.feed().subscribe(&anna());
    for percent in [10.0, 20.0, 20.0] {
        let at = "2026-01-01T00:00:00Z".parse().unwrap();
        let said = Progress::new(task_id, percent, "half\0way \\0", at);
        writer.note_progress(&incarnation, vec![(1, said.clone())]).await.unwrap();
        loop {
            if let FeedSignal::Progress(told) = pulse(&mut watch).await {
                assert_eq!(*told, said);
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn renewal_returns_a_cancel_requested_on_another_node() {
    let backend = InPostgres::new();
    let (holder, incarnation) = backend.node("a").await;
    let other = backend.connect().await;
    let task_id = start_task(&holder, &incarnation).await;
    assert_eq!(holder.renew(&incarnation, LONG).await.unwrap().cancelled_tasks, []);
    other.request_cancel(task_id, audit(), cancelled()).await.unwrap();
    assert_eq!(holder.renew(&incarnation, LONG).await.unwrap().cancelled_tasks, [task_id]);
}

/// The holder does not wait for its next renewal.
#[tokio::test(flavor = "multi_thread")]
async fn cancel_requested_on_another_node_is_notified_to_the_holder() {
    let backend = InPostgres::new();
    let (holder, incarnation) = backend.node("a").await;
    let (other, _) = backend.node("b").await;
    let task_id = start_task(&holder, &incarnation).await;
    let told = async {
        // The connection for hints may not be open yet at the time of the cancel.
        loop {
            other.request_cancel(task_id, audit(), cancelled()).await.unwrap();
            if tokio::time::timeout(Duration::from_secs(1), holder.feed().renewal_requested()).await.is_ok() {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), told).await.expect("the holder was not told");
    assert_eq!(holder.renew(&incarnation, LONG).await.unwrap().cancelled_tasks, [task_id]);
}

/// As after a restart of the server: operations in flight fail, later ones do not.
#[tokio::test(flavor = "multi_thread")]
async fn lost_connections_are_replaced() {
    let backend = InPostgres::new();
    let (ledger, _) = backend.node("a").await;
    let (other, _) = backend.node("b").await;
    let mut watch = ledger.feed().subscribe(&anna());
    ledger.inject(anna(), turn("before"), audit(), MessageSource::OUTSIDE).await.unwrap();
    backend
        .sql(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{}'",
            backend.schema
        ))
        .await;
    assert_eq!(ledger.head(&anna()).await, Ok(1), "a read is sent again");
    let mut written = 1;
    for _ in 0..50 {
        match other.inject(anna(), turn("after"), audit(), MessageSource::OUTSIDE).await {
            Ok(turn) => {
                written = turn.seq;
                break;
            }
            Err(LedgerError::Unavailable(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(written, 2, "no write came through");
    wait_for_head(&ledger, &mut watch, 2).await;
}

/// The end of a task that its user has cancelled.
fn cancelled() -> TaskEnd {
    TaskEnd::new(TaskState::Cancelled, TurnBody::new(Role::Bot, "cancelled", "app"), audit())
}
