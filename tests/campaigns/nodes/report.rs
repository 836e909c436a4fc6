//! The report of a campaign on several nodes as tables.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::campaign::Campaign;
use super::crowd::Counts;
use super::faults::{FaultCounts, Zombie};
use crate::campaigns::crash::contents::Contents;
use crate::campaigns::crash::driver::TrackedUser;
use crate::campaigns::crash::judge::Verdict;
use crate::campaigns::crash::report::RULES;

/// The rule that follows those of the crash campaign.
pub(crate) const ZOMBIE: usize = RULES.len();
const ZOMBIE_RULE: (&str, &str) = (
    "P9 zombie",
    "a node that continued after its lease changed none of its earlier work, and joined as a new incarnation",
);

/// The rule of the probe's queue.
pub(crate) const QUEUE: usize = ZOMBIE + 1;
const QUEUE_RULE: (&str, &str) = (
    "queue",
    "at no moment did more tasks of the queue run than it has slots, nor more of one user than a user may have",
);

/// The rule of the queue with a greedy user.
pub(crate) const TURNS: usize = QUEUE + 1;
const TURNS_RULE: (&str, &str) = (
    "turns",
    "no user had more than one turn of the queue between the arrival of another's first task and its turn, although one \
     user starts 19 of 20 tasks",
);
const RULE_COUNT: usize = TURNS + 1;

/// Counts and findings.
#[derive(Debug)]
pub struct Report {
    header: String,
    /// Calls and tasks that zombies were running when they were stopped.
    held: i64,
    counts: FaultCounts,
    answered: u64,
    repeated: u64,
    refused: u64,
    cut: u64,
    pub(crate) streams: u64,
    /// Acknowledged tasks, those among them with one outcome turn, and all tasks in the ledger.
    told: u64,
    ended: u64,
    in_ledger: u64,
    outcomes: u64,
    states: BTreeMap<String, u64>,
    shown: u64,
    checked: [u64; RULE_COUNT],
    violations: [u64; RULE_COUNT],
    findings: Vec<String>,
    took: Duration,
}

impl Report {
    pub(crate) fn new(campaign: &Campaign, counts: &Counts) -> Self {
        let Campaign { seed, nodes, users, tasks, .. } = campaign;
        Self {
            header: format!("seed {seed}, {nodes} nodes, {users} users, {tasks} tasks wanted"),
            held: 0,
            counts: FaultCounts::default(),
            answered: counts.answered.load(Ordering::Relaxed),
            repeated: counts.repeated.load(Ordering::Relaxed),
            refused: counts.refused.load(Ordering::Relaxed),
            cut: counts.cut.load(Ordering::Relaxed),
            streams: 0,
            told: 0,
            ended: 0,
            in_ledger: 0,
            outcomes: 0,
            states: BTreeMap::new(),
            shown: 0,
            checked: [0; RULE_COUNT],
            violations: [0; RULE_COUNT],
            findings: Vec::new(),
            took: Duration::ZERO,
        }
    }

    pub(crate) fn add_faults(&mut self, more: FaultCounts) {
        let sum = &mut self.counts;
        sum.killed += more.killed;
        sum.at_a_moment += more.at_a_moment;
        sum.terminated += more.terminated;
        sum.paused += more.paused;
        sum.cut_off += more.cut_off;
        self.checked[ZOMBIE] += more.zombies.len() as u64;
        sum.zombies.extend(more.zombies);
        for found in more.found {
            self.found(ZOMBIE, &found);
        }
    }

    /// Takes the zombies out; the report keeps their number.
    pub(crate) fn zombies(&mut self) -> Vec<Zombie> {
        let zombies = std::mem::take(&mut self.counts.zombies);
        self.held = zombies.iter().map(|zombie| zombie.held).sum();
        zombies
    }

