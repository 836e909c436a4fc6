//! Work that uses all surfaces at once, for the campaigns.

use imperal::documents::Collection;
use imperal::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Journey {
    /// A text in every turn of this call.
    tag: String,
    /// How many background tasks.
    tasks: u32,
    /// How many steps each has.
    steps: u32,
    /// Milliseconds a step, and from the start of the tasks to the acknowledgement.
    step_ms: u64,
    /// A service that each step of every second task calls. These tasks are durable.
    #[serde(default)]
    service: Option<String>,
}

/// A durable task of a journey.
#[derive(Serialize, Deserialize)]
struct Leg {
    tag: String,
    steps: u32,
    step_ms: u64,
    service: String,
}

/// Does the effect of a leg once. A third of the tasks can repeat it, a third look it up, and a third ask their user.
async fn pay(ctx: &TaskContext, service: &str, task: &str) -> Result<()> {
    let url = format!("{service}/effect/{task}");
    let attempt = ctx.attempt().to_string();
    let kind = ["plain", "safe", "look"][task.bytes().map(usize::from).sum::<usize>() % 3];
    loop {
        let effect = ctx.effect("pay", async |ctx, _| {
            let request = ctx.http().post(&url).header("x-attempt", &attempt).header("x-effect", kind).timeout(1);
            request.send().await?.error_for_status()?;
            Ok(())
        });
        let done = match kind {
            "plain" => effect.await.map(drop),
            "safe" => effect.repeat_safe().await,
            _ => {
                let look = async |ctx: Context, _| {
                    let done: u32 = ctx.http().get(&url).timeout(5).send().await?.error_for_status()?.json()?;
                    Ok((done > 0).then_some(()))
                };
                effect.look_up(look).await
            }
        };
        match done {
            // The service refuses the first send of some tasks.
            Err(error) if error.source().is_some_and(|source| source.to_string().contains("422")) => {}
            done => return done,
        }
    }
}

/// The sleep of a leg.
const REST: Duration = Duration::from_millis(700);

fn unix_millis() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default()
}

/// What the steps of a leg write: one document each.
#[derive(Debug, Serialize, Deserialize)]
struct Passed {
    attempt: String,
}

const PASSED: Collection<Passed> = Collection::new("passed").index(["attempt"]);

/// Writes a file in the place of an earlier one. The ledger may be away for a while.
async fn replace_file(ctx: &Context, earlier: Option<&FileRef>, name: &str, bytes: String) -> Result<FileRef> {
    loop {
        let replaced = async {
            if let Some(earlier) = earlier {
                ctx.files().delete(earlier).await?;
            }
            ctx.files().put(name, bytes.clone()).await
        };
        match replaced.await {
            Err(error) if *error.code() == codes::UNAVAILABLE => tokio::time::sleep(Duration::from_millis(100)).await,
            done => return done,
        }
    }
}

/// Calls a service, writes a document and replaces a file in each step, announces the middle, pays once, and asks its user
/// at the end.
#[durable_task]
async fn leg(ctx: TaskContext, leg: Leg) -> Result<ActionResult> {
    let Leg { tag, steps, step_ms, service } = leg;
    // A path of its own for each task: user and number without what a URL would change.
    let task: String = tag.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    let attempt = ctx.attempt().to_string();
    let mut latest: Option<FileRef> = None;
    for step in 0..steps {
        ctx.progress(step * 100 / steps, format!("{tag} step {step}")).await?;
        let file = ctx.step(("step", step), async |ctx| {
            let request = ctx.http().post(format!("{service}/{task}/{step}")).header("x-attempt", &attempt);
            request.send().await?.error_for_status()?;
            tokio::time::sleep(Duration::from_millis(step_ms)).await;
            let passed = Passed { attempt: attempt.clone() };
            ctx.documents(&PASSED).put(&format!("{task}/step/{step}"), &passed).await?;
            replace_file(&ctx, latest.as_ref(), &format!("{task}.{step}"), attempt.repeat(1 + step as usize)).await
        });
        latest = Some(file.await?);
        if step == steps / 2 {
            ctx.deliver_chat_message(format!("{tag} announcement")).await?;
        }
    }
    pay(&ctx, &service, &task).await?;
    if steps < 2 {
        return Ok(ActionResult::done(format!("{tag} outcome")));
    }
    let began: u64 = ctx.step("began to rest", async |_| Ok(unix_millis())).await?;
    // The timer or the answer wakes it, whichever comes first; then it waits for the other.
    let (rested, answer) = tokio::join!(
        async {
            ctx.sleep("rest", REST).await?;
            ctx.step("rested", async |_| Ok(unix_millis())).await
        },
        async { ctx.ask::<u64>("go on", format!("{tag}?")).within(Duration::from_secs(2)).await }
    );
    let (rested, answer) = (rested?, answer?);
    if u128::from(rested - began) < REST.as_millis() {
        return Err(Error::internal(format!("rested for {} ms", rested - began)));
    }
    // Every later attempt must get the answer that this step had.
    if ctx.step("answered", async |_| Ok(answer)).await? != answer {
        return Err(Error::internal(format!("the answer changed to {answer:?}")));
    }
    let answer = answer.map_or_else(|| "unanswered".to_owned(), |number| format!("answered {number}"));
    Ok(ActionResult::done(format!("{tag} outcome, {answer}")))
}

#[derive(Serialize, JsonSchema)]
struct Started {
    task_ids: Vec<String>,
}

/// All surfaces at once: tasks that report and announce, before and after the acknowledgement.
#[chat_function(action_type = "write", event = "travelled", effects = ["update:probe"], data_model = Started, background, starter)]
async fn journey(ctx: Context, params: Journey) -> Result<ActionResult<Started>> {
    let mut task_ids = Vec::new();
    for number in 0..params.tasks {
        let tag = format!("{} task {number}", params.tag);
        let (steps, pause) = (params.steps, Duration::from_millis(params.step_ms));
        if let Some(service) = params.service.clone().filter(|_| number % 2 == 1) {
            let input = Leg { tag: tag.clone(), steps, step_ms: params.step_ms, service };
            // The queue is always full, and yet it ends within minutes what a campaign puts into it.
            let is_queued = number % 4 == 1 && tag.bytes().map(usize::from).sum::<usize>() % 3 == 0;
            let task = ctx.durable_task(leg::with(input)).name(tag);
            let task = if is_queued { task.queue("narrow") } else { task };
            task_ids.push(task.await?.to_string());
            continue;
        }
        let task = ctx.background_task(async move |ctx: Context| {
            for step in 0..steps {
                ctx.progress(step * 100 / steps, format!("{tag} step {step}")).await?;
                tokio::time::sleep(pause).await;
                if step == steps / 2 {
                    ctx.deliver_chat_message(format!("{tag} announcement")).await?;
                }
            }
            Ok(ActionResult::done(format!("{tag} outcome")))
        });
        task_ids.push(task.name(format!("{} task {number}", params.tag)).await?.to_string());
    }
    ctx.deliver_chat_message(format!("{} on the way", params.tag)).await?;
    tokio::time::sleep(Duration::from_millis(params.step_ms)).await;
    Ok(ActionResult::success(Started { task_ids }, format!("{} ack", params.tag)))
}
