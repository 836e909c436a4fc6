//! Timelines of tasks, page by page.

use serde_json::json;

use super::*;
use crate::ids::TaskId;

/// The present, in seconds.
const NOW: i64 = 10_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + second).unwrap()
}

fn task(state: &str, more: &serde_json::Value) -> Task {
    let id = TaskId::generate();
    let mut task = json!({
        "task_id": id, "call_id": id, "app_id": "a", "function": "f", "name": "f", "state": state,
        "long_running": false, "durable": true, "created_at": at(0).to_string(),
    });
    for (key, value) in more.as_object().unwrap() {
        task[key] = value.clone();
    }
    serde_json::from_value(task).unwrap()
}

fn attempt(number: u32, from: i64, end: Option<(i64, AttemptEnding)>) -> TaskAttempt {
    let attempt = TaskAttempt::new(number, "n", "v1", at(from));
    match end {
        Some((to, by)) => attempt.ended(at(to), by),
        None => attempt,
    }
}

fn step(ordinal: u16, attempt: u32, done: i64) -> StoredStep {
    let (name, kind) = (format!("step {ordinal}"), StepKind::Step);
    let (began_at, done_at) = (at(done - 1), at(done));
    StoredStep { ordinal, name, kind, attempt, began_at, done_at, bytes: 2, value: Some("{}".to_owned()), log: None }
}

/// Each entry in a word or two.
fn words(timeline: &Timeline) -> Vec<String> {
    let word = |entry: &TimelineEntry| match entry {
        TimelineEntry::Started { .. } => "started".to_owned(),
        TimelineEntry::AttemptBegan { attempt, .. } => format!("began {attempt}"),
        TimelineEntry::Step(step) => step.name.clone(),
        TimelineEntry::AttemptEnded { attempt, by, .. } => format!("{by} {attempt}"),
        TimelineEntry::Unattended { from, to, why } => {
            let to = to.map_or("now".to_owned(), |to| to.duration_since(at(0)).as_secs().to_string());
            format!("{why:?} {}-{to}", from.duration_since(at(0)).as_secs())
        }
        TimelineEntry::LeftOut { from, to } => format!("left out {from}-{to}"),
        TimelineEntry::CancelRequested { .. } => "cancel".to_owned(),
        TimelineEntry::Ended { state, .. } => format!("ended {state}"),
        TimelineEntry::Running(step) => format!("runs {}", step.name),
        TimelineEntry::Unfinished(step) => format!("{:?} {}", step.how, step.name),
        TimelineEntry::Unasked { names, .. } => format!("unasked {}", names.join(", ")),
        other => format!("{other:?}"),
    };
    timeline.entries.iter().map(word).collect()
}

/// The timeline in pages of this many rows.
fn pages(task: &Task, attempts: &[TaskAttempt], steps: &[StoredStep], rows: usize) -> Vec<String> {
    asked_pages(task, attempts, (steps, &[]), rows)
}

fn asked_pages(
    task: &Task,
    attempts: &[TaskAttempt],
    (steps, questions): (&[StoredStep], &[Question]),
    rows: usize,
) -> Vec<String> {
    let (mut all, mut after) = (Vec::new(), 0_u16);
    loop {
        let from = usize::from(after.saturating_sub(OVERLAP));
        let most = rows + usize::from(after) - from;
        let found: Vec<_> = steps.iter().skip(from).take(most).cloned().collect();
        let more = from + found.len() < steps.len();
        let (attempts, steps) = (attempts.to_vec(), Page { rows: found, more });
        let asked = questions.iter().filter(|one| usize::from(one.ordinal) > from).cloned().collect();
        let (task, questions) = (task.clone(), Page { rows: asked, more: false });
        let page = build(Parts { task, attempts, questions, steps, after, trace_url: None, now: at(NOW) });
        all.extend(words(&page));
        match page.next {
            Some(next) => after = next,
            None => return all,
        }
    }
}

