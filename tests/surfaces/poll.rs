//! Polling a job of another service.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use imperal::context::{JobStatus, PollFailure};
use imperal::ledger::TaskState;
use imperal::prelude::*;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{code, platform, run, secs};

#[tokio::test(start_paused = true)]
async fn first_check_is_immediate_and_intervals_grow() {
    let (task, turn) = run(|ctx| async move {
        let begun = Instant::now();
        let mut at = Vec::new();
        let done = ctx
            .poll(|| {
                at.push(begun.elapsed().as_millis());
                let last = at.len() == 8;
                async move { Ok(if last { JobStatus::Done("ready") } else { JobStatus::Pending }) }
            })
            .await?;
        assert_eq!(at, [0, 2000, 5000, 9500, 16_250, 26_375, 41_375, 56_375]);
        let (begun, mut checks) = (Instant::now(), 0);
        ctx.poll(|| {
            checks += 1;
            let done = checks == 4;
            async move { Ok(if done { JobStatus::Done(()) } else { JobStatus::Pending }) }
        })
        .every(secs(10))
        .await?;
        assert_eq!(begun.elapsed(), secs(30), "the same throughout unless it is to grow");
        Ok(ActionResult::done(done))
    })
    .await;
    assert_eq!((task.state, turn.body.text.as_str()), (TaskState::Succeeded, "ready"));
}

