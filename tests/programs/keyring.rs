//! An extension with secrets, which uses them in every place where a value could stay: for the suite `secrets`.

#![allow(deprecated, reason = "the results of test functions need no data_model")]

use std::process::ExitCode;

use imperal::documents::Collection;
use imperal::prelude::*;
use imperal::{Secret, SecretWriter};

imperal::extension! {
    app_id: "keyring",
    name: "Keyring",
    description: "Uses secrets in every place where one could stay behind.",
    icon: "icon.svg",
    capabilities: ["keyring:write"],
    secrets: [API_KEY, TOKEN, SHARED_KEY],
}

const API_KEY: Secret = Secret::new("api_key", "Key of the service.").required().max_bytes(200).rotate_after_days(30);
const TOKEN: Secret = Secret::new("token", "Token of the service.").written_by(SecretWriter::Extension);
const SHARED_KEY: Secret =
    Secret::new("shared_key", "One key for all users.").of_app().env_fallback("IMPERAL_APPSECRET_KEYRING");

const NOTES: Collection<Vec<String>> = Collection::new("notes");

#[derive(Deserialize, Serialize, JsonSchema)]
struct Url {
    /// Where to.
    url: String,
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Deserialize, JsonSchema)]
struct Place {
    /// Where to put the value.
    place: String,
}

#[derive(Deserialize, JsonSchema)]
struct Entered {
    /// The value.
    #[schemars(extend("writeOnly" = true))]
    value: String,
}

/// Requests that have the key in the path, the query, a header and the user's part.
async fn ask(ctx: &Context, url: &str) -> Result<()> {
    let key = ctx.secret(&API_KEY).await?;
    let mut address = reqwest::Url::parse(url)?;
    address.path_segments_mut().map_err(|()| Error::internal("no path"))?.push("v1").push(key.expose());
    address.query_pairs_mut().append_pair("key", key.expose());
    ctx.http().get(address.as_str()).bearer_auth(key.expose()).send().await?;
    let mut as_user = reqwest::Url::parse(url)?;
    as_user
        .set_username("keyring")
        .and_then(|()| as_user.set_password(Some(key.expose())))
        .map_err(|()| Error::internal("no host"))?;
    ctx.http().get(as_user.as_str()).send().await?;
    ctx.log().warn(format_args!("asked {address} with {key:?}"));
    tracing::warn!(%address, key = key.expose(), "the author's own line");
    let text = format!("At {address}");
    ctx.progress(50, text).await
}

/// Use the key in a step of a durable task, and end with an error that has it.
#[chat_function(action_type = "write", event = "used", effects = ["update:keyring"], background)]
async fn use_everywhere(ctx: Context, params: Url) -> Result<ActionResult> {
    let key = ctx.secret(&API_KEY).await?;
    ctx.log().error(format_args!("the handler has {}", key.expose()));
    ctx.durable_task(use_in_steps::with(params)).await?;
    Ok(ActionResult::done("Using it."))
}

#[durable_task]
async fn use_in_steps(ctx: TaskContext, params: Url) -> Result<ActionResult> {
    ctx.step("ask", async |ctx| ask(&ctx, &params.url).await).await?;
    let key = ctx.secret(&API_KEY).await?;
    ctx.progress(90, format!("The key is {}", key.expose())).await?;
    Err(Error::user("REFUSED_KEY", format!("the service refuses {}", key.expose()))
        .with_source(format!("GET /v1/{}: 403", key.expose())))
}

/// Panic with the key in the text.
#[chat_function(action_type = "write", event = "used", effects = ["update:keyring"])]
async fn panic_with_it(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    let key = ctx.secret(&API_KEY).await?;
    panic!("the key {} is bad", key.expose());
}

/// Put the key where others would read it back.
#[chat_function(action_type = "write", event = "used", effects = ["update:keyring"], background)]
async fn put_into(ctx: Context, params: Place) -> Result<ActionResult> {
    let key = ctx.secret(&API_KEY).await?.expose().to_owned();
    match &*params.place {
        "result" => return Ok(ActionResult::done(format!("The key is {key}."))),
        "message" => {
            ctx.deliver_chat_message(format!("The key is {key}.")).await?;
        }
        "document" => ctx.documents(&NOTES).put("one", &vec!["a".to_owned(), key]).await?,
        "document id" => ctx.documents(&NOTES).put(&key, &Vec::new()).await?,
        "task name" => drop(ctx.background_task(|_| async { Ok(ActionResult::done("Done.")) }).name(key).await?),
        "input" => drop(ctx.durable_task(keep_value::with(key)).await?),
        _ => drop(ctx.durable_task(keep_key::with(params.place)).await?),
    }
    Ok(ActionResult::done("Done."))
}

#[durable_task]
async fn keep_value(_ctx: TaskContext, value: String) -> Result<ActionResult> {
    Ok(ActionResult::done(format!("{} bytes", value.len())))
}

#[durable_task]
async fn keep_key(ctx: TaskContext, place: String) -> Result<ActionResult> {
    let key = ctx.secret(&API_KEY).await?.expose().to_owned();
    match &*place {
        "step" => drop(ctx.step("keep", async |_| Ok(key.clone())).await?),
        "document of a step" => {
            ctx.step("keep", async |ctx| ctx.documents(&NOTES).put("two", &vec![key.clone()]).await).await?;
        }
        "step name" => ctx.step(key, async |_| Ok(())).await?,
        "effect" => drop(
            ctx.effect("keep", move |_, _| {
                let key = key.clone();
                async move { Ok(key) }
            })
            .repeat_safe()
            .await?,
        ),
        _ => drop(ctx.ask::<bool>("sure", format!("Is {key} right?")).await?),
    }
    Ok(ActionResult::done("Kept."))
}

/// Store a token, and use it.
#[chat_function(action_type = "write", event = "used", effects = ["update:keyring"])]
async fn connect(ctx: Context, params: Entered) -> Result<ActionResult> {
    ctx.set_secret(&TOKEN, params.value.as_str()).await?;
    ctx.log().warn(format_args!("connected with {}", params.value));
    let read = ctx.secret(&TOKEN).await?;
    Ok(ActionResult::done(format!("{} bytes", read.expose().len())))
}

/// How long the shared key is.
#[chat_function(action_type = "write", event = "used", effects = ["update:keyring"])]
async fn look_at_shared(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    let key = ctx.secret(&SHARED_KEY).await?;
    Ok(ActionResult::done(format!("{} bytes", key.expose().len())))
}

fn main() -> ExitCode {
    imperal::run()
}
