//! Retention: old rows are removed, numbers continue, and the audit chain holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Backend;
use super::scene::{ALL, Look, MANY, Node, all_of, anna, answer, ben, new_audit, new_call, ok};
use crate::ledger::{AuditCheck, Event, Ledger, LedgerError, Owner, PageLimit, Pruned, RetentionPolicy, TaskState};

/// Time between the old and the young rows.
const GAP: Duration = Duration::from_secs(2);

/// The moment between the old rows and the young ones, by the ledger's clock: the machine's may run while a
/// ledger's stands still.
pub(super) struct Line<'a> {
    node: &'a Node,
    drawn_at: Timestamp,
}

impl<'a> Line<'a> {
    pub(super) async fn draw(backend: &impl Backend, node: &'a Node) -> Self {
        backend.pass(GAP).await;
        Self { node, drawn_at: ledger_time(node).await }
    }

    /// An age between those of the old and the young rows.
    async fn age(&self) -> Duration {
        let passed = ledger_time(self.node).await.duration_since(self.drawn_at);
        Duration::try_from(passed).unwrap_or_default() + GAP / 4 * 3
    }

    pub(super) async fn all(&self) -> RetentionPolicy {
        let age = Some(self.age().await);
        RetentionPolicy { turns: age, tasks: age, events: age, audit: age }
    }
}

/// The time of the ledger's clock, from a new call of an owner without other rows. It writes no audit row.
async fn ledger_time(node: &Node) -> Timestamp {
    ok(node.ledger.accept_call(&node.incarnation, new_call(&Owner::new("clock", "clock"))).await).at
}

pub(super) async fn prune(ledger: &dyn Ledger, keep: &RetentionPolicy) -> Pruned {
    let (mut sum, mut from) = (Pruned::default(), Some(0));
    while let Some(at) = from {
        sum = sum.plus(ok(ledger.prune(keep, at, 1000).await));
        from = sum.next;
    }
    sum
}

/// A call with a task that has ended, a message, and an audit row: 6 events, 4 turns, 3 audit rows.
async fn chapter(node: &Node, owner: &Owner) {
    let task_id = node.detached(owner).await;
    ok(node.finish(owner, task_id).await);
    node.inject(owner, "news").await;
    ok(node.ledger.write_audit(new_audit(owner, "task.read")).await);
}

fn numbers(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.seq).collect()
}

/// Rows of every kind. The kept rows are unchanged, and numbers continue.
pub async fn old_rows_are_removed_and_young_rows_stay(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    chapter(&node, &anna()).await;
    let line = Line::draw(backend, &node).await;
    chapter(&node, &anna()).await;
    chapter(&node, &ben()).await;
    let (before, bens) = (node.look(&anna()).await, node.look(&ben()).await);
    let pruned = prune(&*node.ledger, &line.all().await).await;
    let counts = (pruned.turns, pruned.calls, pruned.tasks, pruned.events, pruned.audit);
    assert_eq!(counts, (4, 1, 1, 2, 3), "of one chapter: turns, calls, tasks, events of tasks, audit rows");
    assert_eq!(node.ledger.events(&anna(), 0, ALL).await, Err(LedgerError::Pruned(6)));
    assert_eq!(node.ledger.events(&anna(), 5, PageLimit::rows(1)).await, Err(LedgerError::Pruned(6)));
    assert_eq!(node.ledger.events(&anna(), 0, PageLimit::rows(0)).await, Err(LedgerError::Pruned(6)));
    assert_eq!(ok(node.ledger.events(&anna(), 6, ALL).await), before.events[6..]);
    assert_eq!(ok(node.ledger.events(&anna(), 8, PageLimit::rows(2)).await), before.events[8..10]);
    let after = Look::after(&*node.ledger, &anna(), 6).await;
    assert_eq!((after.head, &after.turns[..]), (12, &before.turns[4..]));
    assert_eq!((&after.tasks[..], &after.audit[..]), (&before.tasks[..1], &before.audit[3..]));
    assert_eq!(node.look(&ben()).await, bens, "another's rows went");
    assert_eq!(node.inject(&anna(), "more").await.seq, 13);
    assert_eq!(prune(&*node.ledger, &line.all().await).await.rows(), 0, "twice is once");
}

