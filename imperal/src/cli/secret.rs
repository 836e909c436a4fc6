//! `secret`: enters, lists and removes secrets, seals them again, and makes keys.
//!
//! A value comes from a prompt without echo or from standard input, never from the command line, which other users of
//! the machine can read.

use std::io::{IsTerminal, Read};

use jiff::Zoned;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::client::{Client, Needs};
use super::exit::{CliError, Exit};
use super::operator_args::{SecretAction, SecretArgs};
use super::out::{self, OutputStyle, Paint, count};
use super::table::{Cell, Table};
use super::{program_name, when};
use crate::app::App;
use crate::function::Registry;
use crate::platform::{Rotation, SecretKeys, SecretState, SecretStatus};

/// Most bytes of a value on standard input: the largest limit of a declaration, and a line end.
const INPUT_LIMIT: u64 = 65_538;

#[derive(Deserialize)]
struct States {
    secrets: Vec<SecretState>,
}

#[derive(Deserialize)]
struct Removed {
    was_set: bool,
}

/// `secret`.
pub(super) async fn secret(app: App, registry: Registry, args: SecretArgs) -> Result<Exit, CliError> {
    if args.action == SecretAction::NewKey {
        let id = args.id.unwrap_or_else(|| Zoned::now().date().to_string());
        let line = Zeroizing::new(SecretKeys::generate(&id).map_err(|error| CliError::usage(error.to_string()))?);
        out::print_line(&line);
        return Ok(Exit::Success);
    }
    let client = Client::connect(app, registry, &args.connect, Needs::Nothing).await?;
    let done = run(&client, &args).await;
    client.close().await;
    done
}

async fn run(client: &Client, args: &SecretArgs) -> Result<Exit, CliError> {
    match args.action {
        SecretAction::Set => set(client, args).await,
        SecretAction::List => list(client, args).await,
        SecretAction::Remove => remove(client, args).await,
        SecretAction::Rotate => rotate(client, args).await,
        SecretAction::NewKey => Ok(Exit::Success),
    }
}

/// The query for another user's secrets.
fn of_user(args: &SecretArgs) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    match args.user.as_deref().map(|user| user.split_once('/').ok_or(user)) {
        None => String::new(),
        Some(Ok((tenant, user))) => format!("?tenant={}&user={}", encoded(tenant), encoded(user)),
        Some(Err(user)) => format!("?user={}", encoded(user)),
    }
}

async fn states(client: &Client, args: &SecretArgs) -> Result<Vec<SecretState>, CliError> {
    let States { secrets } = client.get(&format!("/v1/secrets{}", of_user(args))).await?;
    let is_wanted = |secret: &SecretState| args.app.as_ref().is_none_or(|app| *app == secret.app_id);
    Ok(secrets.into_iter().filter(is_wanted).collect())
}

