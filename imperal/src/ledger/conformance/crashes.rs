//! Ends of incarnations with running durable tasks: what counts as a crash, how long a task waits, and how
//! long it has run.

use std::time::{Duration, Instant};

use super::Backend;
use super::durable::{attempt, crashed, ids, new_durable, request, step};
use super::scene::{LONG, Node, anna, new_audit, ok};
use crate::ids::TaskId;
use crate::ledger::{
    AttemptReport, EventBody, LedgerError, NewAnswer, NewQuestion, NewStep, Orphan, Release, StepKind, TaskState,
    WaitsFor,
};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Panics unless an unheld task waits for this, without an event, and can be claimed or not.
async fn assert_orphaned(node: &Node, task_id: TaskId, head: u64, waits_for: WaitsFor) {
    let task = node.read_task(task_id).await;
    assert_eq!((task.state, task.waits_for), (TaskState::Queued, Some(waits_for)));
    assert!(task.ready_at.is_some() && task.deadline_at.is_none(), "{task:?}");
    assert_eq!(node.look(&anna()).await.head, head, "it has no event");
}

/// By joining again, by leaving, and by a lapsed lease. Background tasks are orphaned as before.
pub async fn end_of_an_incarnation_queues_its_durable_tasks(backend: &impl Backend) {
    let other = Node::start(backend, "other").await;
    for end in ["join", "leave", "expiry"] {
        let lease = if end == "expiry" { backend.lease() } else { LONG };
        let node = Node::start_with(backend, "n", lease).await;
        let (task_id, background) = (node.durable(&anna()).await, node.detached(&anna()).await);
        let head = node.look(&anna()).await.head;
        match end {
            "join" => drop(node.crash().await),
            "leave" => ok(node.ledger.leave(&node.incarnation).await),
            _ => backend.lapse(lease).await,
        }
        let orphans = other.orphans(10).await;
        assert!(
            matches!(&orphans[..], [Orphan::Task(record)] if record.task.task_id == background),
            "{end}: {orphans:?}"
        );
        assert_orphaned(&other, task_id, head, WaitsFor::Process).await;
        assert_eq!(node.end(attempt(task_id, 1), TaskState::Succeeded).await, Err(LedgerError::Fenced));
        let claimed = other.claim_one().await;
        assert_eq!((claimed.record.task.attempt, claimed.record.incarnation), (2, other.incarnation.clone()));
        assert_eq!(claimed.crashes, u32::from(end != "leave"), "{end}");
        ok(other.end(attempt(task_id, 2), TaskState::Succeeded).await);
        let end = super::scene::end(&anna(), TaskState::Reclaimed, "interrupted");
        ok(other.ledger.reclaim_task(&other.incarnation, background, end).await);
    }
}

/// A node that said that it stops has not crashed, however its incarnation ends.
pub async fn end_of_a_draining_incarnation_is_no_crash(backend: &impl Backend) {
    let other = Node::start(backend, "other").await;
    let mut node = Node::start_with(backend, "n", backend.lease()).await;
    let task_id = node.durable(&anna()).await;
    for end in ["join", "expiry", "leave"] {
        ok(node.ledger.drain(&node.incarnation).await);
        ok(node.ledger.drain(&node.incarnation).await);
        match end {
            "join" => drop(node.crash().await),
            "leave" => ok(node.ledger.leave(&node.incarnation).await),
            _ => {
                backend.lapse(backend.lease()).await;
                assert_eq!(ok(other.ledger.expire_leases(&other.incarnation).await), 1);
            }
        }
        node = Node::start_with(backend, "n", backend.lease()).await;
        assert_eq!(node.claim_one().await.crashes, 0, "{end}");
    }
    // The next incarnation of the node is not draining.
    let node = node.crash().await;
    assert_eq!(node.claim_one().await.crashes, 1);
    ok(node.end(attempt(task_id, 5), TaskState::Succeeded).await);
}

