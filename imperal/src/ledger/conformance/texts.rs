//! Texts and JSON come back byte for byte.

use serde_json::{Value, json};

use super::Backend;
use super::scene::{Node, anna, bot, end, new_audit, new_call, new_task, ok, progress};
use crate::ledger::{Attempt, LedgerError, MessageSource, NewAudit, NewCall, NewTask, Owner, TaskState, TurnBody};

/// The deepest nesting that the platform accepts.
const DEPTH: usize = crate::json::DATA_DEPTH;

fn odd() -> Vec<String> {
    let mut odd: Vec<String> =
        ["", "\0", "a\0b\0", "'; DROP TABLE turn; --", "%_\\", "\u{10ffff}\u{1f9a6}", "\u{feff}\r\n\t"]
            .map(str::to_owned)
            .into();
    odd.extend(["e\u{301} \u{e9}".to_owned(), "\u{202e}left".to_owned(), "\\u0000".to_owned()]);
    odd.push("\u{1f9a6}".repeat((65_536 + 14) / 4));
    odd
}

/// In every column that holds a text.
pub async fn unusual_texts_round_trip(backend: &impl Backend) {
    for (n, text) in odd().into_iter().enumerate() {
        let node = Node::start(backend, &format!("{text}{n}")).await;
        assert_eq!(*node.incarnation.node, format!("{text}{n}"));
        let owner = Owner::new(&format!("{n}{text}"), &text);
        let call = new_call(&owner);
        let call_turn = TurnBody {
            text: text.clone(),
            app_id: text.clone(),
            function: Some(text.clone()),
            refresh_panels: Some(vec![text.clone()]),
            truncated: true,
            ..call.turn
        };
        let call = NewCall { turn: call_turn.clone(), ..call };
        let call_id = call.call_id;
        ok(node.ledger.accept_call(&node.incarnation, call).await);
        let new = new_task(call_id, &owner);
        let new = NewTask { app_id: text.clone(), function: text.clone(), name: text.clone(), ..new };
        let started = ok(node.ledger.start_task(&node.incarnation, new).await);
        ok(node.ledger.note_progress(&node.incarnation, vec![progress(started.task_id, 0.1 + 0.2, &text)]).await);
        ok(node.reply(call_id).await);
        let outcome = end(&owner, TaskState::Succeeded, &text);
        ok(node.ledger.finish_task(&node.incarnation, Attempt::first(started.task_id), outcome.clone()).await);
        let audit = NewAudit {
            actor: text.clone(),
            app_id: Some(text.clone()),
            action: text.clone(),
            target: Some(text.clone()),
            detail: Some(text.clone()),
            ..new_audit(&owner, "")
        };
        ok(node.ledger.write_audit(audit.clone()).await);

        let look = node.look(&owner).await;
        assert_eq!(look.turns[0].body, call_turn);
        assert_eq!(look.turns[2].body, outcome.turn);
        let task = &look.tasks[0];
        assert_eq!((&task.app_id, &task.function, &task.name), (&text, &text, &text));
        assert_eq!((task.percent, task.message.as_ref()), (Some(0.1 + 0.2), Some(&text)));
        assert_eq!(look.audit.last().map(|row| &row.body), Some(&audit));
        let record = ok(node.ledger.find_task(started.task_id).await);
        let record = record.unwrap_or_else(|| panic!("the task is gone"));
        assert_eq!((record.owner, record.incarnation), (owner, node.incarnation.clone()));
        assert_eq!(record.task.result, outcome.turn.result);
    }
}

