//! Questions of tasks: read and answered over the API, and their lines at the terminal.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer_text;
use super::client::Client;
use super::exit::CliError;
use super::out::{OutputStyle, Paint};
use super::when;
use crate::codes;
use crate::ids::TaskId;
use crate::ledger::{Question, QuestionState};

#[derive(Deserialize)]
struct QuestionList {
    questions: Vec<Question>,
}

#[derive(Deserialize)]
struct AnsweredQuestion {
    question: Question,
}

/// What became of an answer.
pub(super) enum Sent {
    Accepted(Question),
    /// Another answer was first, or the question is no longer open.
    Closed(Option<Question>),
}

/// The questions of a task, in the order in which they were asked.
pub(super) async fn read(client: &Client, task_id: TaskId) -> Result<Vec<Question>, CliError> {
    Ok(client.get::<QuestionList>(&format!("/v1/tasks/{task_id}/questions")).await?.questions)
}

/// Answers a question. Sending the same answer again is safe.
pub(super) async fn send(client: &Client, question: &Question, answer: &Value) -> Result<Sent, CliError> {
    let body = json!({ "question_id": question.question_id, "answer": answer });
    let path = format!("/v1/tasks/{}/answer", question.task_id);
    match client.post::<AnsweredQuestion>(&path, &body).await {
        Ok(answered) => Ok(Sent::Accepted(answered.question)),
        Err(error) if error.has_code(&codes::QUESTION_CLOSED) => {
            let now = read(client, question.task_id).await?;
            Ok(Sent::Closed(now.into_iter().find(|one| one.question_id == question.question_id)))
        }
        Err(error) => Err(error.hint(format!("it takes {}", answer_text::takes(&question.schema)))),
    }
}

/// What became of a question: a sentence. What it says of extensions and users is made harmless.
pub(super) fn end(question: &Question, style: OutputStyle) -> String {
    let words = |value: &Value| style.sanitize_line(&answer_text::in_words(&question.schema, value));
    match question.state {
        QuestionState::Open => format!("open; it takes {}", style.sanitize_line(&answer_text::takes(&question.schema))),
        QuestionState::Answered => {
            let answer = question.answer.as_ref().map_or_else(|| "not kept".to_owned(), words);
            let by = question.answered_by.as_deref().unwrap_or_default();
            let by = style.sanitize_line(by.strip_prefix("user:").unwrap_or(by));
            let at = question.answered_at.map_or_else(String::new, |at| format!(", {}", when::format_time(at, style)));
            format!("answered: {answer} (by {by}{at})")
        }
        QuestionState::Expired => match &question.fallback {
            Some(fallback) => format!("nobody answered; it went on with: {}", words(fallback)),
            None => "nobody answered in time".to_owned(),
        },
        QuestionState::Withdrawn => "withdrawn".to_owned(),
    }
}

/// Until when an answer is accepted: "answer within 1 day 3 h, else: Later".
pub(super) fn deadline(question: &Question, now: Timestamp, style: OutputStyle) -> String {
    let left = when::format_duration(question.until.duration_since(now).unsigned_abs());
    let words = |value| style.sanitize_line(&answer_text::in_words(&question.schema, value));
    let other = question.fallback.as_ref().map_or_else(String::new, |value| format!(", else: {}", words(value)));
    if question.until <= now {
        "the time for an answer is over".to_owned()
    } else {
        format!("answer within {left}{other}")
    }
}

/// "? Order 4711 asks: Ship without the blue mug?", and its choices with their numbers.
pub(super) fn lines(name: &str, question: &Question, style: OutputStyle) -> Vec<String> {
    let mark = style.paint(Paint::Yellow, "?");
    let text = style.sanitize_line(question.text.trim());
    let mut lines = vec![format!("{mark} {} asks: {text}", style.sanitize_line(name))];
    let (choices, only) = answer_text::choices(&question.schema);
    let mut shown: Vec<_> = choices
        .iter()
        .enumerate()
        .map(|(at, choice)| {
            let is_fallback = question.fallback.as_ref() == Some(&choice.value);
            let fallback = if is_fallback { style.paint(Paint::Dim, " (if nobody answers)") } else { String::new() };
            let number = style.paint(Paint::Cyan, &(at + 1).to_string());
            format!("[{number}] {}{fallback}", style.sanitize_line(&choice.title))
        })
        .collect();
    if !choices.is_empty() && !only {
        shown.push(format!("[{}] other…", style.paint(Paint::Cyan, "o")));
    }
    if shown.is_empty() {
        shown.push(style.sanitize_line(&answer_text::takes(&question.schema)));
    }
    lines.push(format!("  {}", shown.join("  ")));
    lines.push(style.paint(Paint::Dim, &format!("  {}", deadline(question, Timestamp::now(), style))));
    lines
}
