//! `ctx.secret`, `ctx.set_secret` and their refusals, on the test kit.

use std::pin::Pin;
use std::sync::Arc;

use imperal::ledger::TaskState;
use imperal::prelude::*;
use imperal::testing::{TestPlatform, TestUser};
use imperal::{Secret, SecretWriter};
use serde_json::json;

imperal::extension! {
    app_id: "safe",
    name: "The safe",
    description: "Runs the work that a test gives it, with secrets to read.",
    icon: "icon.svg",
    capabilities: ["safe:write"],
    secrets: [API_KEY, TOKEN, SHARED],
}

pub(super) const API_KEY: Secret = Secret::new("api_key", "Key of the service.").max_bytes(20);
const TOKEN: Secret = Secret::new("token", "Token of the service.").written_by(SecretWriter::Both);
const SHARED: Secret = Secret::new("shared", "One key for all users.").of_app();
const UNLISTED: Secret = Secret::new("unlisted", "Not in `extension!`.");

pub(super) type Work = Arc<dyn Fn(Context) -> Pin<Box<dyn Future<Output = Result<ActionResult>> + Send>> + Send + Sync>;

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

/// Run the test's work in the handler.
#[chat_function(action_type = "write", event = "worked", effects = ["update:work"])]
async fn work(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    let work = ctx.state::<Work>()?.clone();
    work(ctx).await
}

/// Start the durable task.
#[chat_function(action_type = "write", event = "worked", effects = ["update:work"], background)]
async fn start(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    ctx.durable_task(sets_in_the_body::with(())).await?;
    Ok(ActionResult::done("Started."))
}

#[durable_task]
async fn sets_in_the_body(ctx: TaskContext, _input: ()) -> Result<ActionResult> {
    ctx.step("in a step", async |ctx| ctx.set_secret(&TOKEN, "set-in-a-step").await).await?;
    ctx.set_secret(&TOKEN, "set-outside-of-steps").await?;
    Ok(ActionResult::done("Set."))
}

