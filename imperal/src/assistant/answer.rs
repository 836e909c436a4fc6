//! The loop: asks the model, runs the calls that it wants, and asks again, until it answers.
//!
//! Its steps are `context`, `reply k`, `call k.i`, and after an approval `run k.i`.

use std::pin::Pin;
use std::time::Instant;

use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use super::budget;
use super::calls::{Answered, Around, answer_call, kind_of, stage};
use super::model::{Hear, Prompt, Reply, estimate_tokens};
use super::offered::Offer;
use super::remembered::{Remembered, remember};
use super::settings::Assistant;
use super::talk::Talk;
use super::{ANSWER, QUEUE};
use crate::codes;
use crate::context::{Context, Draft, DurableTask, ModelNote, ModelOutcome, PreparedTask, TaskContext, ToolKind};
use crate::function::{BoundTask, HandlerOutput};
use crate::result::{ActionResult, DataType, Result};

/// Replies of the model to one message.
const ROUNDS: u32 = 16;

/// A message of the user: the input of the loop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Said {
    pub(crate) text: String,
}

impl Said {
    /// The task that answers the message, to be started by its call.
    pub(crate) fn task(&self, ctx: &Context) -> DurableTask {
        let task = PreparedTask::new(ANSWER.name, ANSWER.module_path, self, DataType::of::<()>());
        ctx.durable_task(task).name("Answer").queue(QUEUE).long_running(true)
    }
}

/// Reads a stored message.
pub(super) fn bind(input: &str) -> std::result::Result<BoundTask, String> {
    let said: Said = serde_json::from_str(input).map_err(|error| error.to_string())?;
    Ok(Box::new(move |ctx: TaskContext| Box::pin(async move { answer(&ctx, said).await.into_wire() })))
}

async fn answer(ctx: &TaskContext, said: Said) -> Result<ActionResult> {
    let assistant = ctx.state::<Assistant>()?;
    let functions = ctx.offered_functions();
    let remembered: Remembered = ctx.step("context", async |ctx: Context| remember(&ctx).await).await?;
    let mut offer = Offer::new(&functions, &said.text);
    let mut talk = Talk::new(assistant, remembered, &said.text);
    let mut live = Live::new(ctx.draft()?);
    for round in 0..ROUNDS {
        let prompt = talk.prompt(offer.tools());
        let name = format!("reply {round}");
        let hear = &mut live;
        let reply: Reply =
            ctx.step(&name, async |ctx: Context| ask(&ctx, assistant, prompt, round, hear).await).await?;
        live.end_reply(&reply.text).await?;
        talk.add_reply(&reply);
        if reply.calls.is_empty() {
            let cut = "*The answer was cut: it reached the limit of one reply.*";
            return Ok(ActionResult::done(talk.into_answer(reply.cut.then_some(cut))));
        }
        ctx.progress(0, stage(&functions, &reply.calls)).await?;
        run_calls(ctx, &mut offer, &mut talk, round, &reply).await?;
    }
    let stopped = format!("*I stopped here: the model wanted more than {ROUNDS} rounds of calls for one message.*");
    Ok(ActionResult::done(talk.into_answer(Some(&stopped))))
}

/// The text that the user reads while the model answers: one for all replies of an attempt.
struct Live {
    draft: Draft,
    /// Whether this attempt got text of the current reply from the model.
    has_heard: bool,
    /// Whether the next text begins a paragraph.
    is_next: bool,
}

impl Live {
    fn new(draft: Draft) -> Self {
        Self { draft, has_heard: false, is_next: false }
    }

    async fn push(&mut self, text: &str) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        if std::mem::take(&mut self.is_next) {
            self.draft.push("\n\n").await?;
        }
        self.draft.push(text).await
    }

    /// After a reply. The text of a stored one did not come from the model in this attempt.
    async fn end_reply(&mut self, text: &str) -> Result<()> {
        if !std::mem::take(&mut self.has_heard) {
            self.push(text).await?;
        }
        self.is_next = !self.draft.text().is_empty();
        Ok(())
    }
}

impl Hear for Live {
    fn text<'a>(&'a mut self, text: &'a str) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
        self.has_heard = true;
        Box::pin(self.push(text))
    }
}

/// Runs the calls of a reply: together if all of them only read, else in order.
async fn run_calls(ctx: &TaskContext, offer: &mut Offer<'_>, talk: &mut Talk, round: u32, reply: &Reply) -> Result<()> {
    let tainted = talk.is_tainted();
    let searched: Vec<_> = reply.calls.iter().map(|call| offer.search(call)).collect();
    let (offer, functions) = (&*offer, offer.functions());
    let indexed = || (0_u32..).zip(reply.calls.iter().zip(&searched));
    if reply.calls.iter().all(|call| kind_of(functions, call).is_none_or(|kind| kind == ToolKind::Read)) {
        let around = Around { ctx, offer, decisions: talk.decisions(), tainted, round };
        let answers = indexed().map(async |(index, (call, found))| match found {
            Some(found) => Ok(Answered::told(found)),
            None => answer_call(around, index, call).await,
        });
        let answers = try_join_all(answers).await?;
        for (call, answered) in reply.calls.iter().zip(answers) {
            talk.add_result(&call.id, answered.told);
        }
        return Ok(());
    }
    for (index, (call, found)) in indexed() {
        let around = Around { ctx, offer, decisions: talk.decisions(), tainted, round };
        let answered = match found {
            Some(found) => Answered::told(found),
            None => answer_call(around, index, call).await?,
        };
        talk.decided(answered.decided);
        talk.add_result(&call.id, answered.told);
    }
    Ok(())
}

/// Asks the model for one reply, within the day's tokens.
async fn ask(ctx: &Context, assistant: &Assistant, prompt: Prompt, round: u32, hear: &mut Live) -> Result<Reply> {
    let asked = serde_json::to_string(&prompt.messages).unwrap_or_default();
    let needed = estimate_tokens(&asked) + u64::from(prompt.max_tokens);
    let begun = Instant::now();
    let asked = match budget::check(ctx, assistant, needed).await {
        Ok(()) => assistant.model.reply(ctx, prompt, hear).await,
        Err(over) => Err(over),
    };
    let usage = asked.as_ref().map(|reply| reply.usage).unwrap_or_default();
    let outcome = match &asked {
        Ok(_) => ModelOutcome::Replied,
        Err(error) if error.is_cancelled() => ModelOutcome::Cancelled,
        Err(error) if *error.code() == codes::TOKENS_EXCEEDED => ModelOutcome::OverLimit,
        Err(_) => ModelOutcome::Failed,
    };
    ctx.note_model(ModelNote {
        outcome,
        took: begun.elapsed(),
        prompt_tokens: usage.prompt,
        reply_tokens: usage.reply,
    });
    let reply = asked?;
    let id = format!("{}/{round}", ctx.task_id().map(|id| id.to_string()).unwrap_or_default());
    budget::note(ctx, &id, reply.usage).await?;
    Ok(reply)
}
