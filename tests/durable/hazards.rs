//! Faults in a durable body that an interruption would show: the kit fails the test that has one.

use imperal::ledger::TaskState;
use imperal::testing::Reply;

use super::*;

const JOBS: &str = "https://api.example/v1/jobs?token=secret";

/// Runs a body to its success, and returns the faults that were found.
async fn warnings_of(body: Body) -> Vec<String> {
    let (platform, anna, _) = platform(body).await;
    platform.http().any("https://api.example/*").reply(Reply::status(204));
    let task_id = start_task(&anna).await;
    anna.outcome(task_id).await.assert_state(TaskState::Succeeded);
    platform.take_warnings()
}

#[imperal::test]
async fn a_request_outside_of_a_step_names_the_step_to_use() {
    let posts = body(async |ctx, _| {
        ctx.http().post(JOBS).send().await?;
        ctx.http().delete(JOBS).send().await?;
        Ok(ActionResult::done("done"))
    });
    let warnings = warnings_of(posts).await;
    assert_eq!(warnings.len(), 2, "{warnings:#?}");
    for (warning, method) in warnings.iter().zip(["POST", "DELETE"]) {
        assert!(warning.starts_with(&format!("{method} api.example/v1/jobs was sent outside of a step")), "{warning}");
        assert!(warning.contains("tests/durable/hazards.rs:") && warning.contains(r#"ctx.step("jobs""#), "{warning}");
        assert!(!warning.contains("secret"), "{warning}");
    }
}

#[imperal::test]
async fn reads_keys_steps_effects_and_cleanups_are_no_fault() {
    let sends = body(async |ctx, _| {
        ctx.http().get(JOBS).send().await?;
        ctx.http().head(JOBS).send().await?;
        ctx.http().post(JOBS).idempotency_key("job 7").send().await?;
        ctx.step("job", async |ctx| Ok(ctx.http().post(JOBS).send().await.map(drop)?)).await?;
        ctx.effect("pay", async |ctx, _| Ok(ctx.http().post(JOBS).send().await.map(drop)?)).await?;
        ctx.fan_out_steps("item", [1, 2], async |ctx, _| Ok(ctx.http().post(JOBS).send().await.map(drop)?)).await?;
        let polled: Result<()> = ctx
            .poll(async || Err(Error::internal("gone".to_owned())))
            .on_cancel(async |ctx| Ok(ctx.http().delete(JOBS).send().await.map(drop)?))
            .await;
        assert!(polled.is_err());
        ctx.background_task(async |ctx| {
            ctx.http().post(JOBS).send().await?;
            Ok(ActionResult::done("child"))
        })
        .key("child")
        .await?;
        Ok(ActionResult::done("done"))
    });
    assert_eq!(warnings_of(sends).await, Vec::<String>::new());
}

#[imperal::test]
async fn a_start_without_a_key_is_refused_and_fails_the_test() {
    let starts = body(async |ctx, _| {
        let refused = ctx.background_task(async |_| Ok(ActionResult::done("child"))).await;
        assert!(refused.unwrap_err().to_string().contains("needs a `.key(..)`"));
        let refused = ctx.durable_task(scripted::with(Job { number: 1 })).await;
        assert!(refused.unwrap_err().to_string().contains("needs a `.key(..)`"));
        Ok(ActionResult::done("done"))
    });
    let warnings = warnings_of(starts).await;
    assert_eq!(warnings.len(), 2, "{warnings:#?}");
    for warning in warnings {
        assert!(warning.contains("outside of a step and without a key (tests/durable/hazards.rs:"), "{warning}");
        assert!(warning.contains("`.key(..)`") && warning.contains("ctx.step("), "{warning}");
    }
}

/// Says in each attempt what this returns for the attempt's number, and is resumed once in between.
fn says(text: impl Fn(u32) -> String + Clone + Send + Sync + 'static, name: Option<&'static str>) -> Body {
    body(move |ctx, log| {
        let text = text(log.note("says"));
        async move {
            let message = ctx.deliver_chat_message(text);
            match name {
                Some(name) => message.name(name).await?,
                None => message.await?,
            };
            ctx.sleep("wait", Duration::from_secs(60)).await?;
            Ok(ActionResult::done("done"))
        }
    })
}

#[imperal::test]
async fn a_text_that_differs_between_attempts_is_told_with_both_texts() {
    let at = |attempt: u32| format!("Begun at 12:0{attempt}, {attempt} pages.");
    let warnings = warnings_of(says(at, None)).await;
    let [warning] = &warnings[..] else { panic!("{warnings:#?}") };
    assert!(warning.contains("Begun at 12:01, 1 pages.") && warning.contains("Begun at 12:02, 2 pages."), "{warning}");
    assert!(warning.contains(r#"`.name("..")`"#), "{warning}");
    assert_eq!(warnings_of(says(at, Some("begun"))).await, Vec::<String>::new());
}

#[imperal::test]
async fn the_same_text_and_another_message_are_no_fault() {
    assert_eq!(warnings_of(says(|_| "Begun.".to_owned(), None)).await, Vec::<String>::new());
    let other = |attempt| if attempt == 1 { "A reminder: please answer." } else { "Published." }.to_owned();
    assert_eq!(warnings_of(says(other, None)).await, Vec::<String>::new());
}

#[derive(Serialize, Deserialize)]
struct Render {
    page: String,
    files: Vec<String>,
}

#[imperal::test]
async fn a_path_of_a_local_file_in_a_value_is_told_with_its_field() {
    let renders = body(async |ctx, _| {
        let page = "https://a.example/tmp/page".to_owned();
        let files = vec!["/v1/images".to_owned(), std::env::temp_dir().join("secret-plan.png").display().to_string()];
        ctx.step("render", async |_| Ok(Render { page, files })).await?;
        ctx.step(("own", 1), async |_| Ok(format!("file://{}/Cargo.toml", env!("CARGO_MANIFEST_DIR")))).await?;
        ctx.effect("print", async |_, _| Ok(std::env::temp_dir().join("print.pdf"))).await?;
        Ok(ActionResult::done("done"))
    });
    let warnings = warnings_of(renders).await;
    let told = [
        "the stored value of `render` has the path of a local file at /files/1, and",
        "the stored value of `own/1` has the path of a local file, and",
        "the stored value of `print` has the path of a local file, and",
    ];
    assert_eq!(warnings.len(), told.len(), "{warnings:#?}");
    for (warning, told) in warnings.iter().zip(told) {
        assert!(warning.starts_with(told) && !warning.contains("secret-plan"), "{warning}");
    }
}

/// Without `take_warnings` the end of the platform is the panic of the test.
#[test]
fn the_drop_of_a_platform_fails_its_test() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        runtime.block_on(async {
            let posts = body(async |ctx, _| {
                ctx.http().post(JOBS).send().await?;
                Ok(ActionResult::done("done"))
            });
            let (platform, anna, _) = platform(posts).await;
            platform.http().post("/v1/jobs").reply(Reply::status(204));
            anna.run("start", json!({})).await;
        });
    }));
    let message = *failed.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("was sent outside of a step"), "{message}");
}
