//! A damaged stored row affects that row alone.
//!
//! Three users leave calls and tasks behind, as after a killed process. The test replaces one value in one
//! user's rows without the ledger and starts a platform on it. The platform must start, settle all work,
//! serve the other two users as if nothing had happened, and answer every read of the damaged user. `cases`
//! has the damages.

mod cases;
mod documents;
mod durable;
mod postgres;
mod schedules;
mod sqlite;
mod tables;

use std::sync::Arc;
use std::time::Duration;

use imperal::ids::{CallId, DraftId, TaskId};
use imperal::ledger::{
    Attempt, AuditCheck, AuditFilter, AuditOutcome, AuditRow, AuditScope, DraftPiece, Event, Incarnation, Ledger,
    MessageSource, NewAudit, NewCall, NewTask, Owner, PageLimit, Progress, RetentionPolicy, Role, Task, TaskEnd,
    TaskState, Turn, TurnBody,
};
use imperal::prelude::*;
use imperal::testing::TestPlatform;
use imperal::{WireResult, ledger};
use serde_json::json;

use self::cases::{Case, Finding};

imperal::extension! {
    app_id: "contract",
    name: "Contract",
    description: "A function for platforms that start on damaged ledgers.",
    icon: "icon.svg",
    capabilities: ["contract:write"],
}

#[derive(Deserialize, JsonSchema)]
struct Work {}

/// Do a little work in the background.
#[chat_function(action_type = "write", event = "worked", effects = ["update:work"])]
async fn work(ctx: Context, _params: Work) -> Result<ActionResult> {
    ctx.background_task(|_| async { Ok(ActionResult::done("Worked.")) }).await?;
    Ok(ActionResult::done("Working."))
}

const LEASE: Duration = Duration::from_secs(3600);
const ALL: u32 = 500;
const USERS: [&str; 3] = ["anna", "ben", "cleo"];
/// The name of both the killed and the started node.
const NODE: &str = "a";

/// A text that is in no healthy row.
const STAND_IN: &str = "cannot be read";

fn owner(user: &str) -> Owner {
    Owner::new("default", user)
}

fn turn(role: Role, text: &str) -> TurnBody {
    let turn = TurnBody::new(role, text, "contract").function("work");
    if role == Role::User { turn.params(json!({"depth": [1, 2]})) } else { turn }
}

fn audit(owner: &Owner) -> NewAudit {
    NewAudit::new(owner, "extension:contract", "chat.inject", AuditOutcome::Done).app_id("contract").target("it")
}

fn wire(text: &str) -> WireResult {
    ActionResult::success(json!({"rows": [1, 2]}), text).into_wire().unwrap()
}

async fn call(ledger: &dyn Ledger, incarnation: &Incarnation, owner: &Owner) -> CallId {
    let call_id = CallId::generate();
    let turn = turn(Role::User, "work").call_id(call_id);
    ledger.accept_call(incarnation, NewCall::new(call_id, owner.clone(), turn)).await.unwrap();
    call_id
}

async fn task(ledger: &dyn Ledger, incarnation: &Incarnation, owner: &Owner, call_id: CallId, key: &str) -> TaskId {
    let new = NewTask::new(call_id, owner.clone(), "contract", "work").key(key);
    ledger.start_task(incarnation, new).await.unwrap().task_id
}

async fn reply(ledger: &dyn Ledger, incarnation: &Incarnation, call_id: CallId) {
    let turn = turn(Role::Bot, "accepted").result(wire("accepted")).call_id(call_id);
    ledger.reply(incarnation, call_id, turn).await.unwrap();
}

/// Per user: one finished task, one message, one running task with a requested cancel, and one task of a
/// call without a reply. The order is fixed, because cases name rows by their place.
async fn leave_work(ledger: &dyn Ledger) {
    let incarnation = ledger.join(NODE, LEASE).await.unwrap();
    for user in USERS {
        let owner = owner(user);
        let first = call(ledger, &incarnation, &owner).await;
        let done = task(ledger, &incarnation, &owner, first, "done").await;
        reply(ledger, &incarnation, first).await;
        let outcome = turn(Role::Bot, "done").result(wire("done")).task_id(done);
        let end = TaskEnd::new(TaskState::Succeeded, outcome, audit(&owner));
        let cancelled = TaskEnd::new(TaskState::Cancelled, turn(Role::Bot, "cancelled"), audit(&owner));
        ledger.finish_task(&incarnation, Attempt::first(done), end).await.unwrap();
        ledger
            .inject(owner.clone(), turn(Role::Bot, "a message"), audit(&owner), MessageSource::OUTSIDE)
            .await
            .unwrap();

        let second = call(ledger, &incarnation, &owner).await;
        let asked = task(ledger, &incarnation, &owner, second, "asked").await;
        reply(ledger, &incarnation, second).await;
        let at = "2026-01-01T00:00:00Z".parse().unwrap();
        let said = Progress::new(asked, 50.0, "half", at);
        ledger.note_progress(&incarnation, vec![(1, said)]).await.unwrap();
        ledger.request_cancel(asked, audit(&owner), cancelled).await.unwrap();

        let open = call(ledger, &incarnation, &owner).await;
        task(ledger, &incarnation, &owner, open, "open").await;

        // The task has written in two pieces, and the call in one.
        let (of_task, of_call) = (DraftId::generate(), DraftId::generate());
        let work = ledger::Work::Task(Attempt::first(asked));
        let pieces =
            [(of_task, work, 0, "one "), (of_task, work, 4, "two"), (of_call, ledger::Work::Call(open), 0, "three")];
        let pieces = pieces.map(|(id, work, at, text)| DraftPiece::new(id, work, at, text));
        ledger.write_drafts(&incarnation, pieces.into()).await.unwrap();
    }
}

