//! Many items, a few at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use imperal::ledger::{FeedSignal, TaskState};
use imperal::prelude::*;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{platform, run, secs};

#[tokio::test(start_paused = true)]
async fn results_keep_the_order_and_no_item_stops_another() {
    let (task, turn) = run(|ctx| async move {
        let factor = 10;
        let results = ctx
            .fan_out(0..8_u64, async |item| {
                sleep(secs(8 - item)).await;
                match item {
                    2 => Err(Error::user("BAD_ITEM", "Two is bad.")),
                    5 => panic!("five explodes"),
                    item => Ok(item * factor),
                }
            })
            .await?;
        let shown: Vec<_> = results.iter().map(|r| r.as_ref().map_err(|e| e.code().to_string()).cloned()).collect();
        let bad = |code: &str| Err(code.to_owned());
        assert_eq!(shown, [Ok(0), Ok(10), bad("BAD_ITEM"), Ok(30), Ok(40), bad("INTERNAL"), Ok(60), Ok(70)]);
        assert!(results[5].as_ref().unwrap_err().to_string().contains("five explodes"));
        let none = ctx.fan_out(Vec::<u8>::new(), async |_| Ok(())).progress(0..=100).await?;
        assert!(none.is_empty());
        Ok(ActionResult::done("all"))
    })
    .await;
    assert_eq!(task.state, TaskState::Succeeded, "{}", turn.body.text);
}

#[tokio::test(start_paused = true)]
async fn panic_before_the_first_await_is_the_items_result() {
    let (task, _) = run(|ctx| async move {
        let results = ctx
            .fan_out([1, 2, 3], |item| {
                assert!(item != 2, "at once");
                async move { Ok(item) }
            })
            .await?;
        assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
        Ok(ActionResult::done("all"))
    })
    .await;
    assert_eq!(task.state, TaskState::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn bounds_hold_when_nested() {
    static OUTER: AtomicUsize = AtomicUsize::new(0);
    static INNER: AtomicUsize = AtomicUsize::new(0);
    static MOST: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];
    let begun = Instant::now();
    let (task, _) = run(|ctx| async move {
        let domains = ctx
            .fan_out(0..9, async |_domain| {
                MOST[0].fetch_max(OUTER.fetch_add(1, SeqCst) + 1, SeqCst);
                let checks = ctx
                    .fan_out(0..10, async |check| {
                        MOST[1].fetch_max(INNER.fetch_add(1, SeqCst) + 1, SeqCst);
                        sleep(secs(1)).await;
                        INNER.fetch_sub(1, SeqCst);
                        Ok(check)
                    })
                    .at_most(5)
                    .await?;
                OUTER.fetch_sub(1, SeqCst);
                Ok(checks.len())
            })
            .at_most(3)
            .await?;
        assert!(domains.iter().all(|checks| *checks.as_ref().unwrap() == 10));
        Ok(ActionResult::done("all"))
    })
    .await;
    assert_eq!(task.state, TaskState::Succeeded);
    assert_eq!((MOST[0].load(SeqCst), MOST[1].load(SeqCst)), (3, 15));
    assert_eq!(begun.elapsed().as_secs(), 6, "three rounds of two seconds: never fewer than there may be");
}

#[tokio::test(start_paused = true)]
async fn progress_counts_finished_items_and_never_falls() {
    let (_platform, anna) = platform(|ctx| async move {
        ctx.fan_out(["c", "b", "a"], async |name: &str| {
            sleep(secs(u64::from(name.as_bytes()[0] - b'a') + 1)).await;
            Ok(())
        })
        .named(|name| format!("{name}.example"))
        .progress(10..=40)
        .await?;
        ctx.fan_out([1, 2], async |n: u64| {
            sleep(secs(n)).await;
            if n == 2 { Err(Error::user("BAD_ITEM", "bad")) } else { Ok(n) }
        })
        .progress(40..=100)
        .text(|part| format!("item {} is {}", part.index, if part.result.is_ok() { "good" } else { "bad" }))
        .await?;
        sleep(secs(1)).await;
        Ok(ActionResult::done("all"))
    })
    .await;
    let mut watch = anna.access().subscribe();
    let task_id = anna.start("in_background", json!({})).await;
    let mut seen = Vec::new();
    while seen.last().is_none_or(|(percent, _)| *percent < 100.0) {
        if let FeedSignal::Progress(progress) = watch.next().await {
            seen.push((progress.percent.unwrap(), progress.message.clone().unwrap()));
        }
    }
    let wanted = [
        (10.0, "0 of 3"),
        (20.0, "1 of 3: a.example"),
        (30.0, "2 of 3: b.example"),
        (40.0, "0 of 2"),
        (70.0, "item 0 is good"),
        (100.0, "item 1 is bad"),
    ];
    assert_eq!(seen, wanted.map(|(percent, text)| (percent, text.to_owned())));
    assert_eq!(anna.end_of(task_id).await.state, TaskState::Succeeded);
}

struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn cancel_starts_no_item_and_drops_running_ones() {
    let (begun, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counts, ends) = (begun.clone(), dropped.clone());
    let (_platform, anna) = platform(move |ctx| {
        let (begun, dropped) = (counts.clone(), ends.clone());
        async move {
            let results = ctx.fan_out(0..100, async |_| {
                begun.fetch_add(1, SeqCst);
                let _dropped = Dropped(dropped.clone());
                sleep(secs(10)).await;
                Ok(())
            });
            let error = results.at_most(3).await.unwrap_err();
            assert!(error.is_cancelled());
            Ok(ActionResult::done("swallowed"))
        }
    })
    .await;
    let task_id = anna.start("in_background", json!({})).await;
    sleep(secs(15)).await;
    let asked = Instant::now();
    anna.cancel(task_id).await;
    assert_eq!(anna.end_of(task_id).await.state, TaskState::Cancelled);
    assert_eq!(asked.elapsed().as_secs(), 0);
    sleep(secs(60)).await;
    assert_eq!((begun.load(SeqCst), dropped.load(SeqCst)), (6, 6));
}

#[tokio::test(start_paused = true)]
async fn range_outside_0_to_100_is_an_error() {
    let (task, _) = run(|ctx| async move {
        for range in [0..=101, std::ops::RangeInclusive::new(50, 40)] {
            let refused = ctx.fan_out([1], async |_| Ok(())).progress(range).await;
            assert_eq!(refused.unwrap_err().code(), &codes::INTERNAL);
        }
        Ok(ActionResult::done("refused"))
    })
    .await;
    assert_eq!(task.state, TaskState::Succeeded);
}
