//! Every way to write a step of a durable task; `?` infers its error type.

#![deny(warnings)]

use imperal::context::StepRetry;
use imperal::prelude::*;

#[derive(Serialize, Deserialize)]
struct Job {
    package: String,
    roles: Vec<String>,
    note: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Brief {
    assets: Vec<Asset>,
}

#[derive(Serialize, Deserialize)]
struct Asset {
    role: String,
    size: u32,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Package {
    images: u32,
}

async fn load(ctx: &Context, package: &str) -> Result<Brief> {
    ctx.log().info(package);
    Ok(Brief { assets: Vec::new() })
}

async fn render(ctx: &Context, asset: &Asset) -> Result<u32> {
    ctx.progress(1, &asset.role).await?;
    Ok(asset.size)
}

async fn render_owned(_ctx: Context) -> Result<u32> {
    Ok(1)
}

/// Generates every image of a package.
#[durable_task]
async fn generate(ctx: TaskContext, job: Job) -> Result<ActionResult<Package>> {
    // Borrows the input and the variables of loops; the closure has a context of its own.
    let brief: Brief = ctx.step("brief", async |ctx| load(&ctx, &job.package).await).await?;
    let mut images = 0;
    for (at, asset) in brief.assets.iter().enumerate() {
        ctx.progress(100 * at / brief.assets.len(), format!("Generating {}", asset.role)).await?;
        images += ctx.step(("image", &asset.role), async |ctx| render(&ctx, asset).await).await?;
        images += ctx.step(("image", at, &asset.role), |ctx| async move { render(&ctx, asset).await }).await?;
        images += ctx.step((&job.package, "image", at, 'x'), async |ctx| render(&ctx, &brief.assets[at]).await).await?;
    }
    for role in &job.roles {
        images += ctx.step(role, async |_| Ok(role.len() as u32)).await?;
        images += ctx.step(format!("again {role}"), async |_| Ok(role.parse::<u32>()?)).await?;
    }

    // `?` of other errors, values of the standard library, and no value.
    let parsed = ctx
        .step("parse", async |_| {
            let number: u32 = job.package.parse()?;
            let text = std::fs::read_to_string("size")?;
            Ok(number + text.trim().parse::<u32>()?)
        })
        .await?;
    let (left, right): (u32, Option<String>) = ctx.step("pair", async |_| Ok((parsed, None))).await?;
    ctx.step("unit", async |ctx| ctx.progress(2, "Halfway").await).await?;
    ctx.step("nothing", async |_| Ok(())).await?;
    images += left + right.map_or(0, |text| text.len() as u32);

    // A context that is moved, a fn, and values that are moved.
    images += ctx.step("moved context", async move |ctx| render_owned(ctx).await).await?;
    images += ctx.step("fn", render_owned).await?;
    let note = job.note;
    ctx.step("moved", async move |ctx: Context| {
        ctx.log().info(note.unwrap_or_default());
        Ok(())
    })
    .await?;

    // Retries: the closure runs several times.
    let mut tries = 0;
    let retry = StepRetry::backoff(5).first_wait(Duration::from_millis(10)).longest_wait(Duration::from_secs(5));
    for asset in &brief.assets {
        images += ctx.retrying(retry).step(("again", &asset.role), async |ctx| render(&ctx, asset).await).await?;
    }
    images += ctx
        .retrying(retry)
        .step("counted", |ctx| {
            tries += 1;
            async move {
                ctx.log().info("trying");
                Ok(tries)
            }
        })
        .await?;

    // Two at once.
    let (first, second) = tokio::join!(
        ctx.step("first", async |ctx| load(&ctx, &job.package).await).into_future(),
        ctx.step("second", async |ctx| load(&ctx, &job.package).await).into_future(),
    );
    images += (first?.assets.len() + second?.assets.len()) as u32;

    // One after the failure of another.
    if let Err(error) =
        ctx.step("may fail", async |_| Err::<(), _>(Error::user("NO_CREDIT", "No credit is left."))).await
    {
        ctx.log().info(&error);
    }

    let plain: Context = ctx.clone();
    helper(&ctx).await?;
    helper(&plain).await?;
    Ok(ActionResult::success(Package { images }, "Your images are ready."))
}

async fn helper(ctx: &Context) -> Result<()> {
    ctx.progress(99, "Nearly there").await
}

#[derive(Deserialize, JsonSchema)]
struct Params {
    package: String,
}

/// Starts the work on a package for the user.
#[chat_function(action_type = "write", event = "generated", effects = ["update:package"], data_model = Package, background)]
async fn start(ctx: Context, params: Params) -> Result<ActionResult> {
    let key = format!("package {}", params.package);
    let job = Job { package: params.package, roles: Vec::new(), note: None };
    let _id = ctx.durable_task(generate::with(job)).name("Package").key(key).long_running(true).await?;
    Ok(ActionResult::done("Generating the images…"))
}

fn main() {
    fn is_send<T: Send>(_: T) {}
    let _ = |ctx: TaskContext, job: Job| is_send(generate(ctx, job));
}
