//! `ops`: what operators see and change: open tasks of all users, paused durable tasks, queues. Jobs and schedules are
//! `ops_schedules`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::client::{Client, Needs};
use super::exit::{CliError, Exit};
use super::operator_args::{OpsAction, OpsArgs};
use super::out::{self, OutputStyle, Paint, count};
use super::table::{Cell, Table};
use super::task_view::paint_of;
use super::{durable_words, ops_schedules, program_name, task_id, when};
use crate::app::App;
use crate::function::Registry;
use crate::ids::TaskId;
use crate::ledger::PausedTask;
use crate::platform::{Operated, OperatedTask, OperatorPage, OperatorTask, QueueState};

/// Tasks that one request changes.
const BATCH: usize = 100;
/// Users that are listed before tasks are changed.
const USERS: usize = 20;

#[derive(Deserialize)]
struct Changed {
    changed: bool,
}

#[derive(Deserialize)]
struct PausedList {
    paused: Vec<PausedTask>,
}

#[derive(Deserialize)]
struct QueueList {
    queues: Vec<QueueState>,
}

#[derive(Deserialize)]
struct OperatedList {
    tasks: Vec<OperatedTask>,
}

/// `ops`.
pub(super) async fn ops(app: App, registry: Registry, args: OpsArgs) -> Result<Exit, CliError> {
    let known: Vec<(&str, &str)> = registry
        .extensions()
        .flat_map(|extension| extension.durable_tasks().iter().map(|task| (extension.app_id(), task.name)))
        .collect();
    let client = Client::connect(app, registry, &args.connect, Needs::Ledger).await?;
    let done = run(&client, &args, &known).await;
    client.close().await;
    done
}

async fn run(client: &Client, args: &OpsArgs, known: &[(&str, &str)]) -> Result<Exit, CliError> {
    match args.action {
        OpsAction::Tasks => show_tasks(client, args).await,
        OpsAction::Cancel | OpsAction::Retry => change_tasks(client, args).await,
        OpsAction::Pause | OpsAction::Resume => pause(client, args, known).await,
        OpsAction::Paused => show_paused(client, args).await,
        OpsAction::Queues => show_queues(client, args).await,
        OpsAction::Jobs => ops_schedules::show_jobs(client, args).await,
        OpsAction::Schedules => ops_schedules::show_schedules(client, args).await,
        OpsAction::PauseSchedules => ops_schedules::pause(client, args, true).await,
        OpsAction::ResumeSchedules => ops_schedules::pause(client, args, false).await,
    }
}

/// The query of a filter.
#[derive(Serialize)]
struct Filter<'a> {
    app: Option<&'a str>,
    function: Option<&'a str>,
    task: Option<&'a str>,
    state: Option<&'a str>,
    waits_for: Option<&'a str>,
    queue: Option<&'a str>,
    tenant: Option<&'a str>,
    user: Option<&'a str>,
    suspect: Option<bool>,
    after: Option<&'a str>,
}

impl<'a> Filter<'a> {
    fn of(args: &'a OpsArgs) -> Self {
        let (tenant, user) = match (args.tenant.as_deref(), args.user.as_deref()) {
            (None, Some(user)) => match user.split_once('/') {
                Some((tenant, user)) => (Some(tenant), Some(user)),
                None => (None, Some(user)),
            },
            both => both,
        };
        Self {
            app: args.app.as_deref(),
            function: args.function.as_deref(),
            task: args.name.as_deref(),
            state: args.state.as_deref(),
            waits_for: args.waits_for.as_deref(),
            queue: args.queue.as_deref(),
            tenant,
            user,
            suspect: args.suspect.then_some(true),
            after: None,
        }
    }

