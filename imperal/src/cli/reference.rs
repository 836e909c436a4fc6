//! `docs/terminal.md`, generated from the parser and the table of examples.
//!
//! The page is a golden file: `UPDATE_GOLDEN=1 cargo test -p imperal reference` writes it.

use std::fmt::Write;
use std::path::Path;

use clap::{Arg, Command, CommandFactory};

use super::args::Args;
use super::exit::Exit;
use super::help::HelpValues;
use super::help_table::{COMMAND_HELP, Group};

/// The extension that `cargo imperal new hello` makes.
fn values() -> HelpValues {
    HelpValues { bin: "hello".into(), function: "greet".into(), call: "greet name=Anna".into(), functions: Vec::new() }
}

/// Settings of `dev` and `serve`, which have one list.
const SETTINGS: &[&str] = &[
    "liveness",
    "cancel_grace",
    "lease",
    "shutdown_grace",
    "stuck_for",
    "tasks_per_user",
    "calls_per_user",
    "documents_per_user",
    "document_bytes_per_user",
    "files_url",
    "file_bytes",
    "files_per_user",
    "file_bytes_per_user",
    "mcp_wait",
    "mcp_destructive",
    "turns",
    "tasks",
    "events",
    "audit",
];

fn page() -> String {
    let command = Args::command();
    let mut text = String::from(HEAD);
    for group in Group::ALL {
        writeln!(text, "\n## {}", group.title()).unwrap();
        for help in COMMAND_HELP.iter().filter(|help| help.group == group) {
            let sub = command.find_subcommand(help.name).unwrap();
            writeln!(text, "\n### `{}`\n\n{}.\n\n```sh", usage(sub), sub.get_about().unwrap()).unwrap();
            let typed: Vec<_> = help.examples.iter().map(|(typed, does)| (values().fill(typed), *does)).collect();
            let widest = typed.iter().map(|(typed, _)| typed.len()).filter(|width| *width <= 48).max().unwrap_or(0);
            for (typed, does) in typed {
                writeln!(text, "{typed:widest$}  # {does}").unwrap();
            }
            text.push_str("```\n");
            if !help.note.is_empty() {
                writeln!(text, "\n{}", wrapped(&values().fill(help.note))).unwrap();
            }
            let args: Vec<_> = sub.get_arguments().filter(|arg| shown(arg)).collect();
            options(&mut text, &args);
        }
    }
    let dev = command.find_subcommand("dev").unwrap();
    text.push_str("\n## Times and limits of `dev` and `serve`\n");
    let settings: Vec<_> = dev.get_arguments().filter(|arg| SETTINGS.contains(&arg.get_id().as_str())).collect();
    options(&mut text, &settings);
    text.push_str("\n## Exit codes\n\n| code | means |\n|---|---|\n");
    for exit in Exit::ALL {
        writeln!(text, "| {} | {} |", exit.code(), exit.meaning()).unwrap();
    }
    text
}

const HEAD: &str = "\
# The terminal

Every extension is a program with the commands below. In its folder, `cargo imperal COMMAND` builds it first and
runs the same command. `hello` is your binary's name here, `greet` one of its functions. `hello help COMMAND`
prints the same text, with your own functions in the examples; `hello help greet` explains the function.

On a terminal you get colours, marks, short ids and times such as \"2 min ago\"; times older than a day are in
your time zone, which is named. `NO_COLOR` turns colours off, and no line of a table is wider than the window.
In a pipe you get plain text: whole ids, UTC times, nothing cut. Logs always go to standard error; `RUST_LOG`
filters them.

A task is called interrupted if the platform ended it: its process died or stopped, or it gave no sign of life. In
JSON the state of such a task is `reclaimed`. If several tasks are watched, each line begins with the task's id. Time
in which no process ran a task is no work: `show` says \"30 s, then no process for 12 s\", and a durable task,
which may have waited, took \"within 42 s\".

