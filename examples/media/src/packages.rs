//! The key of the service, and the list of packages: connect, get, list, delete.

use imperal::prelude::*;

use crate::image_api::ImageApi;
use crate::store::{self, KEY, PACKAGES, Shown, Status};

#[derive(Deserialize, JsonSchema)]
struct ConnectParams {
    /// Your key of the image service.
    #[schemars(length(min = 8, max = 200), extend("format" = "password", "writeOnly" = true))]
    api_key: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Connected {
    connected: bool,
}

/// Connect the image service: try the key, and keep it when it works.
#[chat_function(action_type = "write", event = "media.connected", effects = ["update:key"])]
async fn connect_image_service(ctx: Context, params: ConnectParams) -> Result<ActionResult<Connected>> {
    let key = params.api_key.trim();
    // A question that costs nothing; the service refuses it if the key is wrong.
    ctx.state::<ImageApi>()?.find(&ctx, key, "").await?;
    ctx.set_secret(&KEY, key).await?;
    Ok(ActionResult::success(Connected { connected: true }, "The image service is connected."))
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct PackageParams {
    /// The id of a package.
    pub(crate) package_id: String,
}

/// Show a package with its images.
#[chat_function(action_type = "read", id_projection = "package_id")]
async fn get_media_package(ctx: Context, params: PackageParams) -> Result<ActionResult<Shown>> {
    let package = store::package(&ctx, &params.package_id).await?;
    let generating = ctx.running_task(store::task_key(&params.package_id)).await?.is_some();
    let summary = package.summary();
    Ok(ActionResult::success(Shown { package_id: params.package_id, generating, package }, summary))
}

#[derive(Deserialize, JsonSchema)]
struct ListParams {
    /// Only packages of this site.
    site: Option<String>,
    /// Only packages that are this far.
    status: Option<Status>,
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 200))]
    limit: u32,
}

fn twenty() -> u32 {
    20
}

/// Packages, the newest first.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Packages {
    packages: Vec<Row>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Row {
    package_id: String,
    site: String,
    article_title: String,
    status: Status,
    images: String,
}

/// List packages, the newest first.
#[chat_function(action_type = "read")]
async fn list_media_packages(ctx: Context, params: ListParams) -> Result<ActionResult<Packages>> {
    let mut found = ctx.documents(&PACKAGES).find().order_by("created_at").descending().limit(params.limit);
    if let Some(site) = params.site {
        found = found.eq("site", site);
    }
    if let Some(status) = params.status {
        found = found.eq("status", status);
    }
    let rows = found.await?.documents.into_iter().map(|row| Row {
        package_id: row.id,
        images: row.value.summary(),
        site: row.value.site,
        article_title: row.value.article_title,
        status: row.value.status,
    });
    let packages: Vec<Row> = rows.collect();
    let summary = format!("Packages: {}.", packages.len());
    Ok(ActionResult::success(Packages { packages }, summary))
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Deleted {
    images: usize,
}

/// Delete a package with its images. This cannot be undone.
#[chat_function(action_type = "destructive", event = "media.package_deleted", effects = ["delete:package"])]
async fn delete_media_package(ctx: Context, params: PackageParams) -> Result<ActionResult<Deleted>> {
    let package = store::package(&ctx, &params.package_id).await?;
    if ctx.running_task(store::task_key(&params.package_id)).await?.is_some() {
        return Ok(ActionResult::error("STILL_GENERATING", "Its images are being made. Cancel that first."));
    }
    let mut images = 0;
    for picture in package.assets.iter().filter_map(|asset| asset.picture.as_ref()) {
        images += usize::from(ctx.files().delete(picture).await?);
    }
    ctx.documents(&PACKAGES).delete(&params.package_id).await?;
    Ok(ActionResult::success(Deleted { images }, format!("The package and {images} images are gone.")))
}
