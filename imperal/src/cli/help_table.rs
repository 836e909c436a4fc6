//! Examples, notes and exit codes of each command, for help and docs.
//!
//! Every command of the parser has a row here and every example parses; a test checks both. `help.rs` shows them, and
//! `docs/terminal.md` is generated from the same table.

use super::exit::Exit;

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
        name: "say",
        group: Group::Use,
        examples: &[
            ("{bin} say \"what can you do?\"", "write to the assistant and watch its answer"),
            ("{bin} say - < letter.txt", "a message from standard input"),
            ("{bin} say hello --model-url http://localhost:11434/v1 --model qwen3", "with a model of this machine"),
        ],
        note: "The assistant needs a model: set it where the platform runs, by --model-url and --model or by \
               IMPERAL_MODEL_URL and IMPERAL_MODEL. It asks here before it does what cannot be undone; in a pipe such a \
               question ends the watching, and `answer` answers it.",
        exits: FOLLOWS,
    },
    CommandHelp {
        name: "chat",
        group: Group::Use,
        examples: &[
            ("{bin} chat", "the latest 20 turns"),
            ("{bin} chat --talk", "talk with the assistant, one message a line"),
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
            ("{bin} show 3b678a74", "a task: parameters, state, times, timeline, outcome and data"),
            ("{bin} show 12", "a turn, by the number that `chat` shows"),
            ("{bin} show 3b678a74 --json", "the task or turn with its parameters as one JSON object"),
        ],
        note: "",
        exits: CONNECTS,
    },
    CommandHelp {
        name: "export",
        group: Group::Use,
        examples: &[
            ("{bin} export 3b678a74 --out tests/tasks/order.json", "for `imperal::testing::replay(\"tests/tasks\")`"),
            ("{bin} export 3b678a74", "print it as one JSON object"),
            ("{bin} export --to tests/tasks --function {function} --state waiting", "all that match, a file each"),
        ],
        note: "--to takes the latest 500 tasks and leaves out those that cannot be exported. A file has the input and the values of the steps as they are stored, and nothing else of the user: read it \
               before you commit it. A task of a function with `writeOnly` parameters is refused, because its input or a \
               step may have a secret. Export a task before retention removes its values.",
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
        name: "continue",
        group: Group::Use,
        examples: &[
            ("{bin} continue 3b678a74", "go on from an ended task: its stored steps are kept and not done again"),
            ("{bin} continue 3b678a74 --from-step 3", "keep the first two steps only"),
            ("{bin} continue 3b678a74 --from-step image/cover", "run this step again, and those after it"),
            ("{bin} continue 3b678a74 --follow", "and watch the new task until its outcome"),
        ],
        note: "A new task starts in the chat. Effects of the ended task are kept whatever the step: none is done twice. If it \
               is not known whether one was done, the new task finds out or asks. A task is gone on from once; after that, go \
               on from the new task. The values of steps are kept for seven days after the end.",
        exits: FOLLOWS,
    },
    CommandHelp {
        name: "run-again",
        group: Group::Use,
        examples: &[
            ("{bin} run-again 3b678a74", "run an ended task again with its input, from the start"),
            ("{bin} run-again 3b678a74 --key second", "once more: a task runs again once for each key"),
        ],
        note: "A new task starts in the chat. It keeps nothing of the ended one, so it does every step and every effect \
               again: a payment too.",
        exits: FOLLOWS,
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
        name: "secret",
        group: Group::Use,
        examples: &[
            ("{bin} secret list", "which secrets have a value, since when, by whom"),
            ("{bin} secret set api_key", "enter one: you are asked, and nothing is shown"),
            ("cat key.txt | {bin} secret set api_key --user anna", "that of another user, as an operator"),
            ("{bin} secret remove api_key", "remove the value"),
            ("{bin} secret new-key > secret.keys", "a key for `serve`, in `IMPERAL_SECRET_KEYS_FILE`"),
            ("{bin} secret rotate", "seal all secrets again with the platform's first key"),
        ],
        note: "A value is never an argument, because other users of the machine can read a command line. On the data \
               folder you are an operator. Elsewhere your token needs the scope `secrets:operate` for other users of its \
               tenant, or `secrets:operate:all` for all users, for secrets that all users share, and for `rotate`. No \
               command shows a value.",
        exits: CONNECTS,
    },
    CommandHelp {
        name: "schedules",
        group: Group::Use,
        examples: &[
            ("{bin} schedules", "what repeats: its state, its next and its last run"),
            ("{bin} schedules --json", "one JSON object per line"),
        ],
        note: "",
        exits: CONNECTS,
    },
    CommandHelp {
        name: "schedule",
        group: Group::Use,
        examples: &[
            ("{bin} schedule add 'every day 08:00 Europe/Berlin' {call} --name Digest", "run a function every day"),
            ("{bin} schedule add 'every 2 hours' {call}", "each two hours of elapsed time"),
            ("{bin} schedule next 'weekday 02:30 Europe/Berlin' -n 5", "try times; makes nothing"),
            ("{bin} schedule pause 678a7413", "by its id, the end of it, or its name; `resume` lets it go on"),
            ("{bin} schedule run Digest", "once now, on the running platform; its times stay"),
            ("{bin} schedule edit Digest --when 'weekday 07:30'", "other times; also --name, --ends, key=value"),
            ("{bin} schedule rm Digest", "delete it: you are asked; --yes answers"),
        ],
        note: "Times are 'every day 08:00', 'weekday 07:30', 'monday,friday 09:00', 'month 1 08:00', 'every 2 hours' or a cron \
               expression of five fields, with a time zone behind them. Without a zone it is this machine's. Schedules run \
               while `dev` or `serve` runs. A destructive function asks before it is let run by itself; in a pipe --yes \
               answers.",
        exits: CONNECTS,
    },
    CommandHelp {
        name: "ops",
        group: Group::More,
        examples: &[
            ("{bin} ops tasks --state stuck", "open tasks of all users, by state, user, queue, .."),
            ("{bin} ops cancel generate --user anna", "how many match, of whom; with --yes it cancels them"),
            ("{bin} ops retry --suspect --yes", "try tasks again at once that wait after crashes"),
            ("{bin} ops pause generate", "no process takes up tasks of a durable task"),
            ("{bin} ops resume generate", "until this"),
            ("{bin} ops queues", "what runs and waits in each queue"),
            ("{bin} ops jobs", "what the extensions run at times: for how many users, and when next"),
            ("{bin} ops schedules --user anna", "schedules and jobs of a user, with their last runs"),
            ("{bin} ops pause-schedules --user anna", "none of them runs until `resume-schedules`"),
        ],
        note: "On the data folder you are an operator, with or without a running platform. Elsewhere your token needs the \
               scope `tasks:operate` for its tenant, or `tasks:operate:all`, which `pause`, `resume`, `paused`, `queues` and \
               `jobs` need. Tasks of several tenants or extensions are changed only with --all-tenants or --all-apps. \
               What you change is in the audit trail.",
        exits: CONNECTS,
    },
    CommandHelp {
        name: "documents",
        group: Group::More,
        examples: &[
            ("{bin} documents list", "your collections, with the number and bytes of their documents"),
            ("{bin} documents show packages spring", "one document"),
            ("{bin} documents export --user anna --file anna.jsonl", "one JSON object a line, of all collections"),
            ("{bin} documents import --user anna --file anna.jsonl", "keeps the ids; --replace replaces what exists"),
            ("{bin} documents delete packages --user anna", "how many; with --yes it deletes them"),
        ],
        note: "On the data folder you are an operator, with or without a running platform. Elsewhere your token needs the \
               scope `documents:operate` for its tenant, or `documents:operate:all`. What you read and change is in the \
               audit trail of the documents' user.",
        exits: CONNECTS,
    },
    CommandHelp {
        name: "files",
        group: Group::Use,
        examples: &[
            ("{bin} files list", "your files, the latest first"),
            ("{bin} files put picture.png", "its id, which a call takes as a parameter"),
            ("{bin} files get ID --file picture.png", "its bytes; without --file to standard output"),
            ("{bin} files rm ID", "deletes it"),
        ],
        note: "An upload that no call takes is removed after 24 hours.",
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
        name: "mcp",
        group: Group::Run,
        examples: &[
            ("{bin} mcp --print-config claude-desktop", "what to put into the client's configuration"),
            ("{bin} mcp", "as the client starts it: messages on standard input, answers on standard output"),
        ],
        note: "It hands messages to the platform that runs on the data folder. If none runs, it starts one that ends with \
               the client. Needs the feature `mcp` of the crate `imperal`.",
        exits: &[Exit::Unavailable],
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
