//! Compares a ledger, at rest after a recovery, with its users' answers.
//!
//! Each rule is a promise of the platform. A rule counts its checks, so that a table can show them; the
//! counts only grow within one ledger.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::contents::{AuditRow, CallRow, Contents, TaskEventRow, TaskRow, TurnRow, is_open};
use super::driver::{TrackedUser, path_of};
use super::record::event_key;
use super::report::RULES;
use super::{schedules, stored_files};
use crate::support::effect_service::EffectLog;

pub(crate) const REPLY: usize = 0;
pub(crate) const START: usize = 1;
const END: usize = 2;
const NUMBERS: usize = 3;
pub(crate) const LIVE: usize = 4;
const ONCE: usize = 5;
pub(crate) const AUDIT: usize = 6;
const CHAT: usize = 7;
const REFUSAL: usize = 8;
const CANCEL: usize = 9;
pub(crate) const STEP: usize = 10;
pub(crate) const GOES_ON: usize = 11;
const ANSWER: usize = 12;
pub(crate) const EFFECT: usize = 13;
const DOCUMENT: usize = 14;
pub(crate) const FILE: usize = 15;
pub(crate) const SCHEDULE: usize = 16;

/// The verdict on one ledger.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) checked: [u64; RULES.len()],
    pub(crate) found: Vec<(usize, String)>,
}

impl Verdict {
    pub(super) fn check(&mut self, rule: usize, holds: bool, what: impl FnOnce() -> String) {
        self.checked[rule] += 1;
        if !holds {
            self.found.push((rule, what()));
        }
    }
}

/// Checks every rule. `at_rest` is false while durable tasks may still run: then they need no end, and the users
/// may have seen less than the ledger has.
pub(crate) fn judge(file: &Contents, tracked_users: &[TrackedUser], at_rest: bool) -> Verdict {
    let mut verdict = Verdict::default();
    let index = LedgerIndex::new(file, at_rest);
    for call in &file.calls {
        index.call(&mut verdict, call);
    }
    for task in &file.tasks {
        index.task(&mut verdict, task);
    }
    documents(&mut verdict, file);
    stored_files::judge(&mut verdict, file, tracked_users);
    schedules::judge(&mut verdict, file, tracked_users, at_rest);
    index.numbers(&mut verdict);
    index.once(&mut verdict);
    index.audit(&mut verdict);
    for tracked in tracked_users {
        index.told(&mut verdict, tracked);
    }
    verdict
}

/// The steps of the probe's durable tasks write one document each, in the transaction of the step.
fn documents(verdict: &mut Verdict, file: &Contents) {
    let tasks: HashMap<&str, &TaskRow> = file.tasks.iter().map(|task| (&*task.task_id, task)).collect();
    let of_step = |(task_id, name): &(String, String)| {
        let task = tasks.get(task_id.as_str()).filter(|_| name.starts_with("step/"))?;
        Some((task.owner, format!("{}/{name}", path_of(&task.name))))
    };
    let of_steps: HashSet<(i64, String)> = file.steps.iter().filter_map(of_step).collect();
    let stored: HashSet<(i64, String)> = file.documents.iter().cloned().collect();
    for document in of_steps.union(&stored) {
        let (has_step, is_stored) = (of_steps.contains(document), stored.contains(document));
        verdict.check(DOCUMENT, has_step && is_stored, || {
            format!("the document {document:?}: its step is stored: {has_step}, it is there: {is_stored}")
        });
    }
    for (owner, exact) in &file.totals {
        verdict.check(DOCUMENT, *exact, || format!("the totals of the documents of owner {owner} are wrong"));
    }
}

