//! Texts that are read while they are written: their limits, their end, and what is kept of them.

use imperal::context::TRUNCATION_MARKER;
use imperal::ledger::{TaskState, Work};
use imperal::prelude::*;
use imperal::testing::{TestPlatform, TestUser};
use serde_json::json;

use crate::{code, ended, secs, work};

async fn scripted<F, Fut>(what: F) -> (TestPlatform, TestUser)
where
    F: Fn(Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<ActionResult>> + Send + 'static,
{
    let platform = TestPlatform::setup().state(work(what)).start().await;
    let anna = platform.user("anna");
    (platform, anna)
}

#[tokio::test(start_paused = true)]
async fn reply_and_outcome_take_the_place_of_their_drafts() {
    let (_platform, anna) = scripted(|ctx| async move {
        let mut draft = ctx.draft()?;
        for part in ["Hel", "lo ", "😀"] {
            draft.push(part).await?;
            tokio::time::sleep(secs(1)).await;
        }
        Ok(ActionResult::done(draft.into_text()))
    })
    .await;
    let reply = anna.call("in_handler", json!({})).await.unwrap();
    assert_eq!(anna.drafts_of_call(reply.call_id), ["Hello 😀"]);
    assert_eq!((reply.turn.body.drafts.len(), reply.turn.body.partial), (1, None));
    assert_eq!(reply.turn.body.text, "Hello 😀");
    let outcome = anna.run("in_background", json!({})).await;
    assert_eq!((outcome.drafts(), outcome.text()), (&["Hello 😀".to_owned()][..], "Hello 😀"));
    assert_eq!((outcome.turn.body.drafts.len(), &outcome.turn.body.partial), (1, &None));
    assert_eq!(anna.access().drafts().await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn failure_panic_and_cap_keep_what_was_written() {
    for (how, state) in [("fail", TaskState::Failed), ("panic", TaskState::Failed), ("hang", TaskState::TimedOut)] {
        let (_platform, anna) = scripted(move |ctx| async move {
            let (mut first, mut second) = (ctx.draft()?, ctx.draft()?);
            first.push("Half a sen").await?;
            second.push("another").await?;
            drop(second);
            match how {
                "fail" => Err(Error::user("MADE_UP", "It failed.")),
                "panic" => panic!("on purpose"),
                _ => loop {
                    first.push("").await?;
                    tokio::time::sleep(secs(60)).await;
                },
            }
        })
        .await;
        let task_id = anna.start("in_background", json!({})).await;
        let (task, turn) = ended(&anna, task_id).await;
        assert_eq!((task.state, turn.body.partial.as_deref()), (state, Some("Half a sen\n\nanother")), "{how}");
        assert_eq!(turn.body.drafts.len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn text_over_the_limit_is_dropped_and_the_cut_is_shown() {
    let (_platform, anna) = scripted(|ctx| async move {
        let mut draft = ctx.draft()?;
        for _ in 0..100 {
            draft.push("x".repeat(1000)).await?;
        }
        assert!(draft.is_cut());
        assert_eq!(draft.text().len(), 65_536 + TRUNCATION_MARKER.len());
        Err(Error::user("MADE_UP", "It failed."))
    })
    .await;
    let task_id = anna.start("in_background", json!({})).await;
    let outcome = anna.outcome(task_id).await;
    let text = format!("{}{TRUNCATION_MARKER}", "x".repeat(65_536));
    assert_eq!(outcome.drafts(), [text]);
    assert!(outcome.turn.body.partial.unwrap().len() <= 65_536 + TRUNCATION_MARKER.len());
}

#[tokio::test(start_paused = true)]
async fn fifth_open_draft_is_refused_and_a_dropped_one_makes_room() {
    let (_platform, anna) = scripted(|ctx| async move {
        let mut open = Vec::new();
        for _ in 0..4 {
            open.push(ctx.draft()?);
        }
        let refused = ctx.draft().unwrap_err();
        assert_eq!(refused.code().as_str(), "DRAFT_LIMIT");
        open.pop();
        open.push(ctx.draft()?);
        Err(refused)
    })
    .await;
    let reply = anna.call("in_handler", json!({})).await.unwrap();
    assert_eq!(code(&reply.turn), "DRAFT_LIMIT");
    assert!(reply.turn.body.drafts.is_empty(), "nothing was written in them");
}

#[tokio::test(start_paused = true)]
async fn cancel_ends_the_next_push_and_keeps_the_text() {
    let (platform, anna) = scripted(|ctx| async move {
        let mut draft = ctx.draft()?;
        loop {
            draft.push("on ").await?;
            tokio::time::sleep(secs(1)).await;
        }
    })
    .await;
    let task_id = anna.start("in_background", json!({})).await;
    platform.pass(secs(3)).await;
    let shown = anna.access().drafts().await.unwrap();
    let text = anna.access().draft_text(shown[0].draft_id, 0).await.unwrap().unwrap();
    assert!(text.text.starts_with("on on ") && matches!(text.work(), Some(Work::Task(of)) if of.task_id == task_id));
    anna.cancel(task_id).await;
    let (task, turn) = ended(&anna, task_id).await;
    assert_eq!(task.state, TaskState::Cancelled);
    assert!(turn.body.partial.unwrap().starts_with(&text.text));
}

#[tokio::test(start_paused = true)]
async fn crash_keeps_what_was_written_in_the_interrupted_turn() {
    let (platform, anna) = scripted(|ctx| async move {
        let mut draft = ctx.draft()?;
        draft.push("Half a sen").await?;
        tokio::time::sleep(secs(100)).await;
        Ok(ActionResult::done("not reached"))
    })
    .await;
    let task_id = anna.start("in_background", json!({})).await;
    platform.pass(secs(1)).await;
    platform.crash().await;
    let (task, turn) = ended(&anna, task_id).await;
    assert_eq!((task.state, code(&turn).as_str()), (TaskState::Reclaimed, "INTERRUPTED"));
    assert_eq!((turn.body.partial.as_deref(), turn.body.drafts.len()), (Some("Half a sen"), 1));
}
