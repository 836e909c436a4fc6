//! `schedules` and `schedule`: lists a user's schedules, makes, pauses, resumes, runs, changes and deletes them.
//!
//! Owns the requests and the questions before something is deleted or a destructive function is let run by itself. The words
//! for times are read in `schedule_when.rs`, rows are `schedule_view.rs`.

use std::io::{self, BufRead, IsTerminal, Write};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::client::{Client, Needs};
use super::exit::{CliError, Exit, suggestion};
use super::out::{self, OutputStyle, Paint, count};
use super::schedule_args::{ScheduleAction, ScheduleArgs};
use super::schedule_view::{self, Preview, Schedule};
use super::user_args::ListArgs;
use super::{params, program_name, schedule_when};
use crate::app::App;
use crate::function::Registry;
use crate::platform::Access;

/// Times that the question before a destructive schedule shows.
const ASKED_TIMES: u32 = 3;

#[derive(Deserialize)]
struct ScheduleList {
    schedules: Vec<Value>,
}

/// The part of `/v1/session` that a schedule needs.
#[derive(Deserialize)]
struct SessionInfo {
    extensions: Vec<SchedulableExtension>,
}

#[derive(Deserialize)]
struct SchedulableExtension {
    app_id: String,
    functions: Vec<SchedulableFunction>,
}

#[derive(Deserialize)]
struct SchedulableFunction {
    name: String,
    params_schema: Value,
}

/// `schedules`.
pub(super) async fn list(app: App, registry: Registry, args: ListArgs) -> Result<Exit, CliError> {
    let client = Client::connect(app, registry, &args.connect, Needs::Ledger).await?;
    let read = read_all(&client).await;
    client.close().await;
    let mut all = read?;
    let left_out = all.len().saturating_sub(args.limit as usize);
    all.truncate(args.limit as usize);
    if args.connect.json {
        all.iter().for_each(out::print_json);
        return Ok(Exit::Success);
    }
    if all.is_empty() {
        out::print_line("Nothing repeats yet.");
        return Ok(Exit::Success);
    }
    let schedules = all.iter().map(schedule_view::read).collect::<Result<Vec<_>, _>>()?;
    let style = OutputStyle::of_stdout();
    let table = schedule_view::table(&schedules, Timestamp::now(), style);
    table.lines(style).iter().for_each(|line| out::print_line(line));
    if left_out > 0 {
        out::print_note(&format!("{left_out} more: -n {} shows all", schedules.len() + left_out));
    }
    for one in schedules.iter().filter(|one| one.state == "needs_you") {
        let why = one.reason.as_ref().map_or("it stopped", |reason| reason.text.as_str());
        out::print_note(&OutputStyle::of_stderr().sanitize_line(&format!("{} needs you: {why}", one.name)));
    }
    Ok(Exit::Success)
}

/// For `dev`: how many schedules run while it runs, and the next one. `None` without any.
pub(super) async fn summary(access: &Access) -> Option<String> {
    let all = access.schedules().list().await.ok()?;
    let mut due: Vec<_> = all.iter().filter_map(|one| Some((one.next_at?, one.name.as_str()))).collect();
    due.sort_unstable();
    let (at, name) = due.first()?;
    let ahead = schedule_view::until_words(*at, Timestamp::now());
    let run = if due.len() == 1 { "runs" } else { "run" };
    Some(format!("{} {run} while this runs; next {name} {ahead}", count(due.len(), "schedule")))
}

/// `schedule`.
pub(super) async fn schedule(app: App, registry: Registry, args: ScheduleArgs) -> Result<Exit, CliError> {
    let needs = match args.action {
        // Only a process that goes on running runs it.
        ScheduleAction::Run => Needs::Process,
        ScheduleAction::Add | ScheduleAction::Next => Needs::Nothing,
        _ => Needs::Ledger,
    };
    let client = Client::connect(app, registry, &args.connect, needs).await?;
    let done = act(&client, &args).await;
    let is_embedded = client.is_embedded();
    client.close().await;
    let exit = done?;
    let is_awaited = matches!(args.action, ScheduleAction::Add | ScheduleAction::Resume | ScheduleAction::Edit);
    if is_embedded && is_awaited && !args.connect.json {
        let bin = program_name::command_line();
        out::print_note(&format!("schedules run while `{bin} dev` or `{bin} serve` runs: no process runs now"));
    }
    Ok(exit)
}

