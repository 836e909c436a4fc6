//! A follower's knowledge of one durable task: its state, its steps, and the lines already printed about them.
//!
//! It turns the platform's events into lines and into the text of the bar. It draws and prints nothing itself.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::client::Client;
use super::durable_words;
use super::exit::CliError;
use super::out::{Paint, count};
use super::stored_steps::{StepReader, StoredStep};
use super::{task_id, when};
use crate::ledger::{Follows, StepsSoFar, Task, TaskState, WaitsFor};

/// Steps that were stored before the watching began, and are listed all the same.
const EARLIER: usize = 10;
/// Columns of a step's name before its time.
const NAME_WIDTH: usize = 28;

/// A line about a task. Its text is as it came from the extension.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DurableLine {
    /// Before the text on a terminal.
    pub(super) mark: &'static str,
    pub(super) paint: Paint,
    /// Before the text in a pipe.
    pub(super) word: &'static str,
    pub(super) text: String,
}

/// A watched durable task.
#[derive(Debug)]
pub(super) struct DurableWatch {
    task: Task,
    reader: StepReader,
    /// How many steps were read, by the attempt that stored them.
    read: BTreeMap<u32, u32>,
    /// Whether steps were read before: those of the first read are not news.
    has_read: bool,
    /// Steps may be stored that were not read yet.
    is_stale: bool,
    /// A new attempt began, and was not told of yet.
    resumed: bool,
    /// The wait that was printed last.
    said: Option<String>,
    /// The failed try that was printed last.
    failed: Option<(String, Option<u32>)>,
}

impl DurableWatch {
    pub(super) fn new(task: &Task) -> Self {
        Self {
            task: task.clone(),
            reader: StepReader::default(),
            read: BTreeMap::new(),
            has_read: false,
            is_stale: true,
            resumed: false,
            said: None,
            failed: None,
        }
    }

    /// Takes a newer state of the task. Events of earlier attempts are ignored.
    pub(super) fn update(&mut self, task: &Task) {
        if task.attempt < self.task.attempt {
            return;
        }
        self.begin_attempt(task.attempt);
        let steps = task.steps.clone().or_else(|| self.task.steps.take());
        self.task = Task { steps, ..task.clone() };
        self.is_stale = true;
    }

    fn begin_attempt(&mut self, attempt: u32) {
        // A task that waited for a slot has attempt 0: its first one is no resuming.
        self.resumed |= attempt > self.task.attempt && self.task.attempt > 0;
        self.task.attempt = self.task.attempt.max(attempt);
    }

    /// Takes a report of the steps.
    pub(super) fn report(&mut self, steps: &StepsSoFar) {
        self.is_stale |= steps.done > self.read.values().sum();
        self.task.steps = Some(steps.clone());
    }

    /// Steps may be stored that no report has told of.
    pub(super) fn expect_steps(&mut self) {
        self.is_stale = true;
    }

    /// Its questions that were open at its latest state.
    pub(super) fn open_questions(&self) -> u32 {
        self.task.open_questions
    }

    /// Whether it does nothing but wait for an answer.
    pub(super) fn waits_for_answer(&self) -> bool {
        self.task.state == TaskState::Waiting && self.task.waits_for == Some(WaitsFor::Answer)
    }

    pub(super) fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// Reads the steps that were stored meanwhile.
    ///
    /// # Errors
    /// When they cannot be read now. They are read at the next call.
    pub(super) async fn read_steps(&mut self, client: &Client) -> Result<Vec<DurableLine>, CliError> {
        let new = self.reader.read_new(client, self.task.task_id).await?;
        Ok(self.take_steps(new))
    }

