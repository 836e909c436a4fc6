//! Lists of tools and plain calls, by clients of both eras.

use futures_util::future::join_all;
use imperal::mcp::Destructive;
use imperal_tests::eventually;
use rmcp::model::{CallToolResponse, GetTaskParams, TaskPayload};
use serde_json::json;

use crate::{Desk, Kind, call, text, tool_call};

#[tokio::test]
async fn tools_are_listed_in_the_order_of_the_functions_for_both_eras() {
    let desk = Desk::start().await;
    for kind in [Kind::Handshake, Kind::Modern, Kind::Tasks] {
        let client = desk.client("anna", kind).await;
        let tools = client.list_all_tools().await.unwrap();
        let names: Vec<_> = tools.iter().map(|tool| &*tool.name).collect();
        let wanted = "add write_long wipe think build break_down draw claim wander task_status task_cancel";
        assert_eq!(names.join(" "), wanted, "{kind:?}: `unlock` needs a secret and is not offered");
        let add = &tools[0];
        assert_eq!((add.title.as_deref(), add.description.as_deref()), (Some("Add"), Some("Add two whole numbers.")));
        assert_eq!(add.input_schema["properties"]["a"]["description"], "The first number.");
        assert_eq!(add.input_schema["required"], json!(["a", "b"]));
        assert!(tools.iter().all(|tool| tool.input_schema["type"] == "object" && tool.output_schema.is_none()));
        let hints = |at: usize| {
            let hints = tools[at].annotations.as_ref().unwrap();
            (hints.read_only_hint, hints.destructive_hint)
        };
        assert_eq!(hints(0), (Some(true), None));
        assert_eq!(hints(2), (Some(false), Some(true)));
        assert_eq!(hints(4), (Some(false), Some(false)));
        let info = client.peer_info().unwrap().server_info.clone().unwrap();
        assert_eq!((&*info.name, info.title.as_deref()), ("desk", Some("Desk")));
    }
}

#[tokio::test]
async fn tool_call_is_a_call_in_the_users_chat() {
    let desk = Desk::start().await;
    for (user, kind) in [("anna", Kind::Handshake), ("cora", Kind::Modern), ("dora", Kind::Tasks)] {
        let client = desk.client(user, kind).await;
        let result = call(&client, "add", json!({"a": 2, "b": 40})).await;
        assert_eq!(text(&result), "The sum is 42.\n\n{\"sum\":42}", "{kind:?}");
        assert_eq!((result.structured_content, result.is_error), (Some(json!({"sum": 42})), Some(false)));
        let turns = desk.access(user).turns(0, 10).await.unwrap().rows;
        let said: Vec<_> = turns.iter().map(|turn| turn.body.text.as_str()).collect();
        assert_eq!(said, ["add", "The sum is 42."]);
        // A client with a handshake says its name once, and this one's HTTP requests are those of a library.
        let from = if kind == Kind::Handshake { "an MCP client" } else { "suite" };
        assert_eq!(turns[0].body.client.as_deref(), Some(from));
        assert_eq!(turns[1].body.client, None, "the platform answers");
    }
    assert!(desk.access("ben").turns(0, 10).await.unwrap().rows.is_empty());
}

#[tokio::test]
async fn failures_are_tool_errors_with_our_codes() {
    let desk = Desk::start().await;
    for kind in [Kind::Handshake, Kind::Modern] {
        let client = desk.client("anna", kind).await;
        let own = call(&client, "break_down", json!({})).await;
        assert_eq!((text(&own).as_str(), own.is_error), ("NOT_FOUND: There is no such drawer.", Some(true)));
        let refused = call(&client, "add", json!({"a": "two", "b": 1})).await;
        assert!(text(&refused).starts_with("VALIDATION_TYPE_ERROR: "), "{}", text(&refused));
        assert_eq!(refused.structured_content.unwrap()["error"]["code"], "VALIDATION_TYPE_ERROR");
        let unknown = client.call_tool(tool_call("subtract", json!({}))).await.unwrap_err().to_string();
        assert!(unknown.contains("-32602") && unknown.contains("subtract"), "{unknown}");
    }
}

#[tokio::test]
async fn long_results_are_cut_and_name_the_page() {
    let desk = Desk::start().await;
    let client = desk.client("anna", Kind::Modern).await;
    let result = call(&client, "write_long", json!({"characters": 100_000})).await;
    let said = text(&result);
    assert!(said.len() < 21_000, "{}", said.len());
    assert!(said.contains(&format!("The whole text is in the chat: http://{}/", desk.listening.address())), "{said}");
    assert!(result.structured_content.is_none());
}

#[tokio::test]
async fn functions_that_destroy_or_need_a_secret_point_to_the_form() {
    let desk = Desk::start().await;
    let client = desk.client("anna", Kind::Modern).await;
    for name in ["wipe", "unlock"] {
        let refused = call(&client, name, json!({"pin": 4711})).await;
        let form = format!("http://{}/#desk/{name}", desk.listening.address());
        assert!(text(&refused).ends_with(&form), "{}", text(&refused));
        assert_eq!((refused.is_error, refused.structured_content), (Some(true), Some(json!({"form": form}))));
    }
    assert!(desk.access("anna").turns(0, 10).await.unwrap().rows.is_empty(), "nothing has run");

    let trusting = Desk::start_with(|settings| settings.destructive = Destructive::Allow).await;
    let client = trusting.client("anna", Kind::Modern).await;
    assert_eq!(text(&call(&client, "wipe", json!({})).await), "All notes are gone.");
    assert_eq!(call(&client, "unlock", json!({"pin": 1})).await.is_error, Some(true));
}

