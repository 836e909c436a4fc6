//! Limits: how much one read returns, and how much a user may store.

use super::Backend;
use super::scene::{ALL, MANY, Node, anna, ben, bot, end, new_audit, new_call, new_task, ok};
use crate::ids::CallId;
use crate::ledger::{
    Attempt, AuditFilter, AuditScope, EventBody, Fence, LedgerError, MessageSource, NewAudit, NewCall, Owner, Page,
    PageLimit, Task, TaskEnd, TaskState, Turn, TurnBody, Work,
};

/// Bytes of a long text.
const LONG: usize = 100_000;

/// Three rows with a long text fit, four do not.
const THREE: PageLimit = PageLimit::rows(MANY).bytes(350_000);

fn numbers(page: &Page<Turn>) -> (Vec<u64>, bool) {
    (page.iter().map(|turn| turn.seq).collect(), page.more)
}

/// Pages of turns, events and audit rows, from either end, however small the limit.
pub async fn page_ends_at_its_byte_limit(backend: &impl Backend) {
    let (node, annas) = (Node::start(backend, "n").await, anna());
    for _ in 0..8 {
        let audit = NewAudit { detail: Some("d".repeat(LONG)), ..new_audit(&anna(), "chat.inject") };
        ok(node.ledger.inject(anna(), bot(&"x".repeat(LONG)), audit, MessageSource::OUTSIDE).await);
    }
    let turns = |after, limit| node.ledger.turns(&annas, after, limit);
    assert_eq!(numbers(&ok(turns(0, THREE).await)), (vec![1, 2, 3], true));
    assert_eq!(numbers(&ok(turns(3, THREE).await)), (vec![4, 5, 6], true));
    assert_eq!(numbers(&ok(turns(6, THREE).await)), (vec![7, 8], false));
    assert_eq!(numbers(&ok(turns(5, THREE).await)), (vec![6, 7, 8], false), "the last page is full");
    assert_eq!(numbers(&ok(turns(0, PageLimit::rows(2)).await)), (vec![1, 2], true), "rows end a page too");
    assert_eq!(numbers(&ok(turns(0, ALL.bytes(1)).await)), (vec![1], true), "one row always comes");
    assert_eq!(numbers(&ok(turns(7, ALL.bytes(1)).await)), (vec![8], false));
    let latest = |before, limit| node.ledger.latest_turns(&annas, before, limit);
    assert_eq!(numbers(&ok(latest(None, THREE).await)), (vec![6, 7, 8], true));
    assert_eq!(numbers(&ok(latest(Some(6), THREE).await)), (vec![3, 4, 5], true));
    assert_eq!(numbers(&ok(latest(Some(3), THREE).await)), (vec![1, 2], false));
    assert_eq!(numbers(&ok(latest(None, ALL.bytes(1)).await)), (vec![8], true));
    let page = ok(node.ledger.events(&anna(), 0, THREE).await);
    assert_eq!((page.len(), page.more), (3, true));
    let page = ok(node.ledger.events(&anna(), 5, THREE).await);
    assert_eq!((page.len(), page.more), (3, false));
    let tenant = AuditScope::Tenant(annas.tenant_id.to_string());
    for scope in [AuditScope::All, tenant, AuditScope::Owner(anna())] {
        let filter = |after| AuditFilter { scope: scope.clone(), after, limit: THREE };
        let first = ok(node.ledger.audit_rows(filter(0)).await);
        assert_eq!((first.len(), first.more), (3, true));
        let rest = ok(node.ledger.audit_rows(filter(first[2].audit_id)).await);
        assert_eq!((rest.len(), rest.more), (3, true));
        let rest = ok(node.ledger.audit_rows(filter(rest[2].audit_id)).await);
        assert_eq!((rest.len(), rest.more), (2, false));
    }
}

/// The outcome turn and the single task carry the result; lists and events do not.
pub async fn lists_and_events_of_tasks_have_no_results(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let [first, second] = [node.task(call_id, &anna()).await, node.task(call_id, &anna()).await];
    ok(node.reply(call_id).await);
    node.detached(&anna()).await;
    let outcome = ok(node.finish(&anna(), first).await);
    assert!(outcome.body.result.is_some());
    let record = ok(node.ledger.find_task(first).await).unwrap_or_else(|| panic!("the task is gone"));
    assert_eq!(record.task.result, outcome.body.result);
    let bare = Task { result: None, ..record.task };
    let events = node.events(&anna()).await;
    assert_eq!(events[events.len() - 2].body, EventBody::Task(bare.clone()));
    assert_eq!(ok(node.ledger.recent_tasks(&anna(), MANY).await)[2], bare);
    let of_call = ok(node.ledger.tasks_of_call(&anna(), call_id).await);
    assert_eq!(of_call.iter().map(|task| task.task_id).collect::<Vec<_>>(), [first, second], "oldest first");
    assert_eq!(of_call[0], bare);
    assert_eq!(ok(node.ledger.tasks_of_call(&ben(), call_id).await), [], "another's");
    assert_eq!(ok(node.ledger.tasks_of_call(&anna(), CallId::generate()).await), []);
}

fn large_call(max_stored: u64) -> NewCall {
    let call = new_call(&anna());
    NewCall { turn: TurnBody { text: "x".repeat(LONG), ..call.turn }, max_stored: Some(max_stored), ..call }
}