/// The ledger's rows with indexes.
struct LedgerIndex<'a> {
    file: &'a Contents,
    at_rest: bool,
    by_id: HashMap<&'a str, &'a TurnRow>,
    of_call: HashMap<&'a str, Vec<&'a TurnRow>>,
    of_task: HashMap<&'a str, Vec<&'a TurnRow>>,
    of_owner: HashMap<i64, Vec<&'a TurnRow>>,
    events_of_task: HashMap<&'a str, Vec<&'a TaskEventRow>>,
    audited: HashMap<(i64, &'a str), Vec<&'a AuditRow>>,
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn is_bot(turn: &TurnRow) -> bool {
    text(&turn.body, "role") == "bot"
}

fn has_result(turn: &TurnRow) -> bool {
    turn.body.get("result").is_some_and(Value::is_object)
}

fn is_reply(turn: &TurnRow) -> bool {
    is_bot(turn) && has_result(turn) && turn.body.get("task_id").is_none()
}

impl<'a> LedgerIndex<'a> {
    fn new(file: &'a Contents, at_rest: bool) -> Self {
        let mut index = Self {
            file,
            at_rest,
            by_id: HashMap::new(),
            of_call: HashMap::new(),
            of_task: HashMap::new(),
            of_owner: HashMap::new(),
            events_of_task: HashMap::new(),
            audited: HashMap::new(),
        };
        for turn in &file.turns {
            index.by_id.insert(&turn.turn_id, turn);
            index.of_call.entry(text(&turn.body, "call_id")).or_default().push(turn);
            index.of_task.entry(text(&turn.body, "task_id")).or_default().push(turn);
            index.of_owner.entry(turn.owner).or_default().push(turn);
        }
        for event in &file.task_events {
            index.events_of_task.entry(text(&event.body, "task_id")).or_default().push(event);
        }
        for row in &file.audit {
            index.audited.entry((row.owner, row.target.as_str())).or_default().push(row);
        }
        index
    }

    fn replies(&self, call_id: &str) -> Vec<&'a TurnRow> {
        self.of_call.get(call_id).into_iter().flatten().copied().filter(|turn| is_reply(turn)).collect()
    }

    fn call(&self, verdict: &mut Verdict, call: &CallRow) {
        let said = self.of_call.get(call.call_id.as_str()).into_iter().flatten();
        // A schedule may have begun it since the node listens.
        if !self.at_rest && call.state == "open" && said.clone().any(|turn| turn.body["schedule"].is_object()) {
            return;
        }
        let replies = self.replies(&call.call_id);
        let well = call.state == "replied" && replies.len() == 1 && replies[0].owner == call.owner;
        verdict.check(REPLY, well, || format!("{call:?} has {} reply turns", replies.len()));
        // A handler that was refused or fenced writes no turn after the reply.
        let end = replies.first().map_or(u64::MAX, |reply| reply.seq);
        let said = self.of_call.get(call.call_id.as_str()).into_iter().flatten();
        for turn in said.filter(|turn| turn.body.get("task_id").is_none()) {
            verdict.check(REPLY, turn.seq <= end, || format!("turn {} of {call:?} follows its reply", turn.seq));
        }
    }

    fn task(&self, verdict: &mut Verdict, task: &TaskRow) {
        let said = self.of_task.get(task.task_id.as_str()).map(Vec::as_slice).unwrap_or_default();
        let outcomes: Vec<_> = said.iter().filter(|turn| has_result(turn)).collect();
        if task.durable && task.is_open() && !self.at_rest {
            verdict.check(END, outcomes.is_empty(), || format!("{task:?} is open and has an outcome turn"));
            return;
        }
        let one = !task.is_open() && outcomes.len() == 1 && task.outcome_seq == Some(outcomes[0].seq);
        verdict.check(END, one, || format!("{task:?} has {} outcome turns", outcomes.len()));
        let acked = self.replies(&task.call_id).first().map_or(u64::MAX, |reply| reply.seq);
        for turn in said {
            let in_order = turn.owner == task.owner && acked < turn.seq && Some(turn.seq) <= task.outcome_seq;
            verdict.check(END, in_order, || {
                format!("turn {} of {task:?} is out of order: the ack is turn {acked}", turn.seq)
            });
        }
        let events = self.events_of_task.get(task.task_id.as_str()).map(Vec::as_slice).unwrap_or_default();
        let ends: Vec<_> = events.iter().filter(|event| !is_open(text(&event.body, "state"))).collect();
        let well = ends.len() == 1
            && text(&ends[0].body, "state") == task.state
            && Some(ends[0].seq + 1) == task.outcome_seq
            // A durable task has an event for each hand-over and each new attempt.
            && (task.durable || events.len() == 2 + usize::from(task.asked_to_stop));
        verdict.check(END, well, || format!("{task:?} has events {events:?}"));
        if task.durable {
            goes_on(verdict, task, said);
            if task.is_leg() {
                self.effect(verdict, task, said);
            }
        }
    }

    /// A success has its effect, and an end says that an effect is unknown if it is, in the chat and in the audit.
    fn effect(&self, verdict: &mut Verdict, task: &TaskRow, said: &[&TurnRow]) {
        let rows = self.file.effects.get(&task.task_id).map(Vec::as_slice).unwrap_or_default();
        let last = rows.last().map(String::as_str);
        verdict.check(EFFECT, task.state != "succeeded" || last == Some("effect"), || {
            format!("{task:?} succeeded with the effect rows {rows:?}")
        });
        let Some(outcome) = said.iter().find(|turn| has_result(turn)) else { return };
        let audited = self.audited.get(&(task.owner, outcome.turn_id.as_str()));
        let details = audited.into_iter().flatten().map(|row| row.detail.as_str());
        let result = &outcome.body["result"];
        let said = [text(&outcome.body, "text"), text(result, "summary"), text(result, "error")];
        for text in details.chain(said) {
            if text.is_empty() {
                continue;
            }
            let speaks = text.contains("It is not known whether `pay` was done.");
            verdict.check(EFFECT, speaks == (last == Some("intent")), || {
                format!("{task:?} has the effect rows {rows:?} and ends with {text:?}")
            });
        }
    }

    fn numbers(&self, verdict: &mut Verdict) {
        for (owner, (tenant, user, head)) in &self.file.owners {
            let turns = self.file.turns.iter().filter(|turn| turn.owner == *owner).map(|turn| turn.seq);
            let events = self.file.task_events.iter().filter(|event| event.owner == *owner).map(|event| event.seq);
            let mut numbers: Vec<u64> = turns.chain(events).collect();
            numbers.sort_unstable();
            let well = numbers == (1..=*head).collect::<Vec<_>>();
            verdict.check(NUMBERS, well, || format!("{tenant}/{user} has the numbers {numbers:?}, head {head}"));
            verdict.checked[NUMBERS] += head.saturating_sub(1);
        }
    }

    fn once(&self, verdict: &mut Verdict) {
        let mut seen = HashSet::new();
        for turn in &self.file.turns {
            verdict.check(ONCE, seen.insert(&turn.turn_id), || format!("turn {} is stored twice", turn.turn_id));
        }
        // Each text occurs once, because each call has its own number.
        let mut said = HashSet::new();
        for turn in &self.file.turns {
            // A call that goes on from a task has that one's parameters, and each of both tasks may fail.
            if turn.body.get("follows").is_some() || text(&turn.body["result"], "status") == "error" {
                continue;
            }
            let params = &turn.body["params"];
            let what = if is_bot(turn) { text(&turn.body, "text") } else { text(params, "tag") };
            if what.starts_with('<') {
                let key = (is_bot(turn), what);
                verdict.check(ONCE, said.insert(key), || format!("{what:?} occurs twice"));
            }
        }
    }

    fn audit(&self, verdict: &mut Verdict) {
        let mut rows: HashMap<&str, Vec<i64>> = HashMap::new();
        for row in &self.file.audit {
            if row.action == "chat.inject" && row.outcome != "refused" {
                rows.entry(&row.target).or_default().push(row.owner);
                let there = self.by_id.contains_key(row.target.as_str());
                verdict.check(AUDIT, there, || format!("{row:?} names a turn that is not stored"));
            }
        }
        for turn in self.file.turns.iter().filter(|turn| is_bot(turn) && !is_reply(turn)) {
            let found = rows.get(turn.turn_id.as_str()).map(Vec::as_slice).unwrap_or_default();
            verdict.check(AUDIT, found == [turn.owner], || format!("{turn:?} has the audit rows of {found:?}"));
        }
    }

    /// Compares one user's answers with the ledger.
    fn told(&self, verdict: &mut Verdict, tracked: &TrackedUser) {
        let record = tracked.record.open();
        let owner = self.file.owner(&tracked.tenant, &tracked.id);
        let who = tracked.mark();
        let own = |turn_id: &str| self.by_id.get(turn_id).filter(|turn| Some(turn.owner) == owner);
        let tasks: HashMap<_, _> = self.file.tasks.iter().map(|task| (task.task_id.as_str(), task)).collect();
        for (rule, odd) in [(LIVE, &record.odd), (REPLY, &record.odd_answers), (REFUSAL, &record.odd_grants)] {
            verdict.found.extend(odd.iter().map(|odd| (rule, format!("{who}: {odd}"))));
        }
        for reply in &record.replies {
            let found = own(&reply.turn_id)
                .is_some_and(|turn| turn.seq == reply.seq && text(&turn.body, "call_id") == reply.call_id);
            verdict.check(REPLY, found, || format!("{who} received {reply:?}, which is not in the ledger"));
            for task_id in &reply.task_ids {
                let there = tasks.get(task_id.as_str()).is_some_and(|task| Some(task.owner) == owner);
                verdict.check(START, there, || format!("{who} received task {task_id}, which is not in the ledger"));
            }
        }
        for turn_id in &record.injected {
            verdict.check(CHAT, own(turn_id).is_some(), || {
                format!("{turn_id} was injected for {who} and is not in the ledger")
            });
        }
        for turn in self.turns_of(owner) {
            let tag = text(&turn.body["params"], "tag");
            let refused = !tag.is_empty() && record.refused_calls.contains(tag);
            verdict.check(REPLY, !refused, || format!("{tag} was refused to {who} and is in the ledger"));
            let said =
                [text(&turn.body, "text"), text(&turn.body["params"], "tag"), text(&turn.body["params"], "text")];
            let others = said.iter().find(|said| said.starts_with('<') && !said.starts_with(&who));
            verdict.check(CHAT, others.is_none(), || format!("{who} reads {others:?}"));
        }
        for (task_id, value) in &record.answers {
            let audited = owner.and_then(|owner| self.audited.get(&(owner, task_id.as_str())));
            let answers = audited
                .into_iter()
                .flatten()
                .filter(|row| row.action == "task.answer" && row.detail == "go on")
                .count();
            verdict.check(ANSWER, answers == 1, || {
                format!("the question of {task_id} has {answers} answers in the audit")
            });
            let Some(task) = tasks.get(task_id.as_str()).filter(|task| task.state == "succeeded") else { continue };
            let said = self.of_task.get(task_id.as_str()).into_iter().flatten().find(|turn| has_result(turn));
            let went_on = said.is_some_and(|turn| text(&turn.body, "text").ends_with(&format!("answered {value}")));
            verdict.check(ANSWER, went_on, || format!("{task:?} went on with another answer than {value}: {said:?}"));
        }
        for task_id in &record.cancelled {
            let noted = tasks.get(task_id.as_str()).is_some_and(|task| task.asked_to_stop);
            verdict.check(CANCEL, noted, || {
                format!("the cancel of {task_id} was acknowledged to {who} and is not stored")
            });
        }
        let rows = |action: &str, outcome: &str, target: &str| {
            let found = owner.and_then(|owner| self.audited.get(&(owner, target)));
            found.into_iter().flatten().filter(|row| row.action == action && row.outcome == outcome).count()
        };
        for task_id in &record.cancelled {
            let audited = rows("task.cancel", "done", task_id) >= 1;
            verdict.check(CANCEL, audited, || format!("the cancel of {task_id} by {who} has no audit row"));
        }
        for task_id in record.refused.iter().collect::<HashSet<_>>() {
            let seen = record.refused.iter().filter(|refused| *refused == task_id).count();
            let filed = rows("task.cancel", "refused", task_id) + rows("task.read", "refused", task_id);
            verdict.check(REFUSAL, filed >= seen, || {
                format!("{who} was refused {task_id} {seen} times and audited {filed} times")
            });
        }
        let written = self.events_of(owner);
        let shown = if self.at_rest { written.len() } else { record.streamed.len().min(written.len()) };
        verdict.check(LIVE, record.streamed == written[..shown], || {
            let at = record.streamed.iter().zip(&written).position(|(shown, is)| shown != is);
            format!(
                "{who}'s stream showed {} events of {}; the first difference is at {at:?}",
                record.streamed.len(),
                written.len()
            )
        });
        verdict.checked[LIVE] += record.streamed.len() as u64;
    }

    fn turns_of(&self, owner: Option<i64>) -> impl Iterator<Item = &'a TurnRow> {
        owner.and_then(|owner| self.of_owner.get(&owner)).into_iter().flatten().copied()
    }

    fn events_of(&self, owner: Option<i64>) -> Vec<String> {
        let turns = self.turns_of(owner).map(|turn| (turn.seq, event_key("turn", &turn.body)));
        let tasks = self.file.task_events.iter().filter(|event| Some(event.owner) == owner);
        let tasks = tasks.map(|event| (event.seq, event_key("task", &event.body)));
        let mut events: Vec<_> = turns.chain(tasks).collect();
        events.sort();
        events.into_iter().map(|(_, key)| key).collect()
    }
}