    /// As the query of a request.
    fn query(&self) -> Result<String, CliError> {
        let parts = match serde_json::to_value(self)? {
            Value::Object(parts) => parts,
            _ => Map::new(),
        };
        let pairs = parts.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!("{name}={}", utf8_percent_encode(&text, NON_ALPHANUMERIC))
        });
        Ok(pairs.collect::<Vec<_>>().join("&"))
    }

    fn is_empty(&self) -> bool {
        let texts =
            [self.app, self.function, self.task, self.state, self.waits_for, self.queue, self.tenant, self.user];
        texts.iter().all(Option::is_none) && self.suspect.is_none()
    }
}

/// The open tasks that match, up to a number, and whether there may be more.
async fn read_tasks(client: &Client, args: &OpsArgs, most: usize) -> Result<(Vec<OperatorTask>, bool), CliError> {
    let (mut tasks, mut after) = (Vec::new(), None::<String>);
    loop {
        let filter = Filter { after: after.as_deref(), ..Filter::of(args) };
        let page: OperatorPage = client.get(&format!("/v1/operator/tasks?{}", filter.query()?)).await?;
        tasks.extend(page.tasks);
        if tasks.len() >= most {
            let is_cut = tasks.len() > most || page.next.is_some();
            tasks.truncate(most);
            return Ok((tasks, is_cut));
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok((tasks, false)),
        }
    }
}

async fn show_tasks(client: &Client, args: &OpsArgs) -> Result<Exit, CliError> {
    let (tasks, is_cut) = read_tasks(client, args, args.limit as usize).await?;
    if args.connect.json {
        tasks.iter().for_each(out::print_json);
        return Ok(Exit::Success);
    }
    if tasks.is_empty() {
        out::print_line("No open task matches.");
        return Ok(Exit::Success);
    }
    let style = OutputStyle::of_stdout();
    table(&tasks, Timestamp::now(), style).lines(style).iter().for_each(|line| out::print_line(line));
    if is_cut {
        out::print_note("there are more: use -n, or a filter");
    }
    Ok(Exit::Success)
}

fn table(tasks: &[OperatorTask], now: Timestamp, style: OutputStyle) -> Table {
    let started = if style.terminal { "STARTED" } else { "STARTED (UTC)" };
    let heads = ["TASK", "STATE", "USER", "NODE", "ATTEMPT", "CRASHES", started, "DURABLE TASK", "NAME"];
    let mut table = Table::new(&heads).spare(&["CRASHES", "ATTEMPT", "STARTED", "NODE"]);
    for OperatorTask { tenant_id, user_id, node, task_name, crashes, task, .. } in tasks {
        let id = if style.terminal { task_id::short_id(task.task_id) } else { task.task_id.to_string() };
        table.add_row([
            Cell::painted(id, Paint::Dim),
            Cell::painted(durable_words::state(task, now, style), paint_of(task.state)),
            Cell::plain(format!("{tenant_id}/{user_id}")),
            Cell::plain(if task.state.is_held() { node.as_str() } else { "" }),
            Cell::plain(task.attempt.to_string()),
            Cell::plain(if *crashes == 0 { String::new() } else { crashes.to_string() }),
            Cell::painted(when::format_time(task.created_at, style), Paint::Dim),
            Cell::plain(task_name.as_deref().unwrap_or_default()),
            Cell::plain(&task.name),
        ]);
    }
    table
}

/// What is to be said before tasks are changed: that they belong to several tenants or extensions and the command does
/// not say so. An id of a user means one user in each tenant.
fn spread(args: &OpsArgs, tasks: &[OperatorTask]) -> Vec<String> {
    let names = |names: &BTreeSet<&str>| {
        let first: Vec<&str> = names.iter().take(5).copied().collect();
        if names.len() > first.len() { format!("{}, ..", first.join(", ")) } else { first.join(", ") }
    };
    let mut found = Vec::new();
    let tenants: BTreeSet<&str> = tasks.iter().map(|open| &*open.tenant_id).collect();
    if tenants.len() > 1 && !args.all_tenants {
        let (many, names) = (tenants.len(), names(&tenants));
        found.push(format!(
            "they belong to {many} tenants ({names}): use --tenant or --user TENANT/ID, or add --all-tenants"
        ));
    }
    let apps: BTreeSet<&str> = tasks.iter().map(|open| &*open.task.app_id).collect();
    if apps.len() > 1 && !args.all_apps {
        let (many, names) = (apps.len(), names(&apps));
        found.push(format!("they belong to {many} extensions ({names}): use --app, or add --all-apps"));
    }
    found
}