/// Ready at once after the first, then after 10 s, 60 s and 300 s.
pub async fn each_crash_lengthens_the_wait(backend: &impl Backend) {
    let begun = Instant::now();
    let mut node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    for (crashes, wait) in [(1, secs(0)), (2, secs(10)), (3, secs(60)), (4, secs(300)), (5, secs(300))] {
        let (crashed_after, head) = (node.now().await, node.look(&anna()).await.head);
        node = node.crash().await;
        let waits_for = if wait.is_zero() { WaitsFor::Process } else { WaitsFor::Retry };
        assert_orphaned(&node, task_id, head, waits_for).await;
        let ready = node.read_task(task_id).await.ready_at.unwrap_or_default().duration_since(crashed_after);
        let ready = Duration::try_from(ready).unwrap_or_default();
        assert!(ready >= wait && ready <= wait + begun.elapsed(), "after {crashes} crashes it waits {ready:?}");
        if !wait.is_zero() {
            assert_eq!(node.claim(10).await, [], "it has to wait after {crashes} crashes");
            backend.age_tasks(wait).await;
        }
        let claimed = node.claim_one().await;
        assert_eq!((claimed.crashes, claimed.fruitless), (crashes, crashes));
    }
    ok(node.end(attempt(task_id, 6), TaskState::Failed).await);
}

/// Crashes and fruitless attempts count from the last stored step on.
pub async fn stored_step_makes_the_next_crash_the_first(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    let node = crashed(backend, node, 2).await;
    let claimed = node.claim_one().await;
    assert_eq!((claimed.crashes, claimed.fruitless), (2, 2));
    ok(node.store(attempt(task_id, 3), step(1)).await);
    let node = node.crash().await;
    let claimed = node.claim_one().await;
    assert_eq!((claimed.crashes, claimed.fruitless), (0, 0), "attempt 3 made progress");
    let node = node.crash().await;
    let claimed = node.claim_one().await;
    assert_eq!((claimed.crashes, claimed.fruitless), (1, 1), "attempt 4 made none");
    // A hand-over is no crash, and the count of crashes stays.
    ok(node.release(attempt(task_id, 5), Release::HandOver).await);
    let claimed = node.claim_one().await;
    assert_eq!((claimed.crashes, claimed.fruitless), (1, 2));
    ok(node.store(attempt(task_id, 6), step(2)).await);
    ok(node.release(attempt(task_id, 6), Release::HandOver).await);
    let claimed = node.claim_one().await;
    assert_eq!((claimed.crashes, claimed.fruitless), (0, 0));
}

/// A body that says a new text on each attempt and crashes gets no further: it becomes a suspect.
pub async fn messages_are_no_progress(backend: &impl Backend) {
    let mut node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    for crash in 1..=3 {
        let said = NewStep::new(u16::try_from(crash).unwrap_or_default(), format!("{crash}"), StepKind::Message, "{}");
        ok(node.say(attempt(task_id, crash), "said", Some(said)).await);
        node = node.crash().await;
        backend.age_tasks(secs(300)).await;
        if crash > 1 {
            assert_eq!(node.claim_with(request(10).suspect(false)).await, [], "a suspect after {crash} crashes");
        }
        let claimed = node.claim_one().await;
        assert_eq!((claimed.crashes, claimed.fruitless), (crash, crash));
    }
    // A step before a message is progress of its attempt.
    ok(node.store(attempt(task_id, 4), step(10)).await);
    ok(node.say(attempt(task_id, 4), "said", Some(NewStep::new(11, "last", StepKind::Message, "{}"))).await);
    let node = node.crash().await;
    let claimed = node.claim_one().await;
    assert_eq!((claimed.crashes, claimed.fruitless), (0, 0));
}

