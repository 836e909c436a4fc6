//! What only this backend promises: the file, its schema, its faults, its plans.
//!
//! The rules of the contract are in the conformance suite.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::writer::Weight;
use super::{SqliteLedger, ops, reads, schema};
use crate::context::MsgType;
use crate::ids::{CallId, TurnId};
use crate::ledger::{Incarnation, Ledger, LedgerError, NewCall, Owner, Role, SystemClock, TurnBody};

const LEASE: Duration = Duration::from_secs(60);

struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    fn open(&self) -> Result<SqliteLedger, LedgerError> {
        SqliteLedger::open(self.file())
    }

    /// Gives up on a lock at once.
    fn open_hasty(&self) -> SqliteLedger {
        let clock = std::sync::Arc::new(SystemClock);
        SqliteLedger::open_waiting(&self.file(), clock, Duration::from_millis(20)).unwrap()
    }
}

fn turn(text: &str) -> TurnBody {
    TurnBody {
        turn_id: TurnId::generate(),
        role: Role::User,
        msg_type: MsgType::Response,
        text: text.to_owned(),
        app_id: "app".to_owned(),
        function: None,
        params: None,
        call_id: None,
        task_id: None,
        result: None,
        refresh_panels: None,
        truncated: false,
    }
}

fn anna() -> Owner {
    Owner::new("t", "anna")
}

async fn accept(ledger: &SqliteLedger, holder: &Incarnation, text: &str) -> Result<u64, LedgerError> {
    let call = NewCall { call_id: CallId::generate(), owner: anna(), turn: turn(text) };
    Ok(ledger.accept_call(holder, call).await?.seq)
}

/// Runs `batch`, whose jobs become one transaction: the writer is kept busy with another while
/// they are put into the queue.
async fn as_one_batch<T>(ledger: &SqliteLedger, batch: impl Future<Output = T>) -> T {
    let (begin, ready) = tokio::sync::oneshot::channel();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let busy = ledger.writer.write(Weight::Light, move |_| {
        begin.send(()).unwrap();
        wait.recv().unwrap();
        Ok(())
    });
    let batch = async {
        ready.await.unwrap();
        // The batch is polled first, and each of its jobs is in the queue after one poll.
        let go = async { go.send(()).unwrap() };
        tokio::join!(biased; batch, go).0
    };
    let (busy, batch) = tokio::join!(busy, batch);
    assert_eq!(busy, Ok(()));
    batch
}

#[track_caller]
fn unusable<T: std::fmt::Debug>(outcome: Result<T, LedgerError>, way_out: &str) {
    match outcome {
        Err(LedgerError::Unusable(why)) => assert!(why.contains(way_out) && why.contains("ledger.db"), "{why}"),
        other => panic!("expected Unusable, got {other:?}"),
    }
}

#[tokio::test]
async fn what_was_asked_for_is_there_after_a_drop_and_a_reopen() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let holder = ledger.join("n", LEASE).await.unwrap();
    assert_eq!(accept(&ledger, &holder, "one").await.unwrap(), 1);
    drop(ledger);
    assert!(!folder.file().with_file_name("ledger.db-wal").exists(), "a tidy end leaves one file");
    let ledger = folder.open().unwrap();
    assert_eq!(ledger.turns(&anna(), 0, 10).await.unwrap()[0].body.text, "one");
}

#[test]
fn jobs_in_the_queue_are_written_by_a_drop() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let holder = runtime.block_on(ledger.join("n", LEASE)).unwrap();
    // Polled once: the job is in the queue, and nobody waits for its answer.
    runtime.block_on(async {
        for text in ["one", "two", "three"] {
            let mut write = Box::pin(accept(&ledger, &holder, text));
            let polled = futures_util::future::poll_immediate(&mut write).await;
            assert!(polled.is_none_or(|done| done.is_ok()));
        }
    });
    drop(ledger);
    let ledger = folder.open().unwrap();
    assert_eq!(runtime.block_on(ledger.head(&anna())).unwrap(), 3);
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let path = folder.folder.path().join("made/here/ledger.db");
    let _ledger = SqliteLedger::open(&path).unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        assert_eq!(mode(&path.with_file_name(name)), 0o600, "{name}");
    }
}

