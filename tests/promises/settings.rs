//! Settings are either refused with an error, or a platform starts with them and serves a call.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use imperal::platform::Settings;
use imperal::testing::TestPlatform;
use proptest::prelude::*;
use serde_json::json;

/// Durations at the limits and far beyond them.
fn times() -> impl Strategy<Value = Duration> {
    let sound = [1, 3, 100, 5_000, 15_000, 180_000, 3_600_000].map(Duration::from_millis);
    let odd = [
        Duration::ZERO,
        Duration::from_nanos(1),
        Duration::from_secs(3601),
        Duration::from_secs(86_400 * 31),
        Duration::from_secs(86_400 * 36_500),
        Duration::from_secs(1 << 62),
        Duration::from_secs(u64::MAX),
        Duration::MAX,
    ];
    prop_oneof![4 => proptest::sample::select(sound.to_vec()), 1 => proptest::sample::select(odd.to_vec())]
}

/// Most values are valid, so that many platforms start.
fn changes() -> impl Strategy<Value = Vec<(usize, Duration)>> {
    proptest::collection::vec((0..14_usize, times()), 0..4)
}

fn change(settings: &mut Settings, field: usize, time: Duration) {
    match field {
        0 => settings.call_cap = time,
        1 => settings.task_cap = time,
        2 => settings.long_task_cap = time,
        3 => settings.liveness = time,
        4 => settings.cancel_grace = time,
        5 => settings.lease = time,
        6 => settings.renew_every = time,
        7 => settings.shutdown_grace = time,
        8 => settings.prune_every = time,
        9 => settings.keep.turns = Some(time),
        10 => settings.keep.events = Some(time),
        11 => settings.tasks_per_user = u32::try_from(time.as_millis()).unwrap_or(u32::MAX),
        12 => settings.stuck_for = time,
        _ => settings.node = "n".repeat(usize::try_from(time.as_secs()).unwrap_or(300).min(300)),
    }
}

async fn serves(changes: Vec<(usize, Duration)>) {
    let change_all = |settings: &mut Settings| changes.iter().for_each(|(field, time)| change(settings, *field, *time));
    let platform = TestPlatform::setup().settings(change_all).start().await;
    let anna = platform.user("anna");
    // The time limit can be a millisecond, so any answer is enough.
    anna.call("nap", json!({"seconds": 1})).await.expect("the call is taken");
    platform.pass(Duration::from_secs(3)).await;
    platform.platform().ready().await.expect("every loop is at work");
    anna.call("nap", json!({"seconds": 1})).await.expect("the call is taken");
    platform.platform().shutdown(Duration::from_secs(1)).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn settings_are_refused_or_serve_a_call(changes in changes()) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().unwrap();
        let shown = format!("{changes:?}");
        let done = catch_unwind(AssertUnwindSafe(|| runtime.block_on(serves(changes))));
        if let Err(payload) = done {
            let text = payload.downcast_ref::<String>().cloned().unwrap_or_default();
            let refused = !text.is_empty() && text.lines().all(|line| line.contains("; use ") || line.contains("; renew "));
            prop_assert!(refused, "{shown}: {text}");
        }
    }
}