/// The last renewal, the start of the attempt or its last write, whichever is last; now for a node that leaves. A
/// claim removes it.
pub async fn interruption_has_the_time_of_the_last_sign_of_life(backend: &impl Backend) {
    let pause = async || {
        backend.pass(Duration::from_millis(20)).await;
    };
    let node = Node::start(backend, "n").await;
    let (task_id, background) = (node.durable(&anna()).await, node.detached(&anna()).await);
    assert_eq!(node.read_task(task_id).await.interrupted_at, None);
    pause().await;
    let before = node.now().await;
    node.news().await;
    let after = node.now().await;
    pause().await;
    let node = node.crash().await;
    for task in [node.read_task(task_id).await, node.read_task(background).await] {
        let at = task.interrupted_at.unwrap_or_default();
        assert!(at >= before && at <= after, "the last renewal, not {at}: {before} to {after}");
    }
    let [Orphan::Task(orphan)] = &node.orphans(10).await[..] else { panic!("one orphan") };
    assert_eq!(orphan.task, node.read_task(background).await);
    // The end of a reclaimed task keeps it.
    let end = super::scene::end(&anna(), TaskState::Reclaimed, "interrupted");
    ok(node.ledger.reclaim_task(&node.incarnation, background, end).await);
    let ended = node.read_task(background).await;
    assert_eq!(ended.interrupted_at, orphan.task.interrupted_at);
    let events = node.events(&anna()).await;
    let last = events.iter().rev().find_map(|event| match &event.body {
        EventBody::Task(task) => Some(task.interrupted_at),
        EventBody::Turn(_) => None,
    });
    assert_eq!(last, Some(ended.interrupted_at), "events have it");

    let claimed = node.claim_one().await.record.task;
    assert_eq!((claimed.interrupted_at, node.read_task(task_id).await.interrupted_at), (None, None));
    pause().await;
    ok(node.store(claimed.attempt(), step(1)).await);
    pause().await;
    let node = node.crash().await;
    let stored = node.steps(task_id).await.remove(0).done_at;
    assert_eq!(node.read_task(task_id).await.interrupted_at, Some(stored), "the last write");
    node.claim_one().await;
    pause().await;
    let before = node.now().await;
    ok(node.ledger.leave(&node.incarnation).await);
    let at = node.read_task(task_id).await.interrupted_at.unwrap_or_default();
    assert!(at >= before, "now: {at} after {before}");
}

/// From the second crash on. So the next crash names the task that causes it.
pub async fn one_suspect_is_claimed_at_a_time(backend: &impl Backend) {
    let mut node = Node::start(backend, "n").await;
    let mut suspects = vec![node.durable(&anna()).await, node.durable(&anna()).await];
    suspects.sort_unstable();
    node = node.crash().await;
    assert_eq!(node.claim(10).await.len(), 2, "one crash makes no suspect");
    node = node.crash().await;
    let innocent = [node.released(&anna()).await, node.released(&anna()).await];
    backend.age_tasks(secs(10)).await;
    let without = node.claim_with(request(1).suspect(false)).await;
    assert!(innocent.contains(&ids(&without)[0]), "no suspect was asked for");
    let mut claimed = ids(&node.claim(10).await);
    assert_eq!(claimed.len(), 2, "the other innocent task and one suspect: {claimed:?}");
    claimed.retain(|task_id| !innocent.contains(task_id));
    assert_eq!(node.claim_with(request(10).suspect(false)).await, []);
    claimed.extend(ids(&node.claim(10).await));
    claimed.sort_unstable();
    assert_eq!(claimed, suspects);
}