#[test]
fn pages_join_to_the_whole() {
    let ended = json!({ "attempt": 4, "finished_at": at(100).to_string(), "cancel_requested_at": at(95).to_string() });
    let task = task("cancelled", &ended);
    let attempts = [
        attempt(1, 0, Some((10, AttemptEnding::Crashed))),
        attempt(2, 48, Some((60, AttemptEnding::Parked))),
        attempt(3, 80, Some((90, AttemptEnding::HandedOver))),
        attempt(4, 90, Some((100, AttemptEnding::Outcome))),
    ];
    let steps = [step(1, 1, 3), step(2, 1, 9), step(3, 2, 50), step(4, 4, 92), step(5, 4, 93)];
    let whole = pages(&task, &attempts, &steps, 500);
    let wanted = [
        "started",
        "began 1",
        "step 1",
        "step 2",
        "crashed 1",
        "Process 10-48",
        "began 2",
        "step 3",
        "parked 2",
        "Wait 60-80",
        "began 3",
        "handed_over 3",
        "began 4",
        "step 4",
        "step 5",
        "cancel",
        "ended cancelled",
    ];
    assert_eq!(whole, wanted);
    for rows in 1..6 {
        assert_eq!(pages(&task, &attempts, &steps, rows), whole, "{rows} rows a page");
    }
}

#[test]
fn an_open_task_ends_with_the_present() {
    let steps = json!({ "done": 1, "current": [{ "name": "charge", "since": at(5).to_string() }] });
    let held = task("running", &json!({ "steps": steps }));
    assert_eq!(
        pages(&held, &[attempt(1, 0, None)], &[step(1, 1, 4)], 9),
        ["started", "began 1", "step 1", "runs charge"]
    );
    let waits = task("waiting", &json!({ "waits_for": "answer" }));
    let parked = [attempt(1, 0, Some((10, AttemptEnding::Parked)))];
    assert_eq!(pages(&waits, &parked, &[], 9), ["started", "began 1", "parked 1", "Wait 10-now"]);
    let queued = task("queued", &json!({ "attempt": 0, "waits_for": "slot" }));
    assert_eq!(pages(&queued, &[], &[], 9), ["started", "Slot 0-now"]);
}

#[test]
fn attempts_that_are_forgotten_are_named() {
    let task = task("running", &json!({ "attempt": 300 }));
    let attempts = [
        attempt(16, 5, Some((6, AttemptEnding::HandedOver))),
        attempt(60, 70, Some((71, AttemptEnding::HandedOver))),
        attempt(61, 71, None),
    ];
    let steps = [step(1, 30, 20), step(2, 60, 70)];
    let wanted = [
        "started",
        "left out 1-15",
        "began 16",
        "handed_over 16",
        "left out 17-59",
        "step 1",
        "began 60",
        "step 2",
        "handed_over 60",
        "began 61",
    ];
    for rows in 1..4 {
        assert_eq!(pages(&task, &attempts, &steps, rows), wanted, "{rows} rows a page");
    }
}

#[test]
fn a_cut_off_background_task_shows_the_time_without_a_process() {
    let task = task(
        "reclaimed",
        &json!({
            "durable": false, "interrupted_at": at(30).to_string(), "finished_at": at(50).to_string(),
        }),
    );
    assert_eq!(pages(&task, &[], &[], 9), ["started", "Process 30-50", "ended reclaimed"]);
}

fn sleep(ordinal: u16, attempt: u32, began: i64, until: i64) -> StoredStep {
    let value = Some(json!(at(until)).to_string());
    StoredStep { kind: StepKind::Sleep, value, name: format!("sleep {ordinal}"), ..step(ordinal, attempt, began) }
}

fn question(ordinal: u16, asked: i64, answered: Option<i64>) -> Question {
    let state = if answered.is_some() { "answered" } else { "open" };
    serde_json::from_value(json!({
        "question_id": crate::ids::QuestionId::generate(), "task_id": TaskId::generate(), "ordinal": ordinal,
        "name": "q", "text": "?", "schema": null, "state": state, "asked_at": at(asked).to_string(),
        "until": at(9_000_000).to_string(), "answered_at": answered.map(|second| at(second).to_string()),
    }))
    .unwrap()
}

