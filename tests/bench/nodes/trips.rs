//! Transactions a call.

use std::time::{Duration, Instant};

use imperal_tests::{User, cluster};
use serde_json::json;

use super::{nodes, rate, scale};

/// Transactions of a call. Of a lone caller each is one statement and one round trip; a crowd's calls share them.
pub(crate) async fn trips() {
    let fleet = nodes("trips", 1).await;
    let client = cluster::client_of(&fleet.database.url()).await;
    let committed = async || -> i64 {
        // A connection reports its transactions after a second, or after up to ten seconds when it is idle.
        tokio::time::sleep(Duration::from_secs(11)).await;
        let sql = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()";
        client.query_one(sql, &[]).await.unwrap().get(0)
    };
    let user = User::of(&fleet.nodes[0], "anna");
    user.call("echo", json!({"text": "hello"})).await;
    let begun = Instant::now();
    let first = committed().await;
    let idle = rate(usize::try_from(committed().await - first).unwrap(), 11.0);
    for (name, function, params) in [
        ("a foreground call", "echo", json!({"text": "hello"})),
        ("a call with a background task", "steps", json!({"steps": 0, "step_ms": 0})),
    ] {
        let before = committed().await;
        let since = Instant::now();
        for _ in 0..200 {
            user.call(function, params.clone()).await;
        }
        let after = committed().await;
        let own = idle * since.elapsed().as_secs_f64();
        let each = (f64::from(i32::try_from(after - before).unwrap()) - own) / 200.0;
        println!("{name}: {each:.1} transactions, one round trip each");
        let before = committed().await;
        let since = Instant::now();
        scale::calls(&fleet.nodes, function, &params, 100).await;
        let after = committed().await;
        let own = idle * since.elapsed().as_secs_f64();
        let calls = f64::from(i32::try_from(scale::CALLERS * 100).unwrap());
        let each = (f64::from(i32::try_from(after - before).unwrap()) - own) / calls;
        println!("{name}, {} callers at once: {each:.2} transactions", scale::CALLERS);
    }
    println!("a node at rest: {idle:.1} transactions a second ({} s measured)", begun.elapsed().as_secs());
}