/// How many tasks each user has, those with the most first.
fn show_users(tasks: &[OperatorTask]) {
    let mut users: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for open in tasks {
        *users.entry((&*open.tenant_id, &*open.user_id)).or_default() += 1;
    }
    let mut users: Vec<_> = users.into_iter().collect();
    users.sort_by_key(|(_, tasks)| std::cmp::Reverse(*tasks));
    let style = OutputStyle::of_stdout();
    for ((tenant, user), tasks) in users.iter().take(USERS) {
        out::print_line(&style.sanitize_line(&format!("  {tenant}/{user}: {tasks}")));
    }
    if users.len() > USERS {
        out::print_line(&format!("  and {}", count(users.len() - USERS, "other user")));
    }
}

/// Cancels or retries every task that matches. Without `--yes` it only says how many there are.
async fn change_tasks(client: &Client, args: &OpsArgs) -> Result<Exit, CliError> {
    let (verb, path, done) = match args.action {
        OpsAction::Cancel => ("cancel", "/v1/operator/tasks/cancel", [Operated::Cancelled, Operated::Asked]),
        _ => ("retry", "/v1/operator/tasks/retry", [Operated::Retried, Operated::Retried]),
    };
    if args.action == OpsAction::Cancel && Filter::of(args).is_empty() {
        let text =
            "name the durable task, or use a filter such as --state or --user: this would cancel every open task";
        return Err(CliError::usage(text));
    }
    let (mut tasks, _) = read_tasks(client, args, usize::MAX).await?;
    if args.action == OpsAction::Retry {
        tasks.retain(|open| open.task.durable && !open.task.state.is_held());
    }
    let spread = spread(args, &tasks);
    if !args.yes {
        let (bin, many) = (program_name::command_line(), count(tasks.len(), "open task"));
        out::print_line(&format!(
            "{many} match. Add --yes to {verb} them; `{bin} ops tasks` with the same filter lists them."
        ));
        show_users(&tasks);
        for text in &spread {
            out::print_note(&OutputStyle::of_stderr().sanitize_line(text));
        }
        return Ok(Exit::Success);
    }
    if !spread.is_empty() {
        return Err(CliError::refused(spread.join("; ")));
    }
    let ids: Vec<TaskId> = tasks.iter().map(|open| open.task.task_id).collect();
    let mut changed = 0;
    for batch in ids.chunks(BATCH) {
        let list: OperatedList = client.post(path, &json!({ "task_ids": batch })).await?;
        for one in &list.tasks {
            changed += usize::from(done.contains(&one.outcome));
            if args.connect.json {
                out::print_json(one);
            }
        }
    }
    if !args.connect.json {
        let past = if verb == "cancel" { "asked to stop, or cancelled" } else { "ready to be tried again" };
        out::print_line(&format!("{}: {past}.", count(changed, "task")));
        if changed < ids.len() {
            out::print_line(&format!("{} did not need it.", count(ids.len() - changed, "task")));
        }
    }
    Ok(Exit::Success)
}