#[tokio::test(start_paused = true)]
async fn silent_job_of_25_minutes_does_not_count_as_silence() {
    let (task, _) = run(|ctx| async move {
        let begun = Instant::now();
        ctx.poll(|| async { Ok(if begun.elapsed() > secs(1500) { JobStatus::Done(()) } else { JobStatus::Pending }) })
            .every(secs(120))
            .await?;
        Ok(ActionResult::done("ready"))
    })
    .await;
    assert_eq!(task.state, TaskState::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn progress_of_a_job_fills_its_range_and_never_falls() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = seen.clone();
    let (_platform, anna) = platform(|ctx| async move {
        let mut percents = [0.0, 50.0, 20.0, f64::NAN, 250.0].into_iter();
        ctx.poll(|| {
            let next = percents.next();
            async move { Ok(next.map_or(JobStatus::Done(()), |percent| JobStatus::at(percent, format!("{percent}")))) }
        })
        .every(secs(1))
        .progress(10..=90)
        .await?;
        Ok(ActionResult::done("ready"))
    })
    .await;
    let mut watch = anna.access().subscribe();
    let task_id = anna.start("in_background", json!({})).await;
    let watching = tokio::spawn(async move {
        loop {
            if let imperal::ledger::FeedSignal::Progress(progress) = watch.next().await {
                told.lock().unwrap().extend(progress.percent);
            }
        }
    });
    assert_eq!(anna.end_of(task_id).await.state, TaskState::Succeeded);
    watching.abort();
    assert_eq!(*seen.lock().unwrap(), [10.0, 50.0, 50.0, 50.0, 90.0]);
}

#[tokio::test(start_paused = true)]
async fn late_job_is_cancelled_with_an_error() {
    let cancelled = Arc::new(AtomicUsize::new(0));
    let count = cancelled.clone();
    let begun = Instant::now();
    let (task, turn) = run(move |ctx| {
        let count = count.clone();
        async move {
            let checks = AtomicUsize::new(0);
            let late = ctx
                .poll(async || {
                    checks.fetch_add(1, SeqCst);
                    Ok(JobStatus::<()>::Pending)
                })
                .every(secs(7))
                .within(secs(20))
                .on_cancel(move |_| async move {
                    count.fetch_add(1, SeqCst);
                    Ok(())
                })
                .await;
            assert_eq!(checks.load(SeqCst), 4, "at 0, 7, 14 and, the last time, 20 s");
            late?;
            Ok(ActionResult::done("unreachable"))
        }
    })
    .await;
    assert_eq!((task.state, code(&turn).as_str()), (TaskState::Failed, "BACKEND_TIMEOUT"));
    assert_eq!((begun.elapsed().as_secs(), cancelled.load(SeqCst)), (20, 1));
    assert!(turn.body.text.contains("20 s"), "{}", turn.body.text);
}

/// The results of the checks in order, and whether the job is cancelled at the end.
async fn ends_with(errors: Vec<Result<JobStatus<u8>>>, wanted: Result<u8, &str>, cancels: usize) {
    let cancelled = Arc::new(AtomicUsize::new(0));
    let count = cancelled.clone();
    let answers = Mutex::new(errors.into_iter());
    let answers = Arc::new(answers);
    let wanted = wanted.map_err(ToOwned::to_owned);
    let (task, turn) = run(move |ctx| {
        let (answers, count, wanted) = (answers.clone(), count.clone(), wanted.clone());
        async move {
            let ended = ctx
                .poll(|| std::future::ready(answers.lock().unwrap().next().unwrap()))
                .tolerating(2)
                .on_cancel(move |_| async move {
                    count.fetch_add(1, SeqCst);
                    Ok(())
                })
                .await;
            assert_eq!(ended.map_err(|error| error.code().to_string()), wanted);
            Ok(ActionResult::done("as wanted"))
        }
    })
    .await;
    assert_eq!(task.state, TaskState::Succeeded, "{}", turn.body.text);
    assert_eq!(cancelled.load(SeqCst), cancels);
}

fn may_pass() -> Result<JobStatus<u8>> {
    Err(Error::retryable(codes::BACKEND_5XX, "The service failed."))
}

#[tokio::test(start_paused = true)]
async fn transient_failures_are_tolerated_up_to_a_limit_in_a_row() {
    let pending = || Ok(JobStatus::Pending);
    let done = || Ok(JobStatus::Done(1));
    ends_with(vec![may_pass(), may_pass(), pending(), may_pass(), may_pass(), done()], Ok(1), 0).await;
    ends_with(vec![pending(), may_pass(), may_pass(), may_pass()], Err("BACKEND_5XX"), 1).await;
}

#[tokio::test(start_paused = true)]
async fn failed_job_is_not_cancelled_and_a_failed_check_cancels_it() {
    let failed = |error| vec![Ok(JobStatus::Failed(error))];
    ends_with(failed(Error::user("RENDER_FAILED", "No.")), Err("RENDER_FAILED"), 0).await;
    ends_with(failed(Error::retryable(codes::BACKEND_5XX, "Not now.")), Err("BACKEND_5XX"), 0).await;
    ends_with(failed(Error::internal("no such job")), Err("INTERNAL"), 0).await;
    ends_with(vec![Err(Error::user(codes::PERMISSION_DENIED, "401"))], Err("PERMISSION_DENIED"), 1).await;
    ends_with(vec![Err(Error::internal("not the JSON that was expected"))], Err("INTERNAL"), 1).await;
}

#[tokio::test(start_paused = true)]
async fn an_error_tells_a_failed_job_from_a_failed_check_and_a_deadline() {
    let (task, turn) = run(|ctx| async move {
        let refused = || Error::user(codes::PERMISSION_DENIED, "The service refused access.");
        for (status, failure) in [
            (Ok(JobStatus::Failed(refused())), PollFailure::Job),
            (Err(refused()), PollFailure::Check),
            (Err(Error::retryable(codes::BACKEND_5XX, "Not now.")), PollFailure::Check),
            (Ok(JobStatus::Pending), PollFailure::Deadline),
        ] {
            let mut status = Some(status);
            let wait = ctx.poll(|| std::future::ready(status.take().unwrap_or(Ok(JobStatus::<()>::Pending))));
            let error = wait.within(secs(60)).tolerating(0).await.unwrap_err();
            assert_eq!(error.poll_failure(), Some(failure), "{error}");
        }
        assert_eq!(refused().poll_failure(), None);
        Ok(ActionResult::done("as wanted"))
    })
    .await;
    assert_eq!(task.state, TaskState::Succeeded, "{}", turn.body.text);
}

#[tokio::test(start_paused = true)]
async fn cancel_ends_the_poll_at_once_and_cancels_the_job() {
    let cancelled = Arc::new(AtomicUsize::new(0));
    let count = cancelled.clone();
    let (_platform, anna) = platform(move |ctx| {
        let count = count.clone();
        async move {
            let waiting = ctx.poll(async || Ok(JobStatus::<()>::Pending)).every(secs(100));
            waiting
                .on_cancel(move |_| async move {
                    count.fetch_add(1, SeqCst);
                    Ok(())
                })
                .await?;
            Ok(ActionResult::done("unreachable"))
        }
    })
    .await;
    let task_id = anna.start("in_background", json!({})).await;
    sleep(secs(5)).await;
    let asked = Instant::now();
    anna.cancel(task_id).await;
    assert_eq!(anna.end_of(task_id).await.state, TaskState::Cancelled);
    assert_eq!((asked.elapsed().as_secs(), cancelled.load(SeqCst)), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn zero_and_hourlong_intervals_are_refused() {
    let (task, turn) = run(|ctx| async move {
        let ready = async || Ok(JobStatus::Done(()));
        for refused in [
            ctx.poll(ready).every(Duration::ZERO).await,
            ctx.poll(ready).every(secs(121)).await,
            ctx.poll(ready).growing_to(secs(3600)).await,
            ctx.poll(ready).progress(0..=200).await,
        ] {
            assert_eq!(refused.unwrap_err().code(), &codes::INTERNAL);
        }
        ctx.poll(ready).every(secs(120)).await?;
        Ok(ActionResult::done("refused"))
    })
    .await;
    assert_eq!(task.state, TaskState::Succeeded, "{}", turn.body.text);
}
