//! Groups: named lists of domains, audited together and compared with the last audit.

use imperal::context::MsgType;
use imperal::prelude::*;
use jiff::Timestamp;

use crate::audit::{audited, chosen, domains_of};
use crate::check::{Check, Status};
use crate::domain::{self, Domains};
use crate::store::{GROUPS, Group};
use crate::summary::Audit;

/// Groups that a user may have.
const MOST: u32 = 50;

/// A group in one line.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct GroupLine {
    /// Its name.
    name: String,
    /// Its domains.
    domains: Vec<String>,
    /// How its latest audit looks; absent before the first.
    status: Option<Status>,
    /// When that was, UTC.
    audited_at: Option<String>,
}

impl GroupLine {
    fn of(name: &str, group: &Group) -> Self {
        let latest = group.latest.as_ref();
        Self {
            name: name.to_owned(),
            domains: group.domains.clone(),
            status: latest.and_then(|audit| audit.domains.iter().map(|row| row.status).max()),
            audited_at: latest.map(|audit| audit.at.clone()),
        }
    }
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Groups {
    /// By name.
    groups: Vec<GroupLine>,
}

#[derive(Deserialize, JsonSchema)]
struct NoParams {}

/// List the groups of domains with how their latest audit looks.
#[chat_function(action_type = "read")]
async fn list_domain_groups(ctx: Context, _params: NoParams) -> Result<ActionResult<Groups>> {
    let found = ctx.documents(&GROUPS).find().limit(MOST).await?;
    let mut groups: Vec<GroupLine> = found.documents.iter().map(|group| GroupLine::of(&group.id, group)).collect();
    groups.sort_by(|a, b| a.name.cmp(&b.name));
    let summary = match groups.len() {
        0 => "There are no groups yet. `save_domain_group` makes one.".to_owned(),
        1 => "One group.".to_owned(),
        n => format!("{n} groups."),
    };
    Ok(ActionResult::success(Groups { groups }, summary))
}

#[derive(Deserialize, JsonSchema)]
struct SaveParams {
    /// The group's name.
    #[schemars(length(min = 1, max = 80))]
    name: String,
    /// Its domains, at most 25: one text with commas, spaces or line ends between them, or a list.
    domains: Domains,
}

/// Save a group of domains under a name; one that has the name gets these domains.
#[chat_function(action_type = "write", event = "bulk-audit.group_saved", effects = ["update:group"])]
async fn save_domain_group(ctx: Context, params: SaveParams) -> Result<ActionResult<GroupLine>> {
    let domains = params.domains.each_once()?;
    if let Some(wrong) = domains.iter().find(|name| !domain::is_domain(name)) {
        let text = format!("`{wrong}` is not the name of a domain.");
        return Err(Error::user(codes::VALIDATION_TYPE_ERROR, text).with_field("domains"));
    }
    let name = params.name.trim();
    if name.is_empty() {
        return Err(Error::user(codes::VALIDATION_TYPE_ERROR, "A group needs a name.").with_field("name"));
    }
    let groups = ctx.documents(&GROUPS);
    if groups.get(name).await?.is_none() && groups.find().count().await? >= u64::from(MOST) {
        let text = format!("There are {MOST} groups already. Delete one first.");
        return Ok(ActionResult::error("TOO_MANY_GROUPS", text));
    }
    let saved = groups.update_or_default(name, |group| group.domains.clone_from(&domains)).await?;
    let line = GroupLine::of(name, &saved);
    let summary = format!("`{name}` has {}.", domains_of(line.domains.len()));
    Ok(ActionResult::success(line, summary))
}

#[derive(Deserialize, JsonSchema)]
struct GroupParams {
    /// The group's name.
    name: String,
}

/// The deleted group.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Deleted {
    /// The group.
    name: String,
    /// Audits that went with it.
    audits: usize,
}

/// Delete a group of domains and its audit.
#[chat_function(action_type = "destructive", event = "bulk-audit.group_deleted", effects = ["delete:group"], id_projection = "name")]
async fn delete_domain_group(ctx: Context, params: GroupParams) -> Result<ActionResult<Deleted>> {
    let name = params.name.trim().to_owned();
    let groups = ctx.documents(&GROUPS);
    Ok(match groups.get(&name).await? {
        Some(group) => {
            groups.delete(&name).await?;
            let audits = usize::from(group.latest.is_some());
            let summary = format!("`{name}` is deleted{}.", if audits > 0 { ", and its audit with it" } else { "" });
            ActionResult::success(Deleted { name, audits }, summary)
        }
        None => no_such_group(&name),
    })
}

fn no_such_group<T>(name: &str) -> ActionResult<T> {
    ActionResult::error(codes::NOT_FOUND, format!("There is no group `{name}`."))
}

#[derive(Deserialize, JsonSchema)]
struct AuditGroupParams {
    /// The group's name.
    name: String,
    /// What to look at; dns, ssl, http, email and blacklist when this is empty.
    #[serde(default)]
    #[schemars(length(max = 11))]
    checks: Vec<Check>,
}

/// Audit a group of domains in the background. When a domain turned critical since the last audit
/// of the group, a message in the chat says so.
#[chat_function(
    action_type = "write",
    event = "bulk-audit.audited",
    effects = ["update:audit"],
    id_projection = "name",
    data_model = Audit,
    background,
    long_running
)]
async fn audit_domain_group(ctx: Context, params: AuditGroupParams) -> Result<ActionResult> {
    let name = params.name.trim().to_owned();
    let Some(group) = ctx.documents(&GROUPS).get(&name).await? else {
        return Ok(no_such_group(&name));
    };
    let domains = group.value.domains;
    let checks = chosen(params.checks);
    let count = domains.len();
    let (title, key) = (format!("Audit of `{name}`"), format!("group {name}"));
    let ack = format!("Auditing `{name}`, {}. The table comes here.", domains_of(count));
    ctx.background_task(move |ctx| async move {
        let audit = Audit::of(audited(&ctx, &domains, &checks).await?, Timestamp::now());
        let mut turned: Vec<String> = Vec::new();
        let groups = ctx.documents(&GROUPS);
        let kept = groups.update(&name, |group| {
            let critical = audit.newly_critical(group.latest.as_ref());
            turned = critical.into_iter().map(str::to_owned).collect();
            group.latest = Some(audit.clone());
        });
        match kept.await {
            // The group was deleted during its audit.
            Err(error) if *error.code() == codes::NOT_FOUND => {}
            kept => drop(kept?),
        }
        if !turned.is_empty() {
            let text = format!("Critical since the last audit of `{name}`: {}.", turned.join(", "));
            ctx.deliver_chat_message(text).msg_type(MsgType::System).await?;
        }
        let summary = format!("`{name}`: {}", audit.headline());
        Ok(ActionResult::success(audit, summary).refresh_panels(["bulk-audit"]))
    })
    .name(title)
    .key(key)
    .long_running(true)
    .await?;
    Ok(ActionResult::done(ack))
}
