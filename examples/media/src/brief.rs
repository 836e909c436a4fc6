//! `create_media_brief`: a package with a prompt for each image. Costs nothing.

use imperal::prelude::*;

use crate::store::{Asset, Model, PACKAGES, Package, Shown, Status};

/// The view of each image: the featured one, then the inline ones.
const VIEWS: [&str; 7] = ["wide", "close", "aerial", "detailed", "early", "late", "inside"];

#[derive(Deserialize, JsonSchema)]
struct BriefParams {
    #[schemars(length(min = 1, max = 100))]
    site: String,
    /// The title of the article.
    #[schemars(length(min = 1, max = 200))]
    article_title: String,
    /// What the images show, in English.
    #[schemars(length(min = 1, max = 300))]
    subject: String,
    /// How the images look, in English.
    #[serde(default)]
    #[schemars(length(max = 300))]
    style_direction: String,
    /// A text in the featured image; without it the images have none.
    #[serde(default)]
    #[schemars(length(max = 100))]
    image_text: String,
    /// Images besides the featured one.
    #[serde(default = "two")]
    #[schemars(range(max = 6))]
    inline_count: usize,
    #[serde(default)]
    model: Model,
}

fn two() -> usize {
    2
}

/// Plan the images of an article: a package with a prompt for each image. Nothing is made or paid yet.
#[chat_function(action_type = "write", event = "media.brief_created", effects = ["create:package"])]
async fn create_media_brief(ctx: Context, params: BriefParams) -> Result<ActionResult<Shown>> {
    in_english("subject", &params.subject)?;
    in_english("style_direction", &params.style_direction)?;
    let package = Package {
        assets: VIEWS
            .iter()
            .take(params.inline_count + 1)
            .enumerate()
            .map(|(at, view)| asset(at, view, &params))
            .collect(),
        site: params.site,
        article_title: params.article_title,
        status: Status::Draft,
        created_at: jiff::Timestamp::now().to_string(),
    };
    let package_id = ctx.documents(&PACKAGES).create(&package).await?;
    let summary = format!("A package of {} images; none is made yet.", package.assets.len());
    Ok(ActionResult::success(Shown { package_id, generating: false, package }, summary))
}

fn asset(at: usize, view: &str, params: &BriefParams) -> Asset {
    let role = if at == 0 { "featured".to_owned() } else { format!("inline_{at}") };
    let text = match params.image_text.trim() {
        text if at == 0 && !text.is_empty() => format!("with the text \"{text}\""),
        _ => "without text".to_owned(),
    };
    let words = params.article_title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let slug = words.take(8).chain([role.as_str()]).collect::<Vec<_>>().join("-").to_lowercase();
    Asset {
        prompt: format!("{view} view of {}, {text}. {}", params.subject, params.style_direction).trim_end().to_owned(),
        alt_text: format!("{}, {view} view", params.article_title),
        file_name: slug,
        model: params.model,
        status: Status::Draft,
        picture: None,
        pixels: None,
        error: None,
        role,
    }
}

/// The service takes prompts in English only. This finds texts of another script.
pub(crate) fn in_english(field: &str, text: &str) -> Result<()> {
    if text.chars().any(|c| c.is_alphabetic() && c > '\u{24f}') {
        let message = format!("`{field}` must be in English: it becomes a part of the prompt.");
        return Err(Error::user(codes::VALIDATION_TYPE_ERROR, message).with_field(field));
    }
    Ok(())
}
