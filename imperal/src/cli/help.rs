//! The help of each command: its examples first, with the extension's own function and parameters, then its notes and exit
//! codes. They come from `help_table.rs`.

use std::fmt::Write;

use clap::Command;

use super::exit::Exit;
use super::help_layout::{self, STYLES, header};
use super::help_table::{COMMAND_HELP, CommandHelp, Group};

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
