//! Calls that are written with the start of their first task, and replies with the end of one.

use std::time::Duration;

use super::Backend;
use super::scene::{Node, all_of, anna, assert_one_winner, ben, bot, end, new_call, new_task, ok, turn};
use crate::error::RunningTask;
use crate::ids::{CallId, TaskId};
use crate::ledger::{
    Attempt, EventBody, Follows, LedgerError, NewCall, NewDurable, NewTask, Role, Task, TaskEnd, TaskState, Turn,
    TurnBody,
};

async fn write(node: &Node, call: &NewCall, task: NewTask) -> Result<(Turn, Task), LedgerError> {
    node.ledger.accept_and_start(&node.incarnation, call.clone(), task).await
}

fn first_task(call: &NewCall, durable: bool) -> NewTask {
    let new = new_task(call.call_id, &anna());
    let of = NewDurable::new(new.task_id, "generate", "{}", "{}");
    if durable { new.durable(of) } else { new }
}

async fn answer(
    node: &Node,
    call: &NewCall,
    task: NewTask,
    reply: &TurnBody,
) -> Result<(Turn, Task, Turn), LedgerError> {
    node.ledger.start_and_answer(&node.incarnation, call.clone(), task, reply.clone()).await
}

/// It leaves what the three writes leave one after the other.
pub async fn call_its_task_and_its_reply_are_one_write(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    for durable in [false, true] {
        let (call, before) = (new_call(&anna()), node.look(&anna()).await);
        let new = first_task(&call, durable);
        let said = bot("started");
        let (asked, task, replied) = ok(answer(&node, &call, new.clone(), &said).await);
        let deadline_at = task.deadline_at.unwrap_or_default();
        assert_eq!(task, new.into_task(task.created_at, deadline_at, None));
        assert_eq!((asked.seq, &asked.body), (before.head + 1, &call.turn));
        assert_eq!((replied.seq, &replied.body), (before.head + 3, &said));
        let look = other.look(&anna()).await;
        let added: Vec<_> = look.events[before.events.len()..].iter().map(|event| event.body.clone()).collect();
        assert_eq!(added, [EventBody::Turn(asked), EventBody::Task(task.clone()), EventBody::Turn(replied.clone())]);
        assert!(look.running.contains(&task) && look.tasks.contains(&task));
        let found = other.found(&anna(), call.call_id).await;
        assert_eq!(found.and_then(|call| call.reply), Some(replied));
        let again = node.reply(call.call_id).await;
        assert_eq!(again, Err(LedgerError::AlreadyReplied));
        // The task may end at once.
        ok(node.finish(&anna(), task.task_id).await);
    }
}

/// A task that waits for a process is found as soon as its call is there.
pub async fn queued_task_of_an_answered_call_is_announced(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call = new_call(&anna());
    let new = new_task(call.call_id, &anna());
    let durable = NewDurable::new(new.task_id, "generate", "{}", "{}");
    let new = NewTask { max_running: 0, ..new.durable(durable) };
    let (_, task, _) = ok(answer(&node, &call, new, &bot("queued")).await);
    assert_eq!(task.state, TaskState::Queued);
    let heard = tokio::time::timeout(Duration::from_secs(10), node.ledger.feed().ready_task_announced()).await;
    assert!(heard.is_ok(), "nobody looks for the task");
}

/// It leaves what the two writes leave one after the other.
pub async fn call_and_its_task_are_one_write(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    for durable in [false, true] {
        let (call, before) = (new_call(&anna()), node.look(&anna()).await);
        let new = first_task(&call, durable);
        let (asked, task) = ok(write(&node, &call, new.clone()).await);
        let deadline_at = task.deadline_at.unwrap_or_default();
        assert_eq!(task, new.into_task(task.created_at, deadline_at, None));
        assert_eq!((asked.seq, &asked.body), (before.head + 1, &call.turn));
        let look = other.look(&anna()).await;
        assert_eq!(look.head, before.head + 2);
        let added: Vec<_> = look.events[before.events.len()..].iter().map(|event| event.body.clone()).collect();
        assert_eq!(added, [EventBody::Turn(asked), EventBody::Task(task.clone())]);
        assert!(look.running.contains(&task) && look.tasks.contains(&task));
        let record = ok(other.ledger.find_task(task.task_id).await);
        assert_eq!(record.map(|record| (record.owner, record.incarnation)), Some((anna(), node.incarnation.clone())));
        let early = node.finish(&anna(), task.task_id).await;
        assert_eq!(early, Err(LedgerError::CallNotReplied));
        ok(node.reply(call.call_id).await);
        ok(node.finish(&anna(), task.task_id).await);
    }
}

