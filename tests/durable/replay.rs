//! Exports of tasks, and their replay against other code.

use std::path::PathBuf;
use std::time::Duration;

use imperal::codes;
use imperal::ids::TaskId;
use imperal::prelude::*;
use imperal::testing::{ReplayEnd, ReplayProblem, ReplayedTask, TestUser, replay};
use serde_json::{Value, json};

use super::{Body, Job, Log, body, platform, scripted, start_task};

const DAY: Duration = Duration::from_secs(24 * 3600);

#[derive(Serialize, Deserialize)]
struct Brief {
    title: String,
}

#[derive(Deserialize, JsonSchema)]
struct SecretParams {
    #[schemars(extend("writeOnly" = true))]
    password: String,
}

/// Start the test's durable task with a secret.
#[chat_function(action_type = "write", event = "worked", effects = ["update:work"])]
async fn start_with_secret(ctx: Context, params: SecretParams) -> Result<ActionResult> {
    let number = u32::try_from(params.password.len()).unwrap_or_default();
    ctx.durable_task(scripted::with(Job { number })).await?;
    Ok(ActionResult::done("started"))
}

/// The task as it was in production: two steps, a message, a sleep, and then a question.
fn production() -> Body {
    body(async |ctx, log| {
        let brief: Brief = ctx.step("brief", async |_| Ok(Brief { title: "A mug".to_owned() })).await?;
        ctx.deliver_chat_message(format!("Drawing {}.", brief.title)).await?;
        ctx.step(("image", 1), async |_| Ok("x".repeat(9_000))).await?;
        ctx.sleep("a day", DAY).await?;
        let publish: bool = ctx.ask("publish", "Publish it?").await?;
        ctx.step("upload", async |_| Ok(log.note("published"))).await?;
        Ok(ActionResult::done(format!("published: {publish}")))
    })
}

async fn export(anna: &TestUser, task_id: TaskId) -> Value {
    serde_json::to_value(anna.access().export(task_id).await.unwrap()).unwrap()
}

/// A task that waits for its answer, and one that has succeeded.
async fn exported() -> (Value, Value) {
    let (platform, anna, _log) = platform(production()).await;
    let task_id = start_task(&anna).await;
    anna.parked(task_id).await;
    platform.pass(DAY).await;
    anna.question(task_id).await;
    anna.parked(task_id).await;
    let waits = export(&anna, task_id).await;
    anna.answers("publish", true);
    let task_id = start_task(&anna).await;
    anna.outcome(task_id).await.assert_success();
    (waits, export(&anna, task_id).await)
}

/// Replays one export against this body. Nothing of it may run.
async fn replayed(export: &Value, body: Body) -> ReplayedTask {
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("task.json");
    std::fs::write(&file, export.to_string()).unwrap();
    let log = Log::default();
    let report = replay(&file).state(body).state(log.clone()).await;
    assert_eq!((log.count("attempt"), log.count("published"), log.count("ran")), (1, 0, 0), "a closure ran");
    report.tasks.into_iter().next().unwrap()
}

#[imperal::test]
async fn the_same_code_fits() {
    let (waits, succeeded) = exported().await;
    let task = replayed(&waits, production()).await;
    assert_eq!(task.problems, []);
    assert_eq!(task.end, ReplayEnd::At("the answer to an open question".to_owned()));
    let task = replayed(&succeeded, production()).await;
    assert_eq!((task.end, task.problems), (ReplayEnd::Returned, vec![]));
}

#[imperal::test]
async fn a_renamed_step_is_found() {
    let (waits, _) = exported().await;
    let renamed = body(async |ctx, log| {
        let _: Brief = ctx.step("brief", async |_| Err(Error::internal("it is stored"))).await?;
        ctx.step(("picture", 1), async |_| Ok(log.note("ran"))).await?;
        Ok(ActionResult::done("done"))
    });
    let task = replayed(&waits, renamed).await;
    assert_eq!(task.end, ReplayEnd::At("`picture/1`".to_owned()));
    let unasked = ["a day", "image/1", "publish"].map(str::to_owned).to_vec();
    assert_eq!(task.problems, [ReplayProblem::NotAskedFor(unasked)]);
}

