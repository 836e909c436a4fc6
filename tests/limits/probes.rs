//! Many requests to the operator's probes cost few writes.

use imperal_tests::User;

use crate::{metric, node_with};

/// A check of the ledger writes to it; requests within a second share one check.
#[tokio::test]
async fn many_requests_to_readyz_make_few_writes() {
    let (_folder, node) = node_with(&[]).await;
    let commits = "imperal_ledger_commit_seconds_count";
    let (before, begun) = (metric(&node, commits).await, std::time::Instant::now());
    let stranger = User::with_token(&node, "none");
    let answers = futures_util::future::join_all((0..300).map(|_| stranger.get("/readyz"))).await;
    assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
    let made = metric(&node, commits).await - before;
    // One check a second, and the renewals of the lease.
    let may = 2.0 * begun.elapsed().as_secs_f64() + 4.0;
    assert!(made <= may, "{made} commits, {may} may be");
}
