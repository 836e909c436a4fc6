//! Random interleavings of operations: memory, SQLite and a plain model must agree.
//!
//! The model predicts refusals and numbers of rows; the contents of rows are compared between the two
//! ledgers. This file applies the operations of `op`; `compare` checks the result. `PROPTEST_RNG_SEED`
//! repeats a run, `PROPTEST_CASES` makes it longer.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use imperal::ids::{CallId, TaskId};
use imperal::ledger::{
    Attempt, AuditOutcome, CancelOutcome, Fence, Incarnation, Ledger, LedgerError, ManualClock, MemoryLedger,
    MessageSource, NewAudit, NewCall, NewTask, Orphan, Owner, Progress, RetentionPolicy, Role, SqliteLedger, TaskEnd,
    TaskState, TurnBody, Work,
};
use proptest::prelude::*;

use self::op::{LEASE, Op, op};
use super::model::{LIMIT, Model, Piece};

/// Runs the operation on both ledgers, whose answers must be equal.
macro_rules! both {
    ($world:ident, $ledger:ident => $work:expr) => {{
        let $ledger = &$world.ledgers[0];
        let first = $work.await;
        let $ledger = &$world.ledgers[1];
        let second = $work.await;
        assert_eq!(first, second, "memory and file differ");
        first
    }};
}

mod compare;
mod durable;
mod durable_op;
mod op;

struct World {
    clock: Arc<ManualClock>,
    ledgers: [Arc<dyn Ledger>; 2],
    model: Model,
    owners: [Owner; 3],
    incarnations: Vec<Incarnation>,
    calls: Vec<CallId>,
    tasks: Vec<TaskId>,
    floors: [u64; 3],
}

impl World {
    fn new(folder: &std::path::Path) -> Self {
        let clock = super::held_clock();
        let file = SqliteLedger::open_with_clock(folder.join("ledger.db"), clock.clone()).unwrap();
        Self {
            ledgers: [Arc::new(MemoryLedger::with_clock(clock.clone())), Arc::new(file)],
            clock,
            model: Model::default(),
            owners: [Owner::new("t", "anna"), Owner::new("t", "ben"), Owner::new("u", "anna")],
            incarnations: Vec::new(),
            calls: Vec::new(),
            tasks: Vec::new(),
            floors: [0; 3],
        }
    }

    fn turn(&self, text: &str) -> TurnBody {
        TurnBody::new(Role::Bot, format!("{text} at {}", self.model.now), "app")
    }

    fn audit(&self, owner: usize) -> NewAudit {
        NewAudit::new(&self.owners[owner], "platform", "chat.inject", AuditOutcome::Done)
    }

    fn end(&self, task: usize) -> TaskEnd {
        let audit = self.audit(self.model.tasks[task].owner);
        TaskEnd::new(TaskState::Succeeded, self.turn("outcome"), audit)
    }