/// Compares the ledger, at rest, with the acts of the service: every known outcome is true. `freezes` says that
/// processes were frozen.
pub(crate) fn judge_effects(file: &Contents, service: &EffectLog, freezes: bool) -> (u64, Vec<String>) {
    let (mut checked, mut found) = service.verdict(freezes);
    let followed: HashSet<_> = file.tasks.iter().filter_map(|task| task.follows.as_deref()).collect();
    // The task that goes on from another knows more.
    let is_last = |task: &&TaskRow| task.is_leg() && !followed.contains(task.task_id.as_str());
    for task in file.tasks.iter().filter(is_last) {
        let path = path_of(&task.name);
        let last = file.effects.get(&task.task_id).and_then(|rows| rows.last()).map(String::as_str);
        let is_done = service.is_done(&path);
        checked += 1;
        let is_true = match last {
            Some("intent") => true,
            Some("effect") => is_done,
            _ => !is_done,
        };
        // A process that was frozen in the middle of a send acts when it goes on.
        let is_late = freezes && service.has_late_send(&path);
        if !is_true && !is_late {
            found.push(format!("the last row of {task:?} is {last:?}, and the service did it: {is_done}"));
        }
    }
    (checked, found)
}

/// A durable task ends by itself or by a cancel. The poison rules may end one whose processes were killed five
/// times before its next step.
fn goes_on(verdict: &mut Verdict, task: &TaskRow, said: &[&TurnRow]) {
    let outcome = said.iter().find(|turn| has_result(turn));
    let code = outcome.map_or("", |turn| text(&turn.body["result"], "error_code"));
    let well = match task.state.as_str() {
        "succeeded" => true,
        "cancelled" => task.asked_to_stop,
        "reclaimed" => code == "TASK_CRASHED",
        // Its user did not know whether an effect was done.
        "failed" => code == "EFFECT_UNKNOWN",
        _ => false,
    };
    verdict.check(GOES_ON, well, || format!("{task:?} ended with {code:?}"));
    let announced = said.iter().filter(|turn| text(&turn.body, "text").ends_with("announcement")).count();
    // The task that it goes on from may have sent the message: each message comes once.
    let well =
        !task.is_leg() || announced == 1 || (announced == 0 && (task.state != "succeeded" || task.follows.is_some()));
    verdict.check(GOES_ON, well, || format!("{task:?} announced {announced} times"));
}