/// Neither the call nor the task is there, and the call can be written alone.
pub async fn start_that_is_refused_leaves_no_call(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let held = node.call(&anna()).await;
    let keyed = NewTask { key: Some("k".to_owned()), ..new_task(held, &anna()) };
    let running = ok(node.ledger.start_task(&node.incarnation, keyed).await);
    let before = node.look(&anna()).await;
    let call = new_call(&anna());
    let task = || new_task(call.call_id, &anna());
    let follows = Follows { task_id: TaskId::generate(), through: None, kept: 0 };
    let durable = |new: NewTask| {
        let durable = NewDurable::new(new.task_id, "generate", "{}", "{}");
        new.durable(durable)
    };
    let mut following = durable(task());
    if let Some(durable) = &mut following.durable {
        durable.follows = Some(follows);
    }
    let taken = LedgerError::AlreadyRunning(RunningTask::new(running.task_id, &running.name));
    let refused = [
        (NewTask { max_running: 1, ..task() }, LedgerError::TooManyTasks(1)),
        (NewTask { max_open: 1, ..task() }, LedgerError::TooManyTasks(1)),
        (NewTask { max_open: 1, ..durable(task()) }, LedgerError::TooManyTasks(1)),
        (NewTask { key: Some("k".to_owned()), ..task() }, taken),
        (following, LedgerError::NotFound),
        (new_task(held, &anna()), LedgerError::NotFound),
        (new_task(call.call_id, &ben()), LedgerError::NotFound),
    ];
    for (task, why) in refused {
        assert_eq!(write(&node, &call, task.clone()).await, Err(why.clone()));
        assert_eq!(answer(&node, &call, task, &bot("?")).await, Err(why));
        assert_eq!(node.look(&anna()).await, before);
        assert_eq!(node.found(&anna(), call.call_id).await, None);
    }
    let known = before.turns[0].body.clone();
    assert_eq!(answer(&node, &call, task(), &known).await, Err(LedgerError::IdExists));
    assert_eq!(node.look(&anna()).await, before, "the reply has the id of another turn");
    ok(node.ledger.accept_call(&node.incarnation, call).await);
}

/// A repeated request is refused for its id, whatever the task's rules say.
pub async fn call_that_exists_is_refused_with_its_task(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call = new_call(&anna());
    let task = NewTask { key: Some("k".to_owned()), max_running: 1, max_open: 1, ..new_task(call.call_id, &anna()) };
    ok(write(&node, &call, task.clone()).await);
    let before = node.look(&anna()).await;
    let exists = Err(LedgerError::IdExists);
    assert_eq!(write(&node, &call, task.clone()).await, exists);
    let exists_too = Err(LedgerError::IdExists);
    assert_eq!(answer(&node, &call, task.clone(), &bot("again")).await, exists_too);
    let same_call = NewCall { turn: turn(Role::User, "?"), ..call.clone() };
    let fresh = NewTask { task_id: TaskId::generate(), ..task.clone() };
    assert_eq!(write(&node, &same_call, fresh).await, exists);
    let same_turn = NewCall { call_id: CallId::generate(), ..call };
    assert_eq!(write(&node, &same_turn, new_task(same_turn.call_id, &anna())).await, exists);
    let same_task = NewTask { task_id: task.task_id, ..new_task(same_turn.call_id, &anna()) };
    let other_turn = NewCall { turn: turn(Role::User, "?"), ..same_turn };
    assert_eq!(write(&node, &other_turn, same_task.clone()).await, exists);
    assert_eq!(answer(&node, &other_turn, same_task, &bot("again")).await, exists_too);
    assert_eq!(node.look(&anna()).await, before);
}

/// Of all requests under one id, however they are written, one wins, and only its task is there.
pub async fn racing_calls_with_tasks_have_one_winner(backend: &impl Backend) {
    let nodes = [Node::start(backend, "a").await, Node::start(backend, "b").await];
    for _ in 0..4 {
        let call = new_call(&anna());
        let before = nodes[0].look(&anna()).await;
        let racers = (0..8).map(|racer: usize| {
            let (node, same_call) = (nodes[racer % 2].clone(), NewCall { turn: turn(Role::User, "?"), ..call.clone() });
            tokio::spawn(async move {
                if racer < 2 {
                    return node.ledger.accept_call(&node.incarnation, same_call).await.map(|turn| (turn, 0));
                }
                let task = new_task(same_call.call_id, &anna());
                if racer < 5 {
                    return answer(&node, &same_call, task, &bot("!")).await.map(|(turn, ..)| (turn, 1));
                }
                write(&node, &same_call, task).await.map(|(turn, _)| (turn, 1))
            })
        });
        let outcomes = all_of(racers.collect()).await;
        assert_one_winner(&outcomes, &LedgerError::IdExists);
        let tasks = outcomes.iter().flatten().map(|(_, tasks)| tasks).sum::<usize>();
        let look = nodes[0].look(&anna()).await;
        let replies = usize::from(nodes[0].found(&anna(), call.call_id).await.is_some_and(|call| call.reply.is_some()));
        assert_eq!(
            (look.turns.len(), look.tasks.len()),
            (before.turns.len() + 1 + replies, before.tasks.len() + tasks)
        );
    }
}

