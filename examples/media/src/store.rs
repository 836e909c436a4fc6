//! The packages of a user as documents, and the key of the service as a secret.
//!
//! No package says that it is at work: the platform knows its running task, by the key of [`task_key`].

use imperal::documents::Collection;
use imperal::{Context, Error, FileRef, Result, Secret, SecretWriter, codes};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) const KEY: Secret =
    Secret::new("api_key", "Your key of the image service.").written_by(SecretWriter::Both).max_bytes(200);

pub(crate) const PACKAGES: Collection<Package> = Collection::new("packages")
    .index(["created_at"])
    .index(["site", "created_at"])
    .index(["status", "created_at"])
    .index(["site", "status", "created_at"]);

/// How far a package or an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Draft,
    Failed,
    Partial,
    Ready,
}

/// The style of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Model {
    #[default]
    Realism,
    Sketch,
}

/// One image of a package.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Asset {
    /// `featured`, or `inline_1` and so on.
    pub(crate) role: String,
    pub(crate) picture: Option<FileRef>,
    pub(crate) status: Status,
    /// Width and height, from the header of the picture.
    pub(crate) pixels: Option<(usize, usize)>,
    pub(crate) alt_text: String,
    pub(crate) prompt: String,
    pub(crate) model: Model,
    /// Without its ending.
    pub(crate) file_name: String,
    /// Why the latest try failed.
    pub(crate) error: Option<String>,
}

/// The images of one article.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Package {
    pub(crate) site: String,
    pub(crate) article_title: String,
    pub(crate) status: Status,
    pub(crate) assets: Vec<Asset>,
    /// UTC.
    pub(crate) created_at: String,
}

impl Package {
    pub(crate) fn count(&self, status: Status) -> usize {
        self.assets.iter().filter(|asset| asset.status == status).count()
    }

    /// How many images are ready, and the first failure.
    pub(crate) fn summary(&self) -> String {
        let failed = self.assets.iter().find_map(|asset| Some(format!(" {}: {}", asset.role, asset.error.as_ref()?)));
        let (ready, all) = (self.count(Status::Ready), self.assets.len());
        format!("{ready} of {all} images are ready.{}", failed.unwrap_or_default())
    }
}

/// A package with its id.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Shown {
    pub(crate) package_id: String,
    /// Whether its images are being made now.
    pub(crate) generating: bool,
    #[serde(flatten)]
    pub(crate) package: Package,
}

/// At most one task works on a package.
pub(crate) fn task_key(package_id: &str) -> String {
    format!("package {package_id}")
}

pub(crate) async fn package(ctx: &Context, package_id: &str) -> Result<Package> {
    let found = ctx.documents(&PACKAGES).get(package_id).await?;
    Ok(found.ok_or_else(|| Error::user(codes::NOT_FOUND, "There is no such package."))?.value)
}

/// Changes an asset, and with it the status of its package.
pub(crate) async fn change<F>(ctx: &Context, package_id: &str, role: &str, mut change: F) -> Result<()>
where
    F: FnMut(&mut Asset) + Send,
{
    let update = |package: &mut Package| {
        package.assets.iter_mut().filter(|asset| asset.role == role).for_each(&mut change);
        package.status = match (package.count(Status::Ready), package.count(Status::Failed)) {
            (ready, _) if ready == package.assets.len() => Status::Ready,
            (0, 0) => Status::Draft,
            (0, _) => Status::Failed,
            _ => Status::Partial,
        };
    };
    ctx.documents(&PACKAGES).update(package_id, update).await.map(drop)
}
