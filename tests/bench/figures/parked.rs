//! Memory of tasks that wait, beyond the author's own future.

use std::sync::Arc;

use imperal::ledger::{Ledger, SqliteLedger};
use imperal::testing::{TestPlatform, TestUser};
use serde_json::json;

use super::Size;
use super::sample::{Table, resident};

const CALLERS: usize = 64;

async fn many(users: &[TestUser], function: &'static str, params: serde_json::Value, count: usize) {
    let callers: Vec<_> = users
        .iter()
        .map(|user| {
            let (user, params) = (user.clone(), params.clone());
            tokio::spawn(async move {
                for _ in 0..count.div_ceil(CALLERS) {
                    user.call(function, params.clone()).await.unwrap();
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
pub(crate) async fn run(size: Size, table: &mut Table) {
    let folder = tempfile::tempdir().unwrap();
    let ledger: Arc<dyn Ledger> = Arc::new(SqliteLedger::open(folder.path().join("ledger.db")).unwrap());
    let setup = TestPlatform::setup().settings(|settings| settings.tasks_per_user = u32::MAX);
    let platform = setup.ledger(ledger).start().await;
    let users: Vec<_> = (0..CALLERS).map(|n| platform.user(&format!("user-{n}"))).collect();
    let count = size.of(100_000, 128);
    // The caches of the ledger and the allocator fill first; they do not belong to the tasks.
    many(&users, "echo", json!({"text": "hello", "times": 3}), count / 5).await;
    many(&users, "park", json!({}), count / 100).await;
    let before = resident("self");
    many(&users, "park", json!({}), count).await;
    let each = (resident("self") - before) / count as f64;
    table.row(
        format!("{count} parked tasks, memory of each beyond a future of 0 bytes, ledger on disk"),
        format!("{:.2} KiB", each / 1024.0),
        "2 KiB",
    );
}
