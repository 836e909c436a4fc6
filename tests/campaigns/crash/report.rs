//! The report of a campaign as a table.

use std::collections::BTreeMap;
use std::fmt;

use super::contents::TaskRow;

/// The rules that the judge checks, one column each.
pub(crate) const RULES: [(&str, &str); 17] = [
    ("P8 reply", "every accepted call has one reply turn; an acknowledged reply is that turn"),
    ("P6 start", "a task whose start was acknowledged is in the ledger"),
    ("P7 end", "every task ended in one outcome turn, after its reply turn and all its other turns"),
    ("P10 nos.", "each user's events are numbered 1 to n, each number once"),
    ("P10 live", "the resumed live stream showed each stored event once, in order, and no other event"),
    ("once", "no turn, call or event is stored twice, also for calls that were repeated without an answer"),
    ("P5 audit", "every injection has one audit row, and every such row has its turn"),
    ("P4 chat", "no text is in another user's chat; every acknowledged injection is in its chat"),
    ("P3 refusal", "every refusal has its audit row, with the user who tried"),
    ("cancel", "an acknowledged cancel is stored and audited"),
    ("P16 step", "no step of a durable task ran again after it was stored, and each has one idempotency key"),
    ("P17 goes on", "every durable task ended with an outcome of its own, and said its message once"),
    (
        "P19 answer",
        "each question has at most one answer, which is the one that was accepted and that the task went on with",
    ),
    (
        "P18 effect",
        "no effect was done twice or dropped, the ledger knows what the service did, and an end without that says so",
    ),
    (
        "P21 document",
        "a document that a step wrote is there exactly when the step is, and the totals of each user's documents are exact",
    ),
    (
        "file",
        "the file of a step is stored exactly when the step is the task's latest, the totals of each user's files are exact, \
         and after a sweep each file has its bytes and all bytes have their file",
    ),
    ("schedule", "each schedule whose time came made one call, and an acknowledged schedule is in the ledger"),
];

/// Counts and findings.
#[derive(Debug)]
pub struct Report {
    seed: u64,
    kills: u64,
    /// By fate: kills, and the number of checks of each rule.
    fates: BTreeMap<&'static str, (u64, [u64; RULES.len()])>,
    /// Kills at a named moment that was never reached.
    missed: u64,
    violations: [u64; RULES.len()],
    findings: Vec<String>,
    /// By state, the durable tasks of all folders at their end.
    durable: BTreeMap<String, u64>,
}

impl Report {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            kills: 0,
            fates: BTreeMap::new(),
            missed: 0,
            violations: [0; RULES.len()],
            findings: Vec::new(),
            durable: BTreeMap::new(),
        }
    }

    pub(crate) fn killed(&mut self, fate: &'static str, missed: bool) {
        self.kills += 1;
        self.missed += u64::from(missed);
        self.fates.entry(fate).or_default().0 += 1;
    }

    pub(crate) fn checked(&mut self, fate: &'static str, counts: [u64; RULES.len()]) {
        let row = &mut self.fates.entry(fate).or_default().1;
        for (sum, count) in row.iter_mut().zip(counts) {
            *sum += count;
        }
    }

    pub(crate) fn found(&mut self, rule: usize, what: &str) {
        self.violations[rule] += 1;
        // The first of each rule: many of one kind do not hide the others.
        if self.violations[rule] <= 8 {
            self.findings.push(format!("{}: {what}", RULES[rule].0));
        }
    }

    /// Adds checks of one rule.
    pub(crate) fn counted(&mut self, fate: &'static str, rule: usize, checks: u64) {
        self.fates.entry(fate).or_default().1[rule] += checks;
    }

    /// Counts the durable tasks of a folder at its end.
    pub(crate) fn ended(&mut self, tasks: &[TaskRow]) {
        for task in tasks.iter().filter(|task| task.durable) {
            *self.durable.entry(task.state.clone()).or_default() += 1;
        }
    }

    pub(crate) fn note(&mut self, what: String) {
        self.findings.push(what);
    }

    /// Number of violations of all rules.
    pub fn violations(&self) -> u64 {
        self.violations.iter().sum()
    }

    /// Number of kills.
    pub fn kills(&self) -> u64 {
        self.kills
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {}, {} kills ({} at a named moment that was never reached)",
            self.seed, self.kills, self.missed
        )?;
        writeln!(f, "\nchecks after the kills:\n")?;
        write!(f, "| {:<17} | kills |", "killed at")?;
        for (short, _) in RULES {
            write!(f, " {short:>10} |")?;
        }
        write!(f, "\n|:--|--:|")?;
        for _ in RULES {
            write!(f, "--:|")?;
        }
        writeln!(f)?;
        let line = |f: &mut fmt::Formatter<'_>, name: &str, kills: u64, counts: &[u64]| {
            write!(f, "| {name:<17} | {kills:>5} |")?;
            for count in counts {
                write!(f, " {count:>10} |")?;
            }
            writeln!(f)
        };
        let mut sums = [0; RULES.len()];
        for (name, (kills, counts)) in &self.fates {
            line(f, name, *kills, counts)?;
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum += count;
            }
        }
        line(f, "all", self.kills, &sums)?;
        line(f, "violations", self.violations(), &self.violations)?;
        writeln!(f, "\ndurable tasks at the end of each folder: {:?}\n", self.durable)?;
        for (short, long) in RULES {
            writeln!(f, "{short:<10} {long}")?;
        }
        for finding in &self.findings {
            writeln!(f, "VIOLATION {finding}")?;
        }
        Ok(())
    }
}
