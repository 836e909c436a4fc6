//! Recovery: work of ended incarnations is reclaimed, exactly once.

use serde_json::json;

use super::Backend;
use super::scene::{
    ALL, Look, Node, all_of, anna, assert_gapless, assert_one_winner, assert_winners_of_many, ben, bot, cancelled, end,
    new_audit, ok, progress,
};
use crate::ids::{CallId, DraftId, TaskId};
use crate::ledger::{
    Attempt, AuditCheck, DraftPiece, EventBody, LedgerError, Orphan, Owner, Task, TaskEnd, TaskState, Turn, Work,
};

impl Node {
    async fn reclaim_call(&self, call_id: CallId) -> Result<Turn, LedgerError> {
        self.ledger.reclaim_call(&self.incarnation, call_id, bot("interrupted")).await
    }

    async fn reclaim_task(&self, task_id: TaskId) -> Result<Turn, LedgerError> {
        let end = end(&anna(), TaskState::Reclaimed, "reclaimed");
        self.ledger.reclaim_task(&self.incarnation, task_id, end).await
    }

    /// Reclaims the tasks together, each with an end of its own.
    async fn reclaim_many(&self, tasks: &[(TaskId, Owner)]) -> Result<Vec<Result<(), LedgerError>>, LedgerError> {
        let ends = tasks.iter().map(|(task_id, owner)| (*task_id, interrupted(owner, *task_id)));
        self.ledger.reclaim_tasks(&self.incarnation, ends.collect()).await
    }
}

fn interrupted(owner: &Owner, task_id: TaskId) -> TaskEnd {
    let end = end(owner, TaskState::Reclaimed, "interrupted");
    TaskEnd { turn: crate::ledger::TurnBody { task_id: Some(task_id), ..end.turn }, ..end }
}

/// The one outcome of a task, its turn and its event just before it. The event has the task as it is read, without the
/// result.
async fn outcome(node: &Node, owner: &Owner, task_id: TaskId) -> Turn {
    let look = node.look(owner).await;
    let of_task = |turn: &&Turn| turn.body.task_id == Some(task_id);
    let outcomes: Vec<&Turn> = look.turns.iter().filter(of_task).collect();
    let [outcome] = &outcomes[..] else { panic!("one outcome of {task_id}: {outcomes:?}") };
    let read = ok(node.ledger.find_task(task_id).await).unwrap_or_else(|| panic!("{task_id} is missing")).task;
    assert_eq!((&read.result, read.finished_at), (&outcome.body.result, Some(outcome.at)));
    let before = look.events.iter().find(|event| event.seq == outcome.seq - 1).map(|event| &event.body);
    assert_eq!(before, Some(&EventBody::Task(Task { result: None, ..read })));
    (*outcome).clone()
}

fn ids(orphans: &[Orphan]) -> Vec<String> {
    orphans
        .iter()
        .map(|orphan| match orphan {
            Orphan::Call { call_id, .. } => call_id.to_string(),
            Orphan::Task(record) => record.task.task_id.to_string(),
        })
        .collect()
}

/// With everything that a reclaim needs. The limit cuts the end of the list.
pub async fn orphans_are_calls_before_tasks_oldest_first(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let first = node.detached(&ben()).await;
    let open = [node.call(&anna()).await, node.call(&ben()).await];
    let second = node.task(open[0], &anna()).await;
    let asked = node.look(&anna()).await.turns[0].body.clone();
    ok(node.ledger.leave(&node.incarnation).await);

    let orphans = other.orphans(10).await;
    let wanted = [open[0].to_string(), open[1].to_string(), first.to_string(), second.to_string()];
    assert_eq!(ids(&orphans), wanted);
    let call = Orphan::Call { call_id: open[0], owner: anna(), incarnation: node.incarnation.clone(), turn: asked };
    assert_eq!(orphans[0], call);
    let task = ok(other.ledger.find_task(first).await).map(Orphan::Task);
    assert_eq!(Some(&orphans[2]), task.as_ref());
    for limit in 0..=4 {
        assert_eq!(ids(&other.orphans(limit).await), wanted[..limit as usize]);
    }
}