    pub(crate) fn judged(&mut self, contents: &Contents, tracked_users: &[TrackedUser], verdict: Verdict) {
        for (sum, count) in self.checked.iter_mut().zip(verdict.checked) {
            *sum += count;
        }
        for (rule, what) in verdict.found {
            self.found(rule, &what);
        }
        let mut outcomes: HashMap<&str, u64> = HashMap::new();
        for turn in &contents.turns {
            if let (Some(task_id), true) = (turn.body["task_id"].as_str(), turn.body["result"].is_object()) {
                *outcomes.entry(task_id).or_default() += 1;
            }
        }
        let told: HashSet<String> = tracked_users
            .iter()
            .flat_map(|tracked| tracked.record.open().replies.clone())
            .flat_map(|reply| reply.task_ids)
            .collect();
        self.told = told.len() as u64;
        self.ended = told.iter().filter(|task_id| outcomes.get(task_id.as_str()) == Some(&1)).count() as u64;
        self.in_ledger = contents.tasks.len() as u64;
        self.outcomes = outcomes.values().sum();
        for task in &contents.tasks {
            let kind = if task.durable { "durable, " } else { "" };
            *self.states.entry(format!("{kind}{}", task.state)).or_default() += 1;
        }
        self.shown = tracked_users.iter().map(|tracked| tracked.record.open().streamed.len() as u64).sum();
    }

    /// Adds the checks of one rule, and its violations.
    pub(crate) fn checked(&mut self, rule: usize, (checks, found): (u64, Vec<String>)) {
        self.checked[rule] += checks;
        for what in found {
            self.found(rule, &what);
        }
    }

    pub(crate) fn found(&mut self, rule: usize, what: &str) {
        self.violations[rule] += 1;
        // The first of each rule: many of one kind do not hide the others.
        if self.violations[rule] <= 8 {
            self.findings.push(format!("{}: {what}", rule_at(rule).0));
        }
    }

    pub(crate) fn took(&mut self, time: Duration) {
        self.took = time;
    }

    /// Number of violations of all rules.
    pub fn violations(&self) -> u64 {
        self.violations.iter().sum()
    }

    /// Number of acknowledged tasks with exactly one outcome turn.
    pub fn ended(&self) -> u64 {
        self.ended
    }

    /// Times that a node was killed, ended itself, or continued after its lease.
    pub fn faults(&self) -> u64 {
        self.counts.killed + self.counts.at_a_moment + self.checked[ZOMBIE]
    }
}

fn rule_at(rule: usize) -> (&'static str, &'static str) {
    match rule {
        ZOMBIE => ZOMBIE_RULE,
        QUEUE => QUEUE_RULE,
        TURNS => TURNS_RULE,
        rule => RULES.get(rule).copied().unwrap_or(("unknown", "")),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FaultCounts { killed, at_a_moment, terminated, paused, cut_off, .. } = &self.counts;
        writeln!(f, "{}", self.header)?;
        writeln!(
            f,
            "{killed} times kill -9, {at_a_moment} ends at a named moment, {terminated} SIGTERM, {paused} short pauses, \
             {cut_off} disturbed connections to the database, in {} s",
            self.took.as_secs()
        )?;
        let zombies = self.checked[ZOMBIE];
        writeln!(f, "{zombies} zombies, which were running {} calls and tasks when they were stopped", self.held)?;
        writeln!(
            f,
            "requests: {} answered, {} of them calls whose earlier try was accepted, {} refused with 503, {} without an answer; {} \
             streams opened, {} events shown",
            self.answered, self.repeated, self.refused, self.cut, self.streams, self.shown
        )?;
        writeln!(f, "\n| tasks | |\n|:--|--:|")?;
        writeln!(f, "| acknowledged | {} |", self.told)?;
        writeln!(f, "| among them with exactly one outcome turn | {} |", self.ended)?;
        writeln!(f, "| in the ledger, also of calls without an answer | {} |", self.in_ledger)?;
        writeln!(f, "| outcome turns in the ledger | {} |", self.outcomes)?;
        for (state, count) in &self.states {
            writeln!(f, "| {state} | {count} |")?;
        }
        writeln!(f, "\n| rule | checked | violations | claim |\n|:--|--:|--:|:--|")?;
        for rule in 0..RULE_COUNT {
            let (short, long) = rule_at(rule);
            writeln!(f, "| {short} | {} | {} | {long} |", self.checked[rule], self.violations[rule])?;
        }
        for finding in &self.findings {
            writeln!(f, "VIOLATION {finding}")?;
        }
        Ok(())
    }
}