#[test]
fn many_programs_may_open_a_new_file_at_once() {
    let folder = Folder::new();
    let path = folder.file();
    let barrier = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    SqliteLedger::open(&path).map(drop)
                })
            })
            .collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), Ok(()));
        }
    });
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let folder = Folder::new();
    drop(folder.open().unwrap());
    let conn = Connection::open(folder.file()).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    drop(conn);
    let before = fs::read(folder.file()).unwrap();
    unusable(folder.open(), "run that version");
    assert_eq!(fs::read(folder.file()).unwrap(), before);
}

#[test]
fn another_programs_database_is_refused_and_left_alone() {
    let folder = Folder::new();
    let conn = Connection::open(folder.file()).unwrap();
    conn.execute_batch("CREATE TABLE theirs (x)").unwrap();
    drop(conn);
    let before = fs::read(folder.file()).unwrap();
    unusable(folder.open(), "choose another place");
    assert_eq!(fs::read(folder.file()).unwrap(), before);
}

#[test]
fn a_schema_somebody_altered_is_named() {
    let folder = Folder::new();
    drop(folder.open().unwrap());
    let conn = Connection::open(folder.file()).unwrap();
    conn.execute_batch("CREATE INDEX their_own ON audit (action); DROP INDEX call_left").unwrap();
    drop(conn);
    unusable(folder.open(), "call_left");
}

#[tokio::test]
async fn a_damaged_file_is_unusable() {
    let folder = Folder::new();
    fs::write(folder.file(), [0x5a; 8192]).unwrap();
    unusable(folder.open(), "restore a copy");

    fs::remove_file(folder.file()).unwrap();
    let ledger = folder.open().unwrap();
    let holder = ledger.join("n", LEASE).await.unwrap();
    for _ in 0..50 {
        accept(&ledger, &holder, &"x".repeat(2000)).await.unwrap();
    }
    drop(ledger);
    let mut bytes = fs::read(folder.file()).unwrap();
    // Behind the pages that hold the schema.
    bytes[20 * 4096..].fill(0x5a);
    fs::write(folder.file(), bytes).unwrap();
    match folder.open() {
        Ok(ledger) => unusable(ledger.turns(&anna(), 0, 100).await, "restore a copy"),
        refused => unusable(refused, "restore a copy"),
    }
}

#[tokio::test]
async fn a_locked_file_is_unavailable_until_the_lock_is_gone() {
    let folder = Folder::new();
    let ledger = folder.open_hasty();
    let holder = ledger.join("n", LEASE).await.unwrap();
    let other = Connection::open(folder.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for outcome in [accept(&ledger, &holder, "x").await.map(drop), ledger.check().await] {
        assert!(matches!(&outcome, Err(LedgerError::Unavailable(why)) if why.contains("locked")), "{outcome:?}");
    }
    assert_eq!(ledger.head(&anna()).await.unwrap(), 0, "reading goes on");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(accept(&ledger, &holder, "x").await, Ok(1));
    assert_eq!(ledger.check().await, Ok(()));
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_was_moved_away_is_noticed() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let away = folder.file().with_file_name("away.db");
    fs::rename(folder.file(), &away).unwrap();
    let outcome = ledger.check().await;
    assert!(matches!(&outcome, Err(LedgerError::Unavailable(why)) if why.contains("put it back")), "{outcome:?}");
    fs::write(folder.file(), "another").unwrap();
    assert!(ledger.check().await.is_err());
    fs::rename(&away, folder.file()).unwrap();
    assert_eq!(ledger.check().await, Ok(()));
}

#[tokio::test]
async fn a_full_disk_is_unavailable_until_there_is_space() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let holder = ledger.join("n", LEASE).await.unwrap();
    let most_pages = async |pages: u32| {
        let set = move |tx: &mut ops::Tx<'_>| {
            let sql = format!("PRAGMA max_page_count = {pages}");
            Ok(tx.connection().query_row(&sql, (), |row| row.get::<_, u32>(0))?)
        };
        ledger.writer.write(Weight::Durable, set).await.unwrap()
    };
    // As many as there are: the engine does not go below that.
    most_pages(1).await;
    let long = "x".repeat(64 << 10);
    let writes = (0..20).map(|_| accept(&ledger, &holder, &long));
    let outcomes = futures_util::future::join_all(writes).await;
    for outcome in &outcomes {
        assert!(matches!(outcome, Err(LedgerError::Unavailable(why)) if why.contains("space")), "{outcome:?}");
    }
    assert_eq!(ledger.head(&anna()).await.unwrap(), 0);
    most_pages(u32::MAX - 1).await;
    assert_eq!(accept(&ledger, &holder, &long).await, Ok(1));
}