/// Afterwards its id is free again.
pub async fn call_is_found_while_its_turn_is_kept(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let old = new_call(&anna());
    ok(node.ledger.accept_call(&node.incarnation, old.clone()).await);
    ok(node.reply(old.call_id).await);
    let line = Line::draw(backend, &node).await;
    let young = node.call(&anna()).await;
    ok(node.reply(young).await);
    let kept = ok(node.ledger.find_call(&anna(), young).await);
    assert!(ok(node.ledger.find_call(&anna(), old.call_id).await).is_some());
    prune(&*node.ledger, &line.all().await).await;
    assert_eq!(ok(node.ledger.find_call(&anna(), old.call_id).await), None);
    assert_eq!(ok(node.ledger.find_call(&anna(), young).await), kept);
    ok(node.ledger.accept_call(&node.incarnation, old.clone()).await);
    assert_eq!(ok(node.ledger.find_call(&anna(), old.call_id).await).map(|call| call.asked.body), Some(old.turn));
}

/// Also when its events went before the task began.
pub async fn call_of_a_late_task_is_kept(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    ok(node.reply(call_id).await);
    let line = Line::draw(backend, &node).await;
    prune(&*node.ledger, &RetentionPolicy { events: Some(line.age().await), ..RetentionPolicy::FOREVER }).await;
    let floor = ok(node.ledger.head(&anna()).await);
    assert_eq!(node.ledger.events(&anna(), 0, ALL).await, Err(LedgerError::Pruned(floor)));
    let task_id = node.task(call_id, &anna()).await;
    let line = Line::draw(backend, &node).await;
    prune(&*node.ledger, &line.all().await).await;
    assert!(ok(node.ledger.find_call(&anna(), call_id).await).is_some(), "its task runs");
    ok(node.finish(&anna(), task_id).await);
    let line = Line::draw(backend, &node).await;
    prune(&*node.ledger, &line.all().await).await;
    assert_eq!(ok(node.ledger.find_call(&anna(), call_id).await), None);
}

/// `RetentionPolicy::FOREVER` keeps every row.
pub async fn default_policy_removes_nothing(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    chapter(&node, &anna()).await;
    Line::draw(backend, &node).await;
    let before = node.look(&anna()).await;
    assert_eq!(prune(&*node.ledger, &RetentionPolicy::FOREVER).await.rows(), 0);
    assert_eq!(node.look(&anna()).await, before);
}

/// Turns take their events and results with them, and tasks their events. Events and audit rows go alone.
pub async fn each_kind_of_row_has_its_own_age(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let owners = ["turns", "tasks", "events", "audit"].map(|name| Owner::new("tenant", name));
    for owner in &owners {
        chapter(&node, owner).await;
    }
    let line = Line::draw(backend, &node).await;
    let keeps = [
        RetentionPolicy { audit: Some(line.age().await), ..RetentionPolicy::FOREVER },
        RetentionPolicy { events: Some(line.age().await), ..RetentionPolicy::FOREVER },
        RetentionPolicy { tasks: Some(line.age().await), ..RetentionPolicy::FOREVER },
        RetentionPolicy { turns: Some(line.age().await), ..RetentionPolicy::FOREVER },
    ];
    let mut before = node.look(&owners[0]).await;
    for (step, keep) in keeps.iter().enumerate() {
        prune(&*node.ledger, keep).await;
        let refused = node.ledger.events(&owners[0], 0, ALL).await;
        assert_eq!(refused.is_err(), step > 0, "step {step}");
        let now = Look::after(&*node.ledger, &owners[0], if step > 0 { 6 } else { 0 }).await;
        match step {
            0 => before.audit.clear(),
            1 => before.events.clear(),
            2 => before.tasks.clear(),
            _ => before.turns.clear(),
        }
        assert_eq!(now, before, "step {step}");
    }
    // Turns alone go: the tasks stay, without their results.
    chapter(&node, &owners[1]).await;
    let line = Line::draw(backend, &node).await;
    prune(&*node.ledger, &RetentionPolicy { turns: Some(line.age().await), ..RetentionPolicy::FOREVER }).await;
    let now = Look::after(&*node.ledger, &owners[1], 12).await;
    assert_eq!((now.turns.len(), now.tasks.len()), (0, 1));
    let record = ok(node.ledger.find_task(now.tasks[0].task_id).await);
    let ended = record.map(|record| (record.task.state, record.task.result));
    assert_eq!(ended, Some((TaskState::Succeeded, None)));
}