/// The parts of the last gap of a task.
fn gaps(task: &Task, attempts: &[TaskAttempt], rows: (&[StoredStep], &[Question])) -> Vec<String> {
    let all = asked_pages(task, attempts, rows, 9);
    let names = ["Wait", "Process", "Version", "Retry", "Slot", "Paused"];
    all.into_iter().filter(|word| names.iter().any(|name| word.starts_with(name))).collect()
}

#[test]
fn a_wait_ends_with_its_time_or_its_answer_whoever_takes_the_task() {
    let done = task("succeeded", &json!({ "attempt": 2, "finished_at": at(900).to_string() }));
    let attempts = |began| {
        [attempt(1, 0, Some((10, AttemptEnding::Parked))), attempt(2, began, Some((900, AttemptEnding::Outcome)))]
    };
    let slept = [sleep(1, 1, 5, 60)];
    assert_eq!(gaps(&done, &attempts(800), (&slept, &[])), ["Wait 10-60", "Process 60-800"]);
    assert_eq!(gaps(&done, &attempts(60), (&slept, &[])), ["Wait 10-60"]);
    let row = [StoredStep { kind: StepKind::Question, ..step(1, 1, 5) }];
    let answered = [question(1, 5, Some(100))];
    assert_eq!(gaps(&done, &attempts(800), (&row, &answered)), ["Wait 10-100", "Process 100-800"]);
    // The sleep is one that the task no longer waited for.
    let both = [sleep(1, 1, 5, 300), StoredStep { kind: StepKind::Question, ..step(2, 1, 6) }];
    let late = [question(2, 6, Some(800))];
    assert_eq!(gaps(&done, &attempts(800), (&both, &late)), ["Wait 10-800"]);
}

#[test]
fn an_open_gap_has_its_reason_from_the_state() {
    let open = |state: &str, more: serde_json::Value| task(state, &more);
    let ended = |by| [attempt(1, 0, Some((10, by)))];
    let shown = |task: Task, by| gaps(&task, &ended(by), (&[], &[]));
    let at = |second| at(second).to_string();
    let queued = |waits_for: &str, ready: i64| open("queued", json!({ "waits_for": waits_for, "ready_at": at(ready) }));
    let (parked, over, refused) = (AttemptEnding::Parked, AttemptEnding::HandedOver, AttemptEnding::Refused);
    assert_eq!(shown(queued("process", 70), parked), ["Wait 10-70", "Process 70-now"], "answered and not taken");
    assert_eq!(shown(queued("slot", 70), parked), ["Wait 10-70", "Slot 70-now"]);
    assert_eq!(shown(queued("slot", 10), over), ["Slot 10-now"]);
    assert_eq!(shown(queued("paused", 10), over), ["Paused 10-now"]);
    assert_eq!(shown(queued("process", 10), over), ["Process 10-now"]);
    assert_eq!(shown(queued("retry", NOW + 60), AttemptEnding::Crashed), ["Retry 10-now"]);
    assert_eq!(shown(queued("retry", 60), AttemptEnding::Crashed), ["Process 10-now"], "its time has come");
    assert_eq!(shown(queued("version", 10), refused), ["Version 10-now"]);
    let stuck = || open("stuck", json!({ "waits_for": "version", "ready_at": at(10) }));
    assert_eq!(shown(stuck(), over), ["Version 10-now"], "stuck after a hand-over");
    let waits = |ready: i64| open("waiting", json!({ "waits_for": "time", "ready_at": at(ready) }));
    assert_eq!(shown(waits(NOW + 60), parked), ["Wait 10-now"]);
    assert_eq!(shown(waits(60), parked), ["Wait 10-60", "Process 60-now"], "no process saw that its time came");
    let code = json!({ "finished_at": at(90), "result": { "status": "error", "summary": "", "data": null, "error_code": "TASK_STUCK" } });
    assert_eq!(shown(open("failed", code), over), ["Version 10-90"]);
}