A durable task has more open states than running. It is queued while it waits for a process, for the end of another
of your tasks, or for its next attempt after a crash (\"retry in 10 s\"); it is waiting while it sleeps or asks; it
is stuck if no running version of the program can continue it. `show` says why. Of a task that failed, `show` names the
step at which it did, and its timeline has the requests and tries of that step; it says of each effect whether it was done,
and how that is known. `follow` prints each step when it is
stored, and keeps watching when the process that ran the task ends. In a pipe the lines are these, on standard error:

```text
done  reserve  0.4 s
charge  attempt 2/5, the bank answered 504  next in 0:18
the connection to the platform is lost; trying to connect again
connected again
went on in another process, 1 step kept
```

A durable task can ask its user. `tasks` says `asks`, `show` lists its questions with their answers, and `answer` gives
one; the first answer counts. `follow` asks on a terminal, and takes the question away when it is answered elsewhere:

```text
? Order 4711 asks: Ship without the blue mug?
  [1] Wait for it (if nobody answers)  [2] Ship the rest
  answer within 1 day 3 h, else: Wait for it
  choose (Enter: not now):
```

In a pipe, with `--json` and in a process of its own a command does not wait for people: when a watched task waits for
an answer it says how to answer, and ends with exit code 6.

A command without a running platform leaves durable tasks of earlier processes as they are: `hello dev` or
`hello serve` goes on with them. A task that `hello call` starts in its own process runs there; if it has to wait for
another process, the command says so and ends with exit code 5.

Commands that read (`follow`, `chat`, `tasks`, `show`, `answer`, `cancel`, `audit`, `link`) create nothing. In a folder without
a ledger they say so and end with exit code 5.

Text of users, extensions and services cannot control the terminal: control characters, direction marks and
invisible characters are shown as `\u{fffd}`, and right-to-left text is isolated from the text around it. A row
or event that cannot be read is named on standard error and left out. An answer or event of more than 64 MiB is
not read further.

Without `--url` a command uses the process that has the data folder open, by its loopback address and never
through a proxy. The folder's token is sent to no other address. With `--url` the environment's proxy is used
(`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`), and redirects are not followed.

In a crate with several binaries, `cargo imperal COMMAND` runs its `default-run`, or the binary with the
package's name. In a workspace root it runs the one package that depends on imperal. If several remain,
`cargo imperal -p PACKAGE COMMAND` and `cargo imperal --bin NAME COMMAND` choose.

`cargo imperal dev` builds and starts the extension again after each change of a file that the build reads.
While it does not compile, the last good build goes on serving. The new process has the same ledger, address and
session, so an open page reconnects by itself. Running tasks get the shutdown grace to finish; after it they end
in a turn that says that they were interrupted. Durable tasks go on in the new process.

## JSON

With `--json` a command prints one JSON object per line. The objects are those of the HTTP API, described in
`/openapi.json`; control and invisible characters in them are `\\u` escapes. Fields without a value are left out.

| command | each line is |
|---|---|
| `call` | the reply turn: `{\"seq\", \"turn_id\", \"at\", \"role\", \"text\", \"type\", \"app_id\", \"function\", \"call_id\", \"result\"}`; `result` is `{\"status\", \"summary\", \"data\", \"error\", \"error_code\", \"retryable\"}` |
| `call --follow`, `follow` | a progress report `{\"task_id\", \"percent\", \"message\", \"at\"}`, or a turn as above with `task_id`; the turn that has a `result` is the task's outcome. Of a durable task reports have `steps` and may have no `percent`, and each change of its state is the task, as in `tasks` |
| `call` that starts a platform of its own | after the reply, the turn with the outcome of each background task |
| `follow TASK` of a task that has ended, or that no process runs | the task, as in `tasks` |
| `chat` | a turn; turns of the user also have `params` |
| `tasks`, `cancel` | a task: `{\"task_id\", \"call_id\", \"app_id\", \"function\", \"name\", \"state\", \"long_running\", \"percent\", \"message\", \"created_at\", \"deadline_at\", \"finished_at\", \"result\"}`; a task that has ended has no `percent` and `message`. A durable task also has `durable`, `attempt`, `waits_for`, `ready_at`, `open_questions` and `steps`, and no `deadline_at` while no process runs it |
| `show` | a task or a turn, with the `params` of its call; a durable task has `stored_steps`, each `{\"ordinal\", \"name\", \"kind\", \"known_by\", \"attempt\", \"began_at\", \"done_at\"}`, `questions` if it asked any, and its `timeline` as the API has it |
| `answer` | the question: `{\"question_id\", \"task_id\", \"name\", \"text\", \"schema\", \"fallback\", \"state\", \"asked_at\", \"until\", \"answer\", \"answered_by\", \"answered_at\"}` |
| `help FUNCTION` | `{\"app_id\", \"name\", \"description\", \"action_type\", \"background\", \"long_running\", \"params_schema\"}` |
| `audit` | a row: `{\"audit_id\", \"at\", \"tenant_id\", \"user_id\", \"actor\", \"app_id\", \"action\", \"target\", \"outcome\", \"detail\", \"hash\"}` |
| `audit --verify` | `{\"rows\", \"users\", \"pruned\", \"broken\"}`; `broken` names the first altered row and is missing if there is none |
| `link` | `{\"link\"}` |
| `validate` | one document: `{\"valid\", \"errors\", \"warnings\", \"notes\", \"findings\"}` |

An error is one object on standard error: `{\"error\": {\"message\", \"code\", \"hint\"}}`. `code` is the platform's
error code; it is missing if the command itself found the error. `hint` says what to do.
";

fn usage(sub: &Command) -> String {
    let mut text = sub.get_name().to_owned();
    for arg in sub.get_positionals() {
        let name =
            arg.get_value_names().map_or_else(|| arg.get_id().to_string().to_uppercase(), |names| names[0].to_string());
        let several = if arg.get_num_args().is_some_and(|range| range.max_values() > 1) { " .." } else { "" };
        let word = if arg.is_required_set() { format!("{name}{several}") } else { format!("[{name}{several}]") };
        write!(text, " {word}").unwrap();
    }
    text
}

fn shown(arg: &Arg) -> bool {
    !arg.is_hide_set() && !SETTINGS.contains(&arg.get_id().as_str()) && arg.get_id() != "help"
}

fn options(text: &mut String, args: &[&Arg]) {
    if args.is_empty() {
        return;
    }
    text.push_str("\n| | |\n|---|---|\n");
    for arg in args {
        let name = arg.get_value_names().map(|names| names[0].to_string());
        let takes = arg.get_action().takes_values();
        let typed = match arg.get_long() {
            Some(long) if takes => format!("--{long} {}", name.unwrap_or_default()),
            Some(long) => format!("--{long}"),
            None => name.unwrap_or_else(|| arg.get_id().to_string().to_uppercase()),
        };
        let typed = arg.get_short().map_or_else(|| typed.clone(), |short| format!("-{short}, {typed}"));
        let mut help = arg.get_help().map(ToString::to_string).unwrap_or_default().replace('|', "\\|");
        let default: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        if takes && !default.is_empty() {
            write!(help, " [default: {}]", default.join(" ")).unwrap();
        }
        if let Some(variable) = arg.get_env() {
            write!(help, " [env: {}]", variable.to_string_lossy()).unwrap();
        }
        writeln!(text, "| `{}` | {help} |", typed.replace('|', "\\|")).unwrap();
    }
}

fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().unwrap();
        if !last.is_empty() && last.len() + word.len() >= 100 {
            lines.push(word.to_owned());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines.join("\n")
}

/// Whether `UPDATE_GOLDEN` asks for golden files to be written. Empty and `0` do not.
fn updating_golden() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| !value.is_empty() && value != "0")
}

