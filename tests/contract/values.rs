//! Every backend returns arbitrary JSON and texts as it accepted them.

use std::sync::Arc;
use std::time::Duration;

use imperal::ids::CallId;
use imperal::ledger::conformance::Backend;
use imperal::ledger::{
    Attempt, AuditOutcome, Ledger, NewAudit, NewCall, NewTask, Owner, PageLimit, Role, TaskEnd, TaskState, TurnBody,
};
use imperal::{ActionResult, WireResult};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Number, Value};

use crate::postgres::InPostgres;
use crate::{InFile, InMemory};

/// The values of one write.
const CASES: usize = 150;
/// Largest depth of data that a ledger accepts.
const DEPTH: usize = 120;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => any::<String>(),
        2 => proptest::collection::vec(any::<char>(), 0..40).prop_map(|chars| chars.into_iter().collect()),
        1 => prop_oneof![
            Just("\0"), Just("\\u0000"), Just("\\ud800"), Just("\u{10ffff}\u{1f9a6}"), Just("\\"), Just("\\000"),
            Just("$serde_json::private::RawValue"), Just("$serde_json::private::Number"), Just("__proto__"),
            Just("\u{feff}"), Just("\u{2028}\u{202e}"), Just("'; DROP TABLE turn; --"), Just("key"), Just("Key"),
            Just("k\u{e9}y"), Just("ke\u{301}y"), Just(""),
        ]
        .prop_map(str::to_owned),
    ]
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop_oneof![Just(u64::MAX), Just(1 << 53), Just((1 << 53) + 1), Just(0)].prop_map(Value::from),
        prop_oneof![Just(i64::MIN), Just(-1)].prop_map(Value::from),
        // Every bit pattern that is a number in JSON.
        any::<u64>().prop_filter_map("not a number", |bits| Number::from_f64(f64::from_bits(bits)).map(Value::Number)),
        prop_oneof![Just(-0.0), Just(5e-324), Just(f64::MAX), Just(f64::MIN_POSITIVE), Just(0.1 + 0.2), Just(1e21)]
            .prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf =
        prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), number(), text().prop_map(Value::from)];
    let tree = leaf.prop_recursive(6, 60, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            // The order of the keys is kept; unusual keys often come first.
            proptest::collection::vec((text(), inner), 0..8)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect::<Map<_, _>>())),
        ]
    });
    let deep = (any::<u128>(), number()).prop_map(|(shape, inner)| {
        (0..DEPTH).fold(inner, |inner, level| match (shape >> level) & 1 {
            0 => Value::from(vec![inner]),
            _ => Value::Object([("in".to_owned(), inner)].into_iter().collect()),
        })
    });
    prop_oneof![9 => tree, 1 => deep]
}

/// The values that a user and an extension can pass.
#[derive(Debug, Clone)]
struct Written {
    /// Not null: a call without parameters has an empty object.
    params: Value,
    data: Value,
    ui: Option<Value>,
    texts: Vec<String>,
    key: String,
}

fn written() -> impl Strategy<Value = Written> {
    let params = value().prop_map(|value| match value {
        Value::Null => Value::Object(Map::new()),
        value => value,
    });
    (params, value(), proptest::option::of(value()), proptest::collection::vec(text(), 4), text()).prop_map(
        |(params, data, ui, texts, key)| {
            // A part that is null counts as absent.
            Written { params, data, ui: ui.filter(|ui| !ui.is_null()), texts, key }
        },
    )
}

fn body(role: Role, written: &Written) -> TurnBody {
    let [text, app_id, function, _] = written.texts.as_slice() else { panic!("four texts: {:?}", written.texts) };
    let mut body = TurnBody::new(role, text, app_id).function(function);
    body.refresh_panels = Some(written.texts.clone());
    body
}

fn result(written: &Written) -> WireResult {
    let mut result = ActionResult::success(written.data.clone(), written.texts[3].clone()).into_wire().unwrap();
    result.ui.clone_from(&written.ui);
    result
}

/// Compared as text, so that the order of keys and the sign of zero matter.
fn said(turn: &TurnBody) -> String {
    serde_json::to_string(turn).unwrap()
}

async fn check(ledger: &dyn Ledger, number: usize, written: &Written) {
    let incarnation = ledger.join("node", Duration::from_secs(3600)).await.unwrap();
    let owner = Owner::new(&written.texts[3], &format!("{number}{}", written.texts[0]));
    let call_id = CallId::generate();
    let asked = body(Role::User, written).params(written.params.clone()).call_id(call_id);
    let call = NewCall::new(call_id, owner.clone(), asked.clone());
    ledger.accept_call(&incarnation, call).await.unwrap();
    let new = NewTask::new(call_id, owner.clone(), &written.texts[1], &written.texts[2])
        .name(&written.texts[3])
        .key(&written.key)
        .cap(Duration::from_secs(60), true);
    let started = ledger.start_task(&incarnation, new).await.unwrap();
    let reply = body(Role::Bot, written).result(result(written));
    ledger.reply(&incarnation, call_id, reply.clone()).await.unwrap();
    let outcome = body(Role::Bot, written).result(result(written));
    let audit = NewAudit::new(&owner, &written.texts[2], &written.texts[1], AuditOutcome::Done)
        .target(&written.texts[0])
        .detail(&written.key);
    let end = TaskEnd::new(TaskState::Succeeded, outcome.clone(), audit);
    ledger.finish_task(&incarnation, Attempt::first(started.task_id), end).await.unwrap();

    let turns = ledger.turns(&owner, 0, PageLimit::rows(10)).await.unwrap();
    let read: Vec<String> = turns.iter().map(|turn| said(&turn.body)).collect();
    assert_eq!(read, [said(&asked), said(&reply), said(&outcome)], "{written:?}");
    let task = ledger.find_task(started.task_id).await.unwrap().unwrap().task;
    assert_eq!((&task.app_id, &task.function, &task.name), (&started.app_id, &started.function, &started.name));
    assert_eq!(task.key.as_ref(), Some(&written.key));
    let read = task.result.map(|result| serde_json::to_string(&result).unwrap());
    assert_eq!(read, Some(serde_json::to_string(&result(written)).unwrap()));
    let call = ledger.find_call(&owner, call_id).await.unwrap().unwrap();
    assert_eq!((said(&call.asked.body), call.reply.map(|turn| said(&turn.body))), (said(&asked), Some(said(&reply))));
    assert_eq!(ledger.events(&owner, 0, PageLimit::rows(10)).await.unwrap().rows.len(), 5);
    assert_eq!(ledger.meters().unreadable_rows(), 0);
}

async fn come_back(backend: &impl Backend, cases: usize) {
    let ledger: Arc<dyn Ledger> = backend.open().await;
    let mut runner = TestRunner::new(Config::default());
    for number in 0..cases {
        let written = written().new_tree(&mut runner).unwrap().current();
        check(&*ledger, number, &written).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_returns_every_value_as_accepted() {
    come_back(&InMemory::new(), CASES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_returns_every_value_as_accepted() {
    come_back(&InFile::new(), CASES).await;
}

mod postgres {
    use super::{CASES, InPostgres, come_back};

    #[tokio::test(flavor = "multi_thread")]
    async fn returns_every_value_as_accepted() {
        come_back(&InPostgres::new(), CASES).await;
    }
}
