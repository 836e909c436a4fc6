//! Batches, failures in them, the log, and the end of the writer.

use super::*;

#[test]
fn drop_writes_queued_jobs() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let incarnation = runtime.block_on(ledger.join("n", LEASE)).unwrap();
    // Polled once: the job is in the queue, and no caller waits for its answer.
    runtime.block_on(async {
        for text in ["one", "two", "three"] {
            let mut write = Box::pin(accept(&ledger, &incarnation, text));
            let polled = futures_util::future::poll_immediate(&mut write).await;
            assert!(polled.is_none_or(|done| done.is_ok()));
        }
    });
    drop(ledger);
    let ledger = folder.open().unwrap();
    assert_eq!(runtime.block_on(ledger.head(&anna())).unwrap(), 3);
}

#[tokio::test]
async fn locked_file_is_unavailable_until_it_is_unlocked() {
    let folder = Folder::new();
    let ledger = folder.open_hasty();
    let incarnation = ledger.join("n", LEASE).await.unwrap();
    let other = Connection::open(folder.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for outcome in [accept(&ledger, &incarnation, "x").await.map(drop), ledger.check_writable().await] {
        assert!(matches!(&outcome, Err(LedgerError::Unavailable(why)) if why.contains("locked")), "{outcome:?}");
    }
    assert_eq!(ledger.head(&anna()).await.unwrap(), 0, "reading goes on");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(accept(&ledger, &incarnation, "x").await, Ok(1));
    assert_eq!(ledger.check_writable().await, Ok(()));
}

#[tokio::test]
async fn full_disk_is_unavailable_until_space_is_free() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let incarnation = ledger.join("n", LEASE).await.unwrap();
    let most_pages = async |pages: u32| {
        let set = move |tx: &mut ops::Tx<'_>| {
            let sql = format!("PRAGMA max_page_count = {pages}");
            Ok(tx.connection().query_row(&sql, (), |row| row.get::<_, u32>(0))?)
        };
        ledger.writer.write(Weight::Durable, set).await.unwrap()
    };
    // SQLite keeps the limit at the current number of pages.
    most_pages(1).await;
    let long = "x".repeat(64 << 10);
    let writes = (0..20).map(|_| accept(&ledger, &incarnation, &long));
    let outcomes = futures_util::future::join_all(writes).await;
    for outcome in &outcomes {
        assert!(matches!(outcome, Err(LedgerError::Unavailable(why)) if why.contains("space")), "{outcome:?}");
    }
    assert_eq!(ledger.head(&anna()).await.unwrap(), 0);
    most_pages(u32::MAX - 1).await;
    assert_eq!(accept(&ledger, &incarnation, &long).await, Ok(1));
}

#[tokio::test]
async fn failed_job_is_undone_without_its_batch() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let incarnation = ledger.join("n", LEASE).await.unwrap();
    let half = ledger.writer.write(Weight::Durable, |tx| {
        tx.connection().execute_batch("INSERT INTO owner (tenant_id, user_id) VALUES ('half', 'done')")?;
        Err::<(), _>(LedgerError::NotFound.into())
    });
    let panics = ledger.writer.write(Weight::Durable, |tx| {
        tx.connection().execute_batch("INSERT INTO owner (tenant_id, user_id) VALUES ('half', 'panicked')")?;
        assert!(tx.connection().is_autocommit(), "panics on purpose");
        Ok(())
    });
    let batch = async {
        tokio::join!(accept(&ledger, &incarnation, "one"), half, panics, accept(&ledger, &incarnation, "two"))
    };
    let (one, half, panics, two) = as_one_batch(&ledger, batch).await;
    assert_eq!((one, half, two), (Ok(1), Err(LedgerError::NotFound), Ok(2)));
    assert!(matches!(panics, Err(LedgerError::Unavailable(_))), "{panics:?}");
    let rows: i64 = Connection::open(folder.file())
        .unwrap()
        .query_row("SELECT count(*) FROM owner WHERE tenant_id = 'half'", (), |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 0);
}

/// A repeated request must not make the writer run its batch twice.
#[tokio::test]
async fn repeated_request_is_refused_before_any_write() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let incarnation = ledger.join("n", LEASE).await.unwrap();
    let call = NewCall { call_id: CallId::generate(), owner: anna(), turn: turn("first"), max_stored: None };
    ledger.accept_call(&incarnation, call.clone()).await.unwrap();
    let runs = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let counted = runs.clone();
    let neighbour = ledger.writer.write(Weight::Durable, move |_| {
        counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Ok(())
    });
    let again = ledger.accept_call(&incarnation, NewCall { turn: turn("again"), ..call });
    let batch = async { tokio::join!(neighbour, again, accept(&ledger, &incarnation, "another")) };
    let (neighbour, again, another) = as_one_batch(&ledger, batch).await;
    assert_eq!((neighbour, again.map(drop), another), (Ok(()), Err(LedgerError::IdExists), Ok(2)));
    assert_eq!(runs.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[tokio::test]
async fn failed_commit_fails_its_whole_batch_and_no_other() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let incarnation = ledger.join("n", LEASE).await.unwrap();
    // COMMIT finds a violated deferred constraint.
    let poison = ledger.writer.write(Weight::Durable, |tx| {
        tx.connection().pragma_update(None, "defer_foreign_keys", true)?;
        let sql =
            "INSERT INTO audit (at, owner_id, actor, action, outcome, hash) VALUES (0, 4711, '', '', 'done', x'')";
        Ok(tx.connection().execute_batch(sql)?)
    });
    let mut watch = ledger.feed().subscribe(&anna());
    let refused = ledger.reply(&incarnation, CallId::generate(), turn("of no call"));
    let batch = async {
        tokio::join!(accept(&ledger, &incarnation, "one"), poison, refused, accept(&ledger, &incarnation, "two"))
    };
    let (one, poison, refused, two) = as_one_batch(&ledger, batch).await;
    for outcome in [one.map(drop), poison, refused.map(drop), two.map(drop)] {
        assert!(matches!(outcome, Err(LedgerError::Unavailable(_))), "{outcome:?}");
    }
    assert_eq!(ledger.head(&anna()).await, Ok(0));
    let quiet = tokio::time::timeout(Duration::ZERO, watch.next()).await;
    assert!(quiet.is_err(), "the feed heard of a commit that never was");
    assert_eq!(accept(&ledger, &incarnation, "three").await, Ok(1));
}

#[tokio::test]
async fn batch_is_synced_if_any_job_is_durable() {
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
async fn log_is_checkpointed_while_the_file_is_open() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let incarnation = ledger.join("n", LEASE).await.unwrap();
    let long = "x".repeat(64 << 10);
    for _ in 0..100 {
        accept(&ledger, &incarnation, &long).await.unwrap();
    }
    // The last checkpoint ran before this answer.
    ledger.check_writable().await.unwrap();
    let in_file = fs::metadata(folder.file()).unwrap().len();
    let in_log = fs::metadata(folder.file().with_file_name("ledger.db-wal")).unwrap().len();
    assert!(in_file > 4 << 20, "{in_file}");
    assert!(in_log < 6 << 20, "{in_log}");
}

#[test]
fn drop_gives_up_on_a_lock() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let incarnation = runtime.block_on(ledger.join("n", LEASE)).unwrap();
    let other = Connection::open(folder.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    runtime.block_on(async {
        let mut write = Box::pin(accept(&ledger, &incarnation, "x"));
        assert!(futures_util::future::poll_immediate(&mut write).await.is_none());
    });
    let begun = Instant::now();
    drop(ledger);
    assert!(begun.elapsed() < schema::BUSY, "it waited as long as the writer does");
}
