//! Shell completions: commands and options, and what only the binary knows: functions, their parameters with
//! their values, and running tasks.
//!
//! The shell asks the binary at each TAB, so the candidates follow every build. Owns the candidates; clap owns
//! the protocol of each shell.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::{CompleteEnv, EnvCompleter, Shells};
use jiff::Timestamp;
use serde_json::Value;

use super::api::{http_builder, read_body};
use super::exit::CliError;
use super::task_id::TaskList;
use super::{answer_text, durable_words, out, schema_text};
use crate::function::{FunctionDef, Registry, params_schema};
use crate::gateway::LocalKey;
use crate::ledger::{Question, QuestionState, Task, TaskState};
use crate::server::{DataFolder, local_user};

/// The shell sets this variable when it asks for candidates.
const VARIABLE: &str = "IMPERAL_COMPLETE";
/// A TAB waits for a running platform no longer than this.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A shell with completions.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
    Elvish,
}

/// Answers a shell that asks for candidates. Returns whether one did.
pub(super) fn answer(command: impl Fn() -> clap::Command) -> bool {
    let asked = CompleteEnv::with_factory(command).var(VARIABLE);
    // An error would be printed into the command line that is being typed.
    asked.try_complete(std::env::args_os(), std::env::current_dir().ok().as_deref()).unwrap_or(true)
}

/// Prints the script that makes a shell ask this binary.
pub(super) fn script(shell: Shell, bin: &str) -> Result<(), CliError> {
    let name = shell.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let shells = Shells::builtins();
    let completer: &dyn EnvCompleter =
        shells.completer(&name).ok_or_else(|| CliError::usage(format!("no completions for {name}")))?;
    let mut script = Vec::new();
    completer.write_registration(VARIABLE, bin, bin, bin, &mut script)?;
    out::print_line(String::from_utf8_lossy(&script).trim());
    Ok(())
}

/// Functions of this binary.
pub(super) fn functions(current: &OsStr) -> Vec<CompletionCandidate> {
    let Ok(registry) = Registry::collect() else { return Vec::new() };
    let all = registry.extensions().flat_map(|extension| extension.functions().to_vec());
    all.filter(|function| function.name.starts_with(&*current.to_string_lossy()))
        .map(|function| CompletionCandidate::new(function.name).help(Some(function.description.to_owned().into())))
        .collect()
}

/// Commands and functions, for `help`.
pub(super) fn help_topics(current: &OsStr) -> Vec<CompletionCandidate> {
    let begun = current.to_string_lossy();
    let commands =
        super::help_table::COMMAND_HELP.iter().map(|help| help.name).filter(|name| name.starts_with(&*begun));
    commands.map(CompletionCandidate::new).chain(functions(current)).collect()
}

/// Parameters of the function on the command line, or the values of a parameter.
pub(super) fn parameters(current: &OsStr) -> Vec<CompletionCandidate> {
    let words = words();
    let Some(function) = function_in(&words) else { return Vec::new() };
    let schema = params_schema(function);
    let Some(properties) = schema["properties"].as_object() else { return Vec::new() };
    let current = current.to_string_lossy();
    // bash splits words at `=`, so that the key and the sign are words before this one.
    let (key, begun, whole) = match current.split_once('=') {
        Some((key, value)) => (Some(key.to_owned()), value.to_owned(), true),
        None => (key_before(&words), current.trim_start_matches('=').to_owned(), false),
    };
    if let Some(key) = key {
        let values = values(&schema, &properties.get(&key).cloned().unwrap_or_default());
        return values
            .into_iter()
            .filter(|value| value.starts_with(&begun))
            .map(|value| CompletionCandidate::new(if whole { format!("{key}={value}") } else { value }))
            .collect();
    }
    properties
        .iter()
        .filter(|(key, _)| key.starts_with(&*current) && !given(&words, key))
        .map(|(key, property)| {
            let help = property["description"].as_str().map(|text| text.to_owned().into());
            CompletionCandidate::new(format!("{key}=")).help(help)
        })
        .collect()
}

/// Open tasks of the platform on the data folder.
pub(super) fn tasks(current: &OsStr) -> Vec<CompletionCandidate> {
    candidates(current, open_tasks(&words()).unwrap_or_default())
}

/// Ended durable tasks.
pub(super) fn ended_tasks(current: &OsStr) -> Vec<CompletionCandidate> {
    candidates(current, recent_tasks(&words(), |task| task.durable && !task.state.is_open()))
}