async fn reply(
    node: &Node,
    call_id: CallId,
    said: TurnBody,
    task_id: TaskId,
    end: TaskEnd,
) -> Result<[Turn; 2], LedgerError> {
    node.ledger.reply_and_finish(&node.incarnation, call_id, said, Attempt::first(task_id), end).await
}

fn done(text: &str) -> TaskEnd {
    end(&anna(), TaskState::Succeeded, text)
}

/// It leaves what the two writes leave one after the other.
pub async fn reply_and_an_end_are_one_write(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let call_id = node.call(&anna()).await;
    let (task_id, running) = (node.task(call_id, &anna()).await, node.task(call_id, &anna()).await);
    let before = node.look(&anna()).await;
    let (said, outcome) = (bot("started"), done("done"));
    let [replied, ended] = ok(reply(&node, call_id, said.clone(), task_id, outcome.clone()).await);
    assert_eq!((replied.seq, &replied.body), (before.head + 1, &said));
    assert_eq!((ended.seq, &ended.body), (before.head + 3, &outcome.turn));
    let look = other.look(&anna()).await;
    let added: Vec<_> = look.events[before.events.len()..].iter().map(|event| event.body.clone()).collect();
    let record = ok(other.ledger.find_task(task_id).await);
    let task = Task { result: None, ..record.map_or_else(|| panic!("the task is gone"), |record| record.task) };
    assert_eq!((task.state, task.finished_at), (TaskState::Succeeded, Some(ended.at)));
    assert_eq!(added, [EventBody::Turn(replied.clone()), EventBody::Task(task), EventBody::Turn(ended)]);
    assert_eq!(look.audit.len(), before.audit.len() + 1);
    assert_eq!(look.running.iter().map(|task| task.task_id).collect::<Vec<_>>(), [running]);
    let found = other.found(&anna(), call_id).await;
    assert_eq!(found.and_then(|call| call.reply), Some(replied));
    ok(node.finish(&anna(), running).await);
}

/// Neither the reply nor the end is there, and each can be written alone.
pub async fn reply_with_an_end_that_is_refused_writes_nothing(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let call_id = node.call(&anna()).await;
    let task_id = node.task(call_id, &anna()).await;
    let ended = node.detached(&anna()).await;
    ok(node.finish(&anna(), ended).await);
    let (theirs, unanswered) = (other.detached(&anna()).await, node.call(&anna()).await);
    let of_another = node.task(unanswered, &anna()).await;
    let replied = node.call(&anna()).await;
    let known = ok(node.reply(replied).await).body;
    let open = TaskEnd { open_effects: 1, ..done("?") };
    let durable = new_task(call_id, &anna());
    let durable = durable.clone().durable(NewDurable::new(durable.task_id, "generate", "{}", "{}"));
    let durable = ok(node.ledger.start_task(&node.incarnation, durable).await).task_id;
    let before = node.look(&anna()).await;
    let refused = vec![
        (replied, bot("again"), task_id, done("done"), LedgerError::AlreadyReplied),
        (CallId::generate(), bot("?"), task_id, done("done"), LedgerError::NotFound),
        (call_id, bot("!"), ended, done("again"), LedgerError::AlreadyEnded),
        (call_id, bot("!"), theirs, done("theirs"), LedgerError::NotHolder),
        (call_id, bot("!"), TaskId::generate(), done("?"), LedgerError::NotFound),
        (call_id, bot("!"), of_another, done("early"), LedgerError::CallNotReplied),
        (call_id, bot("!"), durable, open, LedgerError::OpenEffects(0)),
        (call_id, known.clone(), task_id, done("done"), LedgerError::IdExists),
        (call_id, bot("!"), task_id, TaskEnd { turn: known, ..done("?") }, LedgerError::IdExists),
    ];
    for (call_id, said, task_id, end, why) in refused {
        assert_eq!(reply(&node, call_id, said, task_id, end).await, Err(why.clone()));
        assert_eq!(node.look(&anna()).await, before, "{why}");
    }
    ok(node.reply(call_id).await);
    ok(node.finish(&anna(), task_id).await);
}