/// From the claim to the release, and after a crash to the attempt's last stored step. Waiting does not count.
pub async fn running_time_is_summed_over_attempts(backend: &impl Backend) {
    let begun = Instant::now();
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let task_id = node.start_task(new_durable(call_id, &anna()).cap(secs(100), false)).await.task_id;
    ok(node.reply(call_id).await);
    let check = async |node: &Node, wanted: u64, left: u64| {
        let claimed = node.claim_one().await;
        let now = node.now().await;
        let ran = claimed.ran;
        assert!(ran >= secs(wanted) && ran <= secs(wanted) + begun.elapsed(), "{ran:?} for {wanted} s");
        let deadline = claimed.record.task.deadline_at.unwrap_or_default().duration_since(now);
        let deadline = Duration::try_from(deadline).unwrap_or_default();
        let least = secs(left).saturating_sub(begun.elapsed());
        assert!(deadline <= secs(left) && deadline >= least, "{deadline:?} for {left} s");
    };
    backend.age_tasks(secs(20)).await;
    ok(node.release(attempt(task_id, 1), Release::HandOver).await);
    backend.age_tasks(secs(1000)).await;
    check(&node, 20, 80).await;
    // A crash: up to the last step of this attempt.
    backend.age_tasks(secs(10)).await;
    ok(node.store(attempt(task_id, 2), step(1)).await);
    backend.age_tasks(secs(10)).await;
    ok(node.store(attempt(task_id, 2), step(2)).await);
    backend.age_tasks(secs(500)).await;
    let node = node.crash().await;
    check(&node, 40, 60).await;
    // A crash without a step, then one of a process that stopped: neither counts.
    backend.age_tasks(secs(500)).await;
    let node = node.crash().await;
    check(&node, 40, 60).await;
    backend.age_tasks(secs(500)).await;
    ok(node.ledger.leave(&node.incarnation).await);
    let node = Node::start(backend, "n").await;
    check(&node, 40, 60).await;
    // Nothing is left: the attempt has a second to notice it.
    backend.age_tasks(secs(200)).await;
    ok(node.release(attempt(task_id, 5), super::durable::refused("v0")).await);
    check(&node, 240, 1).await;
}

/// The time that the holder tells with a release, at most the whole attempt.
pub async fn running_time_leaves_out_the_waits_of_a_release(backend: &impl Backend) {
    let begun = Instant::now();
    let node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    let releases = [
        (Release::HandOver, secs(60), 40),
        (super::durable::refused("v0"), secs(99), 41),
        (Release::HandOver, LONG, 41),
    ];
    for ((release, waited, wanted), number) in releases.into_iter().zip(1..) {
        backend.age_tasks(secs(100)).await;
        let of = attempt(task_id, number);
        ok(node.ledger.release_task(&node.incarnation, of, release.clone(), AttemptReport::new(waited)).await);
        ok(node.ledger.release_task(&node.incarnation, of, release, AttemptReport::default()).await);
        let claimed = node.claim_one().await;
        assert!(claimed.ran >= secs(wanted) && claimed.ran <= secs(wanted) + begun.elapsed(), "{:?}", claimed.ran);
        let deadline = claimed.record.task.deadline_at.unwrap_or_default().duration_since(claimed.claimed_at);
        assert_eq!(
            Duration::try_from(deadline).ok(),
            Some(secs(180).saturating_sub(claimed.ran)),
            "it is computed from that"
        );
    }
}

/// Steps that run at once are stored in another order than that of their ordinals. A question counts from when it was asked,
/// however late its answer comes.
pub async fn running_time_of_a_lost_attempt_ends_with_its_latest_row(backend: &impl Backend) {
    let begun = Instant::now();
    let node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    let check = async |node: Node, wanted: u64| {
        backend.age_tasks(secs(100)).await;
        let node = node.crash().await;
        let claimed = node.claim_one().await;
        assert!(claimed.ran >= secs(wanted) && claimed.ran <= secs(wanted) + begun.elapsed(), "{:?}", claimed.ran);
        node
    };
    backend.age_tasks(secs(10)).await;
    ok(node.store(attempt(task_id, 1), step(2)).await);
    backend.age_tasks(secs(10)).await;
    ok(node.store(attempt(task_id, 1), step(1)).await);
    let node = check(node, 20).await;
    backend.age_tasks(secs(10)).await;
    let question = NewQuestion::new(3, "q", "Now?", "{}");
    let asked = ok(node.ledger.ask_question(&node.incarnation, attempt(task_id, 2), question).await);
    backend.age_tasks(secs(3)).await;
    ok(node.store(attempt(task_id, 2), step(4)).await);
    backend.age_tasks(secs(500)).await;
    let answer = NewAnswer::new("1", "user:anna", new_audit(&anna(), "task.answer"));
    ok(node.ledger.answer_question(asked.question_id, answer).await);
    check(node, 33).await;
}
