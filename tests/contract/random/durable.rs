//! Random interleavings of the operations of durable tasks, by several nodes: memory and SQLite must give the same answers, and
//! these must be what a model of holders, waits and open effects allows.
//!
//! The model knows who holds which attempt, which ordinals and questions there are, and when a parked task has to wake.
//! It leaves open what depends on back-off after crashes.

mod apply;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use imperal::ids::{CallId, QuestionId, TaskId};
use imperal::ledger::{
    AnswerOutcome, Attempt, AttemptReport, AuditCheck, AuditOutcome, CancelOutcome, ClaimRequest, CloseQuestion,
    DurableName, Incarnation, Ledger, LedgerError, ManualClock, MemoryLedger, NewAnswer, NewAudit, NewCall, NewDurable,
    NewQuestion, NewStep, NewTask, Owner, PageLimit, Park, Release, Role, SqliteLedger, StepKind, TaskEnd, TaskState,
    TurnBody,
};
use proptest::prelude::*;

use super::durable_op::{Op, op};

/// Longer than a run.
const LONG: Duration = Duration::from_secs(1_000_000);

/// Who may go on with a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// This incarnation runs it.
    Held(usize),
    /// A claim takes it from this second on.
    Ready(u64),
    /// It crashed its process, or its user has cancelled it: when a claim takes it is not modelled.
    Unknown,
    Ended,
}

#[derive(Debug)]
struct Piece {
    task_id: TaskId,
    place: Place,
    attempt: u32,
    /// The incarnation that gave the latest attempt back: it may do so again.
    left_by: Option<usize>,
    /// Whether a crash has ended an attempt.
    crashed: bool,
    cancelled: bool,
    ordinals: BTreeSet<u16>,
    open_effects: u32,
}

impl Piece {
    /// The ordinal of its next row: those of a later attempt are higher.
    fn next(&self) -> u16 {
        self.ordinals.last().map_or(1, |last| last + 1)
    }
}

#[derive(Debug)]
struct Asked {
    id: QuestionId,
    task: usize,
    ordinal: u16,
    until: u64,
    open: bool,
}

struct World {
    clock: Arc<ManualClock>,
    ledgers: [Arc<dyn Ledger>; 2],
    owner: Owner,
    now: u64,
    incarnations: Vec<Incarnation>,
    /// The current incarnation of each node.
    current: BTreeMap<usize, usize>,
    tasks: Vec<Piece>,
    asked: Vec<Asked>,
}

impl World {
    fn new(folder: &std::path::Path) -> Self {
        let clock = crate::held_clock();
        let file = SqliteLedger::open_with_clock(folder.join("ledger.db"), clock.clone()).unwrap();
        Self {
            ledgers: [Arc::new(MemoryLedger::with_clock(clock.clone())), Arc::new(file)],
            clock,
            owner: Owner::new("t", "anna"),
            now: 0,
            incarnations: Vec::new(),
            current: BTreeMap::new(),
            tasks: Vec::new(),
            asked: Vec::new(),
        }
    }

    fn audit(&self) -> NewAudit {
        NewAudit::new(&self.owner, "platform", "chat.inject", AuditOutcome::Done)
    }

    fn end(&self, open_effects: u32) -> TaskEnd {
        let turn = TurnBody::new(Role::Bot, format!("outcome at {}", self.now), "app");
        TaskEnd::new(TaskState::Succeeded, turn, self.audit()).open_effects(open_effects)
    }

    /// What a write of this writer has to answer, if nothing but the right to write is in question. The usual writer is the
    /// holder; an odd one is any incarnation, or the attempt before.
    fn writer(&self, task: usize, odd: usize) -> Option<(Incarnation, Attempt, bool)> {
        let piece = &self.tasks[task];
        let holder = match piece.place {
            Place::Held(holder) => holder,
            _ => odd.checked_rem(self.incarnations.len())?,
        };
        let writer = if odd.is_multiple_of(5) { odd % self.incarnations.len() } else { holder };
        let number = if odd.is_multiple_of(7) { piece.attempt.saturating_sub(1).max(1) } else { piece.attempt.max(1) };
        let is_current = self.current.values().any(|current| *current == writer);
        let may = is_current && piece.place == Place::Held(writer) && number == piece.attempt;
        Some((self.incarnations[writer].clone(), Attempt { number, ..Attempt::first(piece.task_id) }, may))
    }