    /// The preferred incarnation most of the time, otherwise any.
    fn incarnation(&self, index: usize, preferred: Option<usize>) -> Option<usize> {
        match preferred {
            Some(preferred) if !index.is_multiple_of(4) => Some(preferred),
            _ => pick(index, self.incarnations.len()),
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm an operation")]
    async fn apply(&mut self, op: Op) -> Option<()> {
        match op {
            Op::Join { node, short } => {
                let lease = if short { LEASE } else { 1_000_000 };
                let name = format!("node{node}");
                let incarnation = both!(self, ledger => ledger.join(&name, Duration::from_secs(lease))).unwrap();
                let earlier = self.incarnations.iter().filter(|earlier| earlier.node == incarnation.node);
                assert!(earlier.into_iter().all(|earlier| earlier.number < incarnation.number));
                self.model.current.insert(node, (self.incarnations.len(), self.model.now + lease));
                self.model.incarnations.push(node);
                self.incarnations.push(incarnation);
            }
            Op::Renew { incarnation } => {
                let incarnation = pick(incarnation, self.incarnations.len())?;
                let held = &self.incarnations[incarnation];
                let asked = both!(self, ledger => ledger.renew(held, Duration::from_secs(LEASE)));
                let wanted = self.model.fence(incarnation).map(|()| {
                    let asked = self
                        .model
                        .tasks
                        .iter()
                        .filter(|task| task.incarnation == incarnation && task.asked && !task.settled);
                    asked.map(|task| self.tasks[task.id]).collect::<HashSet<_>>()
                });
                if wanted.is_ok() {
                    self.model
                        .current
                        .insert(self.model.incarnations[incarnation], (incarnation, self.model.now + LEASE));
                }
                assert_eq!(asked.map(|news| news.cancelled_tasks.into_iter().collect()), wanted);
            }
            Op::Leave { incarnation } => {
                let incarnation = pick(incarnation, self.incarnations.len())?;
                let held = &self.incarnations[incarnation];
                assert_eq!(both!(self, ledger => ledger.leave(held)), Ok(()));
                if self.model.is_current(incarnation) {
                    self.model.current.remove(&self.model.incarnations[incarnation]);
                }
            }
            Op::Wait { seconds } => {
                self.clock.advance(Duration::from_secs(seconds));
                self.model.now += seconds;
            }
            Op::Accept { incarnation, owner } => {
                let incarnation = pick(incarnation, self.incarnations.len())?;
                let owner = owner % 3;
                let call = NewCall::new(CallId::generate(), self.owners[owner].clone(), self.turn("call"));
                let held = &self.incarnations[incarnation];
                let accepted = both!(self, ledger => ledger.accept_call(held, call.clone()));
                let wanted = self.model.fence(incarnation);
                assert_eq!(accepted.map(drop), wanted);
                if wanted.is_ok() {
                    let id = self.calls.len();
                    self.model.add(owner, 1, 1, 0);
                    let seq = self.model.counts[owner].0;
                    self.model.calls.push(Piece {
                        id,
                        owner,
                        incarnation,
                        settled: false,
                        call: id,
                        asked: false,
                        key: None,
                        seq,
                    });
                    self.calls.push(call.call_id);
                }
            }
            Op::Reply { incarnation, call } => {
                let call = pick(call, self.calls.len())?;
                let incarnation = self.incarnation(incarnation, Some(self.model.calls[call].incarnation))?;
                let (held, call_id, turn) = (&self.incarnations[incarnation], self.calls[call], self.turn("reply"));
                let replied = both!(self, ledger => ledger.reply(held, call_id, turn.clone()));
                self.known(&replied, &self.model.calls[call])?;
                assert_eq!(replied.map(drop), self.model.reply(incarnation, call, false));
            }
            Op::Start { incarnation, call, owner, key } => {
                let call = pick(call, self.calls.len())?;
                let incarnation = self.incarnation(incarnation, Some(self.model.calls[call].incarnation))?;
                let owner = owner.map_or(self.model.calls[call].owner, |owner| owner % 3);
                let mut new = NewTask::new(self.calls[call], self.owners[owner].clone(), "app", "work");
                new.key = key.map(|key| format!("key {key}"));
                new.max_running = LIMIT;
                let held = &self.incarnations[incarnation];
                let started = both!(self, ledger => ledger.start_task(held, new.clone()));
                self.known(&started, &self.model.calls[call])?;
                let wanted = self.model.start(incarnation, call, owner, key);
                let refused_by = |error| match error {
                    LedgerError::AlreadyRunning(task) => {
                        Ok(self.tasks.iter().position(|id| *id == task.task_id).unwrap())
                    }
                    other => Err(other),
                };
                assert_eq!(started.map(drop).map_err(refused_by), wanted);
                if wanted.is_ok() {
                    self.tasks.push(new.task_id);
                }
            }
            Op::Finish { incarnation, task } => {
                let task = pick(task, self.tasks.len())?;
                let incarnation = self.incarnation(incarnation, Some(self.model.tasks[task].incarnation))?;
                let (held, task_id, end) = (&self.incarnations[incarnation], self.tasks[task], self.end(task));
                let finished = both!(self, ledger => ledger.finish_task(held, Attempt::first(task_id), end.clone()));
                self.known(&finished, &self.model.tasks[task])?;
                assert_eq!(finished.map(drop), self.model.finish(incarnation, task, false));
            }
            Op::Progress { incarnation, task } => {
                let task = pick(task, self.tasks.len())?;
                let incarnation = self.incarnation(incarnation, Some(self.model.tasks[task].incarnation))?;
                let at = imperal::ledger::Clock::now(&*self.clock);
                let (held, task_id) = (&self.incarnations[incarnation], self.tasks[task]);
                let said = Progress::new(task_id, 1.5, self.model.now.to_string(), at);
                let noted = both!(self, ledger => ledger.note_progress(held, vec![(1, said.clone())]));
                assert_eq!(noted, self.model.fence(incarnation));
            }
            Op::Cancel { task } => {
                let task = pick(task, self.tasks.len())?;
                let owner = self.model.tasks[task].owner;
                let (task_id, audit, end) = (self.tasks[task], self.audit(owner), self.end(task));
                let answer = both!(self, ledger => ledger.request_cancel(task_id, audit.clone(), end.clone()));
                self.known(&answer, &self.model.tasks[task])?;
                let answer = answer.unwrap();
                let Piece { settled, asked, .. } = self.model.tasks[task];
                assert_eq!(matches!(answer, CancelOutcome::AlreadyEnded(_)), settled);
                self.model.tasks[task].asked |= !settled;
                self.model.add(owner, u64::from(!settled && !asked), 0, 1);
            }
            Op::Inject { owner, fence } => {
                let fence = match fence {
                    None => None,
                    Some((incarnation, work, is_call)) => {
                        let count = if is_call { self.calls.len() } else { self.tasks.len() };
                        let work = pick(work, count)?;
                        let piece = if is_call { &self.model.calls[work] } else { &self.model.tasks[work] };
                        let incarnation = self.incarnation(incarnation, Some(piece.incarnation))?;
                        Some((incarnation, if is_call { Ok(work) } else { Err(work) }, piece.owner))
                    }
                };
                // Mostly the incarnation that owns the work.
                let owner = match fence {
                    Some((_, _, owns)) if !owner.is_multiple_of(3) => owns,
                    _ => owner % 3,
                };
                let right = fence.map_or(MessageSource::OUTSIDE, |(incarnation, work, _)| {
                    let incarnation = self.incarnations[incarnation].clone();
                    let work = match work {
                        Ok(call) => Work::Call(self.calls[call]),
                        Err(task) => Work::Task(Attempt::first(self.tasks[task])),
                    };
                    MessageSource::Work(Fence::new(incarnation, work))
                });
                let (turn, audit) = (self.turn("injected"), self.audit(owner));
                let whose = &self.owners[owner];
                let injected =
                    both!(self, ledger => ledger.inject(whose.clone(), turn.clone(), audit.clone(), right.clone()));
                match fence {
                    Some((_, Ok(call), _)) => self.known(&injected, &self.model.calls[call])?,
                    Some((_, Err(task), _)) => self.known(&injected, &self.model.tasks[task])?,
                    None => {}
                }
                let wanted = self.model.inject(owner, fence.map(|(incarnation, work, _)| (incarnation, work)));
                assert_eq!(injected.map(drop), wanted);
            }
            Op::Orphans { incarnation } => {
                let incarnation = pick(incarnation, self.incarnations.len())?;
                let held = &self.incarnations[incarnation];
                let expired = both!(self, ledger => ledger.expire_leases(held)).map(drop);
                let listed = both!(self, ledger => ledger.orphans(1000));
                let orphans = expired.and(listed).map(|orphans| {
                    let ids = orphans.iter().map(|orphan| match orphan {
                        Orphan::Call { call_id, .. } => call_id.to_string(),
                        Orphan::Task(record) => record.task.task_id.to_string(),
                    });
                    ids.collect::<Vec<_>>()
                });
                let wanted = self.model.orphans(incarnation).map(|(calls, tasks)| {
                    let calls = calls.iter().map(|call| self.calls[*call].to_string());
                    calls.chain(tasks.iter().map(|task| self.tasks[*task].to_string())).collect()
                });
                assert_eq!(orphans, wanted);
            }
            Op::ReclaimCall { incarnation, call } => {
                let (call, incarnation) = (pick(call, self.calls.len())?, pick(incarnation, self.incarnations.len())?);
                let (held, call_id, turn) =
                    (&self.incarnations[incarnation], self.calls[call], self.turn("interrupted"));
                let reclaimed = both!(self, ledger => ledger.reclaim_call(held, call_id, turn.clone()));
                self.known(&reclaimed, &self.model.calls[call])?;
                assert_eq!(reclaimed.map(drop), self.model.reply(incarnation, call, true));
            }
            Op::ReclaimTask { incarnation, task } => {
                let (task, incarnation) = (pick(task, self.tasks.len())?, pick(incarnation, self.incarnations.len())?);
                let (held, task_id, end) = (&self.incarnations[incarnation], self.tasks[task], self.end(task));
                let reclaimed = both!(self, ledger => ledger.reclaim_task(held, task_id, end.clone()));
                self.known(&reclaimed, &self.model.tasks[task])?;
                assert_eq!(reclaimed.map(drop), self.model.finish(incarnation, task, true));
            }
            Op::ReclaimTasks { incarnation, tasks } => {
                let incarnation = pick(incarnation, self.incarnations.len())?;
                let tasks: Option<Vec<usize>> = tasks.iter().map(|task| pick(*task, self.tasks.len())).collect();
                let (held, tasks) = (&self.incarnations[incarnation], tasks?);
                let ends: Vec<_> = tasks.iter().map(|task| (self.tasks[*task], self.end(*task))).collect();
                let answers = both!(self, ledger => ledger.reclaim_tasks(held, ends.clone()));
                assert_eq!(
                    answers.as_ref().map(Vec::len).map_err(Clone::clone),
                    self.model.fence(incarnation).map(|()| tasks.len())
                );
                for (task, answer) in tasks.into_iter().zip(answers.ok()?) {
                    if self.known(&answer, &self.model.tasks[task]).is_some() {
                        assert_eq!(answer, self.model.finish(incarnation, task, true));
                    }
                }
            }
            Op::Prune { ages, limit } => {
                let [turns, tasks, events, audit] = ages.map(|age| age.map(Duration::from_secs));
                let mut keep = RetentionPolicy::FOREVER;
                (keep.turns, keep.tasks, keep.events, keep.audit) = (turns, tasks, events, audit);
                for ledger in &self.ledgers {
                    let mut from = Some(0);
                    while let Some(at) = from {
                        from = ledger.prune(&keep, at, limit).await.unwrap().next;
                    }
                }
                self.model.prune(ages);
                for owner in 0..self.owners.len() {
                    let floor = self.floor(owner).await;
                    // A task that begins later may need calls that were settled then.
                    assert!(floor == self.floors[owner] || floor < self.model.first_needed(owner));
                    self.floors[owner] = floor;
                }
            }
        }
        Some(())
    }

    /// `None` when retention has removed the row: then the model predicts nothing.
    fn known<T>(&self, outcome: &Result<T, LedgerError>, piece: &Piece) -> Option<()> {
        let may_be_gone = piece.settled && self.model.cuts != [0; 4] && !self.model.at_work(piece);
        if may_be_gone && matches!(outcome, Err(LedgerError::NotFound)) { None } else { Some(()) }
    }
}

fn pick(index: usize, count: usize) -> Option<usize> {
    index.checked_rem(count)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_sqlite_and_model_agree(ops in prop::collection::vec(op(), 1..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        runtime.block_on(async {
            let mut world = World::new(folder.path());
            world.apply(Op::Join { node: 0, short: false }).await;
            for op in ops {
                // An operation on a row that does not exist yet is skipped.
                let _ = world.apply(op).await;
            }
            world.compare().await;
        });
    }
}