async fn pause(client: &Client, args: &OpsArgs, known: &[(&str, &str)]) -> Result<Exit, CliError> {
    let Some(name) = &args.name else {
        return Err(CliError::usage("name the durable task: the fn's name, or its `name = ..`"));
    };
    let paused = args.action == OpsAction::Pause;
    // One that is paused may be gone from the program.
    let list = if paused || args.app.is_some() { Vec::new() } else { read_paused(client).await? };
    let of_name: Vec<&str> = list.iter().filter(|one| one.task_name == *name).map(|one| &*one.app_id).collect();
    let apps: Vec<&str> = match &args.app {
        Some(app) => vec![app],
        None if !of_name.is_empty() => of_name,
        None => known.iter().filter(|(_, task)| task == name).map(|(app, _)| *app).collect(),
    };
    let app = match apps.as_slice() {
        [app] => *app,
        [] => {
            let names: Vec<_> = known.iter().map(|(_, task)| *task).collect();
            let text = format!("this program has no durable task `{name}`; it has {}", names.join(", "));
            return Err(CliError::refused(text));
        }
        several => {
            let text = format!("several extensions have `{name}`: choose with --app: {}", several.join(", "));
            return Err(CliError::refused(text));
        }
    };
    let body = json!({ "app_id": app, "task_name": name, "paused": paused });
    let Changed { changed } = client.post("/v1/operator/paused", &body).await?;
    if args.connect.json {
        out::print_json(&json!({ "app_id": app, "task_name": name, "paused": paused, "changed": changed }));
        return Ok(Exit::Success);
    }
    let text = match (paused, changed) {
        (true, true) => "is paused: tasks that run go on, no other begins or continues",
        (true, false) => "was paused already",
        (false, true) => "goes on",
        (false, false) => "was not paused",
    };
    out::print_line(&OutputStyle::of_stdout().sanitize_line(&format!("{app}/{name} {text}.")));
    Ok(Exit::Success)
}

async fn read_paused(client: &Client) -> Result<Vec<PausedTask>, CliError> {
    let PausedList { paused } = client.get("/v1/operator/paused").await?;
    Ok(paused)
}

async fn show_paused(client: &Client, args: &OpsArgs) -> Result<Exit, CliError> {
    let paused = read_paused(client).await?;
    if args.connect.json {
        paused.iter().for_each(out::print_json);
    } else if paused.is_empty() {
        out::print_line("No durable task is paused.");
    } else {
        let style = OutputStyle::of_stdout();
        let since = if style.terminal { "SINCE" } else { "SINCE (UTC)" };
        let mut table = Table::new(&["DURABLE TASK", since, "BY"]);
        for one in &paused {
            table.add_row([
                Cell::plain(format!("{}/{}", one.app_id, one.task_name)),
                Cell::painted(when::format_time(one.since, style), Paint::Dim),
                Cell::plain(&one.by),
            ]);
        }
        table.lines(style).iter().for_each(|line| out::print_line(line));
    }
    Ok(Exit::Success)
}

async fn show_queues(client: &Client, args: &OpsArgs) -> Result<Exit, CliError> {
    let QueueList { queues } = client.get("/v1/operator/queues").await?;
    if args.connect.json {
        queues.iter().for_each(out::print_json);
        return Ok(Exit::Success);
    }
    if queues.is_empty() {
        out::print_line("No queue has had a task.");
        return Ok(Exit::Success);
    }
    let (style, now) = (OutputStyle::of_stdout(), Timestamp::now());
    let mut table = Table::new(&["QUEUE", "RUNNING", "OF", "OF A USER", "WAITING", "FOR"]);
    for queue in &queues {
        let limit = |limit: Option<u32>| limit.map_or_else(|| "1, not declared".to_owned(), |limit| limit.to_string());
        let oldest = queue.oldest_ready_at.and_then(|at| std::time::Duration::try_from(now.duration_since(at)).ok());
        table.add_row([
            Cell::plain(format!("{}/{}", queue.app_id, queue.queue)),
            Cell::plain(queue.running.to_string()),
            Cell::plain(limit(queue.at_most)),
            Cell::plain(limit(queue.per_user)),
            Cell::plain(queue.ready.to_string()),
            Cell::plain(oldest.map_or_else(String::new, when::format_duration)),
        ]);
    }
    table.lines(style).iter().for_each(|line| out::print_line(line));
    Ok(Exit::Success)
}