#[tokio::test]
async fn a_job_that_fails_halfway_leaves_its_batch_alone() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let holder = ledger.join("n", LEASE).await.unwrap();
    let half = ledger.writer.write(Weight::Durable, |tx| {
        tx.connection().execute_batch("INSERT INTO owner (tenant_id, user_id) VALUES ('half', 'done')")?;
        Err::<(), _>(LedgerError::Unknown.into())
    });
    let panics = ledger.writer.write(Weight::Durable, |tx| {
        tx.connection().execute_batch("INSERT INTO owner (tenant_id, user_id) VALUES ('half', 'panicked')")?;
        assert!(tx.connection().is_autocommit(), "panics on purpose");
        Ok(())
    });
    let batch = async { tokio::join!(accept(&ledger, &holder, "one"), half, panics, accept(&ledger, &holder, "two")) };
    let (one, half, panics, two) = as_one_batch(&ledger, batch).await;
    assert_eq!((one, half, two), (Ok(1), Err(LedgerError::Unknown), Ok(2)));
    assert!(matches!(panics, Err(LedgerError::Unavailable(_))), "{panics:?}");
    let rows: i64 = Connection::open(folder.file())
        .unwrap()
        .query_row("SELECT count(*) FROM owner WHERE tenant_id = 'half'", (), |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 0);
}

#[tokio::test]
async fn a_commit_that_fails_fails_its_whole_batch_and_no_other() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let holder = ledger.join("n", LEASE).await.unwrap();
    // A violated deferred constraint is found by COMMIT.
    let poison = ledger.writer.write(Weight::Durable, |tx| {
        tx.connection().pragma_update(None, "defer_foreign_keys", true)?;
        let sql = "INSERT INTO audit (at, owner_id, actor, action, outcome) VALUES (0, 4711, '', '', 'done')";
        Ok(tx.connection().execute_batch(sql)?)
    });
    let mut watch = ledger.feed().subscribe(&anna());
    let refused = ledger.reply(&holder, CallId::generate(), turn("of no call"));
    let batch =
        async { tokio::join!(accept(&ledger, &holder, "one"), poison, refused, accept(&ledger, &holder, "two")) };
    let (one, poison, refused, two) = as_one_batch(&ledger, batch).await;
    for outcome in [one.map(drop), poison, refused.map(drop), two.map(drop)] {
        assert!(matches!(outcome, Err(LedgerError::Unavailable(_))), "{outcome:?}");
    }
    assert_eq!(ledger.head(&anna()).await, Ok(0));
    let quiet = tokio::time::timeout(Duration::ZERO, watch.next()).await;
    assert!(quiet.is_err(), "the feed heard of a commit that never was");
    assert_eq!(accept(&ledger, &holder, "three").await, Ok(1));
}