/// Numbers to their last digit, keys in their order, at the deepest nesting; in turns, tasks and events.
pub async fn json_round_trips(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let deep = (0..DEPTH).fold(json!(0), |inner, n| if n % 2 == 0 { json!([inner]) } else { json!({ "in": inner }) });
    let values = [
        json!({ "z": 1, "a": 2, "m": { "y": [], "b": {} } }),
        json!([u64::MAX, i64::MIN, 0, -0.0, 1.0, 0.1, 1e-7, 5e-324, f64::MAX, 9_007_199_254_740_993_u64]),
        json!([123_456_789.123_456_78, 2.225_073_858_507_201_e-308, 0.000_001_234_567_890_123_4]),
        json!({ "$serde_json::private::RawValue": "not json", "text": "hi" }),
        json!({ "$serde_json::private::Number": "1e400" }),
        json!({ "": null, "\0": "\0", "\u{1f9a6}": [null, true, false, ""] }),
        deep,
    ];
    for value in values {
        let call = new_call(&anna());
        let call = NewCall { turn: TurnBody { params: Some(value.clone()), ..call.turn }, ..call };
        let call_id = call.call_id;
        ok(node.ledger.accept_call(&node.incarnation, call).await);
        let task_id = node.task(call_id, &anna()).await;
        ok(node.reply(call_id).await);
        let mut outcome = end(&anna(), TaskState::Failed, "odd");
        if let Some(result) = &mut outcome.turn.result {
            result.data = value.clone();
        }
        ok(node.ledger.finish_task(&node.incarnation, Attempt::first(task_id), outcome).await);

        let look = node.look(&anna()).await;
        let written = value.to_string();
        let params = look.turns.iter().rev().find_map(|turn| turn.body.params.as_ref());
        // Compared as texts, since values compare without the order of keys.
        assert_eq!(params.map(Value::to_string), Some(written.clone()));
        let record = ok(node.ledger.find_task(task_id).await);
        let results = [
            look.turns.last().and_then(|turn| turn.body.result.as_ref()),
            record.as_ref().and_then(|record| record.task.result.as_ref()),
        ];
        for result in results {
            assert_eq!(result.map(|result| result.data.to_string()), Some(written.clone()));
        }
    }
}

/// In every part of a turn that holds JSON. Nothing is written.
pub async fn json_nested_too_deep_is_refused(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let deep = (0..=DEPTH).fold(json!(0), |inner, _| json!([inner]));
    let call = new_call(&anna());
    let call_id = call.call_id;
    let too_deep = NewCall { turn: TurnBody { params: Some(deep.clone()), ..call.turn.clone() }, ..call.clone() };
    assert_eq!(node.ledger.accept_call(&node.incarnation, too_deep).await, Err(LedgerError::TooDeep("params")));
    assert_eq!(ok(node.ledger.head(&anna()).await), 0);
    ok(node.ledger.accept_call(&node.incarnation, call).await);
    let task_id = node.task(call_id, &anna()).await;

    let part = |name: &'static str| {
        let mut outcome = end(&anna(), TaskState::Failed, "deep");
        if let Some(result) = &mut outcome.turn.result {
            match name {
                "data" => result.data = deep.clone(),
                "ui" => result.ui = Some(deep.clone()),
                "undo" => result.undo = Some(deep.clone()),
                "diff" => result.diff = Some(deep.clone()),
                _ => result.action_receipt = Some(deep.clone()),
            }
        }
        outcome
    };
    for name in ["data", "ui", "undo", "diff", "action_receipt"] {
        let refused = Err(LedgerError::TooDeep(name));
        assert_eq!(node.ledger.reply(&node.incarnation, call_id, part(name).turn).await, refused);
        let message =
            node.ledger.inject(anna(), part(name).turn, new_audit(&anna(), "chat.inject"), MessageSource::OUTSIDE);
        assert_eq!(message.await, refused);
    }
    ok(node.reply(call_id).await);
    for name in ["data", "ui", "undo", "diff", "action_receipt"] {
        let refused = Err(LedgerError::TooDeep(name));
        assert_eq!(node.ledger.finish_task(&node.incarnation, Attempt::first(task_id), part(name)).await, refused);
    }
    ok(node.finish(&anna(), task_id).await);
    assert_eq!(ok(node.ledger.head(&anna()).await), 5);
}

/// Case, normal form, spaces and text after a NUL count.
pub async fn names_are_compared_exactly(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let names = ["anna", "Anna", "anna ", "anna\0", "anna\0b", "\u{e9}", "e\u{301}", ""];
    for (n, name) in names.iter().enumerate() {
        for _ in 0..=n {
            node.inject(&Owner::new("t", name), name).await;
        }
    }
    for (n, name) in names.iter().enumerate() {
        assert_eq!(ok(node.ledger.head(&Owner::new("t", name)).await), n as u64 + 1, "{name:?}");
        let incarnation = Node::start(backend, name).await.incarnation;
        assert_eq!(&*incarnation.node, *name);
    }
    let task_id = node.detached(&anna()).await;
    ok(node.finish(&anna(), task_id).await);
    let shout = Node::start(backend, "N").await;
    assert_eq!(shout.finish(&anna(), task_id).await, Err(LedgerError::NotHolder));
    ok(node.ledger.inject(anna(), bot("still here"), new_audit(&anna(), "chat.inject"), MessageSource::OUTSIDE).await);
}