async fn act(client: &Client, args: &ScheduleArgs) -> Result<Exit, CliError> {
    match args.action {
        ScheduleAction::Add => add(client, args).await,
        ScheduleAction::Next => show_next(client, args).await,
        ScheduleAction::Edit => edit(client, args).await,
        ScheduleAction::Rm => remove(client, args).await,
        ScheduleAction::Pause => change(client, args, "pause").await,
        ScheduleAction::Resume => change(client, args, "resume").await,
        ScheduleAction::Run => change(client, args, "run").await,
    }
}

async fn read_all(client: &Client) -> Result<Vec<Value>, CliError> {
    let ScheduleList { schedules } = client.get("/v1/schedules").await?;
    Ok(schedules)
}

async fn find(client: &Client, named: &str) -> Result<Schedule, CliError> {
    let all = read_all(client).await?;
    schedule_view::read(schedule_view::choose(&all, named)?)
}

/// The zone behind the times, that of `--zone`, or this machine's.
fn zone_of(args: &ScheduleArgs, written: Option<String>) -> Result<String, CliError> {
    match (written, &args.zone) {
        (Some(one), Some(other)) if one != *other => {
            Err(CliError::usage(format!("the times are in {one}, --zone says {other}: use one of them")))
        }
        (Some(zone), _) => Ok(zone),
        (None, Some(zone)) => Ok(zone.clone()),
        (None, None) => Ok(TimeZone::system().iana_name().unwrap_or("UTC").to_owned()),
    }
}

/// The dates and the number of runs, as the API takes them. `none` is null.
fn bounds(args: &ScheduleArgs, zone: &str) -> Result<Map<String, Value>, CliError> {
    let mut bounds = Map::new();
    for (key, text, is_end) in [("starts_at", &args.starts, false), ("ends_at", &args.ends, true)] {
        let Some(text) = text else { continue };
        let value = if text == "none" { Value::Null } else { json!(edge_of_day(text, zone, is_end)?) };
        bounds.insert(key.to_owned(), value);
    }
    if let Some(text) = &args.runs {
        let value = match text.as_str() {
            "none" => Value::Null,
            number => {
                let number: u32 = number.parse().ok().filter(|number| *number > 0).ok_or_else(|| {
                    CliError::usage(format!("invalid number of runs `{number}`; use 1 or more, or none"))
                })?;
                json!(number)
            }
        };
        bounds.insert("max_runs".to_owned(), value);
    }
    Ok(bounds)
}

/// The first moment of a day in the zone, or its last second.
fn edge_of_day(text: &str, zone: &str, is_end: bool) -> Result<Timestamp, CliError> {
    let fault = || CliError::usage(format!("invalid date `{text}`; use a date such as 2027-01-31, or none"));
    let date: Date = text.parse().map_err(|_| fault())?;
    let zone = TimeZone::get(zone).map_err(|_| CliError::usage(format!("there is no time zone `{zone}`")))?;
    let day = if is_end { date.tomorrow().map_err(|_| fault())? } else { date };
    let edge = day.to_zoned(zone).map_err(|_| fault())?.timestamp();
    if !is_end {
        return Ok(edge);
    }
    edge.checked_sub(SignedDuration::from_secs(1)).map_err(|_| fault())
}

async fn function_of(client: &Client, name: &str, app: Option<&str>) -> Result<(String, Value), CliError> {
    let SessionInfo { extensions } = client.get("/v1/session").await?;
    let all = || extensions.iter().flat_map(|one| one.functions.iter().map(|function| (&one.app_id, function)));
    let found: Vec<_> =
        all().filter(|(id, function)| function.name == name && app.is_none_or(|app| app == id.as_str())).collect();
    match found.as_slice() {
        [(app_id, function)] => Ok(((*app_id).clone(), function.params_schema.clone())),
        [] => {
            let known: Vec<&str> = all().map(|(_, function)| function.name.as_str()).collect();
            let text = format!("there is no function `{name}`; there is {}", known.join(", "));
            Err(CliError::refused(text).hint(suggestion(name, known)))
        }
        _ => {
            let apps: Vec<&str> = found.iter().map(|(app_id, _)| app_id.as_str()).collect();
            Err(CliError::refused(format!("several extensions have `{name}`: choose with --app: {}", apps.join(", "))))
        }
    }
}

