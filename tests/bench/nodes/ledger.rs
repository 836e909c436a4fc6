//! The ledger's side of the comparison in `bench/queue`: one process that answers each line of
//! standard input with three times.

use std::sync::Arc;
use std::time::{Duration, Instant};

use imperal::ids::{CallId, TaskId};
use imperal::ledger::{
    Attempt, AuditOutcome, Incarnation, Ledger, NewAudit, NewCall, NewTask, Owner, PostgresLedger, Role, TaskEnd,
    TaskState, TurnBody,
};

fn turn(role: Role, call_id: CallId, task_id: Option<TaskId>) -> TurnBody {
    let mut turn = TurnBody::new(role, "x".repeat(200), "refine").function("refine_output").call_id(call_id);
    turn.task_id = task_id;
    turn
}

fn end(owner: &Owner, call_id: CallId, task_id: TaskId) -> TaskEnd {
    let turn = turn(Role::Bot, call_id, Some(task_id));
    let audit = NewAudit::new(owner, "extension:refine", "chat.inject", AuditOutcome::Done)
        .app_id("refine")
        .target(turn.turn_id.to_string());
    TaskEnd::new(TaskState::Succeeded, turn, audit)
}

/// One user's calls and tasks in the ledger.
#[derive(Clone)]
struct Side {
    ledger: Arc<PostgresLedger>,
    incarnation: Incarnation,
    owner: Owner,
    calls: Vec<CallId>,
    tasks: Vec<(CallId, TaskId)>,
}

impl Side {
    async fn call(mut self, count: usize) -> Self {
        for _ in 0..count {
            let call_id = CallId::generate();
            let new = NewCall::new(call_id, self.owner.clone(), turn(Role::User, call_id, None));
            self.ledger.accept_call(&self.incarnation, new).await.unwrap();
            self.ledger.reply(&self.incarnation, call_id, turn(Role::Bot, call_id, None)).await.unwrap();
            self.calls.push(call_id);
        }
        self
    }

    async fn start(mut self, _: usize) -> Self {
        for call_id in std::mem::take(&mut self.calls) {
            let new = NewTask::new(call_id, self.owner.clone(), "refine", "refine_output").name("refine");
            self.tasks.push((call_id, self.ledger.start_task(&self.incarnation, new).await.unwrap().task_id));
        }
        self
    }

    async fn finish(mut self, _: usize) -> Self {
        for (call_id, task_id) in std::mem::take(&mut self.tasks) {
            self.ledger
                .finish_task(&self.incarnation, Attempt::first(task_id), end(&self.owner, call_id, task_id))
                .await
                .unwrap();
        }
        self
    }
}

/// Runs this step for all users at once; returns the seconds until the last has finished.
async fn all<F>(sides: &mut Vec<Side>, each: usize, step: impl Fn(Side, usize) -> F) -> f64
where
    F: Future<Output = Side> + Send + 'static,
{
    let begun = Instant::now();
    let steps: Vec<_> = sides.drain(..).map(|side| tokio::spawn(step(side, each))).collect();
    for step in steps {
        sides.push(step.await.unwrap());
    }
    begun.elapsed().as_secs_f64()
}

/// Answers each line of standard input with three times in seconds: calls, task starts and task ends.
pub(crate) async fn run(url: &str, callers: usize, each: usize) {
    let ledger = Arc::new(PostgresLedger::connect_in(url, "bench_ledger", callers).await.unwrap());
    let incarnation = ledger.join("bench", Duration::from_secs(3600)).await.unwrap();
    let side = |user| Side {
        ledger: ledger.clone(),
        incarnation: incarnation.clone(),
        owner: Owner::new("tenant", &format!("user{user}")),
        calls: Vec::new(),
        tasks: Vec::new(),
    };
    let mut sides: Vec<_> = (0..callers).map(side).collect();
    for line in std::io::stdin().lines() {
        drop(line.unwrap());
        let called = all(&mut sides, each, Side::call).await;
        let started = all(&mut sides, each, Side::start).await;
        let ended = all(&mut sides, each, Side::finish).await;
        println!("{called} {started} {ended}");
    }
}
