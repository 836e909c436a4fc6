//! Durable tasks that ask their user, one for each kind of answer, or sleep.

use imperal::prelude::*;

#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum What {
    Choice,
    Form,
    Text,
    Both,
    Sleep,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Inquiry {
    /// What is asked.
    what: What,
    /// Milliseconds until the task goes on by itself.
    #[serde(default = "an_hour")]
    within_ms: u64,
}

fn an_hour() -> u64 {
    3_600_000
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
enum Choice {
    /// Everybody sees them at once.
    Publish,
    /// They wait for you.
    Later,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Order {
    /// What is printed on it.
    #[schemars(length(max = 100))]
    note: String,
    /// How many.
    #[serde(default)]
    #[schemars(range(min = 1, max = 9))]
    copies: Option<u8>,
}

/// Asks, and says in its outcome what was answered.
#[durable_task]
async fn inquire(ctx: TaskContext, inquiry: Inquiry) -> Result<ActionResult> {
    let within = Duration::from_millis(inquiry.within_ms);
    // A value with characters that a ledger escapes.
    ctx.step("prepare", async |_| Ok("a \"quoted\"\nline \\ of text".to_owned())).await?;
    let choice = async || {
        let asked = ctx.ask("publish", "Publish these images?").within(within).or(Choice::Later).await?;
        Ok::<_, Error>(format!("{asked:?}"))
    };
    let form = async || {
        let order = ctx.ask::<Order>("order", "What shall it be?").await?;
        Ok::<_, Error>(format!("{} x {}", order.copies.unwrap_or(1), order.note))
    };
    let said = match inquiry.what {
        What::Choice => choice().await?,
        What::Form => form().await?,
        What::Text => ctx.ask::<String>("why", "Why?").within(within).await?.unwrap_or_else(|| "silence".to_owned()),
        What::Both => {
            let (chosen, ordered) = tokio::join!(choice(), form());
            format!("{}, {}", chosen?, ordered?)
        }
        What::Sleep => {
            ctx.sleep("nap", within).await?;
            "awake".to_owned()
        }
    };
    Ok(ActionResult::done(format!("The answer was: {said}.")))
}

/// Ask the user in the background.
#[chat_function(action_type = "write", event = "inquired", effects = ["update:probe"], background)]
async fn inquire_user(ctx: Context, params: Inquiry) -> Result<ActionResult> {
    ctx.durable_task(inquire::with(params)).name("inquiry").await?;
    Ok(ActionResult::done("Asking."))
}