/// Everything that a user can read.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    turns: Vec<Turn>,
    events: Vec<Event>,
    tasks: Vec<Task>,
    running: Vec<Task>,
    audit: Vec<AuditRow>,
}

async fn look(ledger: &dyn Ledger, user: &str) -> Seen {
    let owner = owner(user);
    let filter = AuditFilter::new(AuditScope::Owner(owner.clone()), PageLimit::rows(ALL));
    let seen = Seen {
        turns: ledger.latest_turns(&owner, None, PageLimit::rows(ALL)).await.unwrap().rows,
        events: ledger.events(&owner, 0, PageLimit::rows(ALL)).await.unwrap().rows,
        tasks: ledger.recent_tasks(&owner, ALL).await.unwrap(),
        running: ledger.open_tasks(&owner).await.unwrap(),
        audit: ledger.audit_rows(filter).await.unwrap().rows,
    };
    assert_eq!(ledger.turns(&owner, 0, PageLimit::rows(ALL)).await.unwrap().rows, seen.turns);
    for draft in ledger.drafts(&owner).await.unwrap() {
        ledger.draft_text(&owner, draft.draft_id, 0).await.unwrap();
    }
    for turn in &seen.turns {
        ledger.find_turn(&owner, turn.body.turn_id).await.unwrap();
        if let Some(call_id) = turn.body.call_id {
            ledger.find_call(&owner, call_id).await.unwrap();
        }
    }
    for task in &seen.tasks {
        assert!(ledger.find_task(task.task_id).await.unwrap().is_some(), "a listed task is found by its id: {task:?}");
    }
    seen
}

impl Seen {
    /// The events 1, 2, 3 .. up to the head.
    async fn check_numbers(&self, ledger: &dyn Ledger, user: &str) {
        let numbers: Vec<u64> = self.events.iter().map(|event| event.seq).collect();
        let head = ledger.head(&owner(user)).await.unwrap();
        assert_eq!(numbers, (1..=head).collect::<Vec<_>>(), "the numbers of {user}'s events");
    }

    /// The user's rows from before the start are unchanged, and all work has ended.
    async fn check_whole(&self, ledger: &dyn Ledger, user: &str, before: &Self) {
        self.check_numbers(ledger, user).await;
        assert!(self.turns.iter().all(|turn| !turn.body.text.contains(STAND_IN)), "{:?}", self.turns);
        assert_eq!(self.turns[..before.turns.len()], before.turns);
        assert_eq!(self.events[..before.events.len()], before.events);
        assert_eq!(self.audit[..before.audit.len()], before.audit);
        assert_eq!(self.running, []);
        let states: Vec<TaskState> = self.tasks.iter().rev().map(|task| task.state).collect();
        assert_eq!(states, [TaskState::Succeeded, TaskState::Cancelled, TaskState::Reclaimed]);
        // The start adds one reply and two outcomes.
        assert_eq!(self.turns.len(), before.turns.len() + 3, "{:?}", self.turns);
        let check = AuditCheck::run(ledger, AuditScope::Owner(owner(user))).await.unwrap();
        assert_eq!(check.broken, None);
    }
}

/// Starts a platform on a damaged ledger and checks it; `unsettled` counts work without an end.
async fn check(ledger: Arc<dyn Ledger>, case: &Case, before: &[Seen; 3], unsettled: impl Future<Output = i64>) {
    let platform = TestPlatform::setup().settings(|s| s.node = NODE.into()).ledger(ledger.clone()).start().await;
    for (user, before) in USERS.iter().zip(before).skip(1) {
        look(&*ledger, user).await.check_whole(&*ledger, user, before).await;
    }
    assert_eq!(unsettled.await, 0, "calls and tasks without an end");
    let anna = look(&*ledger, "anna").await;
    anna.check_numbers(&*ledger, "anna").await;
    assert_eq!(anna.running, [], "tasks of the damaged user that run");
    let all_users = AuditFilter::new(AuditScope::All, PageLimit::rows(ALL));
    ledger.audit_rows(all_users).await.unwrap();
    let audited = AuditCheck::run(&*ledger, AuditScope::All).await.unwrap();
    match case.finding {
        Finding::Trail => assert!(audited.broken.is_some(), "the check of the trail finds it"),
        Finding::Other => {}
        _ => assert_eq!(audited.broken, None),
    }

    // All users continue to work.
    for user in USERS {
        let user = platform.user(user);
        let task_id = tokio::time::timeout(Duration::from_secs(20), user.start("work", json!({}))).await.unwrap();
        assert_eq!(user.end_of(task_id).await.state, TaskState::Succeeded);
    }
    for user in USERS {
        look(&*ledger, user).await.check_numbers(&*ledger, user).await;
    }
    let found = ledger.meters().unreadable_rows();
    match case.finding {
        Finding::Row => assert!(found > 0, "the row is reported"),
        Finding::Nothing => assert_eq!(found, 0),
        Finding::Trail | Finding::Other => {}
    }

    // Retention reads every user's rows.
    let all = Some(Duration::ZERO);
    let mut keep = RetentionPolicy::FOREVER;
    (keep.turns, keep.tasks, keep.events, keep.audit) = (all, all, all, all);
    tokio::time::sleep(Duration::from_millis(2)).await;
    for _ in 0..4 {
        let mut from = Some(0);
        while let Some(at) = from {
            from = ledger.prune(&keep, at, 100).await.unwrap().next;
        }
    }
    for user in ["ben", "cleo"] {
        assert_eq!(
            ledger.turns(&owner(user), 0, PageLimit::rows(ALL)).await.unwrap().rows,
            [],
            "{user}'s turns are pruned"
        );
    }
    assert_eq!(ledger.meters().unreadable_rows().max(found), ledger.meters().unreadable_rows());
}