    fn take_steps(&mut self, new: Vec<StoredStep>) -> Vec<DurableLine> {
        self.is_stale = false;
        let (new, others): (Vec<_>, Vec<_>) = new.into_iter().partition(StoredStep::is_step);
        let not_done = others.iter().filter_map(|row| Some((row, row.not_done()?)));
        let mut lines: Vec<_> = not_done.map(|(row, why)| not_done_line(&row.name, why)).collect();
        let mut shown = new.as_slice();
        if !self.has_read {
            if let Some(Follows { task_id, through: Some(_), kept }) = self.task.follows {
                let id = task_id::short_id(task_id);
                let text = format!("goes on from task {id}, {} kept from it", count(kept, "step"));
                lines.push(DurableLine { mark: "↻", paint: Paint::Yellow, word: "", text });
            }
            let earlier = new.len().saturating_sub(EARLIER);
            if earlier > 0 {
                let text = format!("{earlier} earlier steps; `show` lists them");
                lines.push(DurableLine { mark: "✓", paint: Paint::Dim, word: "done", text });
                shown = &new[earlier..];
            }
        }
        for step in &new {
            // The event of its attempt may come later.
            self.begin_attempt(step.attempt);
            *self.read.entry(step.attempt).or_default() += 1;
        }
        let is_kept = |step: &&StoredStep| step.attempt < self.task.attempt;
        lines.extend(shown.iter().filter(is_kept).map(done));
        if self.resumed {
            let kept: u32 = self.read.range(..self.task.attempt).map(|(_, count)| count).sum();
            let text = format!("went on in another process, {} kept", count(kept, "step"));
            lines.push(DurableLine { mark: "↻", paint: Paint::Yellow, word: "", text });
        }
        lines.extend(shown.iter().filter(|step| !is_kept(step)).map(done));
        (self.resumed, self.has_read) = (false, true);
        lines
    }

    /// What is news now: a wait, or a failed try. For a pipe; a terminal shows them in the bar.
    pub(super) fn news(&mut self, now: Timestamp) -> Vec<DurableLine> {
        let mut lines = Vec::new();
        let line = |text| DurableLine { mark: "·", paint: Paint::Dim, word: "", text };
        let why = durable_words::why_it_waits(&self.task, now);
        // The time that is left changes, and is no news.
        let kind = why.as_deref().map(|why| durable_words::kind_of_wait(why).to_owned());
        if kind != self.said {
            lines.extend(why.map(line));
            self.said = kind;
        }
        for step in self.task.steps.iter().flat_map(|steps| &steps.current) {
            let key = (step.name.clone(), step.attempt);
            if self.failed.as_ref() == Some(&key) {
                continue;
            }
            if let Some(text) = durable_words::failed_try(step, now) {
                self.failed = Some(key);
                lines.push(line(text));
            }
        }
        lines
    }

    /// The state of the bar: why the task waits, or the steps that run.
    pub(super) fn stage(&self, now: Timestamp) -> String {
        if let Some(why) = durable_words::why_it_waits(&self.task, now) {
            return why;
        }
        let Some(steps) = &self.task.steps else { return String::new() };
        let current: Vec<_> = steps.current.iter().map(|step| durable_words::step_now(step, now)).collect();
        current.join(" · ")
    }
}

/// `pay was not done  (you said that it was not done)`.
fn not_done_line(name: &str, why: &str) -> DurableLine {
    let why = if why.is_empty() { String::new() } else { format!("  ({why})") };
    DurableLine { mark: "✗", paint: Paint::Yellow, word: "", text: format!("{name} was not done{why}") }
}

