//! Reads whose callers have gone, quotas by day, and the size of the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;

use futures_util::future::{join_all, poll_immediate};

use super::*;
use crate::ledger::sqlite::rows::page;

#[tokio::test(flavor = "multi_thread")]
async fn read_of_a_gone_caller_never_starts() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    // Keep every reader busy.
    let (begin, mut arrivals) = tokio::sync::mpsc::unbounded_channel();
    let mut ends = Vec::new();
    let busy = (0..3).map(|_| {
        let (end, ended) = mpsc::channel::<()>();
        let begin = begin.clone();
        ends.push(end);
        ledger.readers.read(move |_| {
            begin.send(()).unwrap();
            ended.recv().unwrap();
            Ok(())
        })
    });
    let mut busy = Box::pin(join_all(busy.collect::<Vec<_>>()));
    assert!(poll_immediate(&mut busy).await.is_none());
    for _ in 0..3 {
        arrivals.recv().await.unwrap();
    }
    let ran = Arc::new(AtomicU32::new(0));
    for _ in 0..40 {
        let ran = ran.clone();
        let mut read = Box::pin(ledger.readers.read(move |_| {
            ran.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }));
        assert!(poll_immediate(&mut read).await.is_none());
    }
    // A caller that still waits comes after them and is served.
    let (last, _) = tokio::join!(biased; ledger.readers.read(|_| Ok("served")), async {
        for end in ends.drain(..) {
            end.send(()).unwrap();
        }
        busy.await
    });
    assert_eq!(last, Ok("served"));
    assert_eq!(ran.load(Ordering::SeqCst), 0, "reads ran for nobody");
}

#[tokio::test(flavor = "multi_thread")]
async fn running_read_stops_at_the_next_row_when_its_caller_goes() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let (begin, mut arrivals) = tokio::sync::mpsc::unbounded_channel();
    let (go, gone) = mpsc::channel::<()>();
    let rows = Arc::new(AtomicU32::new(0));
    let counted = rows.clone();
    let mut read = Box::pin(ledger.readers.read(move |reading| {
        let many = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 1000) SELECT n FROM n";
        page(
            reading,
            many,
            (),
            PageLimit::rows(1000),
            |_| Ok(()),
            |_| {
                if counted.fetch_add(1, Ordering::SeqCst) == 0 {
                    begin.send(()).unwrap();
                    gone.recv().unwrap();
                }
                Ok(())
            },
        )
    }));
    assert!(poll_immediate(&mut read).await.is_none());
    arrivals.recv().await.unwrap();
    drop(read);
    go.send(()).unwrap();
    // The thread has dropped the read when all three are free at the same time.
    let (begin, mut arrivals) = tokio::sync::mpsc::unbounded_channel();
    let barrier = Arc::new(std::sync::Barrier::new(3));
    let all = (0..3).map(|_| {
        let (begin, barrier) = (begin.clone(), barrier.clone());
        ledger.readers.read(move |_| {
            barrier.wait();
            begin.send(()).unwrap();
            Ok(())
        })
    });
    for done in join_all(all.collect::<Vec<_>>()).await {
        done.unwrap();
        arrivals.recv().await.unwrap();
    }
    assert_eq!(rows.load(Ordering::SeqCst), 1, "it went on for nobody");
}

/// Quota days follow the ledger's clock, in UTC.
#[tokio::test]
async fn quota_starts_over_each_utc_day() {
    let folder = Folder::new();
    let clock = Arc::new(crate::ledger::ManualClock::at("2026-01-01T23:59:59Z".parse().unwrap()));
    let ledger = SqliteLedger::open_with_clock(folder.file(), clock.clone()).unwrap();
    let incarnation = ledger.join("n", LEASE).await.unwrap();
    let call =
        || NewCall { call_id: CallId::generate(), owner: anna(), turn: turn(&"x".repeat(600)), max_stored: Some(1000) };
    ledger.accept_call(&incarnation, call()).await.unwrap();
    assert_eq!(ledger.accept_call(&incarnation, call()).await, Err(LedgerError::QuotaExceeded(1000)));
    clock.advance(Duration::from_secs(1));
    ledger.accept_call(&incarnation, call()).await.unwrap();
    assert_eq!(ledger.accept_call(&incarnation, call()).await, Err(LedgerError::QuotaExceeded(1000)));
}

#[tokio::test]
async fn open_transaction_of_another_program_grows_the_measured_log() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let incarnation = ledger.join("n", LEASE).await.unwrap();
    let size = || {
        let mut text = crate::meters::Text::default();
        ledger.meters().text(&mut text);
        let text = text.into_string();
        let line = text.lines().find_map(|line| line.strip_prefix("imperal_ledger_wal_bytes ")).unwrap();
        line.parse::<u64>().unwrap()
    };
    let fill = async || {
        for _ in 0..100 {
            accept(&ledger, &incarnation, &"x".repeat(64 << 10)).await.unwrap();
        }
        // The last checkpoint ran before this answer.
        ledger.check_writable().await.unwrap();
        size()
    };
    let usual = fill().await;
    assert!(usual < 6 << 20, "{usual}");
    let shell = Connection::open(folder.file()).unwrap();
    shell.execute_batch("BEGIN; SELECT count(*) FROM owner").unwrap();
    // It had started over within the space that it has.
    assert!(fill().await > usual + (2 << 20), "{} after {usual}", size());
    let held = fill().await;
    assert!(held > 10 << 20, "{held}");
    shell.execute_batch("COMMIT").unwrap();
    // The log starts over in the space that it has.
    fill().await;
    let later = fill().await;
    assert!(later <= held + (1 << 20), "{later} after {held}");
}
