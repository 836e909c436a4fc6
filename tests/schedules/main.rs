//! Schedules: functions that run for their users at times, in the test kit.
//!
//! The ledger's clock starts at the machine's time, so the tests use intervals and next times, not dates. Dates and clock
//! changes are tested where times are computed.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]
#![allow(deprecated, reason = "the results of test functions need no data_model")]

mod jobs;
mod nodes;
mod own;
mod rights;
mod runs;
mod stops;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use imperal::ids::ScheduleId;
use imperal::ledger::{Role, Turn};
use imperal::platform::{NewSchedule, Schedule, ScheduleAccess};
use imperal::prelude::*;
use imperal::schedules::{OwnSchedule, When};
use imperal::testing::{TestPlatform, TestUser};
use serde_json::{Value, json};

imperal::extension! {
    app_id: "planner",
    name: "Planner",
    description: "Runs functions at times, for the tests of schedules.",
    icon: "icon.svg",
    capabilities: ["planner:write"],
}

/// The runs of functions, each with its user and text; then those of jobs. Kept outside of the process that crashes.
#[derive(Clone, Default)]
struct Ran(Arc<Mutex<Vec<String>>>, Arc<Mutex<Vec<String>>>);

impl Ran {
    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

#[derive(Deserialize, JsonSchema)]
struct DigestParams {
    /// What to say.
    #[serde(default)]
    text: String,
}

/// Notes that it ran, for whom and with which text.
#[chat_function(action_type = "write", event = "planner.digest", effects = ["update:digest"])]
async fn digest(ctx: Context, params: DigestParams) -> Result<ActionResult> {
    let scopes = ctx.user().scopes.join(",");
    ctx.state::<Ran>()?.0.lock().unwrap().push(format!("{} {} {scopes}", ctx.user().id, params.text).trim().to_owned());
    Ok(ActionResult::done("The digest is ready."))
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

/// Fails each time that it runs.
#[chat_function(action_type = "write", event = "planner.broken", effects = ["update:digest"])]
async fn broken(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    ctx.state::<Ran>()?.0.lock().unwrap().push("broken".to_owned());
    Err(Error::user("SERVICE_DOWN", "The service is down."))
}

/// Never replies by itself.
#[chat_function(action_type = "write", event = "planner.hang", effects = ["update:digest"])]
async fn hang(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    ctx.state::<Ran>()?.0.lock().unwrap().push("hang".to_owned());
    std::future::pending().await
}

#[derive(Deserialize, JsonSchema)]
struct PurgeParams {
    /// Everything that is older, in days.
    older_than: u32,
}

/// Deletes old digests for good.
#[chat_function(action_type = "destructive", event = "planner.purged", effects = ["delete:digest"])]
async fn purge(ctx: Context, params: PurgeParams) -> Result<ActionResult> {
    ctx.state::<Ran>()?.0.lock().unwrap().push(format!("purged {}", params.older_than));
    Ok(ActionResult::done("Purged."))
}

#[derive(Deserialize, JsonSchema)]
struct KeyParams {
    #[schemars(extend("writeOnly" = true))]
    #[serde(default)]
    #[expect(dead_code, reason = "only read")]
    key: String,
}

/// Takes a key that is not kept.
#[chat_function(action_type = "write", event = "planner.key", effects = ["update:key"])]
async fn connect(_ctx: Context, _params: KeyParams) -> Result<ActionResult> {
    Ok(ActionResult::done("Connected."))
}

#[derive(Deserialize, JsonSchema)]
struct PlanParams {
    /// `set`, `pause`, `resume` or `remove`.
    action: String,
    #[serde(default)]
    text: String,
    /// The function to run.
    #[serde(default)]
    function: String,
}

/// Keeps a schedule for its user.
#[chat_function(action_type = "write", event = "planner.planned", effects = ["update:plan"])]
async fn plan(ctx: Context, params: PlanParams) -> Result<ActionResult> {
    let schedules = ctx.schedules();
    let was_there = match params.action.as_str() {
        "pause" => schedules.pause("Digest").await?,
        "resume" => schedules.resume("Digest").await?,
        "remove" => schedules.remove("Digest").await?,
        _ => {
            let params_of_run =
                if params.function == "purge" { json!({"older_than": 3}) } else { json!({"text": params.text}) };
            let own = OwnSchedule::new("Digest", params.function, When::every(HOUR)).params(params_of_run);
            schedules.set(own).await?;
            true
        }
    };
    Ok(ActionResult::done(if was_there { "There." } else { "None." }))
}

#[derive(Serialize, Deserialize)]
struct Input {}

#[durable_task]
async fn confirm(ctx: TaskContext, _input: Input) -> Result<ActionResult> {
    let go: bool = ctx.ask("go", "Go on?").await?;
    ctx.state::<Ran>()?.0.lock().unwrap().push(format!("confirmed {go}"));
    Ok(ActionResult::done("Confirmed."))
}

/// Starts a durable task that asks.
#[chat_function(action_type = "write", event = "planner.asked", effects = ["update:digest"])]
async fn ask(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    ctx.durable_task(confirm::with(Input {})).name("The question").await?;
    Ok(ActionResult::done("It asks."))
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

async fn platform() -> (TestPlatform, Ran) {
    let ran = Ran::default();
    (TestPlatform::setup().state(ran.clone()).start().await, ran)
}

fn hourly(function: &str, params: Value) -> NewSchedule {
    let mut new = NewSchedule::new("Morning digest", "planner", function, When::EverySeconds(3600));
    new.params = serde_json::from_value(params).unwrap();
    new
}

async fn create(anna: &TestUser, function: &str, params: Value) -> ScheduleId {
    anna.access().schedules().create(hourly(function, params)).await.unwrap().id
}

async fn find(anna: &TestUser, id: ScheduleId) -> Schedule {
    // Through another user's door the owner would count as seen.
    anna.access().schedules().find(id).await.unwrap()
}

async fn turns(anna: &TestUser) -> Vec<Turn> {
    anna.access().turns(0, 500).await.unwrap().rows
}