#[test]
fn a_page_ends_before_questions_that_it_has_no_room_for() {
    let task = task("running", &json!({ "attempt": 1 }));
    let row = |ordinal| StoredStep { kind: StepKind::Question, ..step(ordinal, 1, 5) };
    let page = |asked: Vec<Question>, after| {
        let steps = Page { rows: vec![row(1), step(2, 1, 6), row(3), row(4)], more: false };
        let (attempts, questions) = (vec![attempt(1, 0, None)], Page { rows: asked, more: true });
        let page =
            build(Parts { task: task.clone(), attempts, questions, steps, after, trace_url: None, now: at(NOW) });
        let shown = page.entries.iter().filter(|entry| matches!(entry, TimelineEntry::Question(_))).count();
        (shown, page.next)
    };
    assert_eq!(page(vec![question(1, 5, None), question(3, 5, None)], 0), (2, Some(3)));
    assert_eq!(page(vec![question(1, 5, None)], 0), (1, Some(1)));
    assert_eq!(page(vec![question(1, 5, None)], 1), (0, Some(2)), "it goes on in any case");
}

/// What an attempt left besides its rows comes before its end, also if the task ended with it.
#[test]
fn notes_come_before_the_end_of_their_attempt() {
    let task = task("failed", &json!({ "attempt": 3, "finished_at": at(30).to_string() }));
    let notes = |name: &str, how: &str, unasked: &[&str]| {
        let step = json!({
            "number": 2, "name": name, "how": how, "began_at": at(5).to_string(), "ended_at": at(6).to_string(),
            "tries": 5, "of_tries": 5, "error": "no answer", "log": [{ "method": "POST", "status": 504, "ms": 9 }],
        });
        json!({ "unfinished": [step], "unasked": unasked }).to_string()
    };
    let attempts = [
        attempt(1, 0, Some((10, AttemptEnding::HandedOver))).notes(notes("charge", "cut_off", &[])),
        attempt(2, 12, Some((15, AttemptEnding::Crashed))).notes("{damaged".to_owned()),
        attempt(3, 15, Some((30, AttemptEnding::Outcome))).notes(notes("mail", "failed", &["renamed"])),
    ];
    let steps = [step(1, 1, 3)];
    let whole = pages(&task, &attempts, &steps, 500);
    let wanted = [
        "started",
        "began 1",
        "step 1",
        "CutOff charge",
        "handed_over 1",
        "Process 10-12",
        "began 2",
        "crashed 2",
        "began 3",
        "Failed mail",
        "unasked renamed",
        "ended failed",
    ];
    assert_eq!(whole, wanted);
    assert_eq!(pages(&task, &attempts, &steps, 1), wanted);
}

/// The answer to whether an effect was done is in its rows; its value is not shown.
#[test]
fn a_row_of_an_effect_says_how_its_outcome_is_known() {
    let task = task("succeeded", &json!({ "attempt": 1, "finished_at": at(30).to_string() }));
    let row = |ordinal, kind, value: &str| StoredStep { kind, value: Some(value.to_owned()), ..step(ordinal, 1, 3) };
    let steps = vec![
        row(1, StepKind::Intent, "null"),
        row(2, StepKind::NotDone, "\"look_up\""),
        row(3, StepKind::Intent, "null"),
        row(4, StepKind::Effect, "{\"returned\":{\"secret\":1}}"),
    ];
    let attempts = vec![attempt(1, 0, Some((30, AttemptEnding::Outcome)))];
    let questions = Page { rows: Vec::new(), more: false };
    let steps = Page { rows: steps, more: false };
    let page = build(Parts { task, attempts, questions, steps, after: 0, trace_url: None, now: at(NOW) });
    let known = page.entries.iter().filter_map(|entry| match entry {
        TimelineEntry::Step(step) => Some(step.known_by),
        _ => None,
    });
    assert_eq!(known.collect::<Vec<_>>(), [None, Some(KnownBy::LookUp), None, Some(KnownBy::Returned)]);
    assert!(!serde_json::to_string(&page).unwrap().contains("secret"));
}
