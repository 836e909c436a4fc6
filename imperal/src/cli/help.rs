//! Examples, notes and exit codes of each command, for help and docs.
//!
//! Every command of the parser has a row here and every example parses; a test checks both. Help shows the
//! examples first, with the extension's own function and parameters. `docs/terminal.md` is generated from the
//! same table.

use std::fmt::Write;

use clap::Command;

use super::exit::Exit;
use super::help_layout::{self, STYLES, header};

/// The part of a command's help that clap does not have.
#[derive(Debug)]
pub(super) struct CommandHelp {
    pub(super) name: &'static str,
    pub(super) group: Group,
    /// Commands and their effects. `{bin}` is the binary, `{call}` a function with parameters.
    pub(super) examples: &'static [(&'static str, &'static str)],
    /// A note below the examples.
    pub(super) note: &'static str,
    /// Exits besides success, failure and usage.
    pub(super) exits: &'static [Exit],
}

/// The section of a command in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    Run,
    Use,
    Ship,
    More,
}

impl Group {
    pub(super) const ALL: [Self; 4] = [Self::Run, Self::Use, Self::Ship, Self::More];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Run => "Run the platform",
            Self::Use => "Use it from the terminal",
            Self::Ship => "The manifest",
            Self::More => "More",
        }
    }
}

const CONNECTS: &[Exit] = &[Exit::Refused, Exit::Unavailable];
const FOLLOWS: &[Exit] = &[Exit::Cancelled, Exit::Refused, Exit::Unavailable, Exit::Asks, Exit::Interrupted];