/// The one secret that the command names.
async fn find(client: &Client, args: &SecretArgs) -> Result<SecretState, CliError> {
    let bin = program_name::command_line();
    let Some(name) = &args.name else {
        return Err(CliError::usage("name the secret").hint(format!("`{bin} secret list` shows them")));
    };
    let all = states(client, args).await?;
    let mut found = all.iter().filter(|secret| secret.name == *name);
    match (found.next(), found.next()) {
        (Some(secret), None) => Ok(secret.clone()),
        (Some(_), Some(_)) => {
            Err(CliError::usage(format!("several extensions have a secret `{name}`: name one with --app")))
        }
        (None, _) => {
            let known: Vec<&str> = all.iter().map(|secret| secret.name.as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Err(CliError::usage(format!("there is no secret `{name}`; there is {known}")))
        }
    }
}

fn path_of(secret: &SecretState, args: &SecretArgs) -> String {
    format!("/v1/secrets/{}/{}{}", secret.app_id, secret.name, of_user(args))
}

async fn set(client: &Client, args: &SecretArgs) -> Result<Exit, CliError> {
    let secret = find(client, args).await?;
    let asked = secret.clone();
    let reading = tokio::task::spawn_blocking(move || read_value(&asked)).await;
    let value = reading.unwrap_or_else(|error| Err(CliError::new(error.to_string())))?;
    let state: SecretState = client.put(&path_of(&secret, args), &json!({ "value": &*value })).await?;
    if args.connect.json {
        out::print_json(&state);
    } else {
        out::print_line(&format!("{} of {} is set", state.name, state.app_id));
    }
    Ok(Exit::Success)
}

/// From the terminal without echo, or all of standard input without its last line end.
fn read_value(secret: &SecretState) -> Result<Zeroizing<String>, CliError> {
    let mut value = Zeroizing::new(String::new());
    if std::io::stdin().is_terminal() {
        let style = OutputStyle::of_stderr();
        eprint!("{}\n{} (not shown): ", style.sanitize(&secret.description), secret.name);
        *value = console::Term::stderr().read_secure_line()?;
    } else {
        std::io::stdin().lock().take(INPUT_LIMIT).read_to_string(&mut value)?;
        if let Some(line) = value.strip_suffix('\n') {
            let line = line.strip_suffix('\r').unwrap_or(line).len();
            value.truncate(line);
        }
    }
    if value.trim().is_empty() {
        return Err(CliError::usage("no value was given: type it, or send it to standard input"));
    }
    Ok(value)
}

async fn remove(client: &Client, args: &SecretArgs) -> Result<Exit, CliError> {
    let secret = find(client, args).await?;
    let Removed { was_set } = client.delete(&path_of(&secret, args)).await?;
    if args.connect.json {
        out::print_json(&json!({ "was_set": was_set }));
    } else {
        let what = if was_set { "is removed" } else { "had no value" };
        out::print_line(&format!("{} of {} {what}", secret.name, secret.app_id));
    }
    Ok(Exit::Success)
}

async fn rotate(client: &Client, args: &SecretArgs) -> Result<Exit, CliError> {
    let mut all: Option<Rotation> = None;
    loop {
        let done: Rotation = client.post("/v1/operator/secrets/rotate", &json!({})).await?;
        let more = done.more;
        let sum = match all.take() {
            None => done,
            Some(before) => {
                Rotation { sealed: before.sealed + done.sealed, changed: before.changed + done.changed, ..done }
            }
        };
        all = Some(sum);
        if !more {
            break;
        }
    }
    let Some(done) = all else { return Ok(Exit::Success) };
    if args.connect.json {
        out::print_json(&done);
        return Ok(Exit::Success);
    }
    out::print_line(&format!("{} sealed again with the key {}", count(done.sealed, "secret"), done.key_id));
    if done.changed > 0 {
        out::print_note(&format!("{} changed meanwhile: rotate again", count(done.changed, "secret")));
    }
    if done.unreadable > 0 {
        out::print_note(&format!(
            "{} cannot be opened: add the missing key, or have the users enter them again",
            count(done.unreadable, "secret")
        ));
    }
    Ok(Exit::Success)
}

async fn list(client: &Client, args: &SecretArgs) -> Result<Exit, CliError> {
    let secrets = states(client, args).await?;
    if args.connect.json {
        out::print_json(&json!({ "secrets": secrets }));
        return Ok(Exit::Success);
    }
    let style = OutputStyle::of_stdout();
    let mut table = Table::new(&["secret", "extension", "of", "value", "since", "by"]);
    for secret in &secrets {
        let (status, paint) = match secret.status {
            SecretStatus::Set if secret.rotation_due => ("old: enter a new one", Paint::Yellow),
            SecretStatus::Set => ("set", Paint::Green),
            SecretStatus::Environment => ("in the environment", Paint::Green),
            SecretStatus::Unreadable => ("enter it again", Paint::Red),
            SecretStatus::Missing if secret.required => ("missing", Paint::Red),
            SecretStatus::Missing => ("none", Paint::Dim),
        };
        table.add_row([
            Cell::plain(&secret.name),
            Cell::plain(&secret.app_id),
            Cell::plain(if secret.scope == "app" { "all users" } else { "the user" }),
            Cell::painted(status, paint),
            Cell::plain(secret.set_at.map_or_else(String::new, |at| when::format_time(at, style))),
            Cell::plain(secret.set_by.clone().unwrap_or_default()),
        ]);
    }
    if secrets.is_empty() {
        out::print_note("the extensions declare no secrets");
    }
    for line in table.lines(style) {
        out::print_line(&line);
    }
    Ok(Exit::Success)
}
