//! The ledger's answer to the write of a secret is lost: the secret is stored once, and the work learns of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use imperal::prelude::*;
use imperal::testing::TestPlatform;
use imperal::{Secret, SecretWriter};
use serde_json::json;

use crate::lost_answers::LosesAnswers;

pub(crate) const TOKEN: Secret = Secret::new("token", "Token of a service.").written_by(SecretWriter::Extension);

#[derive(Deserialize, JsonSchema)]
struct Lost {
    /// Answers that are lost after the write.
    answers: u32,
    /// Answers that are lost instead of the write.
    writes: u32,
}

/// Store a token while answers are lost.
#[chat_function(action_type = "write", event = "stored", effects = ["update:token"])]
async fn store_token(ctx: Context, params: Lost) -> Result<ActionResult> {
    let ledger = ctx.state::<Arc<LosesAnswers>>()?.clone();
    ledger.to_lose.store(params.answers, Ordering::SeqCst);
    ledger.to_forget.store(params.writes, Ordering::SeqCst);
    ctx.set_secret(&TOKEN, "a-new-token-of-the-service").await?;
    assert_eq!(ledger.to_lose.load(Ordering::SeqCst) + ledger.to_forget.load(Ordering::SeqCst), 0, "all were lost");
    let stored = ctx.secret(&TOKEN).await?.expose() == "a-new-token-of-the-service";
    Ok(ActionResult::done(if stored { "Stored." } else { "Another." }))
}

#[tokio::test(start_paused = true)]
async fn secret_is_stored_although_the_answer_is_lost() {
    for (answers, writes) in [(1, 0), (0, 1), (1, 2)] {
        let ledger = Arc::new(LosesAnswers::default());
        let platform = TestPlatform::setup().ledger(ledger.clone()).state(ledger.clone()).start().await;
        let anna = platform.user("anna");
        let answer = anna.call("store_token", json!({"answers": answers, "writes": writes})).await.unwrap();
        assert_eq!(answer.result.text(), "Stored.");
        let rows = anna.audit().await.into_iter().filter(|row| row.body.action == "secret.set");
        assert_eq!(rows.count(), 1, "{answers} answers and {writes} writes were lost");
    }
}