#[tokio::test]
async fn two_hundred_parallel_calls_all_answer() {
    let desk = Desk::start().await;
    let client = desk.client("anna", Kind::Modern).await;
    let results = join_all((0..200).map(|n| call(&client, "add", json!({"a": n, "b": 1})))).await;
    for (n, result) in results.iter().enumerate() {
        assert_eq!(result.structured_content, Some(json!({"sum": n + 1})));
    }
    let turns = desk.access("anna").turns(0, 500).await.unwrap().rows;
    assert_eq!(turns.len(), 400);
}

#[tokio::test]
async fn repeated_request_runs_once_only_under_a_key() {
    let desk = Desk::start().await;
    let calls = async |key: Option<&str>| {
        for _ in 0..2 {
            let mut params = json!({"name": "add", "arguments": {"a": 1, "b": 1}});
            if let Some(key) = key {
                params["_meta"] = json!({"imperal/idempotencyKey": key});
            }
            let request = desk.request("anna", "tools/call", Some("add"), params);
            let answer: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
            assert_eq!(answer["result"]["structuredContent"]["sum"], 2, "{answer}");
        }
        desk.access("anna").turns(0, 50).await.unwrap().rows.len()
    };
    assert_eq!(calls(Some("first")).await, 2, "one call");
    assert_eq!(calls(None).await, 6, "two more calls");
}

#[tokio::test]
async fn small_pictures_are_in_the_answer_and_large_ones_only_named() {
    let desk = Desk::start().await;
    let images = |blocks: &[rmcp::model::ContentBlock]| {
        let blocks = serde_json::to_value(blocks).unwrap();
        let is_image = |block: &&serde_json::Value| block["type"] == "image";
        blocks.as_array().unwrap().iter().filter(is_image).map(|block| block["mimeType"].clone()).collect::<Vec<_>>()
    };
    let client = desk.client("anna", Kind::Modern).await;
    let small = call(&client, "draw", json!({"characters": 0})).await;
    assert_eq!(images(&small.content), ["image/png"], "{small:?}");
    assert!(text(&small).starts_with("Drawn."));
    let large = call(&client, "draw", json!({"characters": 300_000})).await;
    assert_eq!(images(&large.content), [json!(null); 0], "{large:?}");

    // The same by a task.
    let client = desk.client("anna", Kind::Tasks).await;
    let begun = client.call_tool_once(tool_call("draw", json!({"characters": 0}))).await.unwrap();
    let shown = match begun {
        CallToolResponse::Task(created) => {
            eventually("the task ends", async || {
                let task = client.get_task(GetTaskParams::new(&created.task.task_id)).await.unwrap().task;
                let TaskPayload::Completed { result } = task.payload else { return None };
                Some(result["content"].clone())
            })
            .await
        }
        // It had ended before its call was answered.
        CallToolResponse::Complete(result) => serde_json::to_value(result.content).unwrap(),
        begun => panic!("{begun:?}"),
    };
    assert_eq!((&shown[1]["type"], &shown[1]["mimeType"]), (&json!("image"), &json!("image/png")), "{shown}");
}

#[tokio::test]
async fn pictures_are_those_of_the_user_whatever_the_data_say() {
    let desk = Desk::start().await;
    let anna = desk.client("anna", Kind::Modern).await;
    let file_of = async |characters: usize| {
        let drawn = call(&anna, "draw", json!({"characters": characters})).await;
        drawn.structured_content.unwrap()["picture"]["file_id"].clone()
    };
    let (small, large) = (file_of(0).await, file_of(300_000).await);
    let ben = desk.client("ben", Kind::Modern).await;
    for (client, file, images) in [(&anna, &small, 1), (&ben, &small, 0), (&anna, &large, 0)] {
        let shown = call(client, "claim", json!({"file_id": file})).await;
        assert_eq!(shown.content.len() - 1, images, "{shown:?}");
    }
}

#[tokio::test]
async fn key_that_is_none_is_refused() {
    let desk = Desk::start().await;
    for key in [json!(""), json!(7), json!("x".repeat(1000))] {
        let params = json!({"name": "add", "arguments": {"a": 1, "b": 1}, "_meta": {"imperal/idempotencyKey": key}});
        let answer = desk.request("anna", "tools/call", Some("add"), params).send().await.unwrap();
        let answer: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(answer["result"]["structuredContent"]["error"]["code"], "VALIDATION_TYPE_ERROR", "{answer}");
    }
    assert!(desk.access("anna").turns(0, 10).await.unwrap().rows.is_empty(), "nothing has run");
}

#[tokio::test]
async fn list_of_tools_is_kept_for_its_user_only() {
    let desk = Desk::start().await;
    let answer = desk.request("anna", "tools/list", None, json!({})).send().await.unwrap();
    let answer: serde_json::Value = answer.json().await.unwrap();
    assert_eq!((&answer["result"]["cacheScope"], &answer["result"]["ttlMs"]), (&json!("private"), &json!(300_000)));
}
