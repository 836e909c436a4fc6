//! The steps of a cancel: time from the request to the outcome turn on disk, for each way to stop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use imperal::ledger::{Ledger, SqliteLedger, TaskState};
use imperal::testing::TestPlatform;
use serde_json::{Value, json};

use super::Size;
use super::sample::{Sample, Table, time};

const GRACE: Duration = Duration::from_millis(200);

pub(crate) async fn run(size: Size, table: &mut Table) {
    let folder = tempfile::tempdir_in(".").unwrap();
    let ledger: Arc<dyn Ledger> = Arc::new(SqliteLedger::open(folder.path().join("ledger.db")).unwrap());
    let platform = TestPlatform::setup()
        .settings(|settings| settings.cancel_grace = GRACE)
        .ledger(ledger)
        .real_network()
        .start()
        .await;
    let anna = platform.user("anna");
    // A service that accepts every connection and never answers.
    let service = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", service.local_addr().unwrap());
    let (arrived, mut arrivals) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            arrived.send(service.accept().await.unwrap().0).unwrap();
        }
    });
    let ladder: [(&str, &str, Value, Duration); 3] = [
        ("the task waits at `ctx.cancelled()` and stops", "obey", json!({}), Duration::ZERO),
        (
            "the task has a request of `ctx.http` in flight, which is aborted",
            "call_out",
            json!({ "url": url }),
            Duration::ZERO,
        ),
        ("the task ignores the cancel and is dropped; time after the grace period", "park", json!({}), GRACE),
    ];
    let mut held = Vec::new();
    for (what, function, params, grace) in ladder {
        let mut sample = Sample::default();
        for _ in 0..size.of(50, 1) {
            let task = anna.start(function, params.clone()).await;
            if function == "call_out" {
                held.extend(arrivals.recv().await);
            }
            let begun = Instant::now();
            anna.cancel(task).await;
            let ended = anna.end_of(task).await;
            sample.push(begun.elapsed().saturating_sub(grace));
            assert_eq!(ended.state, TaskState::Cancelled);
        }
        table.row(
            format!("cancel: {what}, p50 (p99)"),
            format!("{} ({})", time(sample.median()), time(sample.at(0.99))),
            "",
        );
    }
}