/// The list alone ends no incarnation: a node whose lease has expired may still renew it.
pub async fn orphans_are_listed_without_expiring_leases(backend: &impl Backend) {
    let (node, asking) = (Node::start_with(backend, "a", backend.lease()).await, Node::start(backend, "b").await);
    node.call(&anna()).await;
    backend.lapse(backend.lease()).await;
    assert_eq!(ok(asking.ledger.orphans(10).await), []);
    ok(node.ledger.renew(&node.incarnation, backend.lease()).await);
    backend.lapse(backend.lease()).await;
    assert_eq!(ok(asking.ledger.expire_leases(&asking.incarnation).await), 1);
    assert_eq!(ok(asking.ledger.expire_leases(&asking.incarnation).await), 0);
    assert_eq!(ok(asking.ledger.orphans(10).await).len(), 1);
}

/// It is not listed and cannot be reclaimed.
pub async fn work_of_a_live_node_is_not_orphaned(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let (call_id, task_id) = (node.call(&anna()).await, node.detached(&anna()).await);
    assert_eq!(other.orphans(10).await, []);
    let before = node.look(&anna()).await;
    for asking in [&other, &node] {
        assert_eq!(asking.reclaim_call(call_id).await, Err(LedgerError::NotOrphaned));
        assert_eq!(asking.reclaim_task(task_id).await, Err(LedgerError::NotOrphaned));
    }
    assert_eq!(other.reclaim_call(CallId::generate()).await, Err(LedgerError::NotFound));
    assert_eq!(other.reclaim_task(TaskId::generate()).await, Err(LedgerError::NotFound));
    assert_eq!(node.look(&anna()).await, before);
    ok(node.reply(call_id).await);
    ok(node.finish(&anna(), task_id).await);
    assert_eq!(other.reclaim_call(call_id).await, Err(LedgerError::AlreadyReplied));
    assert_eq!(other.reclaim_task(task_id).await, Err(LedgerError::AlreadyEnded));
}

/// The call gets its reply, the task its end, and the list is empty.
pub async fn orphaned_work_is_reclaimed_once(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let (call_id, task_id) = (node.call(&anna()).await, node.detached(&anna()).await);
    ok(node.ledger.leave(&node.incarnation).await);
    let before = other.look(&anna()).await;
    ok(other.reclaim_call(call_id).await);
    ok(other.reclaim_task(task_id).await);
    assert_eq!(other.orphans(10).await, []);
    let Look { head, turns, running, tasks, audit, events } = other.look(&anna()).await;
    assert_eq!((head, turns.len()), (before.head + 3, before.turns.len() + 2));
    assert_eq!((running.len(), audit.len()), (0, before.audit.len() + 1));
    assert_eq!(tasks[0].state, TaskState::Reclaimed);
    assert_gapless(&events);
    let record = ok(other.ledger.find_task(task_id).await);
    assert_eq!(record.map(|record| record.incarnation), Some(node.incarnation.clone()), "it says who ran it");
    assert_eq!(other.reclaim_call(call_id).await, Err(LedgerError::AlreadyReplied));
    assert_eq!(other.reclaim_task(task_id).await, Err(LedgerError::AlreadyEnded));
    assert_eq!(other.look(&anna()).await.head, head);
}

/// The reply comes first.
pub async fn task_is_reclaimed_after_its_call(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let call_id = node.call(&anna()).await;
    let task_id = node.task(call_id, &anna()).await;
    ok(node.ledger.leave(&node.incarnation).await);
    let before = other.look(&anna()).await;
    assert_eq!(other.reclaim_task(task_id).await, Err(LedgerError::CallNotReplied));
    assert_eq!(other.look(&anna()).await, before);
    ok(other.reclaim_call(call_id).await);
    ok(other.reclaim_task(task_id).await);
}

/// Three nodes find the same orphans at once; one of them reclaims each.
pub async fn racing_reclaimers_have_one_winner(backend: &impl Backend) {
    const WORK: usize = 5;
    let node = Node::start_with(backend, "dead", backend.lease()).await;
    let mut tasks = Vec::new();
    for _ in 0..WORK {
        node.call(&anna()).await;
        tasks.push(node.detached(&anna()).await);
    }
    let before = node.look(&anna()).await;
    let mut others = Vec::new();
    for name in ["b", "c", "d"] {
        others.push(Node::start(backend, name).await);
    }
    backend.lapse(backend.lease()).await;
    let racers = others.iter().cloned().map(|other| {
        tokio::spawn(async move {
            let mut outcomes = Vec::new();
            for orphan in other.orphans(100).await {
                outcomes.push(match &orphan {
                    Orphan::Call { call_id, .. } => other.reclaim_call(*call_id).await,
                    Orphan::Task(record) => other.reclaim_task(record.task.task_id).await,
                });
            }
            outcomes
        })
    });
    let outcomes: Vec<_> = all_of(racers.collect()).await.into_iter().flatten().collect();
    let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(won, 2 * WORK, "{outcomes:?}");
    let replied_or_ended = |outcome: &Result<Turn, LedgerError>| {
        matches!(outcome, Ok(_) | Err(LedgerError::AlreadyReplied | LedgerError::AlreadyEnded))
    };
    assert!(outcomes.iter().all(replied_or_ended), "{outcomes:?}");
    let look = others[0].look(&anna()).await;
    assert_eq!(look.turns.len(), before.turns.len() + 2 * WORK);
    assert_eq!(look.audit.len(), before.audit.len() + WORK);
    assert_eq!(others[0].orphans(100).await, []);
}