pub(super) const COMMAND_HELP: &[CommandHelp] = &[
    CommandHelp {
        name: "dev",
        group: Group::Run,
        examples: &[
            ("{bin}", "the chat page on this machine; prints a link to open"),
            ("{bin} dev --listen 127.0.0.1:0", "on a free port"),
            ("{bin} dev --no-open", "without opening the browser"),
            ("{bin} dev --data-dir /tmp/try", "with another ledger"),
            ("cargo imperal dev", "and build and start again after each change of the sources"),
        ],
        note: "This runs without a command too. On a desktop it opens the link in your browser, but not over SSH, in CI \
               or if its output is not a terminal. The link opens one browser once; `link` prints another. Ctrl-C lets \
               running work finish within the grace; a second Ctrl-C interrupts it at once.",
        exits: &[],
    },
    CommandHelp {
        name: "serve",
        group: Group::Run,
        examples: &[
            ("IMPERAL_JWT_SECRET=.. {bin} serve --listen 0.0.0.0:8080", "for users with HS256 tokens"),
            ("{bin} serve --jwks https://id.example.com/keys", "for users with RS256 or EdDSA tokens"),
            ("{bin} serve --database-url postgres://db/chat", "one node of many (feature `postgres`)"),
        ],
        note: "On SIGTERM it accepts no new calls, gives running work its grace, and ends. A second signal interrupts \
               the work at once.",
        exits: &[],
    },
    CommandHelp {
        name: "call",
        group: Group::Use,
        examples: &[
            ("{bin} call {call}", "run a function and print its answer"),
            ("{bin} call {call} --follow", "and watch its background tasks until their outcome"),
            ("{bin} call {function} --params '{\"key\": \"value\"}'", "parameters as one JSON object"),
            ("{bin} call {function} key=@draft.txt", "a parameter from a file; `key=@-` from standard input"),
            ("{bin} call {call} --key 2026-01-31", "only once, however often a script calls it"),
            ("{bin} call {call} --json", "one JSON object per line, for a program"),
            ("{bin} call {function} --help", "what the function takes"),
        ],
        note: "It uses the platform that runs on the data folder, or starts one for its own duration. A \
               platform of its own waits for the call's background work and prints the outcome, because no other \
               process would run it. While it waits, and with --follow, Ctrl-C asks whether to cancel the task, \
               detach or go on: one key answers, and a second Ctrl-C detaches. Without a terminal it detaches at \
               once.",
        exits: FOLLOWS,
    },
    CommandHelp {
        name: "follow",
        group: Group::Use,
        examples: &[
            ("{bin} follow", "every task without an outcome, with progress and steps"),
            ("{bin} follow 3b678a74", "one task, by its id or the end of it"),
            ("{bin} follow --json", "progress and turns as JSON lines"),
        ],
        note: "Ctrl-C as with `call --follow`. If the platform stops, it waits up to 30 s for it to come back. A durable \
               task then goes on in the new process: a line says so, and that no stored step ran again. A task that asks \
               is answered here: one key for a choice, Enter for later. In a pipe, with --json and without a server the \
               command ends with exit code 6 when a task waits for an answer.",
        exits: FOLLOWS,
    },
    CommandHelp {
        name: "chat",
        group: Group::Use,
        examples: &[
            ("{bin} chat", "the latest 20 turns"),
            ("{bin} chat -n 200", "more of them"),
            ("{bin} chat --url https://chat.example.com", "of a platform elsewhere, as the user of IMPERAL_TOKEN"),
        ],
        note: "",
        exits: CONNECTS,
    },
    CommandHelp {
        name: "tasks",
        group: Group::Use,
        examples: &[
            ("{bin} tasks", "open and ended tasks, the latest first"),
            ("{bin} tasks --json -n 100", "one JSON object per line"),
        ],
        note: "",
        exits: CONNECTS,
    },
    CommandHelp {
        name: "show",
        group: Group::Use,
        examples: &[
            ("{bin} show 3b678a74", "a task: parameters, state, times, steps, questions, outcome and data"),
            ("{bin} show 12", "a turn, by the number that `chat` shows"),
            ("{bin} show 3b678a74 --json", "the task or turn with its parameters as one JSON object"),
        ],
        note: "",
        exits: CONNECTS,
    },
    CommandHelp {
        name: "answer",
        group: Group::Use,
        examples: &[
            ("{bin} answer 3b678a74", "show the open question of a task, and ask for the answer"),
            ("{bin} answer 3b678a74 Publish", "answer with a choice, a text or a number"),
            ("{bin} answer 3b678a74 note=@note.txt copies=2", "answer a form; values as with `call`"),
            ("{bin} answer 3b678a74 Later --question publish", "if the task asks several"),
        ],
        note: "The first answer counts. The same answer may be sent again; another one is refused, and the one that counts \
               is printed. `show` lists the questions of a task with their answers.",
        exits: CONNECTS,
    },
    CommandHelp {
        name: "cancel",
        group: Group::Use,
        examples: &[("{bin} cancel 3b678a74", "ask a task to stop, by its id or the end of it")],
        note: "Work that listens stops at once; work that does not is dropped after the grace period. A durable task \
               that no process runs is cancelled at once.",
        exits: CONNECTS,
    },
    CommandHelp {
        name: "audit",
        group: Group::Use,
        examples: &[
            ("{bin} audit", "who did what, the latest last"),
            ("{bin} audit --verify", "check that no row was altered or removed"),
        ],
        note: "",
        exits: CONNECTS,
    },
    CommandHelp {
        name: "link",
        group: Group::Use,
        examples: &[("{bin} link", "a link that opens the chat page in one browser, once")],
        note: "",
        exits: CONNECTS,
    },
    CommandHelp {
        name: "build",
        group: Group::Ship,
        examples: &[
            ("{bin} build", "write imperal.json beside Cargo.toml"),
            ("{bin} build --check", "for CI: fail and show the difference when it is stale"),
        ],
        note: "",
        exits: &[],
    },
    CommandHelp {
        name: "validate",
        group: Group::Ship,
        examples: &[
            ("{bin} validate", "this extension against every rule"),
            ("{bin} validate other/imperal.json", "any manifest, of any origin"),
        ],
        note: "",
        exits: &[],
    },
    CommandHelp {
        name: "manifest",
        group: Group::Ship,
        examples: &[("{bin} manifest | jq .tools[].name", "print it instead of writing it")],
        note: "",
        exits: &[],
    },
    CommandHelp {
        name: "token",
        group: Group::More,
        examples: &[
            ("export IMPERAL_TOKEN=$({bin} token anna)", "try `serve` as a user"),
            ("{bin} token ops --scope audit:read:all", "with a scope: may read all tenants' audit rows"),
        ],
        note: "",
        exits: &[],
    },
    CommandHelp {
        name: "completions",
        group: Group::More,
        examples: &[
            ("{bin} completions bash >> ~/.bashrc", "commands, options, functions and their parameters by TAB"),
            ("{bin} completions zsh >> ~/.zshrc", "in zsh"),
            ("{bin} completions fish > ~/.config/fish/completions/{bin}.fish", "in fish"),
        ],
        note: "{bin} has to be on the PATH. The candidates come from the binary itself, so they follow each build.",
        exits: &[],
    },
    CommandHelp {
        name: "help",
        group: Group::More,
        examples: &[
            ("{bin} help call", "explain a command"),
            ("{bin} help {function}", "explain a function: its parameters with types and bounds"),
            ("{bin} help {function} --json", "the function with its parameter schema"),
        ],
        note: "`{bin} call {function} --help` is the same.",
        exits: &[],
    },
];

