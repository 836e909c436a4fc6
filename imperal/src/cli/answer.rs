//! `answer TASK [VALUE | KEY=VALUE ..]`: answers a question of a task, or asks the person for the answer.

use std::io::{self, BufRead, IsTerminal, Write};

use serde_json::{Map, Value};

use super::client::{Client, Needs};
use super::exit::{CliError, Exit, suggestion};
use super::out::{self, OutputStyle};
use super::questions::{self, Sent};
use super::user_args::AnswerArgs;
use super::{answer_text, params, program_name, schema_text, task_id};
use crate::app::App;
use crate::codes;
use crate::function::Registry;
use crate::ledger::{Question, QuestionState, Task};

/// `answer`.
pub(super) async fn answer(app: App, registry: Registry, args: AnswerArgs) -> Result<Exit, CliError> {
    let client = Client::connect(app, registry, &args.connect, Needs::Ledger).await?;
    let answered = run(&client, &args).await;
    let is_embedded = client.is_embedded();
    client.close().await;
    let exit = answered?;
    if is_embedded && exit == Exit::Success && !args.connect.json {
        out::print_note(&format!("`{} dev` goes on with the task: no process runs now", program_name::command_line()));
    }
    Ok(exit)
}

async fn run(client: &Client, args: &AnswerArgs) -> Result<Exit, CliError> {
    let task_id = task_id::resolve_task(client, &args.task).await?;
    let task: Task = client.get(&format!("/v1/tasks/{task_id}")).await?;
    let question = choose(&task, questions::read(client, task_id).await?, args.question.as_deref())?;
    let is_asked = args.answer.is_empty();
    let answer = if is_asked {
        if args.connect.json || !io::stdin().is_terminal() {
            let text = format!("the answer is missing; it takes {}", answer_text::takes(&question.schema));
            return Err(CliError::usage(text));
        }
        let (name, asked) = (task.name.clone(), question.clone());
        // Lines of a terminal are read blocking.
        tokio::task::spawn_blocking(move || ask(&name, &asked)).await??
    } else {
        Some(answer_text::parse(&args.answer, &question.schema)?)
    };
    let Some(answer) = answer else {
        out::print_note("not answered; the question stays open");
        return Ok(Exit::Success);
    };
    let sent = questions::send(client, &question, &answer).await?;
    let style = OutputStyle::of_stdout();
    let name = style.sanitize_line(&task.name);
    match sent {
        Sent::Accepted(question) if args.connect.json => out::print_json(&question),
        Sent::Accepted(question) => out::print_line(&format!("{name}: {}.", questions::end(&question, style))),
        Sent::Closed(question) => return Err(closed(&name, question.as_ref())),
    }
    Ok(Exit::Success)
}

fn closed(name: &str, question: Option<&Question>) -> CliError {
    let end = question.map_or_else(|| "gone".to_owned(), |question| questions::end(question, OutputStyle::of_stderr()));
    CliError::refused(format!("the question of {name} is no longer open: {end}"))
        .with_code(codes::QUESTION_CLOSED.as_str())
        .hint("the first answer counts; `show TASK` lists the questions".to_owned())
}

/// The question that is meant: the named one, or the only open one.
fn choose(task: &Task, all: Vec<Question>, named: Option<&str>) -> Result<Question, CliError> {
    let list = |of: &[Question]| of.iter().map(|question| question.name.clone()).collect::<Vec<_>>();
    if let Some(named) = named {
        let all_names = list(&all);
        let found = all.into_iter().find(|one| one.name == named || one.question_id.to_string() == named);
        return found.ok_or_else(|| {
            let list = if all_names.is_empty() { "none".to_owned() } else { all_names.join(", ") };
            CliError::refused(format!("{} has no question `{named}`; it has {list}", task.name))
                .hint(suggestion(named, all_names.iter().map(String::as_str)))
        });
    }
    let asked_before = !all.is_empty();
    let mut open: Vec<_> = all.into_iter().filter(|question| question.state == QuestionState::Open).collect();
    if open.len() > 1 {
        let text =
            format!("{} asks {} questions: choose with --question: {}", task.name, open.len(), list(&open).join(", "));
        return Err(CliError::refused(text));
    }
    open.pop().ok_or_else(|| {
        let text = format!("{} has no open question", task.name);
        let hint = asked_before.then(|| "`show TASK` lists its questions and answers".to_owned());
        CliError::refused(text).hint(hint.or_else(|| Some("`tasks` shows which tasks ask".to_owned())))
    })
}

/// Asks the person. `None` if nothing was typed.
fn ask(name: &str, question: &Question) -> Result<Option<Value>, CliError> {
    let style = OutputStyle::of_stderr();
    for line in questions::lines(name, question, style) {
        eprintln!("{line}");
    }
    if answer_text::is_form(&question.schema) {
        return ask_fields(&question.schema, style);
    }
    loop {
        let Some(line) = read_line("answer (Enter: not now): ")? else { return Ok(None) };
        let (choices, only) = answer_text::choices(&question.schema);
        let answer = if line.trim().eq_ignore_ascii_case("o") && !choices.is_empty() && !only {
            answer_text::parse_json(&read_line("answer as JSON: ")?.unwrap_or_default())
        } else {
            answer_text::parse_line(&line, &question.schema)
        };
        match answer {
            Ok(answer) => return Ok(answer),
            Err(error) => complain(&error, style),
        }
    }
}

/// Asks for each field of a form. An empty line leaves an optional one out, and the whole question at the first one.
fn ask_fields(schema: &Value, style: OutputStyle) -> Result<Option<Value>, CliError> {
    let mut answer = Map::new();
    for (at, field) in schema_text::parameters(schema).into_iter().enumerate() {
        let optional = if field.required { "" } else { ", optional" };
        let prompt =
            format!("  {} ({}{optional}): ", style.sanitize_line(&field.name), style.sanitize_line(&field.kind));
        loop {
            let Some(line) = read_line(&prompt)? else { return Ok(None) };
            let line = line.trim();
            if line.is_empty() {
                if !field.required {
                    break;
                }
                if at == 0 {
                    return Ok(None);
                }
                eprintln!("  this is needed");
                continue;
            }
            match params::answer_from_pairs(&[format!("{}={line}", field.name)], schema) {
                Ok(given) => {
                    answer.extend(given);
                    break;
                }
                Err(error) => complain(&error, style),
            }
        }
    }
    Ok(Some(Value::Object(answer)))
}

fn complain(error: &CliError, style: OutputStyle) {
    let hint = error.hint.as_ref().map_or_else(String::new, |hint| format!("; {hint}"));
    eprintln!("  {}", style.sanitize_line(&format!("{}{hint}", error.text)));
}

/// A line of the person; `None` if the terminal is gone.
fn read_line(prompt: &str) -> Result<Option<String>, CliError> {
    let mut err = io::stderr();
    write!(err, "{prompt}")?;
    err.flush()?;
    let mut line = String::new();
    Ok((io::stdin().lock().read_line(&mut line)? > 0).then_some(line))
}
