//! A durable task: its steps write into a file what they did, so that a test sees which of them ran twice.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use imperal::context::StepRetry;
use imperal::prelude::*;

#[derive(Serialize, Deserialize, JsonSchema)]
struct RelayRun {
    /// How many steps.
    legs: u32,
    /// Milliseconds a step.
    leg_ms: u64,
    /// The file that each step writes its number into when it begins.
    log: PathBuf,
    /// How many tries of the first step fail.
    #[serde(default)]
    failures: u32,
    /// Its queue, if it has one.
    #[serde(default)]
    queue: Option<String>,
}

/// Adds a line. Returns how often the file has it.
fn note(log: &Path, line: &str) -> Result<usize> {
    writeln!(OpenOptions::new().create(true).append(true).open(log)?, "{line}")?;
    Ok(std::fs::read_to_string(log)?.lines().filter(|found| *found == line).count())
}

/// Runs one leg after the other.
#[durable_task]
async fn run_relay(ctx: TaskContext, job: RelayRun) -> Result<ActionResult> {
    let retry = StepRetry::backoff(5).first_wait(Duration::from_millis(1500));
    for leg in 1..=job.legs {
        let run = async |_| {
            let times = note(&job.log, &leg.to_string())?;
            if leg == 1 && times <= job.failures as usize {
                return Err(Error::internal("the baton fell".to_owned()));
            }
            tokio::time::sleep(Duration::from_millis(job.leg_ms)).await;
            Ok(())
        };
        ctx.retrying(retry).step(("leg", leg), run).await?;
    }
    Ok(ActionResult::done(format!("{} legs done.", job.legs)))
}

/// Work in steps that a crash does not lose.
#[chat_function(action_type = "write", event = "relayed", effects = ["update:probe"], background)]
async fn relay(ctx: Context, params: RelayRun) -> Result<ActionResult> {
    let queue = params.queue.clone();
    let task = ctx.durable_task(run_relay::with(params)).name("relay");
    match queue {
        Some(queue) => task.queue(queue).await?,
        None => task.await?,
    };
    Ok(ActionResult::done("Off they go."))
}