async fn add(client: &Client, args: &ScheduleArgs) -> Result<Exit, CliError> {
    let Some((function, pairs)) = args.rest.split_first() else {
        return Err(CliError::usage("name the function: schedule add WHEN FUNCTION [KEY=VALUE ..]"));
    };
    let times = schedule_when::parse(&args.subject)?;
    let zone = zone_of(args, times.zone)?;
    let (app_id, schema) = function_of(client, function, args.app.as_deref()).await?;
    let params = params::from_pairs(pairs, &schema)?;
    let mut body = json!({
        "name": args.name.as_deref().unwrap_or(function), "app_id": app_id, "function": function, "params": params,
        "when": times.when, "zone": zone,
    });
    for (key, value) in bounds(args, &zone)?.into_iter().filter(|(_, value)| !value.is_null()) {
        body[key] = value;
    }
    if let Some(digest) = consent(client, args, &body, function).await? {
        body["approve"] = digest.into();
    }
    let made: Value = client.post("/v1/schedules", &body).await?;
    print(args, &made, None)
}

/// The digest of a destructive function's consent; `None` if none is needed.
async fn consent(client: &Client, args: &ScheduleArgs, body: &Value, name: &str) -> Result<Option<String>, CliError> {
    let mut asked = json!({ "count": ASKED_TIMES });
    for key in ["when", "zone", "starts_at", "ends_at", "app_id", "function", "params"] {
        if !body[key].is_null() {
            asked[key] = body[key].clone();
        }
    }
    let preview: Preview = client.post("/v1/schedules/preview", &asked).await?;
    let Some(approval) = preview.approval.as_ref().filter(|approval| approval.needed) else { return Ok(None) };
    let rule = schedule_view::rule(&preview.words, &preview.zone, &body["when"]);
    let mut lines = vec![format!("{name} is destructive. It will run {rule}, without asking again:")];
    lines.extend(preview.next.iter().map(|time| format!("  {}", schedule_view::clock_of(time.at, &preview.zone))));
    confirm(args, lines, "Let it run by itself?", "let it run by itself").await?;
    Ok(Some(approval.digest.clone()))
}

/// Asks on a terminal. In a pipe and with `--json` only `--yes` answers.
async fn confirm(args: &ScheduleArgs, lines: Vec<String>, question: &str, to: &str) -> Result<(), CliError> {
    if args.yes {
        return Ok(());
    }
    if args.connect.json || !io::stdin().is_terminal() {
        return Err(CliError::refused(format!("{}; add --yes to {to}", lines.join("\n").trim_end_matches([':', '?']))));
    }
    let question = question.to_owned();
    // Lines of a terminal are read blocking.
    let is_sure = tokio::task::spawn_blocking(move || ask(&lines, &question)).await??;
    if is_sure { Ok(()) } else { Err(CliError::refused("nothing was changed")) }
}

