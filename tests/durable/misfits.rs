//! Stored tasks that this program cannot begin: their input or their user does not fit its types.

use imperal::ids::CallId;
use imperal::ledger::{
    Attempt, AttemptReport, Ledger, MemoryLedger, NewCall, NewDurable, NewTask, Owner, Release, Role, TaskState,
    TurnBody, WaitsFor,
};

use super::*;

/// Cannot be read: its author's code panics.
#[derive(Serialize)]
struct Trap {}

impl<'de> Deserialize<'de> for Trap {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> std::result::Result<Self, D::Error> {
        panic!("the author's code fails on this input")
    }
}

/// Never runs.
#[durable_task]
async fn trapped(ctx: TaskContext, _trap: Trap) -> Result<ActionResult> {
    ctx.state::<Log>()?.note("attempt");
    Ok(ActionResult::done("never"))
}

/// A task as another version has stored and released it.
async fn released(ledger: &dyn Ledger, task_name: &str, input: &str, user: &str) -> TaskId {
    let incarnation = ledger.join("other", Duration::from_secs(3600)).await.unwrap();
    let (call_id, owner) = (CallId::generate(), Owner::new("default", "anna"));
    let turn = |role, text: &str| TurnBody::new(role, text, "durable");
    ledger.accept_call(&incarnation, NewCall::new(call_id, owner.clone(), turn(Role::User, "?"))).await.unwrap();
    let new = NewTask::new(call_id, owner, "durable", "start");
    let task_id = new.task_id;
    let durable = NewDurable::new(task_id, task_name, input, user).program("another version");
    ledger.start_task(&incarnation, new.durable(durable)).await.unwrap();
    ledger.reply(&incarnation, call_id, turn(Role::Bot, "started")).await.unwrap();
    ledger
        .release_task(&incarnation, Attempt::first(task_id), Release::HandOver, AttemptReport::default())
        .await
        .unwrap();
    task_id
}

/// The task waits for another version and runs nothing of this one. A cancel ends it.
async fn assert_stuck(task_name: &str, input: &str, user: &str) {
    let ledger = Arc::new(MemoryLedger::default());
    let task_id = released(&*ledger, task_name, input, user).await;
    let (setup, log) = setup(body(async |_, _| Ok(ActionResult::done("never"))));
    let platform = setup.ledger(ledger).start().await;
    let anna = platform.user("anna");
    let task = async || anna.access().task(task_id).await.unwrap();
    eventually("the task is stuck", async || (task().await.state == TaskState::Stuck).then_some(())).await;
    platform.pass(Duration::from_secs(60)).await;
    let stuck = task().await;
    assert_eq!((stuck.state, stuck.waits_for, stuck.attempt), (TaskState::Stuck, Some(WaitsFor::Version), 2));
    assert_eq!(anna.cancel(task_id).await.state, TaskState::Cancelled);
    anna.outcome(task_id).await.assert_state(TaskState::Cancelled);
    assert_eq!(log.count("attempt"), 0);
}

fn anna() -> String {
    json!({ "id": "anna", "tenant_id": "default" }).to_string()
}

#[imperal::test]
async fn an_input_of_another_type_makes_the_task_stuck() {
    assert_stuck("scripted", r#"{"number":"seven"}"#, &anna()).await;
}

#[imperal::test]
async fn an_input_that_panics_while_it_is_read_makes_the_task_stuck() {
    assert_stuck("trapped", "{}", &anna()).await;
}

#[imperal::test]
async fn a_user_that_cannot_be_read_makes_the_task_stuck() {
    assert_stuck("scripted", r#"{"number":7}"#, r#"{"name":"anna"}"#).await;
}