/// Open calls, running tasks with their calls, and orphaned work, however old.
pub async fn unfinished_work_keeps_everything_from_its_call_on(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "n").await, Node::start(backend, "other").await);
    let (caller, worker, left) = (anna(), ben(), Owner::new("tenant", "carl"));
    for owner in [&caller, &worker, &left] {
        chapter(&node, owner).await;
    }
    let call_id = node.call(&caller).await;
    let task_id = node.detached(&worker).await;
    let (left_call, left_task) = (other.call(&left).await, other.detached(&left).await);
    for owner in [&caller, &worker, &left] {
        chapter(&node, owner).await;
    }
    ok(other.ledger.leave(&other.incarnation).await);
    let line = Line::draw(backend, &node).await;
    let before = [node.look(&caller).await, node.look(&worker).await, node.look(&left).await];
    prune(&*node.ledger, &line.all().await).await;
    for (owner, before) in [&caller, &worker, &left].into_iter().zip(&before) {
        assert_eq!(node.ledger.events(owner, 5, ALL).await, Err(LedgerError::Pruned(6)));
        let now = Look::after(&*node.ledger, owner, 6).await;
        assert_eq!((&now.events[..], &now.turns[..]), (&before.events[6..], &before.turns[4..]), "{owner}");
        assert_eq!(now.tasks.len(), before.tasks.len() - 1, "{owner}");
        assert_eq!(now.running, before.running, "{owner}");
    }
    ok(node.reply(call_id).await);
    let child = node.task(call_id, &caller).await;
    ok(node.finish(&caller, child).await);
    ok(node.finish(&worker, task_id).await);
    let orphans = node.orphans(MANY).await;
    assert_eq!(orphans.len(), 2, "{orphans:?}");
    ok(node.ledger.reclaim_call(&node.incarnation, left_call, super::scene::bot("interrupted")).await);
    let end = super::scene::end(&left, TaskState::Reclaimed, "interrupted");
    ok(node.ledger.reclaim_task(&node.incarnation, left_task, end).await);
    // The work has ended and is old: now it is removed.
    let line = Line::draw(backend, &node).await;
    prune(&*node.ledger, &line.all().await).await;
    for owner in [&caller, &worker, &left] {
        let head = ok(node.ledger.head(owner).await);
        let now = Look::after(&*node.ledger, owner, head).await;
        assert_eq!((now.turns.len(), now.tasks.len(), now.audit.len()), (0, 0, 0), "{owner}");
    }
}

/// A step removes its limit of rows or a few more; all steps together remove the same rows.
pub async fn small_steps_remove_the_same_rows(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let owners = [anna(), ben(), Owner::new("other", "anna")];
    for owner in &owners {
        for _ in 0..3 {
            chapter(&node, owner).await;
        }
    }
    let line = Line::draw(backend, &node).await;
    chapter(&node, &anna()).await;
    let (mut sum, mut from, mut steps) = (Pruned::default(), Some(0), 0);
    while let Some(at) = from {
        let step = ok(node.ledger.prune(&line.all().await, at, 2).await);
        assert!(step.rows() <= 20, "{step:?}");
        (sum, from, steps) = (sum.plus(step), step.next, steps + 1);
        assert!(steps < 200, "pruning does not come to an end");
    }
    assert_eq!((sum.turns, sum.calls, sum.tasks, sum.events, sum.audit), (36, 9, 9, 18, 27));
    assert!(steps >= 5, "{steps} steps for 99 rows");
    let annas = Look::after(&*node.ledger, &anna(), 18).await;
    assert_eq!((numbers(&annas.events), annas.turns.len()), ((19..=24).collect(), 4));
    let record = ok(node.ledger.find_task(annas.tasks[0].task_id).await);
    assert_eq!(record.and_then(|record| record.task.result), Some(answer("done")));
}

/// With an anchor after old rows are removed, and with no row at all.
pub async fn audit_chain_holds_after_pruning(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    for owner in [anna(), ben()] {
        chapter(&node, &owner).await;
    }
    let line = Line::draw(backend, &node).await;
    chapter(&node, &anna()).await;
    let last = node.look(&anna()).await.audit[2].hash;
    let ends = ok(node.ledger.chain_ends(Some(anna())).await);
    assert_eq!((ends[0].1.anchor, ends[0].1.pruned), (None, 0));
    prune(&*node.ledger, &RetentionPolicy { audit: Some(line.age().await), ..RetentionPolicy::FOREVER }).await;
    let ends = ok(node.ledger.chain_ends(Some(anna())).await);
    assert_eq!((ends[0].1.anchor, ends[0].1.pruned), (Some(last), 3));
    for (owner, rows, pruned) in [(None, 3, 6), (Some(anna()), 3, 3), (Some(ben()), 0, 3)] {
        let check = ok(AuditCheck::run(&*node.ledger, owner).await);
        assert_eq!((check.rows, check.pruned, check.broken), (rows, pruned, None));
    }
    chapter(&node, &ben()).await;
    let line = Line::draw(backend, &node).await;
    prune(&*node.ledger, &RetentionPolicy { audit: Some(line.age().await), ..RetentionPolicy::FOREVER }).await;
    chapter(&node, &anna()).await;
    let check = ok(AuditCheck::run(&*node.ledger, None).await);
    assert_eq!((check.rows, check.pruned, check.broken), (3, 12, None));
}