/// Ended durable tasks that did not succeed.
pub(super) fn unfinished_tasks(current: &OsStr) -> Vec<CompletionCandidate> {
    let is_unfinished = |task: &Task| task.durable && !task.state.is_open() && task.state != TaskState::Succeeded;
    candidates(current, recent_tasks(&words(), is_unfinished))
}

/// Tasks by their ids, with their names and states.
fn candidates(current: &OsStr, tasks: Vec<Task>) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    tasks
        .into_iter()
        .filter_map(|task| {
            let id = task.task_id.to_string();
            // By the end of the id, as `tasks` shows it, or by the whole id.
            let short = super::task_id::short_id(task.task_id);
            let shown = if short.starts_with(&*current) { short } else { id };
            let said = shown.starts_with(&*current).then_some(shown)?;
            let state = durable_words::state(&task, Timestamp::now(), out::OutputStyle::default());
            let help = out::OutputStyle::default().sanitize_line(&format!("{}, {state}", task.name));
            Some(CompletionCandidate::new(said).help(Some(help.into())))
        })
        .collect()
}

/// Open tasks that ask.
pub(super) fn asking_tasks(current: &OsStr) -> Vec<CompletionCandidate> {
    let asks = |task: &Task| task.open_questions > 0;
    let all = open_tasks(&words()).unwrap_or_default();
    let ids: Vec<_> = all
        .iter()
        .filter(|task| asks(task))
        .flat_map(|task| [task.task_id.to_string(), super::task_id::short_id(task.task_id)])
        .collect();
    let mut candidates = tasks(current);
    candidates.retain(|candidate| ids.iter().any(|id| candidate.get_value() == id.as_str()));
    candidates
}

/// The answers to the question on the command line, or to the only open one of its task: choices, or the fields of a
/// form.
pub(super) fn answers(current: &OsStr) -> Vec<CompletionCandidate> {
    let words = words();
    let current = current.to_string_lossy();
    let mut open = open_questions(&words);
    if let Some(named) = option(&words, "--question") {
        open.retain(|question| question.name == named || question.question_id.to_string() == named);
    }
    // `answer` needs `--question` if several are open.
    let [question] = &open[..] else { return Vec::new() };
    let (choices, _) = answer_text::choices(&question.schema);
    let choices = choices.iter().zip(1..).filter_map(|(choice, number)| {
        let word = answer_text::plain_word(choice, number);
        let is_meant = word.starts_with(&*current) || choice.title.starts_with(&*current);
        let help = out::OutputStyle::default().sanitize_line(&choice.title);
        let help = (word != choice.title).then(|| help.into());
        is_meant.then(|| CompletionCandidate::new(word).help(help))
    });
    let fields = schema_text::parameters(&question.schema).into_iter();
    let fields = fields.filter(|field| !given(&words, &field.name)).map(|field| format!("{}=", field.name));
    let fields = fields.filter(|field| field.starts_with(&*current)).map(CompletionCandidate::new);
    choices.chain(fields).collect()
}

/// The open questions of the task on the command line.
pub(super) fn questions(current: &OsStr) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let open = open_questions(&words()).into_iter().filter(|question| question.name.starts_with(&*current));
    open.map(|question| {
        let help = out::OutputStyle::default().sanitize_line(&question.text);
        CompletionCandidate::new(question.name).help(Some(help.into()))
    })
    .collect()
}

fn open_questions(words: &[String]) -> Vec<Question> {
    let Some(named) = task_to_answer(words) else { return Vec::new() };
    let all = open_tasks(words).unwrap_or_default();
    let Some(task) = all.iter().find(|task| task.task_id.to_string().ends_with(named)) else { return Vec::new() };
    let asked = ask(words, &format!("/v1/tasks/{}/questions", task.task_id), |body| {
        crate::json::read::<Asked>(body).ok().map(|asked| asked.questions)
    });
    let mut open = asked.unwrap_or_default();
    open.retain(|question| question.state == QuestionState::Open);
    open
}

/// The first word after `answer` that is no option and no value of one.
fn task_to_answer(words: &[String]) -> Option<&str> {
    let at = words.iter().position(|word| word == "answer")?;
    let mut rest = words[at + 1..].iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "--question" | "--data-dir" | "--url" => {
                // bash makes a word of the sign in `--question=name`.
                if rest.next()? == "=" {
                    rest.next()?;
                }
            }
            word if word.starts_with('-') => {}
            word => return Some(word),
        }
    }
    None
}

