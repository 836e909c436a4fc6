//! The durable task that makes images, and the functions that start it.
//!
//! An image is two things: an effect, the paid job, which is never paid twice; and a step, which waits for the job and
//! stores the image with its package. After a crash the task goes on at the first image that is not stored.

use imperal::prelude::*;

use crate::brief::in_english;
use crate::image_api::ImageApi;
use crate::packages::PackageParams;
use crate::store::{self, Asset, KEY, Model, Shown, Status};

#[derive(Serialize, Deserialize)]
struct Job {
    package_id: String,
    /// The image to make again; `None` for all that are not ready.
    again: Option<AgainParams>,
}

/// Make the images of a package that are not ready. A crash or a deploy does not stop it.
#[chat_function(
    action_type = "write",
    event = "media.package_generated",
    effects = ["update:package"],
    data_model = Shown,
    background,
    long_running
)]
async fn generate_media_package(ctx: Context, params: PackageParams) -> Result<ActionResult> {
    let package = store::package(&ctx, &params.package_id).await?;
    let missing = package.assets.len() - package.count(Status::Ready);
    if missing == 0 {
        return Ok(ActionResult::done("All images of this package are ready."));
    }
    start(&ctx, Job { package_id: params.package_id, again: None }).await?;
    Ok(ActionResult::done(format!("Making {missing} images for “{}”.", package.article_title)))
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct AgainParams {
    /// The package.
    package_id: String,
    /// The image: `featured`, `inline_1` and so on.
    role: String,
    /// Another prompt, in English.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    prompt_override: Option<String>,
    /// Another model.
    #[serde(default)]
    model: Option<Model>,
}

/// Make one image of a package again, also one that is ready. The others stay as they are.
#[chat_function(
    action_type = "write",
    event = "media.asset_regenerated",
    effects = ["update:package"],
    data_model = Shown,
    background,
    long_running
)]
async fn regenerate_asset(ctx: Context, params: AgainParams) -> Result<ActionResult> {
    in_english("prompt_override", params.prompt_override.as_deref().unwrap_or_default())?;
    let package = store::package(&ctx, &params.package_id).await?;
    if !package.assets.iter().any(|asset| asset.role == params.role) {
        let roles: Vec<&str> = package.assets.iter().map(|asset| asset.role.as_str()).collect();
        let message = format!("This package has no image `{}`; it has {}.", params.role, roles.join(", "));
        return Err(Error::user(codes::NOT_FOUND, message).with_field("role"));
    }
    let text = format!("Making {} of “{}” again.", params.role, package.article_title);
    start(&ctx, Job { package_id: params.package_id.clone(), again: Some(params) }).await?;
    Ok(ActionResult::done(text))
}

async fn start(ctx: &Context, job: Job) -> Result<()> {
    // Without a key the user learns it at once.
    ctx.secret(&KEY).await?;
    let key = store::task_key(&job.package_id);
    ctx.durable_task(generate::with(job)).name("Images of an article").key(key).long_running(true).await?;
    Ok(())
}

#[durable_task]
async fn generate(ctx: TaskContext, job: Job) -> Result<ActionResult<Shown>> {
    let id = &job.package_id;
    let plan: Vec<Asset> = ctx.step("plan", async |ctx| plan(&ctx, &job).await).await?;
    let mut made = 0;
    for (done, asset) in plan.iter().enumerate() {
        ctx.progress(100 * done / plan.len(), format!("Generating {}", asset.role)).await?;
        match image(&ctx, id, asset).await {
            Ok(()) => made += 1,
            Err(error) if error.is_cancelled() => return Err(error),
            // One failed image does not stop the others.
            Err(error) => {
                let why = error.message();
                let failed = ctx.step(("failed", &asset.role), async |ctx| {
                    let note = |asset: &mut Asset| {
                        asset.error = Some(why.to_owned());
                        asset.status = if asset.picture.is_some() { Status::Ready } else { Status::Failed };
                    };
                    store::change(&ctx, id, &asset.role, note).await
                });
                failed.await?;
            }
        }
    }
    let package = store::package(&ctx, id).await?;
    let summary = package.summary();
    if made == 0 {
        return Err(Error::user("MEDIA_FAILED", summary));
    }
    Ok(ActionResult::success(Shown { package_id: id.clone(), generating: false, package }, summary))
}

/// The images to make, without the errors of earlier tries.
async fn plan(ctx: &Context, job: &Job) -> Result<Vec<Asset>> {
    let mut planned = store::package(ctx, &job.package_id).await?.assets;
    match &job.again {
        None => planned.retain(|asset| asset.status != Status::Ready),
        Some(again) => planned.retain(|asset| asset.role == again.role),
    }
    for asset in &mut planned {
        if let Some(again) = &job.again {
            asset.model = again.model.unwrap_or(asset.model);
            asset.prompt = again.prompt_override.clone().unwrap_or_else(|| asset.prompt.clone());
        }
        asset.status = if asset.picture.is_some() { Status::Ready } else { Status::Draft };
        asset.error = None;
        store::change(ctx, &job.package_id, &asset.role, |stored| stored.clone_from(asset)).await?;
    }
    Ok(planned)
}

/// Pays for one image, waits for it, and stores it.
async fn image(ctx: &TaskContext, package_id: &str, asset: &Asset) -> Result<()> {
    let key = ctx.secret(&KEY).await?;
    let key = key.expose();
    let job: String = ctx
        .effect(("job", &asset.role), async |ctx, _| {
            ctx.state::<ImageApi>()?.start(&ctx, key, &asset.prompt, asset.model).await
        })
        .look_up(async |ctx, effect| ctx.state::<ImageApi>()?.find(&ctx, key, effect.as_str()).await)
        .await?;
    ctx.step(("image", &asset.role), async |ctx| {
        let bytes = ctx.state::<ImageApi>()?.finished(&ctx, key, &job).await?;
        let no_image = |_| Error::user("NO_IMAGE", "The image service sent something that is not an image.");
        let size = imagesize::blob_size(&bytes).map_err(no_image)?;
        let format = format!("{:?}", imagesize::image_type(&bytes).map_err(no_image)?).to_lowercase();
        let file = ctx.files().put(format!("{}.{format}", asset.file_name), bytes).await?;
        let ready = |asset: &mut Asset| {
            asset.picture = Some(file.clone());
            asset.pixels = Some((size.width, size.height));
            asset.status = Status::Ready;
        };
        store::change(&ctx, package_id, &asset.role, ready).await?;
        // In the same transaction as the new one.
        if let Some(replaced) = &asset.picture {
            ctx.files().delete(replaced).await?;
        }
        Ok(())
    })
    .await
}
