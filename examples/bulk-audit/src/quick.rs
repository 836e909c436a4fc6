//! `quick_check`: one domain, answered at once.

use imperal::prelude::*;

use crate::audit::{self, Audited};
use crate::check::{Check, DEFAULT, Status};
use crate::domain;
use crate::tools_api::ToolsApi;

/// What is looked at.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Preset {
    #[default]
    Full,
    Dns,
    Ssl,
    Http,
    Email,
    Blacklist,
    Geo,
    Ports,
}

impl Preset {
    fn single(self) -> Option<Check> {
        Some(match self {
            Self::Full => return None,
            Self::Dns => Check::Dns,
            Self::Ssl => Check::Ssl,
            Self::Http => Check::Http,
            Self::Email => Check::Email,
            Self::Blacklist => Check::Blacklist,
            Self::Geo => Check::Geo,
            Self::Ports => Check::Ports,
        })
    }
}

#[derive(Deserialize, JsonSchema)]
struct QuickParams {
    /// The domain.
    #[schemars(length(min = 1, max = 260))]
    domain: String,
    /// One check, or `full` for the five usual ones.
    #[serde(default)]
    preset: Preset,
}

/// Check one domain while the chat waits: one check, or the five usual ones at once.
#[chat_function(action_type = "read")]
async fn quick_check(ctx: Context, params: QuickParams) -> Result<ActionResult<Audited>> {
    let domain = domain::tidy(&params.domain);
    if !domain::is_domain(&domain) {
        let text = format!("`{}` is not the name of a domain.", params.domain);
        return Err(Error::user(codes::VALIDATION_TYPE_ERROR, text).with_field("domain"));
    }
    let Some(check) = params.preset.single() else {
        let audited = audit::one(&ctx, &domain, &DEFAULT).await?;
        let summary = match audited.issues() {
            0 => format!("{}: nothing to complain about.", audited.domain),
            n => format!("{}: {}.", audited.domain, audit::issues(n)),
        };
        return Ok(ActionResult::success(audited, summary));
    };
    let finding = ctx.state::<ToolsApi>()?.check(&ctx, check, &domain).await?;
    if finding.status == Status::Unknown {
        let text = format!("{} of {domain} could not be checked: {}", check.as_str(), finding.what);
        return Ok(ActionResult::error("CHECK_FAILED", text));
    }
    let summary = format!("{domain}, {}: {}.", check.as_str(), finding.what);
    Ok(ActionResult::success(Audited { domain, findings: vec![finding] }, summary))
}
