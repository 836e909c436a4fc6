//! `docs/terminal.md`, written from the parser and the table of examples.
//!
//! The page is a golden file: `UPDATE_GOLDEN=1 cargo test -p imperal reference` writes it.

use std::fmt::Write;
use std::path::Path;

use clap::{Arg, Command, CommandFactory};

use super::args::Args;
use super::exit::Exit;
use super::guide::{GUIDES, Group, Sample};

/// The extension that `cargo imperal new hello` makes.
fn sample() -> Sample {
    Sample { bin: "hello".into(), function: "greet".into(), call: "greet name=Anna".into(), functions: Vec::new() }
}

/// Settings of `dev` and `serve` are one list of their own.
const SETTINGS: &[&str] = &[
    "liveness",
    "cancel_grace",
    "lease",
    "shutdown_grace",
    "tasks_per_user",
    "calls_per_user",
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
        for guide in GUIDES.iter().filter(|guide| guide.group == group) {
            let sub = command.find_subcommand(guide.name).unwrap();
            writeln!(text, "\n### `{}`\n\n{}.\n\n```sh", usage(sub), sub.get_about().unwrap()).unwrap();
            let typed: Vec<_> = guide.examples.iter().map(|(typed, does)| (sample().fill(typed), *does)).collect();
            let widest = typed.iter().map(|(typed, _)| typed.len()).filter(|width| *width <= 48).max().unwrap_or(0);
            for (typed, does) in typed {
                writeln!(text, "{typed:widest$}  # {does}").unwrap();
            }
            text.push_str("```\n");
            if !guide.note.is_empty() {
                writeln!(text, "\n{}", wrapped(&sample().fill(guide.note))).unwrap();
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
        let (number, meaning) = exit.meaning();
        writeln!(text, "| {number} | {meaning} |").unwrap();
    }
    text
}

const HEAD: &str = "\
# The terminal

Every extension is a program with the commands below; in its folder `cargo imperal COMMAND` builds it
first and runs the same command. `hello` stands for your binary's name, `greet` for a function of it.
`hello help COMMAND` says what stands here, with your own functions in the examples.

On a terminal there are colours, marks, short ids and times such as \"2 min ago\"; `NO_COLOR` takes the
colours away, and no line of a table is wider than the window. In a pipe the same is plain text: whole
ids, UTC times, nothing cut. Programs ask for `--json` and get one JSON object a line, errors as
`{\"error\":{\"message\",\"code\"?,\"hint\"?}}` on standard error. Logs go to standard error always;
`RUST_LOG` chooses what.

Text of users, extensions and services cannot steer a terminal: control characters, direction marks and
characters that nobody sees are shown as `\u{fffd}`, and right-to-left text is isolated from what stands around it.
In `--json` they are `\\u` escapes, so that each line is the exact document. A row or event that cannot be read is
named on standard error and left out. An answer or event of more than 64 MiB is not read further.

Without `--url` a command speaks to the process that has the data folder open, by its loopback address and
never through a proxy; the folder's token goes nowhere else. With `--url` the proxy of the environment is
used (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`), and redirects are not followed.

In a crate with several binaries every `cargo imperal COMMAND` runs its `default-run`, or the binary that is
named like the package; in a workspace's root, the one package that depends on imperal. Where that leaves
several, `cargo imperal -p PACKAGE COMMAND` and `cargo imperal --bin NAME COMMAND` choose.

`cargo imperal dev` builds and starts the extension again after each change of a file that the build
reads. While it does not compile, the last good build goes on serving. The next one has the same ledger,
address and session: an open page reconnects by itself. Running tasks get the shutdown grace to finish,
then they end in a turn that says that they were interrupted.
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

#[test]
fn the_page_says_what_the_parser_does() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/terminal.md");
    let page = page();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(written, page, "docs/terminal.md is stale: see the head of this file");
}

#[test]
fn every_command_has_its_examples_and_every_example_parses() {
    let command = Args::command();
    let mut with_row: Vec<_> = GUIDES.iter().map(|guide| guide.name).collect();
    let mut parsed: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
    with_row.sort_unstable();
    parsed.sort_unstable();
    assert_eq!(with_row, parsed);
    for guide in GUIDES {
        assert!(!guide.examples.is_empty(), "{}", guide.name);
        for (typed, _) in guide.examples {
            let filled = sample().fill(typed);
            let Some(at) = filled.find("hello") else {
                assert!(filled.starts_with("cargo imperal "), "{filled}");
                continue;
            };
            let line = filled[at..].split(['|', '>']).next().unwrap().trim_end().trim_end_matches(')');
            // As a shell cuts it, as far as the examples go.
            let words = line.replace("'{\"key\": \"value\"}'", "{}");
            let matches = Args::command().try_get_matches_from(words.split_whitespace());
            assert!(matches.is_ok(), "{filled}: {}", matches.unwrap_err());
        }
    }
}