fn ask(lines: &[String], question: &str) -> io::Result<bool> {
    let style = OutputStyle::of_stderr();
    for line in lines {
        eprintln!("{}", style.sanitize_line(line));
    }
    eprint!("{question} [y/N] ");
    io::stderr().flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

async fn show_next(client: &Client, args: &ScheduleArgs) -> Result<Exit, CliError> {
    if !args.rest.is_empty() {
        return Err(CliError::usage("write the times as one word: schedule next 'every day 08:00 Europe/Berlin'"));
    }
    let times = schedule_when::parse(&args.subject)?;
    let zone = zone_of(args, times.zone)?;
    let mut body = json!({ "when": times.when, "zone": zone, "count": args.limit });
    for (key, value) in bounds(args, &zone)?.into_iter().filter(|(key, value)| key != "max_runs" && !value.is_null()) {
        body[key] = value;
    }
    let answer: Value = client.post("/v1/schedules/preview", &body).await?;
    if args.connect.json {
        out::print_json(&answer);
        return Ok(Exit::Success);
    }
    let preview = Preview::deserialize(&answer)?;
    let (style, now) = (OutputStyle::of_stdout(), Timestamp::now());
    out::print_line(&style.sanitize_line(&schedule_view::rule(&preview.words, &preview.zone, &times.when)));
    for time in &preview.next {
        out::print_line(&format!("  {}", schedule_view::next(time.at, &preview.zone, now)));
    }
    if preview.next.is_empty() {
        out::print_line("  it has no time at which it would run");
    }
    for note in &preview.notes {
        out::print_note(&OutputStyle::of_stderr().sanitize_line(&note.text));
    }
    Ok(Exit::Success)
}

async fn edit(client: &Client, args: &ScheduleArgs) -> Result<Exit, CliError> {
    let schedule = find(client, &args.subject).await?;
    let mut changes = Map::new();
    if let Some(name) = &args.name {
        changes.insert("name".to_owned(), json!(name));
    }
    let mut zone = args.zone.clone();
    if let Some(text) = &args.when {
        let times = schedule_when::parse(text)?;
        // Times without a zone keep the schedule's.
        zone = if times.zone.is_some() || zone.is_some() { Some(zone_of(args, times.zone)?) } else { None };
        changes.insert("when".to_owned(), times.when);
    }
    if let Some(zone) = &zone {
        changes.insert("zone".to_owned(), json!(zone));
    }
    changes.extend(bounds(args, zone.as_deref().unwrap_or(&schedule.zone))?);
    if !args.rest.is_empty() {
        let (_, schema) = function_of(client, &schedule.function, Some(&schedule.app_id)).await?;
        let mut params = schedule.params.as_object().cloned().unwrap_or_default();
        params.extend(params::from_pairs(&args.rest, &schema)?);
        changes.insert("params".to_owned(), Value::Object(params));
    }
    if changes.is_empty() {
        return Err(CliError::usage(
            "say what to change: --name, --when, --zone, --starts, --ends, --runs or KEY=VALUE",
        ));
    }
    if schedule.approval.is_some() && changes.contains_key("params") {
        let get = |key: &str, known: &Value| changes.get(key).unwrap_or(known).clone();
        let body = json!({
            "when": get("when", &schedule.when), "zone": get("zone", &json!(schedule.zone)),
            "app_id": schedule.app_id, "function": schedule.function, "params": get("params", &schedule.params),
        });
        if let Some(digest) = consent(client, args, &body, &schedule.function).await? {
            changes.insert("approve".to_owned(), digest.into());
        }
    }
    changes.insert("version".to_owned(), json!(schedule.version));
    let answer: Value = client.patch(&format!("/v1/schedules/{}", schedule.id), &Value::Object(changes)).await?;
    print(args, &answer, Some("changed"))
}

async fn remove(client: &Client, args: &ScheduleArgs) -> Result<Exit, CliError> {
    let schedule = find(client, &args.subject).await?;
    let stay = if schedule.counts.runs == 0 {
        String::new()
    } else {
        format!(" Its {} stay in the chat.", count(schedule.counts.runs, "past run"))
    };
    let lines = vec![format!("{} runs no more when it is deleted.{stay}", schedule.name)];
    confirm(args, lines, "Delete it?", "delete it").await?;
    let deleted: Value = client.delete(&format!("/v1/schedules/{}", schedule.id)).await?;
    if args.connect.json {
        out::print_json(&deleted);
    } else {
        out::print_line(&OutputStyle::of_stdout().sanitize_line(&format!("{} is deleted", schedule.name)));
    }
    Ok(Exit::Success)
}

/// `pause`, `resume` or `run`.
async fn change(client: &Client, args: &ScheduleArgs, how: &str) -> Result<Exit, CliError> {
    if !args.rest.is_empty() {
        return Err(CliError::usage(format!("`schedule {how}` takes one schedule")));
    }
    let schedule = find(client, &args.subject).await?;
    let mut body = json!({});
    if how == "resume" && schedule.approval.as_ref().is_some_and(|approval| approval.needed && !approval.given) {
        let asked = json!({
            "when": schedule.when, "zone": schedule.zone, "app_id": schedule.app_id, "function": schedule.function,
            "params": schedule.params,
        });
        if let Some(digest) = consent(client, args, &asked, &schedule.function).await? {
            body["approve"] = digest.into();
        }
    }
    let changed: Value = client.post(&format!("/v1/schedules/{}/{how}", schedule.id), &body).await?;
    let word = match how {
        "pause" => "paused",
        "run" => "runs now",
        _ => "resumed",
    };
    print(args, &changed, Some(word))
}

/// `✓ Morning digest  9f31c2ab  next Sun 29 Nov 2026 08:00 Europe/Berlin (in 19 h)`.
fn print(args: &ScheduleArgs, answer: &Value, word: Option<&str>) -> Result<Exit, CliError> {
    if args.connect.json {
        out::print_json(answer);
        return Ok(Exit::Success);
    }
    let schedule = schedule_view::read(answer)?;
    let style = OutputStyle::of_stdout();
    let id = if style.terminal { schedule_view::short_id(&schedule.id) } else { &schedule.id };
    let next = match schedule.next_at {
        Some(at) => format!("next {}", schedule_view::next(at, &schedule.zone, Timestamp::now())),
        None => schedule.reason.as_ref().map_or_else(|| schedule.state.clone(), |reason| reason.text.clone()),
    };
    let name = style.sanitize_line(&schedule.name);
    let said = word.map_or_else(String::new, |word| format!(" {word}"));
    let mark = style.paint(Paint::Green, "✓");
    out::print_line(&format!("{mark} {name}{said}  {}  {}", style.paint(Paint::Dim, id), style.sanitize_line(&next)));
    Ok(Exit::Success)
}