    /// Whether this repeats the release of the latest attempt, whose answer may have been lost: it writes nothing.
    fn is_repeated(&self, task: usize, held: &Incarnation, attempt: Attempt) -> bool {
        let piece = &self.tasks[task];
        let is_left = matches!(piece.place, Place::Ready(_) | Place::Unknown);
        is_left && attempt.number == piece.attempt && piece.left_by.is_some_and(|by| self.incarnations[by] == *held)
    }

    /// The incarnation has ended.
    fn gave_up(&mut self, incarnation: usize, crashed: bool) {
        for piece in self.tasks.iter_mut().filter(|piece| piece.place == Place::Held(incarnation)) {
            piece.crashed |= crashed;
            let is_plain = !piece.crashed && !piece.cancelled;
            piece.place = if is_plain { Place::Ready(self.now) } else { Place::Unknown };
        }
    }

    fn released(&mut self, task: usize, from: u64) {
        let piece = &mut self.tasks[task];
        if let Place::Held(holder) = piece.place {
            piece.left_by = Some(holder);
        }
        piece.place = if piece.crashed || piece.cancelled { Place::Unknown } else { Place::Ready(from) };
    }

    /// An answer wakes a parked task that waits for it; the ledger says whether this one does.
    async fn wake_if_waiting(&mut self, task: usize) {
        let task_id = self.tasks[task].task_id;
        let record = both!(self, ledger => ledger.find_task(task_id)).unwrap().unwrap();
        if record.task.state == TaskState::Queued {
            self.released(task, self.now);
        }
    }

    /// The task's end withdraws its questions.
    fn ended(&mut self, task: usize) {
        self.tasks[task].place = Place::Ended;
        self.asked.iter_mut().filter(|asked| asked.task == task).for_each(|asked| asked.open = false);
    }

    async fn compare(&self) {
        let all = PageLimit::rows(1000);
        for piece in &self.tasks {
            let id = piece.task_id;
            let task = both!(self, ledger => ledger.find_task(id)).unwrap().unwrap().task;
            assert_eq!(task.state.is_held(), matches!(piece.place, Place::Held(_)), "{piece:?}");
            assert_eq!(task.finished_at.is_some(), piece.place == Place::Ended);
            assert_eq!(task.open_effects, piece.open_effects);
            let steps = both!(self, ledger => ledger.steps(id, 0, all)).unwrap().rows;
            assert!(steps.iter().map(|step| step.ordinal).eq(piece.ordinals.iter().copied()));
            let attempts = both!(self, ledger => ledger.attempts(id)).unwrap();
            assert!(attempts.len() <= piece.attempt as usize);
            both!(self, ledger => ledger.find_durable(id)).unwrap();
            let questions = both!(self, ledger => ledger.questions(id)).unwrap();
            let open = questions.iter().filter(|one| one.state == imperal::ledger::QuestionState::Open).count();
            let own = self.asked.iter().filter(|asked| self.tasks[asked.task].task_id == id);
            assert_eq!(open, own.filter(|asked| asked.open).count());
            assert_eq!(usize::try_from(task.open_questions).unwrap(), open);
        }
        both!(self, ledger => ledger.backlog()).unwrap();
        let events = both!(self, ledger => ledger.events(&self.owner, 0, all)).unwrap();
        assert!(events.iter().map(|event| event.seq).eq(1..=events.len() as u64));
        for ledger in &self.ledgers {
            assert_eq!(AuditCheck::run(&**ledger, None).await.unwrap().broken, None);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_sqlite_and_a_model_of_holders_agree(ops in prop::collection::vec(op(), 1..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        runtime.block_on(async {
            let mut world = World::new(folder.path());
            for node in 0..2 {
                world.apply(Op::Join(node)).await;
            }
            for op in ops {
                // An operation on a row that does not exist yet is skipped.
                let _ = world.apply(op).await;
            }
            world.compare().await;
        });
    }
}
