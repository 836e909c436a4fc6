//! An author's invalid times and counts give an error or a limit, never a panic.

use std::time::Duration;

use imperal::context::{JobStatus, Retry};
use imperal::ledger::TaskState;
use imperal::prelude::*;

use crate::run;

const ODD: [Duration; 4] = [Duration::ZERO, Duration::from_nanos(1), Duration::from_secs(u64::MAX), Duration::MAX];

#[tokio::test(start_paused = true)]
async fn invalid_times_and_counts_are_errors_or_limits() {
    let (task, turn) = run(|ctx| async move {
        for odd in ODD {
            let done = || async { Ok(JobStatus::Done(())) };
            // Zero and more than 120 s are refused; a deadline of centuries counts as no deadline.
            let _ = ctx.poll(done).every(odd).await;
            let _ = ctx.poll(done).every(odd).growing_to(odd).await;
            ctx.poll(done).within(odd).tolerating(u32::MAX).await?;
            let late = ctx.poll(|| async { Ok(JobStatus::<()>::Pending) }).within(odd.min(Duration::from_nanos(1)));
            assert!(late.await.is_err());
            let retry = Retry::waits([odd; 2]).longest_wait(odd);
            assert!(ctx.http().get("http://127.0.0.1:1/").timeout(odd).retry(retry).send().await.is_err());
            let retry = Retry::backoff(2).first_wait(odd).longest_wait(odd);
            assert!(ctx.http().get("http://127.0.0.1:1/").retry(retry).send().await.is_err());
        }
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0, 1e300] {
            assert!(ctx.http().get("http://127.0.0.1:1/").timeout(odd).send().await.is_err());
            let at = ctx.poll(|| async { Ok(if odd.is_nan() { JobStatus::Done(()) } else { JobStatus::at(odd, "") }) });
            let _ = at.within(Duration::from_nanos(1)).progress(0..=100).await;
            let _ = ctx.progress(odd, "").await;
        }
        for at_most in [0, usize::MAX] {
            let parts = ctx.fan_out([1, 2], async |part| Ok(part)).at_most(at_most).progress(0..=100).await?;
            assert_eq!(parts.len(), 2);
        }
        #[allow(clippy::reversed_empty_ranges, reason = "that is the mistake")]
        let backwards = ctx.fan_out([1], async |part| Ok(part)).progress(90..=10).await;
        assert!(backwards.is_err());
        assert!(ctx.fan_out([1], async |part| Ok(part)).progress(0..=255).await.is_err());
        Ok(ActionResult::done("no panic"))
    })
    .await;
    assert_eq!((task.state, turn.body.text.as_str()), (TaskState::Succeeded, "no panic"));
}
