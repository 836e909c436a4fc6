//! What is kept of a task's steps for people: the digest in the audit row of its end, and the log of each step.

use imperal::context::StepRetry;
use imperal::ledger::{Ledger, MemoryLedger, PageLimit, StepKind, TaskState};
use imperal::testing::Reply;
use sha2::{Digest, Sha256};

use super::*;

/// The digest as docs/operations.md defines it, from the ledger's own rows.
async fn digest_of(ledger: &dyn Ledger, task_id: TaskId) -> String {
    let page = ledger.steps(task_id, 0, PageLimit::rows(1000).bytes(1 << 30)).await.unwrap();
    assert!(!page.more && !page.rows.is_empty());
    let (mut digest, rows, mut last) = (Sha256::new(), page.rows.len(), 0);
    for row in page.rows {
        let value = ledger.step_value(task_id, row.ordinal).await.unwrap().unwrap();
        digest.update(Sha256::digest(format!("{}\n{}\n{}\n{value}", row.ordinal, row.kind.as_str(), row.name)));
        if let Some(log) = row.log {
            digest.update(Sha256::digest(log));
        }
        last = row.ordinal;
    }
    format!("{rows} rows of steps up to {last}, sha256 {:x}", digest.finalize())
}

async fn detail_of_end(anna: &TestUser, task_id: TaskId) -> String {
    let rows = anna.audit().await;
    let mut details = rows.iter().filter_map(|row| row.body.detail.clone());
    details.rfind(|detail| detail.starts_with(&format!("outcome of task {task_id}"))).unwrap()
}

/// Small and large values, a message, and steps of two attempts; the second never asks for one of them.
fn varied() -> Body {
    body(async |ctx, log| {
        let log = &log;
        ctx.retrying(StepRetry::backoff(3))
            .step("small", async |_| if log.note("small") == 1 { Err(Error::internal("not yet")) } else { Ok(1) })
            .await?;
        ctx.step("large", async |_| Ok("x".repeat(10_000))).await?;
        if log.note("body") == 1 {
            ctx.step("large, asked for once", async |_| Ok("y".repeat(10_000))).await?;
            ctx.deliver_chat_message("Half way.").await?;
            log.note("crash");
            std::future::pending::<()>().await;
        }
        ctx.step("last", async |_| Ok(2)).await?;
        Ok(ActionResult::done("done"))
    })
}

#[imperal::test]
async fn the_audit_row_of_the_end_has_the_digest_of_all_steps() {
    let ledger = Arc::new(MemoryLedger::default());
    let (setup, log) = setup(varied());
    let platform = setup.ledger(ledger.clone()).start().await;
    let anna = platform.user("anna");
    let task_id = start_task(&anna).await;
    until(&log, "crash", 1).await;
    platform.crash().await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    let detail = detail_of_end(&anna, task_id).await;
    assert!(detail.ends_with(&format!("; {}", digest_of(&*ledger, task_id).await)), "{detail}");
    assert!(detail.contains("5 rows"), "{detail}");
}

/// No attempt runs then: the steps are read from the ledger.
#[imperal::test]
async fn the_audit_row_of_a_cancelled_queued_task_has_the_digest() {
    let ledger = Arc::new(MemoryLedger::default());
    let (setup, log) = setup(varied());
    let platform = setup.ledger(ledger.clone()).start().await;
    let anna = platform.user("anna");
    let task_id = start_task(&anna).await;
    until(&log, "crash", 1).await;
    let access = anna.access();
    platform.platform().shutdown(Duration::from_secs(1)).await;
    assert_eq!(access.task(task_id).await.unwrap().state, TaskState::Queued);
    access.cancel(task_id).await.unwrap();
    let rows = access.audit(0, 100).await.unwrap().rows;
    let details: Vec<_> = rows.iter().filter_map(|row| row.body.detail.as_deref()).collect();
    let digest = digest_of(&*ledger, task_id).await;
    assert!(details.iter().any(|detail| detail.ends_with(&format!("; {digest}"))), "{digest}: {details:?}");
}

#[imperal::test]
async fn a_step_keeps_a_log_of_its_requests_and_failed_tries() {
    let asks = body(async |ctx, log| {
        let log = &log;
        ctx.retrying(StepRetry::backoff(3))
            .step("ask", async |ctx| {
                ctx.http().get("https://a.example/v1/things?token=secret").send().await?;
                if log.note("try") == 1 { Err(Error::internal("not yet")) } else { Ok(()) }
            })
            .await?;
        ctx.step("quiet", async |_| Ok(())).await?;
        Ok(ActionResult::done("done"))
    });
    let (platform, anna, _) = platform(asks).await;
    platform.http().get("https://a.example/v1/things*").reply(Reply::status(201));
    let task_id = start_task(&anna).await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    let steps = anna.access().steps(task_id, 0, 10).await.unwrap().rows;
    let log: serde_json::Value = serde_json::from_str(steps[0].log.as_deref().unwrap()).unwrap();
    assert_eq!(
        (&log[0]["method"], &log[0]["url"], &log[0]["status"]),
        (&json!("GET"), &json!("a.example/v1/things"), &json!(201))
    );
    assert!(log[0]["ms"].is_u64() && log[0].get("error").is_none(), "{log}");
    assert_eq!(log[1]["attempt"], 1, "{log}");
    assert!(log[1]["error"].as_str().unwrap().contains("not yet"), "{log}");
    assert_eq!(log.as_array().unwrap().len(), 3, "{log}");
    assert_eq!((steps[1].kind, steps[1].log.as_deref()), (StepKind::Step, None));
}
