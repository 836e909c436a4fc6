//! `export`: durable tasks as files for `imperal::testing::replay`, one of them or all that match.

use std::path::Path;

use super::client::{Client, Needs};
use super::exit::{CliError, Exit};
use super::out::{self, OutputStyle, count};
use super::task_id::{self, TaskList};
use super::user_args::ExportArgs;
use crate::app::App;
use crate::codes;
use crate::function::Registry;
use crate::ids::TaskId;
use crate::ledger::Task;
use crate::platform::TaskExport;
use crate::private_file;

/// Tasks of which some are exported: as many as a list has.
const LISTED: u32 = 500;
/// Tasks that cannot be exported and are named.
const NAMED: usize = 10;

/// `export TASK [--out FILE]` and `export --to FOLDER`.
pub(super) async fn export(app: App, registry: Registry, args: ExportArgs) -> Result<Exit, CliError> {
    if args.task.is_some() && (args.function.is_some() || args.state.is_some()) {
        return Err(CliError::usage("--function and --state choose tasks for --to FOLDER: leave the task's id out"));
    }
    let client = Client::connect(app, registry, &args.connect, Needs::Ledger).await?;
    let done = match (&args.to, &args.task) {
        (Some(folder), _) => export_all(&client, folder, &args).await,
        (None, Some(named)) => export_one(&client, named, args.out.as_deref()).await,
        (None, None) => Err(CliError::usage("name a task, or a folder with --to")),
    };
    client.close().await;
    done
}

async fn export_one(client: &Client, named: &str, file: Option<&Path>) -> Result<Exit, CliError> {
    let task_id = task_id::resolve_task(client, named).await?;
    let export = read(client, task_id).await?;
    let Some(file) = file else {
        out::print_json(&export);
        return Ok(Exit::Success);
    };
    write(&export, file)?;
    let steps = count(export.steps.len(), "row");
    out::print_note(&format!("wrote {steps} of {} to {}", export.task_name, file.display()));
    out::print_note("its input and values are as the task stored them: read the file before you commit it");
    Ok(Exit::Success)
}

/// Writes a file for each of the user's latest durable tasks that match. Those that cannot be exported are named.
async fn export_all(client: &Client, folder: &Path, args: &ExportArgs) -> Result<Exit, CliError> {
    let TaskList { tasks } = client.get(&format!("/v1/tasks?limit={LISTED}")).await?;
    let matching: Vec<&Task> = tasks.iter().filter(|task| is_wanted(task, args)).collect();
    if matching.is_empty() {
        return Err(CliError::refused(format!("none of the latest {LISTED} tasks is durable and matches")));
    }
    let (mut written, mut refused) = (0_usize, Vec::new());
    for task in matching {
        match read(client, task.task_id).await {
            Ok(export) => {
                private_file::make_folder(folder).map_err(|error| cannot_write(folder, &error))?;
                write(&export, &folder.join(file_name(&export.task_name, task.task_id)))?;
                written += 1;
            }
            Err(error) if error.has_code(&codes::NOT_EXPORTABLE) => refused.push((task, error.text)),
            Err(error) => return Err(error),
        }
    }
    let style = OutputStyle::of_stderr();
    for (task, why) in refused.iter().take(NAMED) {
        let text = format!("left out {} {}: {why}", task_id::short_id(task.task_id), task.name);
        out::print_note(&style.sanitize_line(&text));
    }
    if refused.len() > NAMED {
        out::print_note(&format!("left out {} more", refused.len() - NAMED));
    }
    if written == 0 {
        return Err(CliError::refused("no task that matches can be exported"));
    }
    out::print_note(&format!("wrote {} to {}", count(written, "task"), folder.display()));
    if tasks.len() >= LISTED as usize {
        out::print_note(&format!("earlier tasks than the latest {LISTED} were not looked at"));
    }
    out::print_note("their inputs and values are as the tasks stored them: read the files before you commit them");
    Ok(Exit::Success)
}

/// The name is the server's, so it must not lead out of the folder.
fn file_name(task_name: &str, task_id: TaskId) -> String {
    let name: String = task_name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(64).collect();
    format!("{name}-{task_id}.json")
}

fn is_wanted(task: &Task, args: &ExportArgs) -> bool {
    let of_function = args.function.as_ref().is_none_or(|function| *function == task.function);
    task.durable && of_function && args.state.is_none_or(|state| state == task.state)
}

async fn read(client: &Client, task_id: TaskId) -> Result<TaskExport, CliError> {
    client.get(&format!("/v1/tasks/{task_id}/export")).await
}

fn write(export: &TaskExport, file: &Path) -> Result<(), CliError> {
    let json = serde_json::to_string_pretty(export)?;
    private_file::replace(file, format!("{json}\n").as_bytes()).map_err(|error| cannot_write(file, &error))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> CliError {
    CliError::refused(format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_no_other_folder() {
        let id = TaskId::generate();
        assert_eq!(file_name("send_mail", id), format!("send_mail-{id}.json"));
        assert_eq!(file_name("../../etc/x", id), format!("______etc_x-{id}.json"));
        assert!(file_name(&"ü".repeat(1_000), id).len() < 110);
    }
}