#[tokio::test]
async fn only_light_jobs_alone_commit_without_a_sync() {
    const NORMAL: i64 = 1;
    const FULL: i64 = 2;
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let level = |weight| {
        let ask =
            |tx: &mut ops::Tx<'_>| Ok(tx.connection().pragma_query_value(None, "synchronous", |row| row.get(0))?);
        ledger.writer.write(weight, ask)
    };
    for _ in 0..2 {
        assert_eq!(level(Weight::Durable).await, Ok(FULL));
        assert_eq!(level(Weight::Light).await, Ok(NORMAL));
    }
    let batch = async { tokio::join!(level(Weight::Light), level(Weight::Durable)) };
    let (light, durable) = as_one_batch(&ledger, batch).await;
    assert_eq!((light, durable), (Ok(FULL), Ok(FULL)));
}

#[tokio::test]
async fn the_log_is_moved_into_the_file_while_it_is_open() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let holder = ledger.join("n", LEASE).await.unwrap();
    let long = "x".repeat(64 << 10);
    for _ in 0..100 {
        accept(&ledger, &holder, &long).await.unwrap();
    }
    // The last checkpoint ran before this answer.
    ledger.check().await.unwrap();
    let in_file = fs::metadata(folder.file()).unwrap().len();
    let in_log = fs::metadata(folder.file().with_file_name("ledger.db-wal")).unwrap().len();
    assert!(in_file > 4 << 20, "{in_file}");
    assert!(in_log < 6 << 20, "{in_log}");
}

#[tokio::test]
async fn two_nodes_on_one_file_see_each_others_commits() {
    let folder = Folder::new();
    let (first, second) = (folder.open().unwrap(), folder.open().unwrap());
    let a = first.join("a", LEASE).await.unwrap();
    let b = second.join("b", LEASE).await.unwrap();
    for n in 0..10 {
        assert_eq!(accept(&first, &a, "from a").await, Ok(2 * n + 1));
        assert_eq!(second.head(&anna()).await, Ok(2 * n + 1));
        assert_eq!(accept(&second, &b, "from b").await, Ok(2 * n + 2));
        assert_eq!(first.head(&anna()).await, Ok(2 * n + 2));
    }
}

#[test]
fn reads_are_index_lookups() {
    let folder = Folder::new();
    drop(folder.open().unwrap());
    let conn = Connection::open(folder.file()).unwrap();
    let statements = [
        ("turns", reads::TURNS),
        ("latest_turns", reads::LATEST_TURNS),
        ("events", reads::EVENTS),
        ("head", reads::HEAD),
        ("task", ops::TASK),
        ("running_tasks", reads::RUNNING_TASKS),
        ("recent_tasks", reads::RECENT_TASKS),
        ("audit", reads::AUDIT),
        ("audit of an owner", reads::AUDIT_OF),
        ("running", ops::RUNNING),
        ("asked to cancel", ops::ASKED_TO_CANCEL),
        ("lapsed", ops::LAPSED),
        ("left calls", ops::LEFT_CALLS),
        ("left tasks", ops::LEFT_TASKS),
    ];
    for (name, sql) in statements {
        let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let unbound = rusqlite::params_from_iter(vec![rusqlite::types::Null; explain.parameter_count()]);
        let plan: Vec<String> = explain.query_map(unbound, |row| row.get(3)).unwrap().map(Result::unwrap).collect();
        for step in &plan {
            // The small indexes of what is left are read from their beginning.
            let whole = step.starts_with("SCAN") && !step.contains("call_left") && !step.contains("task_left");
            assert!(!whole && !step.contains("TEMP B-TREE"), "{name}: {plan:#?}");
        }
    }
}

#[test]
fn a_drop_does_not_wait_long_for_a_lock() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let holder = runtime.block_on(ledger.join("n", LEASE)).unwrap();
    let other = Connection::open(folder.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    runtime.block_on(async {
        let mut write = Box::pin(accept(&ledger, &holder, "x"));
        assert!(futures_util::future::poll_immediate(&mut write).await.is_none());
    });
    let begun = Instant::now();
    drop(ledger);
    assert!(begun.elapsed() < schema::BUSY, "it waited as long as the writer does");
}