fn columns(rows: &[(String, String)]) -> String {
    help_layout::columns(rows, help_layout::screen_width())
}

/// The values of the placeholders.
#[derive(Debug, Clone)]
pub(super) struct HelpValues {
    pub(super) bin: String,
    pub(super) function: String,
    /// The function with parameters.
    pub(super) call: String,
    /// Name and description of each function.
    pub(super) functions: Vec<(String, String)>,
}

impl HelpValues {
    pub(super) fn fill(&self, text: &str) -> String {
        text.replace("{bin}", &self.bin).replace("{call}", &self.call).replace("{function}", &self.function)
    }
}

/// Adds examples, the list of commands and exit codes to the help of a command line.
pub(super) fn add_help(mut command: Command, values: &HelpValues) -> Command {
    for help in COMMAND_HELP {
        let before = examples(help, values);
        let after = after(help, values);
        command = command.mut_subcommand(help.name, |sub| {
            sub.mut_args(|arg| arg.hide_env_values(true))
                .help_template("{about}\n\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}")
                .before_help(before)
                .after_help(after)
        });
    }
    let text = format!("{}\n\n{}{}", first_steps(values), commands(&command), functions(values));
    command.styles(STYLES).help_template("{name} {version}\n{about}\n\n{before-help}").before_help(trimmed(&text))
}

fn examples(help: &CommandHelp, values: &HelpValues) -> String {
    let rows: Vec<_> = help.examples.iter().map(|(typed, does)| (values.fill(typed), (*does).to_owned())).collect();
    trimmed(&format!("{}{}", header("Examples:"), columns(&rows)))
}

fn after(help: &CommandHelp, values: &HelpValues) -> String {
    let mut text = String::new();
    if !help.note.is_empty() {
        text.push_str(&values.fill(help.note));
        text.push('\n');
    }
    if !help.exits.is_empty() {
        let always = [Exit::Success, Exit::Failure, Exit::Usage];
        let rows: Vec<_> = Exit::ALL
            .iter()
            .filter(|exit| always.contains(exit) || help.exits.contains(exit))
            .map(|exit| (exit.code().to_string(), exit.meaning().to_owned()))
            .collect();
        let _ = write!(text, "\n{}{}", header("Exit codes:"), columns(&rows));
    }
    trimmed(&text)
}

/// clap adds the empty lines between the parts.
fn trimmed(text: &str) -> String {
    text.trim_end().to_owned()
}

fn first_steps(values: &HelpValues) -> String {
    let typed = [
        ("{bin}", "the platform with its chat page, on this machine"),
        ("{bin} call {call}", "run a function"),
        ("{bin} call {call} --follow", "and watch it until its outcome"),
        ("{bin} tasks", "what is running"),
        ("{bin} help {function}", "what a function takes"),
        ("{bin} help call", "more about a command, examples first"),
    ];
    let rows: Vec<_> = typed.iter().map(|(typed, does)| (values.fill(typed), (*does).to_owned())).collect();
    trimmed(&format!("{}{}", header("Examples:"), columns(&rows)))
}

fn commands(command: &Command) -> String {
    let mut text = String::new();
    for group in Group::ALL {
        let rows: Vec<_> = COMMAND_HELP
            .iter()
            .filter(|help| help.group == group)
            .map(|help| {
                let about = command.find_subcommand(help.name).and_then(Command::get_about);
                (help.name.to_owned(), about.map_or_else(String::new, ToString::to_string))
            })
            .collect();
        let _ = writeln!(text, "{}{}", header(&format!("{}:", group.title())), columns(&rows));
    }
    text
}

fn functions(values: &HelpValues) -> String {
    if values.functions.is_empty() {
        return String::new();
    }
    trimmed(&format!("{}{}", header("Functions:"), columns(&values.functions)))
}