/// Two nodes prune everything without a pause while writers, a follower and an auditor run. The follower
/// sees each event once and in order, or gets the notice that events were pruned.
pub async fn concurrent_pruning_breaks_no_rule(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "n").await, Node::start(backend, "other").await);
    let (done, pruned) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let pruners = [&node, &other].map(|node| {
        let (ledger, done, pruned) = (node.ledger.clone(), done.clone(), pruned.clone());
        let at_once = Some(Duration::ZERO);
        let keep = RetentionPolicy { turns: at_once, tasks: at_once, events: at_once, audit: at_once };
        tokio::spawn(async move {
            while !done.load(Ordering::Relaxed) {
                pruned.fetch_add(prune(&*ledger, &keep).await.rows(), Ordering::Relaxed);
                // SQLite's lock is not fair: two writers without a pause can keep it from each other.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
    });
    let auditor = tokio::spawn({
        let (ledger, done) = (node.ledger.clone(), done.clone());
        async move {
            while !done.load(Ordering::Relaxed) {
                assert_eq!(ok(AuditCheck::run(&*ledger, None).await).broken, None);
                tokio::task::yield_now().await;
            }
        }
    });
    let follower = tokio::spawn({
        let (ledger, done) = (other.ledger.clone(), done.clone());
        async move {
            let (mut seen, mut told) = (0, 0);
            loop {
                tokio::task::yield_now().await;
                let last = done.load(Ordering::Relaxed);
                match ledger.events(&anna(), seen, PageLimit::rows(5)).await {
                    Ok(events) => {
                        assert!(events.iter().map(|event| event.seq).eq(seen + 1..=seen + events.len() as u64));
                        seen += events.len() as u64;
                        if last && events.is_empty() {
                            return (seen, told);
                        }
                    }
                    Err(LedgerError::Pruned(floor)) => {
                        assert!(floor > seen, "told of {floor} after {seen}");
                        (seen, told) = (floor, told + 1);
                    }
                    Err(error) => panic!("must not be refused: {error}"),
                }
            }
        }
    });
    let writers = (0..4).map(|n| {
        let (node, owner) = (if n % 2 == 0 { &node } else { &other }.clone(), if n < 3 { anna() } else { ben() });
        let (pruned, begun) = (pruned.clone(), Instant::now());
        tokio::spawn(async move {
            for round in 0..12 {
                // Half of the writes come after some pruning, however the tasks are scheduled.
                while round == 6 && pruned.load(Ordering::Relaxed) == 0 {
                    assert!(begun.elapsed() < Duration::from_secs(60), "nothing is pruned");
                    tokio::task::yield_now().await;
                }
                let call_id = node.call(&owner).await;
                let task_id = node.task(call_id, &owner).await;
                tokio::task::yield_now().await;
                ok(node.reply(call_id).await);
                let second = node.task(call_id, &owner).await;
                ok(node.finish(&owner, task_id).await);
                tokio::task::yield_now().await;
                ok(node.finish(&owner, second).await);
                node.inject(&owner, "news").await;
            }
        })
    });
    let mut writing = std::pin::pin!(all_of(writers.collect()));
    loop {
        tokio::select! {
            _ = &mut writing => break,
            () = backend.pass(Duration::from_millis(1)) => tokio::task::yield_now().await,
        }
    }
    done.store(true, Ordering::Relaxed);
    let (seen, _) = all_of(vec![follower]).await[0];
    // Two turns of the call, two starts, two ends of two events each, a message.
    assert_eq!(seen, 3 * 12 * 9);
    all_of(vec![auditor]).await;
    all_of(Vec::from(pruners)).await;
    assert!(pruned.load(Ordering::Relaxed) > 0, "nothing was pruned meanwhile");
    assert_eq!(ok(AuditCheck::run(&*node.ledger, None).await).broken, None);
    backend.pass(GAP).await;
    let at_once = Some(Duration::ZERO);
    prune(&*node.ledger, &RetentionPolicy { turns: at_once, tasks: at_once, events: at_once, audit: at_once }).await;
    for owner in [anna(), ben()] {
        let head = ok(node.ledger.head(&owner).await);
        let rest = Look::after(&*node.ledger, &owner, head).await;
        assert_eq!((rest.turns.len(), rest.tasks.len(), rest.audit.len()), (0, 0, 0), "{owner}");
    }
}