fn done(step: &StoredStep) -> DurableLine {
    let pad = " ".repeat(NAME_WIDTH.saturating_sub(console::measure_text_width(&step.name)));
    let text = format!("{}{pad}  {}", step.name, when::format_duration(step.took()));
    DurableLine { mark: "✓", paint: Paint::Green, word: "done", text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "01a20482-1178-74f9-8951-cc3b678a7413";

    fn task(state: &str, attempt: u32, waits_for: Option<&str>) -> Task {
        serde_json::from_value(json!({
            "task_id": ID, "call_id": ID, "app_id": "a", "function": "f", "name": "f", "state": state,
            "long_running": false, "durable": true, "attempt": attempt, "waits_for": waits_for,
            "created_at": "2026-01-01T00:00:00Z", "ready_at": "2026-01-01T00:00:10Z",
        }))
        .unwrap()
    }

    fn step(ordinal: u16, attempt: u32) -> StoredStep {
        serde_json::from_value(json!({
            "ordinal": ordinal, "name": format!("s{ordinal}"), "kind": "step", "attempt": attempt,
            "began_at": "2026-01-01T00:00:00Z", "done_at": "2026-01-01T00:00:02Z",
        }))
        .unwrap()
    }

    fn texts(lines: &[DurableLine]) -> Vec<String> {
        lines.iter().map(|line| line.text.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn an_attempt_is_told_of_once_between_its_kept_steps_and_its_own() {
        let mut watch = DurableWatch::new(&task("running", 1, None));
        assert_eq!(texts(&watch.take_steps(vec![step(1, 1)])), ["s1 2 s"]);
        // The report of a step can be faster than the event of the attempt.
        let lines = watch.take_steps(vec![step(2, 1), step(3, 2)]);
        assert_eq!(texts(&lines), ["s2 2 s", "went on in another process, 2 steps kept", "s3 2 s"]);
        watch.update(&task("running", 2, None));
        assert!(watch.take_steps(Vec::new()).is_empty(), "told of already");
        watch.update(&task("running", 3, None));
        assert_eq!(texts(&watch.take_steps(Vec::new())), ["went on in another process, 3 steps kept"]);
    }

    /// An intent says nothing yet, and an effect that was done has one line.
    #[test]
    fn an_effect_has_a_line_when_its_outcome_is_known() {
        let row = |ordinal: u16, kind: &str, by: Option<&str>| -> StoredStep {
            let mut row = serde_json::to_value(step(ordinal, 1)).unwrap();
            (row["name"], row["kind"], row["known_by"]) = (json!("pay"), json!(kind), json!(by));
            serde_json::from_value(row).unwrap()
        };
        let mut watch = DurableWatch::new(&task("running", 1, None));
        assert!(watch.take_steps(vec![row(1, "intent", None)]).is_empty());
        let lines = watch.take_steps(vec![row(2, "not_done", Some("look_up")), row(3, "intent", None)]);
        assert_eq!(texts(&lines), ["pay was not done (the look-up found that it was not done)"]);
        assert_eq!(texts(&watch.take_steps(vec![row(4, "effect", Some("returned"))])), ["pay 2 s"]);
    }

    #[test]
    fn the_first_attempt_of_a_task_that_waited_for_a_slot_is_no_resuming() {
        let mut watch = DurableWatch::new(&task("queued", 0, Some("slot")));
        watch.update(&task("running", 1, None));
        assert_eq!(texts(&watch.take_steps(vec![step(1, 1)])), ["s1 2 s"]);
    }

    #[test]
    fn of_many_earlier_steps_the_last_ones_are_listed() {
        let mut watch = DurableWatch::new(&task("running", 1, None));
        let lines = texts(&watch.take_steps((1..=30).map(|n| step(n, 1)).collect()));
        assert_eq!((lines.len(), lines[0].as_str()), (11, "20 earlier steps; `show` lists them"));
        assert_eq!(lines[1], "s21 2 s");
        assert_eq!(watch.take_steps((31..=60).map(|n| step(n, 1)).collect()).len(), 30, "all that come later");
    }

    #[test]
    fn a_wait_is_news_once() {
        let now = |second: i64| Timestamp::from_second(1_767_225_600 + second).unwrap();
        let mut watch = DurableWatch::new(&task("queued", 1, Some("retry")));
        assert_eq!(watch.news(now(0)).len(), 1);
        assert_eq!(watch.news(now(5)).len(), 0, "the time that is left is no news");
        watch.update(&task("stuck", 1, Some("version")));
        assert!(watch.news(now(6))[0].text.starts_with("is stuck"));
        watch.update(&task("running", 2, None));
        assert_eq!((watch.news(now(7)).len(), watch.stage(now(7))), (0, String::new()));
    }
}
