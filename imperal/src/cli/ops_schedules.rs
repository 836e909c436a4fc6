//! `ops jobs`, `ops schedules`, `ops pause-schedules` and `ops resume-schedules`: what runs at times, as operators see it.

use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::Client;
use super::exit::{CliError, Exit};
use super::operator_args::OpsArgs;
use super::out::{self, OutputStyle, Paint};
use super::schedule_view;
use super::table::{Cell, Table};
use crate::platform::OperatorJob;
use crate::server::local_user;

#[derive(Deserialize)]
struct JobList {
    jobs: Vec<OperatorJob>,
}

#[derive(Deserialize)]
struct SchedulesOfUser {
    schedules: Vec<Value>,
    jobs: Vec<Value>,
}

#[derive(Deserialize)]
struct Changed {
    changed: u64,
}

/// The extension of a job, and its name without the number of its times.
fn names_of(job: &str) -> (&str, &str) {
    let (app, rest) = job.split_once('/').unwrap_or(("", job));
    (app, rest.rsplit_once('@').map_or(rest, |(name, _)| name))
}

/// `jobs`: those of all extensions, or of `--app`, or of one name.
pub(super) async fn show_jobs(client: &Client, args: &OpsArgs) -> Result<Exit, CliError> {
    let JobList { mut jobs } = client.get("/v1/operator/jobs").await?;
    jobs.retain(|job| {
        let (app, name) = names_of(&job.job);
        args.app.as_deref().is_none_or(|wanted| wanted == app)
            && args.name.as_deref().is_none_or(|wanted| wanted == name)
    });
    if args.connect.json {
        jobs.iter().for_each(out::print_json);
        return Ok(Exit::Success);
    }
    if jobs.is_empty() {
        out::print_line("No job has users.");
        return Ok(Exit::Success);
    }
    let style = OutputStyle::of_stdout();
    table(&jobs, Timestamp::now(), style).lines(style).iter().for_each(|line| out::print_line(line));
    Ok(Exit::Success)
}

fn table(jobs: &[OperatorJob], now: Timestamp, style: OutputStyle) -> Table {
    let next = if style.terminal { "NEXT" } else { "NEXT (UTC)" };
    let mut table = Table::new(&["JOB", "TIMES (UTC)", "USERS", next]).spare(&["NEXT"]);
    for job in jobs {
        let (app, name) = names_of(&job.job);
        let times = match &job.cron {
            Some(cron) => Cell::plain(cron),
            None => Cell::painted("other times here", Paint::Yellow),
        };
        table.add_row([
            Cell::plain(format!("{app}/{name}")),
            times,
            Cell::plain(job.users.to_string()),
            Cell::plain(job.next_at.map_or_else(String::new, |at| schedule_view::until(at, now, style))),
        ]);
    }
    table
}

/// The user that `--user` and `--tenant` name.
fn user_of(args: &OpsArgs) -> Result<(String, String), CliError> {
    let Some(named) = &args.user else {
        return Err(CliError::usage("name the user: --user ID, or --user TENANT/ID"));
    };
    let (tenant, user) = match (args.tenant.as_deref(), named.split_once('/')) {
        (Some(tenant), _) => (tenant.to_owned(), named.as_str()),
        (None, Some((tenant, user))) => (tenant.to_owned(), user),
        (None, None) => (local_user().tenant_id, named.as_str()),
    };
    Ok((tenant, user.to_owned()))
}

/// `schedules`: what a user has, and the jobs that run for the user, with their next times and last runs.
pub(super) async fn show_schedules(client: &Client, args: &OpsArgs) -> Result<Exit, CliError> {
    let (tenant, user) = user_of(args)?;
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let path = format!("/v1/operator/schedules?tenant={}&user={}", encoded(&tenant), encoded(&user));
    let answer: Value = client.get(&path).await?;
    if args.connect.json {
        out::print_json(&answer);
        return Ok(Exit::Success);
    }
    let SchedulesOfUser { schedules, jobs } = SchedulesOfUser::deserialize(&answer)?;
    let (style, now) = (OutputStyle::of_stdout(), Timestamp::now());
    if schedules.is_empty() && jobs.is_empty() {
        out::print_line(&style.sanitize_line(&format!("Nothing runs at times for {tenant}/{user}.")));
    }
    for (head, all) in [("Schedules of the user:", schedules), ("Jobs of extensions:", jobs)] {
        if all.is_empty() {
            continue;
        }
        out::print_line(head);
        let all = all.iter().map(schedule_view::read).collect::<Result<Vec<_>, _>>()?;
        schedule_view::table(&all, now, style).lines(style).iter().for_each(|line| out::print_line(line));
    }
    Ok(Exit::Success)
}

/// `pause-schedules` and `resume-schedules`.
pub(super) async fn pause(client: &Client, args: &OpsArgs, paused: bool) -> Result<Exit, CliError> {
    let (tenant, user) = user_of(args)?;
    let body = json!({ "tenant": tenant, "user": user, "paused": paused });
    let Changed { changed } = client.post("/v1/operator/schedules/pause", &body).await?;
    if args.connect.json {
        out::print_json(&json!({ "tenant": tenant, "user": user, "paused": paused, "changed": changed }));
        return Ok(Exit::Success);
    }
    let text = match (paused, changed) {
        (true, 0) => "nothing is active.".to_owned(),
        (false, 0) => "an operator has paused nothing.".to_owned(),
        (true, _) => format!("schedules and jobs paused: {changed}. A run that is at work goes on."),
        (false, _) => format!("schedules and jobs that are active again: {changed}."),
    };
    out::print_line(&OutputStyle::of_stdout().sanitize_line(&format!("{tenant}/{user}: {text}")));
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_shown_with_their_times_users_and_next_run() {
        let job = |job: &str, cron: Option<&str>| {
            let value = json!({ "job": job, "cron": cron, "users": 12, "next_at": "2026-11-29T03:00:00Z" });
            serde_json::from_value(value).unwrap()
        };
        let jobs = [job("page-speed/digest@1f0c9a2b", Some("0 3 * * *")), job("page-speed/old@99", None)];
        let style = OutputStyle::default();
        let lines = table(&jobs, "2026-11-28T12:00:00Z".parse().unwrap(), style).lines(style);
        assert!(lines[1].starts_with("page-speed/digest  0 3 * * *"), "{}", lines[1]);
        assert!(lines[1].contains("12  ") && lines[1].ends_with("2026-11-29 03:00:00"), "{}", lines[1]);
        assert!(lines[2].contains("page-speed/old") && lines[2].contains("other times here"), "{}", lines[2]);
        assert_eq!(names_of("no-slash"), ("", "no-slash"));
    }
}