/// The holder ends its task while another node reclaims it.
pub async fn end_and_reclaim_of_one_task_have_one_winner(backend: &impl Backend) {
    let other = Node::start(backend, "b").await;
    for round in 1..=5 {
        let node = Node::start(backend, "a").await;
        let task_id = node.detached(&anna()).await;
        let incarnation = node.clone();
        let incarnation = tokio::spawn(async move {
            match incarnation.finish(&anna(), task_id).await {
                Err(LedgerError::Fenced) => Err(LedgerError::AlreadyEnded),
                outcome => outcome,
            }
        });
        let reclaimer = other.clone();
        let reclaimer = tokio::spawn(async move {
            ok(node.ledger.leave(&node.incarnation).await);
            reclaimer.reclaim_task(task_id).await
        });
        assert_one_winner(&all_of(vec![incarnation, reclaimer]).await, &LedgerError::AlreadyEnded);
        let look = other.look(&anna()).await;
        assert_eq!((look.turns.len(), look.audit.len(), look.running.len()), (3 * round, round, 0));
    }
}

/// Tasks of several owners end in one write: each gets its outcome, its two events and its audit row, as in a write of its own.
pub async fn tasks_are_reclaimed_together(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let mut left = Vec::new();
    for round in 0..3 {
        for owner in [anna(), ben()] {
            let task_id = node.detached(&owner).await;
            if round == 1 {
                let work = Work::Task(Attempt::first(task_id));
                let draft = DraftPiece::new(DraftId::generate(), work, 0, "half a text");
                ok(node.ledger.write_drafts(&node.incarnation, vec![draft]).await);
                ok(node.ledger.note_progress(&node.incarnation, vec![progress(task_id, 50.0, "half")]).await);
            }
            left.push((task_id, owner));
        }
    }
    let asked = left[4].0;
    ok(node.ledger.request_cancel(asked, new_audit(&anna(), "task.cancel"), cancelled(&anna())).await);
    ok(node.ledger.leave(&node.incarnation).await);
    let before = [other.look(&anna()).await, other.look(&ben()).await];

    let works: Vec<Work> = left.iter().map(|(task_id, _)| Work::Task(Attempt::first(*task_id))).collect();
    let drafts = ok(other.ledger.drafts_of_work(&works).await);
    let of: Vec<_> = drafts.iter().map(|piece| (piece.task_id, &*piece.text)).collect();
    assert_eq!(of, [(Some(left[2].0), "half a text"), (Some(left[3].0), "half a text")], "of both tasks");

    assert_eq!(ok(other.reclaim_many(&left).await), vec![Ok(()); 6]);
    for (owner, before) in [anna(), ben()].iter().zip(before) {
        let look = other.look(owner).await;
        assert_eq!((look.head, look.turns.len()), (before.head + 6, before.turns.len() + 3));
        assert_eq!((look.running.len(), look.audit.len()), (0, before.audit.len() + 3));
        assert_gapless(&look.events);
        assert_eq!(ok(other.ledger.drafts(owner).await), [], "drafts go with their work");
    }
    for (task_id, owner) in &left {
        outcome(&other, owner, *task_id).await;
    }
    assert_eq!(other.orphans(10).await, []);
    assert_eq!(ok(AuditCheck::run(&*other.ledger, None).await).broken, None);
    // The answer was lost: nothing is written again, whatever ids the turns have.
    let before = [other.look(&anna()).await, other.look(&ben()).await];
    assert_eq!(ok(other.reclaim_many(&left).await), vec![Err(LedgerError::AlreadyEnded); 6]);
    assert_eq!([other.look(&anna()).await, other.look(&ben()).await], before);
    other.detached(&anna()).await;
    assert_gapless(&other.events(&anna()).await);
}

