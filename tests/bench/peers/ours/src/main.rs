//! The work of `tests/bench/peers` as durable tasks. Each function starts one task and returns its id.

use std::process::ExitCode;

use imperal::prelude::*;

imperal::extension! {
    app_id: "peer",
    name: "Peer",
    description: "Durable tasks that the bench compares with the same work in other programs.",
    icon: "icon.svg",
    capabilities: ["peer:write"],
}

/// The input of a task: the number of its steps, or its name and the address of the bench's service.
#[derive(Clone, Default, Deserialize, Serialize, JsonSchema)]
struct Job {
    /// How many steps or reports.
    #[serde(default)]
    count: u32,
    /// Name of the task at the service.
    #[serde(default)]
    name: String,
    /// Address of the service.
    #[serde(default)]
    service: String,
}

#[derive(Serialize, JsonSchema)]
struct Started {
    task_id: String,
}

/// Ends at once.
#[durable_task]
async fn nothing(_ctx: TaskContext, _job: Job) -> Result<ActionResult> {
    Ok(ActionResult::done("done"))
}

/// Stores a number in each step.
#[durable_task]
async fn count(ctx: TaskContext, job: Job) -> Result<ActionResult> {
    let mut sum = 0;
    for number in 0..job.count {
        sum += ctx.step(("step", number), async |_| Ok(number)).await?;
    }
    Ok(ActionResult::done(format!("sum {sum}")))
}

/// Asks the service in five steps, with a sleep of three seconds after the third.
#[durable_task]
async fn travel(ctx: TaskContext, job: Job) -> Result<ActionResult> {
    for step in 1..=5 {
        if step == 4 {
            ctx.sleep("rest", Duration::from_secs(3)).await?;
        }
        ctx.step(("step", step), async |ctx| {
            let url = format!("{}/{}/{step}", job.service, job.name);
            ctx.http().get(url).send().await?.error_for_status()?;
            Ok(())
        })
        .await?;
    }
    Ok(ActionResult::done("done"))
}

/// Waits for an hour.
#[durable_task]
async fn rest(ctx: TaskContext, _job: Job) -> Result<ActionResult> {
    ctx.sleep("rest", Duration::from_secs(3600)).await?;
    Ok(ActionResult::done("done"))
}

/// Reports its progress with the time of each report.
#[durable_task]
async fn report(ctx: TaskContext, job: Job) -> Result<ActionResult> {
    for number in 0..job.count {
        tokio::time::sleep(Duration::from_millis(150)).await;
        let at = jiff::Timestamp::now().as_microsecond();
        ctx.progress(f64::from(number) / f64::from(job.count) * 100.0, format!("at={at};")).await?;
    }
    Ok(ActionResult::done("done"))
}

/// Start a task that ends at once.
#[chat_function(action_type = "write", event = "nothing_done", effects = ["update:peer"], data_model = Started, background, starter)]
async fn start_nothing(ctx: Context, job: Job) -> Result<ActionResult<Started>> {
    Ok(started(ctx.durable_task(nothing::with(job)).await?))
}

/// Start a task of some steps.
#[chat_function(action_type = "write", event = "counted", effects = ["update:peer"], data_model = Started, background, starter)]
async fn start_count(ctx: Context, job: Job) -> Result<ActionResult<Started>> {
    Ok(started(ctx.durable_task(count::with(job)).await?))
}

/// Start a task that calls a service and sleeps.
#[chat_function(action_type = "write", event = "travelled", effects = ["update:peer"], data_model = Started, background, starter)]
async fn start_travel(ctx: Context, job: Job) -> Result<ActionResult<Started>> {
    Ok(started(ctx.durable_task(travel::with(job)).await?))
}

/// Start a task that waits for an hour.
#[chat_function(action_type = "write", event = "rested", effects = ["update:peer"], data_model = Started, background, starter)]
async fn start_rest(ctx: Context, job: Job) -> Result<ActionResult<Started>> {
    Ok(started(ctx.durable_task(rest::with(job)).await?))
}

/// Start a task that reports its progress.
#[chat_function(action_type = "write", event = "reported", effects = ["update:peer"], data_model = Started, background, starter)]
async fn start_report(ctx: Context, job: Job) -> Result<ActionResult<Started>> {
    Ok(started(ctx.durable_task(report::with(job)).await?))
}

fn started(task_id: imperal::ids::TaskId) -> ActionResult<Started> {
    ActionResult::success(Started { task_id: task_id.to_string() }, "Started.")
}

#[derive(Deserialize, Serialize, JsonSchema)]
struct Echo {
    text: String,
}

/// Answer at once with what was said.
#[chat_function(action_type = "read")]
async fn echo(_ctx: Context, params: Echo) -> Result<ActionResult<Echo>> {
    Ok(ActionResult::success(params, "Echoed."))
}

fn main() -> ExitCode {
    imperal::App::new().run()
}