/// The value of an option, in one of the forms in which shells hand it over.
fn option<'w>(words: &'w [String], name: &str) -> Option<&'w str> {
    let at = words.iter().position(|word| word.split('=').next() == Some(name))?;
    match words[at].split_once('=') {
        Some((_, value)) => Some(value),
        None => words[at + 1..].iter().map(String::as_str).find(|word| *word != "="),
    }
}

#[derive(serde::Deserialize)]
struct Asked {
    questions: Vec<Question>,
}

/// The command line so far, which the script passes after `--`.
fn words() -> Vec<String> {
    let mut args = std::env::args().skip_while(|arg| arg != "--").skip(1);
    args.next();
    args.collect()
}

fn function_in(words: &[String]) -> Option<&'static FunctionDef> {
    let at = words.iter().position(|word| word == "call")?;
    let registry = Registry::collect().ok()?;
    words[at + 1..].iter().find_map(|word| registry.extensions().find_map(|extension| extension.function(word)))
}

/// The key whose value is being typed, if the shell split the word into `key` `=` `val`.
fn key_before(words: &[String]) -> Option<String> {
    let index: usize = std::env::var("_CLAP_COMPLETE_INDEX").ok()?.parse().ok()?;
    // The index counts the program's name, which `words` leaves out.
    let at = index.checked_sub(1)?;
    let is_sign = |at: usize| words.get(at).is_some_and(|word| word == "=");
    let key = if is_sign(at) { at.checked_sub(1)? } else { at.checked_sub(2).filter(|_| is_sign(at - 1))? };
    words.get(key).cloned()
}

fn given(words: &[String], key: &str) -> bool {
    words.iter().any(|word| word.split_once('=').is_some_and(|(given, _)| given == key))
        || words.windows(2).any(|pair| pair[0] == key && pair[1] == "=")
}

/// The values of a parameter, if its schema lists them.
fn values(schema: &Value, property: &Value) -> Vec<String> {
    if let Some(name) = property["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        return values(schema, &schema["$defs"][name].clone());
    }
    if property["type"] == "boolean" {
        return vec!["true".to_owned(), "false".to_owned()];
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if let Some(listed) = property["enum"].as_array() {
        return listed.iter().filter_map(text).collect();
    }
    let forms = property["oneOf"].as_array().or_else(|| property["anyOf"].as_array());
    forms
        .into_iter()
        .flatten()
        .flat_map(|form| text(&form["const"]).map_or_else(|| values(schema, form), |one| vec![one]))
        .collect()
}

fn open_tasks(words: &[String]) -> Option<Vec<Task>> {
    ask(words, "/v1/tasks/active", |body| Some(crate::json::read::<TaskList>(body).ok()?.tasks))
}

fn recent_tasks(words: &[String], fits: impl Fn(&Task) -> bool) -> Vec<Task> {
    let read = |body: &[u8]| Some(crate::json::read::<TaskList>(body).ok()?.tasks);
    let mut tasks = ask(words, "/v1/tasks?limit=100", read).unwrap_or_default();
    tasks.retain(fits);
    tasks
}

/// Asks the platform that has the data folder open.
fn ask<T>(words: &[String], path: &str, read: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
    let given = option(words, "--data-dir").map(str::to_owned);
    let folder = given.or_else(|| std::env::var("IMPERAL_DATA_DIR").ok()).unwrap_or_else(|| ".imperal".to_owned());
    let folder = PathBuf::from(folder);
    let url = DataFolder::listening(&folder)?.local_url()?;
    let token = LocalKey::of_folder(&folder).ok()?.sign(&local_user()).ok()?;
    crate::tls::choose_cryptography();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    runtime.block_on(async {
        let http = http_builder().no_proxy().timeout(TIMEOUT).build().ok()?;
        let answer = http.get(format!("{url}{path}")).bearer_auth(token).send().await.ok()?;
        read(&read_body(answer).await.ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn options_are_found_in_every_form() {
        for line in ["answer --question order 9f", "answer --question=order 9f", "answer --question = order 9f"] {
            assert_eq!(option(&words(line), "--question"), Some("order"), "{line}");
            assert_eq!(task_to_answer(&words(line)), Some("9f"), "{line}");
        }
        let line = words("answer 9f Publish --data-dir /x --json");
        assert_eq!((task_to_answer(&line), option(&line, "--data-dir")), (Some("9f"), Some("/x")));
        assert_eq!(option(&line, "--question"), None);
        assert_eq!(task_to_answer(&words("answer --json")), None);
        assert_eq!(option(&words("answer --question"), "--question"), None);
    }
}
