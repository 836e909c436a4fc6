//! Questions of watched tasks: asked here if there is a person, else the watching of a task that waits for an answer ends.
//!
//! Owns the question on the screen, and the line that is typed. `answer_text.rs` reads the line.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};

use super::Follower;
use super::durable::READ_TIMEOUT;
use crate::cli::client::Client;
use crate::cli::exit::{CliError, Exit};
use crate::cli::interrupt::InterruptPrompt;
use crate::cli::keys::{Key, KeyReader};
use crate::cli::out::{self, OutputStyle};
use crate::cli::questions::{self, Sent};
use crate::cli::{answer_text, program_name, task_id};
use crate::ids::{QuestionId, TaskId};
use crate::ledger::{Question, QuestionState};

/// What is known of questions, and the one that is asked.
#[derive(Debug, Default)]
pub(super) struct Asking {
    prompt: Option<QuestionPrompt>,
    /// How many questions of a task were open when they were read.
    read: HashMap<TaskId, u32>,
    /// Questions that the person left for later.
    later: HashSet<QuestionId>,
}

/// A question on the screen.
#[derive(Debug)]
struct QuestionPrompt {
    question: Question,
    name: String,
    keys: KeyReader,
    /// What is typed. `None` while one key chooses.
    line: Option<String>,
    /// Whether the line is JSON, and not one of the listed choices.
    is_json: bool,
    /// Why the last answer was none.
    complaint: String,
    /// Rows of the screen that the question takes now.
    rows: usize,
}

/// The request of a key.
enum Asked {
    Nothing,
    Later,
    Answer(serde_json::Value),
}

impl QuestionPrompt {
    fn open(name: &str, question: Question) -> io::Result<Self> {
        let (choices, _) = answer_text::choices(&question.schema);
        // A digit names one of nine.
        let line = if (1..=9).contains(&choices.len()) { None } else { Some(String::new()) };
        let (name, complaint) = (name.to_owned(), String::new());
        Ok(Self { question, name, keys: KeyReader::open()?, line, is_json: false, complaint, rows: 0 })
    }

    fn press(&mut self, key: Key) -> Asked {
        let Some(line) = &mut self.line else { return self.choose(key) };
        match key {
            Key::Escape => return Asked::Later,
            Key::Char('\u{7f}' | '\u{8}') => drop(line.pop()),
            Key::Char(c) if !c.is_control() => line.push(c),
            Key::Char(_) => {}
            Key::Enter => {
                let schema = &self.question.schema;
                let read =
                    if self.is_json { answer_text::parse_json(line) } else { answer_text::parse_line(line, schema) };
                match read {
                    Ok(None) => return Asked::Later,
                    Ok(Some(answer)) => return Asked::Answer(answer),
                    Err(error) => self.complain(&error),
                }
            }
        }
        Asked::Nothing
    }

    fn choose(&mut self, key: Key) -> Asked {
        let (choices, only) = answer_text::choices(&self.question.schema);
        match key {
            Key::Enter | Key::Escape => return Asked::Later,
            Key::Char('o' | 'O') if !only => (self.line, self.is_json) = (Some(String::new()), true),
            Key::Char(c) => {
                let at = c.to_digit(10).and_then(|digit| usize::try_from(digit).ok()?.checked_sub(1));
                if let Some(choice) = at.and_then(|at| choices.into_iter().nth(at)) {
                    return Asked::Answer(choice.value);
                }
            }
        }
        Asked::Nothing
    }

    fn complain(&mut self, error: &CliError) {
        self.complaint =
            error.hint.as_ref().map_or_else(|| error.text.clone(), |hint| format!("{}; {hint}", error.text));
    }

    fn draw(&mut self) {
        let style = OutputStyle::of_stderr();
        let mut lines = questions::lines(&self.name, &self.question, style);
        if !self.complaint.is_empty() {
            lines.push(format!("  {}", style.sanitize_line(&self.complaint)));
        }
        lines.push(match &self.line {
            None => "  choose (Enter: not now): ".to_owned(),
            Some(line) => {
                let json = if self.is_json { " as JSON" } else { "" };
                format!("  answer{json} (Enter: not now): {}", style.sanitize_line(line))
            }
        });
        let columns = style.width.unwrap_or(80);
        self.rows = lines.iter().map(|line| console::measure_text_width(line).div_ceil(columns).max(1)).sum();
        let mut err = io::stderr();
        let _ = write!(err, "\r\x1b[K{}", lines.join("\n"));
        let _ = err.flush();
    }

    fn erase(&mut self) {
        if self.rows > 0 {
            let up = "\x1b[A".repeat(self.rows - 1);
            let _ = write!(io::stderr(), "{up}\r\x1b[J");
            self.rows = 0;
        }
    }
}

impl Asking {
    /// The next key for the open question; never without one. `None` if the terminal is gone. Cancel-safe.
    pub(super) async fn next_key(&mut self) -> Option<Key> {
        match &mut self.prompt {
            Some(prompt) => prompt.keys.next().await,
            None => std::future::pending().await,
        }
    }

    pub(super) fn draw(&mut self) {
        if let Some(prompt) = &mut self.prompt {
            prompt.draw();
        }
    }

    /// Removes the question from the screen. It stays open.
    pub(super) fn erase(&mut self) {
        if let Some(prompt) = &mut self.prompt {
            prompt.erase();
        }
    }

    /// Ends the question on the screen. Its task may ask it again.
    pub(super) fn close(&mut self) {
        self.erase();
        if let Some(prompt) = self.prompt.take() {
            self.read.remove(&prompt.question.task_id);
        }
    }