#[imperal::test]
async fn a_value_or_an_input_that_does_not_fit_is_found() {
    let (waits, _) = exported().await;
    let changed = body(async |ctx, _| {
        let _: u32 = ctx.step("brief", async |_| Ok(7)).await?;
        Ok(ActionResult::done("done"))
    });
    let task = replayed(&waits, changed).await;
    let [ReplayProblem::Value(why)] = &task.problems[..] else { panic!("{task:?}") };
    assert!(why.starts_with("the stored value of the step `brief` does not fit"), "{why}");
    assert_eq!(task.end, ReplayEnd::Misfit);

    let folder = tempfile::tempdir().unwrap();
    let mut other = waits.clone();
    other["input"] = json!({ "value": { "number": "seven" } });
    std::fs::write(folder.path().join("input.json"), other.to_string()).unwrap();
    other["task_name"] = "renamed".into();
    std::fs::write(folder.path().join("name.json"), other.to_string()).unwrap();
    std::fs::write(folder.path().join("fits.json"), waits.to_string()).unwrap();
    let report = replay(folder.path()).state(production()).state(Log::default()).await;
    let problems: Vec<_> = report.tasks.iter().map(|task| &task.problems[..]).collect();
    assert!(matches!(problems[..], [[], [ReplayProblem::Input(_)], [ReplayProblem::UnknownTask]]), "{report}");
    let panic = std::panic::catch_unwind(|| report.assert_fits()).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("input.json (`scripted`): does not fit\n  the input does not fit: "), "{text}");
}

/// Of a task that succeeded, a step that is asked for and not stored is new, or was renamed.
#[imperal::test]
async fn a_new_step_of_a_task_that_succeeded_is_found() {
    let (_, succeeded) = exported().await;
    let longer = body(async |ctx, log| {
        let _: Brief = ctx.step("brief", async |_| Err(Error::internal("it is stored"))).await?;
        let _: String = ctx.step(("image", 1), async |_| Err(Error::internal("it is stored"))).await?;
        ctx.sleep("a day", DAY).await?;
        let _: bool = ctx.ask("publish", "Publish it?").await?;
        let _: u32 = ctx.step("upload", async |_| Ok(log.note("ran"))).await?;
        ctx.step("announce", async |_| Ok(log.note("ran"))).await?;
        Ok(ActionResult::done("done"))
    });
    let task = replayed(&succeeded, longer).await;
    assert_eq!(task.problems, [ReplayProblem::NotStored(vec!["announce".to_owned()])]);
}

#[imperal::test]
async fn a_request_or_a_message_ends_a_replay_before_it_is_made() {
    let (waits, _) = exported().await;
    let asks = body(async |ctx, _| {
        ctx.http().get("https://shop.example/stock?key=secret").send().await?;
        Ok(ActionResult::done("done"))
    });
    let task = replayed(&waits, asks).await;
    assert_eq!(task.end, ReplayEnd::At("the request GET shop.example/stock outside of a step".to_owned()));
    let says = body(async |ctx, _| {
        ctx.deliver_chat_message("another text").await?;
        Ok(ActionResult::done("done"))
    });
    let task = replayed(&waits, says).await;
    assert_eq!(task.end, ReplayEnd::At("a message that was not said before".to_owned()));
}

#[imperal::test]
async fn an_export_has_no_user_and_no_task_with_secrets_is_exported() {
    let (_platform, anna, _) = platform(production()).await;
    let task_id = start_task(&anna).await;
    let export = export(&anna, task_id).await;
    let mut names: Vec<_> = export.as_object().unwrap().keys().cloned().collect();
    names.sort();
    assert_eq!(names, ["app_id", "format", "input", "program", "root_task", "state", "steps", "task_id", "task_name"]);
    assert!(!export.to_string().contains("anna"), "{export}");
    let reply = anna.call("start_with_secret", json!({ "password": "sesame" })).await.unwrap();
    let tasks = anna.access().tasks_of_call(reply.call_id).await.unwrap();
    let refused = anna.access().export(tasks[0].task_id).await.unwrap_err();
    assert_eq!(*refused.code(), codes::NOT_EXPORTABLE, "{refused}");
    assert!(refused.message().contains("`start_with_secret` takes secret"), "{refused}");
}