/// Each has the answer that it would have alone, and the others end.
pub async fn refused_end_stops_no_other(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let held = other.detached(&anna()).await;
    let ended = node.detached(&anna()).await;
    ok(node.finish(&anna(), ended).await);
    let unreplied = node.task(node.call(&anna()).await, &anna()).await;
    let [first, twice, deep, last] = [
        node.detached(&anna()).await,
        node.detached(&ben()).await,
        node.detached(&anna()).await,
        node.detached(&ben()).await,
    ];
    let same_turn = node.detached(&anna()).await;
    ok(node.ledger.leave(&node.incarnation).await);
    let unknown = TaskId::generate();
    let ids = [first, held, ended, unreplied, unknown, deep, twice, same_turn, last];
    let owner_of = |task_id: &TaskId| if [twice, last].contains(task_id) { ben() } else { anna() };
    let mut ends: Vec<(TaskId, TaskEnd)> =
        ids.iter().map(|task_id| (*task_id, interrupted(&owner_of(task_id), *task_id))).collect();
    ends[5].1.turn.params = Some((0..200).fold(json!(0), |inner, _| json!([inner])));
    // The id of a turn that is stored already.
    ends[7].1.turn.turn_id = other.look(&ben()).await.turns[0].body.turn_id;

    let before = [other.look(&anna()).await, other.look(&ben()).await];
    let answers = ok(other.ledger.reclaim_tasks(&other.incarnation, ends).await);
    let wanted = [
        Ok(()),
        Err(LedgerError::NotOrphaned),
        Err(LedgerError::AlreadyEnded),
        Err(LedgerError::CallNotReplied),
        Err(LedgerError::NotFound),
        Err(LedgerError::TooDeep("params")),
        Ok(()),
        Err(LedgerError::IdExists),
        Ok(()),
    ];
    assert_eq!(answers, wanted);
    for (owner, before, tasks) in [(anna(), &before[0], &[first][..]), (ben(), &before[1], &[twice, last])] {
        let (look, count) = (other.look(&owner).await, tasks.len());
        assert_eq!(look.head, before.head + 2 * count as u64, "refused ends take no number");
        assert_eq!((look.turns.len(), look.audit.len()), (before.turns.len() + count, before.audit.len() + count));
        assert_gapless(&look.events);
        for task_id in tasks {
            outcome(&other, &owner, *task_id).await;
        }
    }
    assert_eq!(ok(AuditCheck::run(&*other.ledger, None).await).broken, None);
    // The refused one ends later.
    let again = [(deep, anna()), (same_turn, anna()), (twice, ben())];
    assert_eq!(ok(other.reclaim_many(&again).await), [Ok(()), Ok(()), Err(LedgerError::AlreadyEnded)]);
    assert_eq!(ok(other.ledger.events(&anna(), 0, ALL).await).rows.len() as u64, other.look(&anna()).await.head);
    // Named twice, it ends once.
    let node = Node::start(backend, "a").await;
    let task_id = node.detached(&anna()).await;
    ok(node.ledger.leave(&node.incarnation).await);
    let answers = ok(other.reclaim_many(&[(task_id, anna()), (task_id, anna())]).await);
    assert_one_winner(&answers, &LedgerError::AlreadyEnded);
    outcome(&other, &anna(), task_id).await;
    assert_eq!(ok(other.reclaim_many(&[]).await), []);
}

/// Three nodes reclaim the same tasks together.
pub async fn racing_reclaims_of_many_have_one_winner_each(backend: &impl Backend) {
    let node = Node::start(backend, "dead").await;
    let mut left = Vec::new();
    for owner in [anna(), ben(), anna(), anna(), ben()] {
        left.push((node.detached(&owner).await, owner));
    }
    ok(node.ledger.leave(&node.incarnation).await);
    let mut racers = Vec::new();
    for name in ["b", "c", "d"] {
        let (other, left) = (Node::start(backend, name).await, left.clone());
        racers.push(tokio::spawn(async move { ok(other.reclaim_many(&left).await) }));
    }
    let answers = all_of(racers).await;
    assert_winners_of_many(&answers, &LedgerError::AlreadyEnded);
    let other = Node::start(backend, "b").await;
    for (task_id, owner) in &left {
        outcome(&other, owner, *task_id).await;
    }
    for owner in [anna(), ben()] {
        assert_gapless(&other.events(&owner).await);
    }
}