    fn is_about(&self, task_id: TaskId) -> bool {
        self.prompt.as_ref().is_some_and(|prompt| prompt.question.task_id == task_id)
    }
}

impl Follower {
    fn can_ask(&self) -> bool {
        !self.as_json && InterruptPrompt::can_ask() && self.bars.are_shown()
    }

    /// Reads the questions of a task when their number has changed, and asks, or stops watching it.
    pub(super) async fn look_for_questions(&mut self, task_id: TaskId, client: &Client) {
        let Some(watched) = self.open.get(&task_id) else { return };
        let (name, Some(durable)) = (watched.name.clone(), &watched.durable) else { return };
        let (open, waits) = (durable.open_questions(), durable.waits_for_answer());
        let can_ask = self.can_ask();
        let has_changed = self.asking.read.get(&task_id).copied().unwrap_or_default() != open;
        let is_due = if can_ask { has_changed } else { waits };
        if !is_due || self.prompt.is_open() {
            return;
        }
        // A failed read is repeated at the next tick.
        let read = tokio::time::timeout(READ_TIMEOUT, questions::read(client, task_id));
        let Ok(Ok(all)) = read.await else { return };
        if !can_ask {
            return self.leave_asking(task_id, &name, &all);
        }
        self.asking.read.insert(task_id, open);
        if self.asking.is_about(task_id) {
            self.end_prompt(&all);
        }
        let next = all
            .into_iter()
            .find(|one| one.state == QuestionState::Open && !self.asking.later.contains(&one.question_id));
        if let Some(question) = next {
            if self.asking.prompt.is_some() {
                // One at a time: this task is looked at again later.
                self.asking.read.remove(&task_id);
            } else if let Ok(prompt) = QuestionPrompt::open(&name, question) {
                self.bars.pause();
                self.asking.prompt = Some(prompt);
                self.asking.draw();
            }
        }
    }

    /// Ends the question on the screen if it was answered elsewhere, and says so.
    fn end_prompt(&mut self, all: &[Question]) {
        let Some(prompt) = &self.asking.prompt else { return };
        let now = all.iter().find(|one| one.question_id == prompt.question.question_id);
        if let Some(question) = now.filter(|one| one.state != QuestionState::Open) {
            let end = questions::end(question, OutputStyle::of_stderr());
            self.close_prompt(&end);
        }
    }

    /// A task that has ended is watched no more, but its question may still be on the screen.
    pub(super) fn end_prompt_of_ended_task(&mut self) {
        let task_id = self.asking.prompt.as_ref().map(|prompt| prompt.question.task_id);
        if task_id.is_some_and(|task_id| !self.open.contains_key(&task_id)) {
            self.close_prompt("the task has ended");
        }
    }

    fn close_prompt(&mut self, says: &str) {
        let name = self.asking.prompt.as_ref().map(|prompt| OutputStyle::of_stderr().sanitize_line(&prompt.name));
        self.asking.close();
        self.bars.resume();
        if let Some(name) = name {
            self.print(|| out::print_note(&format!("{name}: {says}")));
        }
    }

    /// Handles a key for the question on the screen.
    pub(super) async fn handle_answer_key(&mut self, key: Option<Key>, client: &Client) {
        let Some(prompt) = &mut self.asking.prompt else { return };
        prompt.complaint.clear();
        // Without a terminal no answer will come.
        let asked = key.map_or(Asked::Later, |key| prompt.press(key));
        match asked {
            Asked::Nothing => {
                prompt.erase();
                prompt.draw();
            }
            Asked::Later => {
                let (question_id, task_id) = (prompt.question.question_id, prompt.question.task_id);
                self.asking.later.insert(question_id);
                let (bin, id) = (program_name::command_line(), task_id::short_id(task_id));
                self.close_prompt(&format!("not answered; `{bin} answer {id}` asks again"));
            }
            Asked::Answer(answer) => {
                let question = prompt.question.clone();
                let sent = tokio::time::timeout(READ_TIMEOUT, questions::send(client, &question, &answer)).await;
                let no_answer = || Err(CliError::unavailable("the platform does not answer: send it again"));
                match sent.unwrap_or_else(|_| no_answer()) {
                    Ok(Sent::Accepted(question) | Sent::Closed(Some(question))) => {
                        let end = questions::end(&question, OutputStyle::of_stderr());
                        self.close_prompt(&end);
                    }
                    Ok(Sent::Closed(None)) => self.close_prompt("the question is gone"),
                    Err(error) => {
                        prompt.complain(&error);
                        prompt.erase();
                        prompt.draw();
                    }
                }
            }
        }
    }

    /// Nobody can be asked here: says how to answer, and watches the task no longer.
    fn leave_asking(&mut self, task_id: TaskId, name: &str, all: &[Question]) {
        let style = OutputStyle::of_stderr();
        self.open.remove(&task_id);
        self.bars.remove(task_id);
        self.exit = self.exit.combine(Exit::Asks);
        if self.as_json {
            return;
        }
        let (bin, id) = (program_name::command_line(), task_id::short_id(task_id));
        let name = style.sanitize_line(name);
        for question in all.iter().filter(|question| question.state == QuestionState::Open) {
            let text = style.sanitize_line(question.text.trim());
            let takes = style.sanitize_line(&answer_text::takes(&question.schema));
            self.print(|| out::print_note(&format!("{name} asks: {text}  {takes}")));
        }
        self.print(|| {
            out::print_note(&format!("  {bin} answer {id}    answers it; `{bin} follow {id}` watches it again"));
        });
    }
}
