//! Simulations of a queue: one greedy user with 9,900 tasks, and 99 others.

use std::collections::{HashMap, HashSet};

use imperal::ids::{CallId, TaskId};
use imperal::ledger::{
    AuditOutcome, ClaimRequest, ClaimedTask, DurableName, Incarnation, NewAudit, NewCall, NewDurable, NewTask,
    QueueLimit, Role, TaskEnd, TaskState, TurnBody,
};
use imperal::ledger::{Owner, WaitsFor};
use imperal_tests::Dice;

use super::*;

const LEASE: Duration = Duration::from_secs(365 * 24 * 3600);
const GREEDY: u32 = 9_900;
const OTHERS: u32 = 99;
/// Slots of the queue.
const SLOTS: u32 = 40;

struct Simulation<B> {
    /// Keeps the storage.
    _backend: B,
    /// `None` when the ledger's clock runs by itself.
    clock: Option<Arc<ManualClock>>,
    nodes: Vec<(Arc<dyn Ledger>, Incarnation)>,
    calls: HashMap<Owner, CallId>,
    /// The tasks that run, each with the number of its node.
    running: Vec<(usize, ClaimedTask)>,
}

impl<B: Backend> Simulation<B> {
    async fn new(backend: B, clock: Option<Arc<ManualClock>>, count: usize) -> Self {
        let mut nodes = Vec::new();
        for number in 0..count {
            let ledger = backend.open().await;
            let incarnation = ledger.join(&format!("n{number}"), LEASE).await.unwrap();
            nodes.push((ledger, incarnation));
        }
        Self { clock, _backend: backend, nodes, calls: HashMap::new(), running: Vec::new() }
    }

    fn tick(&self) {
        if let Some(clock) = &self.clock {
            clock.advance(Duration::from_millis(1));
        }
    }

    fn turn(text: &str) -> TurnBody {
        TurnBody::new(Role::Bot, text, "app")
    }

    /// Starts a task in the queue, on the first node.
    async fn start(&mut self, owner: &Owner) -> TaskId {
        let (ledger, incarnation) = &self.nodes[0];
        let call_id = if let Some(call_id) = self.calls.get(owner) {
            *call_id
        } else {
            let call = NewCall::new(CallId::generate(), owner.clone(), TurnBody::new(Role::User, "?", "app"));
            let call_id = call.call_id;
            ledger.accept_call(incarnation, call).await.unwrap();
            ledger.reply(incarnation, call_id, Self::turn("!")).await.unwrap();
            self.calls.insert(owner.clone(), call_id);
            call_id
        };
        let new = NewTask::new(call_id, owner.clone(), "app", "work");
        let durable = NewDurable::new(new.task_id, "render", "{}", "{}").queue("render");
        let task = ledger.start_task(incarnation, new.durable(durable)).await.unwrap();
        assert_eq!(task.waits_for, Some(WaitsFor::Slot));
        self.tick();
        task.task_id
    }

    /// All nodes give the free slots to tasks, at the same time. Returns the tasks.
    async fn claim(&mut self) -> Vec<ClaimedTask> {
        let names = vec![DurableName::new("app", "render")];
        let queues = vec![QueueLimit::new("app", "render", SLOTS)];
        let request = ClaimRequest::new(names, "v1", 100).queues(queues);
        let claims = self.nodes.iter().map(|(ledger, incarnation)| ledger.claim_tasks(incarnation, request.clone()));
        let mut claimed = Vec::new();
        for (node, tasks) in futures_util::future::join_all(claims).await.into_iter().enumerate() {
            let tasks = tasks.unwrap();
            self.running.extend(tasks.iter().map(|task| (node, task.clone())));
            claimed.extend(tasks);
        }
        assert!(self.running.len() <= SLOTS as usize, "{} tasks run at once", self.running.len());
        claimed
    }

    /// Ends some of the running tasks, at least one.
    async fn end_some(&mut self, dice: &mut Dice) {
        let mut ends = 1 + dice.below(self.running.len() as u64);
        while ends > 0 && !self.running.is_empty() {
            let at = usize::try_from(dice.below(self.running.len() as u64)).unwrap();
            let (node, task) = self.running.swap_remove(at);
            let (ledger, incarnation) = &self.nodes[node];
            let audit = NewAudit::new(&task.record.owner, "platform", "chat.inject", AuditOutcome::Done);
            let end = TaskEnd::new(TaskState::Succeeded, Self::turn("done"), audit);
            ledger.finish_task(incarnation, task.record.task.attempt(), end).await.unwrap();
            self.tick();
            ends -= 1;
        }
    }
}

/// Between the start of another user's first task and the time when it gets a slot, the greedy user gets one task at
/// most, and so does each of the others. Every task gets its slot in the end.
async fn greedy_user_delays_nobody<B: Backend>(mut sim: Simulation<B>, greedy: u32) {
    let seed = imperal_tests::seed_from_env().unwrap_or_else(imperal_tests::seed_of_the_time);
    eprintln!("IMPERAL_TEST_SEED={seed}");
    let mut dice = Dice::new(seed);
    let hog = Owner::new("t", "greedy");
    for _ in 0..greedy {
        sim.start(&hog).await;
    }
    // (user, its first task) and who was served since it started.
    let mut waiting: HashMap<TaskId, (Owner, HashMap<Owner, u32>)> = HashMap::new();
    let (mut arrived, mut ended, mut turns) = (0, 0, 0);
    let mut done: HashSet<TaskId> = HashSet::new();
    while ended < greedy + OTHERS {
        // A few of the others come while the queue is at work.
        while arrived < OTHERS && (turns > 2 && dice.below(4) > 0) {
            let owner = Owner::new("t", &format!("user {arrived}"));
            let first = sim.start(&owner).await;
            waiting.insert(first, (owner, HashMap::new()));
            arrived += 1;
        }
        let claimed = sim.claim().await;
        if sim.nodes.len() > 1 {
            // Whose task another node took first is not known.
            waiting.retain(|first, _| claimed.iter().all(|claimed| claimed.record.task.task_id != *first));
        }
        for claimed in claimed {
            let task_id = claimed.record.task.task_id;
            assert!(done.insert(task_id), "a task was taken twice");
            ended += 1;
            waiting.remove(&task_id);
            for (of, served) in waiting.values_mut() {
                let count = served.entry(claimed.record.owner.clone()).or_default();
                *count += 1;
                assert!(
                    *count <= 1,
                    "{:?} was served {count} times before the first task of {of:?}",
                    claimed.record.owner
                );
            }
        }
        turns += 1;
        if !sim.running.is_empty() {
            sim.end_some(&mut dice).await;
        }
    }
    assert!(waiting.is_empty());
    let left = sim.nodes[0].0.queue_loads().await.unwrap();
    assert_eq!((left.len(), left[0].ready), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn greedy_user_delays_nobody_in_memory() {
    let backend = InMemory::new();
    let clock = Some(backend.clock.clone());
    // A claim in memory looks at every open task.
    greedy_user_delays_nobody(Simulation::new(backend, clock, 1).await, GREEDY / 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn greedy_user_delays_nobody_in_a_file() {
    let backend = InFile::new();
    let clock = Some(backend.clock.clone());
    greedy_user_delays_nobody(Simulation::new(backend, clock, 1).await, GREEDY).await;
}

mod postgres {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn greedy_user_delays_nobody_on_three_nodes() {
        let backend = crate::postgres::InPostgres::new();
        greedy_user_delays_nobody(Simulation::new(backend, None, 3).await, GREEDY / 10).await;
    }
}