/// Calls and messages from outside are refused over the limit and leave nothing. Accepted work still ends,
/// and other users can store.
pub async fn stored_bytes_per_day_are_limited(backend: &impl Backend) {
    const MOST: u64 = 250_000;
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let [first, second] = [large_call(MOST), large_call(MOST)];
    ok(node.ledger.accept_call(&node.incarnation, first.clone()).await);
    ok(other.ledger.accept_call(&other.incarnation, second.clone()).await);
    let before = node.look(&anna()).await;
    let refused = Err(LedgerError::QuotaExceeded(MOST));
    assert_eq!(other.ledger.accept_call(&other.incarnation, large_call(MOST)).await, refused, "on another node too");
    let message = |max_stored| {
        let from = MessageSource::Outside { max_stored };
        node.ledger.inject(anna(), bot(&"x".repeat(LONG)), new_audit(&anna(), "chat.inject"), from)
    };
    assert_eq!(message(Some(MOST)).await, refused);
    let answered = other.ledger.answer_call(&other.incarnation, large_call(MOST), bot("!")).await;
    assert_eq!(answered, Err(LedgerError::QuotaExceeded(MOST)));
    let large = large_call(MOST);
    let task = new_task(large.call_id, &anna());
    let answered = other.ledger.start_and_answer(&other.incarnation, large, task, bot("!")).await;
    assert_eq!(answered.err(), Some(LedgerError::QuotaExceeded(MOST)));
    assert_eq!(node.look(&anna()).await, before, "what was refused left something");

    // A repeated write is refused for its id, not for the limit.
    let again = node.ledger.accept_call(&node.incarnation, first.clone()).await;
    assert_eq!(again, Err(LedgerError::IdExists));
    let from = MessageSource::Outside { max_stored: Some(MOST) };
    let again = node.ledger.inject(anna(), first.turn.clone(), new_audit(&anna(), "chat.inject"), from).await;
    assert_eq!(again, Err(LedgerError::IdExists));

    // The limit does not apply to accepted work.
    let task_id = node.task(first.call_id, &anna()).await;
    let fence = Fence { incarnation: node.incarnation.clone(), work: Work::Task(Attempt::first(task_id)) };
    let said = bot(&"x".repeat(LONG));
    ok(node.ledger.inject(anna(), said.clone(), new_audit(&anna(), "chat.inject"), MessageSource::Work(fence)).await);
    let reply = TurnBody { turn_id: bot("").turn_id, ..said.clone() };
    ok(node.ledger.reply(&node.incarnation, first.call_id, reply).await);
    let mut outcome = end(&anna(), TaskState::Succeeded, "done");
    outcome.turn.text = "x".repeat(LONG);
    ok(node.ledger.finish_task(&node.incarnation, Attempt::first(task_id), outcome).await);

    // Five long texts are stored, and all of them count.
    assert_eq!(message(Some(550_000)).await, Err(LedgerError::QuotaExceeded(550_000)));
    ok(message(Some(650_000)).await);
    ok(message(None).await);
    let bens = NewCall { owner: ben(), ..large_call(MOST) };
    ok(other.ledger.accept_call(&other.incarnation, bens).await);
    ok(other.reply(second.call_id).await);
}

/// One call is larger than the limit, and its user is new.
pub async fn first_call_over_the_limit_is_refused(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let refused = Err(LedgerError::QuotaExceeded(1000));
    assert_eq!(node.ledger.accept_call(&node.incarnation, large_call(1000)).await, refused);
    assert_eq!(node.look(&anna()).await.head, 0);
    ok(node.ledger.accept_call(&node.incarnation, NewCall { max_stored: Some(1000), ..new_call(&anna()) }).await);
}

/// Texts that recovery writes count, alone and together. None is refused.
pub async fn reclaimed_texts_count_as_stored(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let long = |body: TurnBody| TurnBody { text: "x".repeat(LONG), ..body };
    let long_end = |owner: &Owner| {
        let end = end(owner, TaskState::Reclaimed, "interrupted");
        TaskEnd { turn: long(end.turn), ..end }
    };
    let mut left = Vec::new();
    for owner in [anna(), ben()] {
        left.push((node.call(&owner).await, node.detached(&owner).await));
    }
    ok(node.ledger.leave(&node.incarnation).await);
    let [(annas_call, annas_task), (bens_call, bens_task)] = left[..] else { panic!("two users: {left:?}") };
    let by = &other.incarnation;
    ok(other.ledger.reclaim_call(by, annas_call, long(bot(""))).await);
    ok(other.ledger.reclaim_task(by, annas_task, long_end(&anna())).await);
    let replied = ok(other.ledger.reclaim_calls(by, vec![(bens_call, long(bot("")))]).await);
    let ended = ok(other.ledger.reclaim_tasks(by, vec![(bens_task, long_end(&ben()))]).await);
    assert_eq!([replied, ended].concat(), [Ok(()), Ok(())]);
    for owner in [anna(), ben()] {
        let message = |max_stored| {
            let from = MessageSource::Outside { max_stored: Some(max_stored) };
            other.ledger.inject(owner.clone(), bot("."), new_audit(&owner, "chat.inject"), from)
        };
        let two = 2 * LONG as u64;
        assert_eq!(message(two).await, Err(LedgerError::QuotaExceeded(two)), "{owner:?}");
        ok(message(two + 10_000).await);
    }
}
