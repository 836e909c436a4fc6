//! Work whose node lost its lease learns the reason, and can do nothing more.

use std::future::pending;
use std::sync::{Arc, Mutex};

use imperal::context::StopReason;
use imperal::platform::Settings;
use imperal::prelude::*;
use imperal::testing::{Reply, TestPlatform};
use serde_json::json;

use crate::{Nothing, refusals};

/// The state of a stopped context: whether it was a task's, the reason, and the number of refusing surfaces.
type Stops = Arc<Mutex<Vec<(bool, Option<StopReason>, usize)>>>;

/// Keeps a context and uses it once its work has to stop.
fn keep(ctx: Context, stops: Stops) {
    tokio::spawn(async move {
        ctx.cancelled().await;
        let stop = (ctx.task_id().is_some(), ctx.stop_reason(), refusals(&ctx).await);
        stops.lock().unwrap().push(stop);
    });
}

/// Work for ever, in the handler and in a task.
#[chat_function(action_type = "write", event = "held_on", effects = ["update:work"])]
async fn hold_on(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    let stops = ctx.state::<Stops>()?.clone();
    keep(ctx.clone(), stops.clone());
    ctx.background_task(|ctx| async move {
        keep(ctx, stops);
        pending::<Result<ActionResult>>().await
    })
    .await?;
    pending().await
}

#[tokio::test(start_paused = true)]
async fn p9_work_of_a_lost_lease_knows_why_and_every_surface_refuses() {
    let stops = Stops::default();
    let first = TestPlatform::setup().settings(renews_often).state(stops.clone()).start().await;
    first.http().get("http://127.0.0.1:9/").reply(Reply::text("late"));
    let anna = first.user("anna");
    tokio::spawn(async move { anna.call("hold_on", json!({})).await });
    tokio::time::sleep(Duration::from_secs(2)).await;
    // The same node name joins again, which fences the earlier incarnation. Its next renewal notices.
    let _second = TestPlatform::setup().settings(renews_often).on_ledger_of(&first).start().await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let mut stops = stops.lock().unwrap().clone();
    stops.sort_by_key(|(is_task, ..)| *is_task);
    let lost = Some(StopReason::LeaseLost);
    assert_eq!(stops, [(false, lost, 4), (true, lost, 4)]);
    assert_eq!(first.http().requests().len(), 0, "a request left the node");
}

/// The settings of a node that notices within seconds that its lease is gone.
fn renews_often(settings: &mut Settings) {
    settings.node = "a".into();
    (settings.lease, settings.renew_every) = (Duration::from_secs(15), Duration::from_secs(5));
}