#[test]
fn page_matches_the_parser() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/terminal.md");
    let page = page();
    if updating_golden() {
        std::fs::write(&file, &page).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(written, page, "docs/terminal.md is stale; the head of this file says how to write it");
}

#[test]
fn every_command_has_examples_that_parse() {
    let command = Args::command();
    let mut with_row: Vec<_> = COMMAND_HELP.iter().map(|help| help.name).collect();
    let mut parsed: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
    with_row.sort_unstable();
    parsed.sort_unstable();
    assert_eq!(with_row, parsed);
    for help in COMMAND_HELP {
        assert!(!help.examples.is_empty(), "{}", help.name);
        for (typed, _) in help.examples {
            let filled = values().fill(typed);
            let Some(at) = filled.find("hello") else {
                assert!(filled.starts_with("cargo imperal "), "{filled}");
                continue;
            };
            let line = filled[at..].split(['|', '>']).next().unwrap().trim_end().trim_end_matches(')');
            // Splits the words as a shell does, for these examples.
            let words = line.replace("'{\"key\": \"value\"}'", "{}");
            let matches = Args::command().try_get_matches_from(words.split_whitespace());
            let is_help = matches.as_ref().is_err_and(|error| error.kind() == clap::error::ErrorKind::DisplayHelp);
            assert!(is_help || matches.is_ok(), "{filled}: {}", matches.unwrap_err());
        }
    }
}