async fn platform<F, Fut>(work: F) -> (TestPlatform, TestUser)
where
    F: Fn(Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<ActionResult>> + Send + 'static,
{
    let work: Work = Arc::new(move |ctx| Box::pin(work(ctx)));
    let platform = TestPlatform::setup().state(work).start().await;
    let anna = platform.user("anna");
    (platform, anna)
}

async fn answer(user: &TestUser) -> (Option<String>, String) {
    let result = user.call("work", json!({})).await.unwrap().result;
    (result.error_code.as_ref().map(ToString::to_string), result.text().to_owned())
}

fn refused(code: &str, text: &str) -> (Option<String>, String) {
    (Some(code.to_owned()), text.to_owned())
}

#[imperal::test]
async fn value_is_the_users_own() {
    let (platform, anna) = platform(async |ctx| {
        let (own, shared) = (ctx.secret(&API_KEY).await?, ctx.secret(&SHARED).await?);
        let digits = |value: &str| value.bytes().map(u32::from).sum::<u32>();
        Ok(ActionResult::done(format!("{own:?} {} {}", digits(own.expose()), digits(shared.expose()))))
    })
    .await;
    let ben = platform.user("ben");
    anna.secret(&API_KEY, "\u{1}").await;
    ben.secret(&API_KEY, "\u{2}").await;
    platform.secret(&SHARED, "\u{3}").await;
    assert_eq!(answer(&anna).await, (None, "[secret api_key] 1 3".to_owned()));
    assert_eq!(answer(&ben).await, (None, "[secret api_key] 2 3".to_owned()));
    let other = platform.user_of("another", "anna");
    assert_eq!(answer(&other).await.0.as_deref(), Some("SECRET_MISSING"));
}

#[imperal::test]
async fn missing_secret_says_where_to_enter_it() {
    let (_platform, anna) = platform(async |ctx| ctx.secret(&API_KEY).await.map(|_| ActionResult::done(""))).await;
    let text = "`safe` needs the secret `api_key`, which has no value. Enter it in the page's settings, under Secrets.";
    assert_eq!(answer(&anna).await, refused("SECRET_MISSING", text));
    anna.secret(&API_KEY, "entered").await;
    assert_eq!(answer(&anna).await.0, None);
    anna.remove_secret(&API_KEY).await;
    assert_eq!(answer(&anna).await, refused("SECRET_MISSING", text));
}

#[imperal::test]
async fn missing_secret_of_all_users_names_the_command_of_an_operator() {
    let (_platform, anna) = platform(async |ctx| ctx.secret(&SHARED).await.map(|_| ActionResult::done(""))).await;
    let text = "`safe` needs the secret `shared`, which has no value. An operator enters it, with \
                `secret set shared --app safe`.";
    assert_eq!(answer(&anna).await, refused("SECRET_MISSING", text));
}

#[imperal::test]
async fn unlisted_secret_is_a_fault_of_the_author() {
    let (_platform, anna) = platform(async |ctx| ctx.secret(&UNLISTED).await.map(|_| ActionResult::done(""))).await;
    assert_eq!(answer(&anna).await.0.as_deref(), Some("INTERNAL"));
}

#[imperal::test]
async fn extension_writes_what_it_may() {
    let (_platform, anna) = platform(async |ctx| {
        ctx.set_secret(&TOKEN, "first-token").await?;
        ctx.set_secret(&TOKEN, "second-token").await?;
        let read = ctx.secret(&TOKEN).await?;
        Ok(ActionResult::done(format!("{}", read.expose().len())))
    })
    .await;
    assert_eq!(answer(&anna).await, (None, "12".to_owned()));
    assert_eq!(anna.stored_secret(&TOKEN).await.as_deref(), Some("second-token"));
    let rows = anna.access().audit(0, 10).await.unwrap().rows;
    let seen: Vec<_> = rows.iter().map(|row| (row.body.actor.as_str(), row.body.action.as_str())).collect();
    assert_eq!(seen, [("extension:safe", "secret.set"); 2]);
}

#[imperal::test]
async fn extension_does_not_write_what_users_or_operators_enter() {
    for secret in [API_KEY, SHARED] {
        let (_platform, anna) = platform(move |ctx| async move {
            assert_eq!(ctx.remove_secret(&secret).await.unwrap_err().code(), "PERMISSION_DENIED");
            ctx.set_secret(&secret, "value").await.map(|()| ActionResult::done(""))
        })
        .await;
        assert_eq!(answer(&anna).await.0.as_deref(), Some("PERMISSION_DENIED"));
    }
}

#[imperal::test]
async fn empty_and_long_values_are_refused() {
    let (platform, anna) = platform(async |_| Ok(ActionResult::done(""))).await;
    let secrets = anna.access().secrets();
    for (value, why) in [
        ("", "is empty"),
        ("  \n", "is empty"),
        ("a value of 21 bytes..", "has 21 bytes, more than 20"),
        ("nul\0", "has a NUL"),
    ] {
        let error = secrets.set("safe", "api_key", value).await.unwrap_err();
        assert!(error.code() == "VALIDATION_TYPE_ERROR" && error.message().contains(why), "{error}");
    }
    secrets.set("safe", "api_key", "a value of 20 bytes.").await.unwrap();
    assert_eq!(anna.stored_secret(&API_KEY).await.as_deref(), Some("a value of 20 bytes."));
    drop(platform);
}

#[imperal::test]
async fn secret_is_set_in_steps_only() {
    let (_platform, anna) = platform(async |_| Ok(ActionResult::done(""))).await;
    let ended = anna.run("start", json!({})).await;
    assert_eq!(ended.task.state, TaskState::Failed);
    assert_eq!(anna.stored_secret(&TOKEN).await.as_deref(), Some("set-in-a-step"));
    assert_eq!(ended.code().unwrap(), "STEP_NEEDED");
}

#[imperal::test]
async fn task_that_work_starts_shares_what_was_read() {
    let (_platform, anna) = platform(async |ctx| {
        let key = ctx.secret(&API_KEY).await?.expose().to_owned();
        ctx.background_task(async move |_ctx: Context| Ok(ActionResult::done(format!("It is {key}.")))).await?;
        Ok(ActionResult::done("Started."))
    })
    .await;
    anna.secret(&API_KEY, "shared-by-a-task").await;
    let ended = anna.run("work", json!({})).await;
    assert_eq!(ended.code().unwrap(), "SECRET_EXPOSED");
}

#[imperal::test]
async fn error_of_one_user_is_not_searched_for_the_secrets_of_another() {
    let (platform, anna) = platform(async |ctx| {
        let _ = ctx.secret(&API_KEY).await;
        Err(Error::user("SAID", "the word is xylophone"))
    })
    .await;
    anna.secret(&API_KEY, "xylophone").await;
    assert_eq!(answer(&anna).await, refused("SAID", "the word is [secret api_key]"));
    assert_eq!(answer(&platform.user("ben")).await, refused("SAID", "the word is xylophone"));
}

#[imperal::test]
async fn ended_work_stores_nothing_more() {
    let kept: Arc<std::sync::Mutex<Option<Context>>> = Arc::default();
    let keep = kept.clone();
    let (_platform, anna) = platform(move |ctx| {
        *keep.lock().unwrap() = Some(ctx);
        async { Ok(ActionResult::done("")) }
    })
    .await;
    answer(&anna).await;
    let ctx = kept.lock().unwrap().take().unwrap();
    assert!(ctx.set_secret(&TOKEN, "too-late").await.unwrap_err().is_cancelled());
    assert_eq!(anna.stored_secret(&TOKEN).await, None);
}

/// A value that comes in pieces, as from a stream, is replaced as a whole; text around it stays.
#[imperal::test]
async fn draft_has_no_secret_in_it_even_if_it_comes_in_pieces() {
    let (_platform, anna) = platform(async |ctx| {
        let key = ctx.secret(&API_KEY).await?;
        let mut draft = ctx.draft()?;
        for part in ["before ", &key.expose()[..5], &key.expose()[5..8], &key.expose()[8..], " between "] {
            draft.push(part).await?;
        }
        for character in format!("{}{} after", key.expose(), key.expose()).chars() {
            draft.push(character.to_string()).await?;
        }
        Ok(ActionResult::done("written"))
    })
    .await;
    anna.secret(&API_KEY, "s3cr3t-välue-1").await;
    let reply = anna.call("work", json!({})).await.unwrap();
    let text = "before [secret api_key] between [secret api_key][secret api_key] after";
    assert_eq!(anna.drafts_of_call(reply.call_id), [text]);
}
