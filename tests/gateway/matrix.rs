//! Permissions: every route for every kind of caller.
//!
//! One table has the expected status; the test tries each cell. A refusal of a signed-in caller is audited
//! with that caller and has no effect on the owner.

use imperal_tests::{Claims, JWT_SECRET, Node, SERVICE_TOKEN, User, eventually};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::options;

/// The callers, which are the columns of the table.
const ASKING: [&str; 11] = [
    "owner",
    "other user",
    "other tenant",
    "service",
    "service for another",
    "false service",
    "no token",
    "expired",
    "forged",
    "wrong audience",
    "unsigned",
];

/// A row of the table: method, path, body, and the status for each caller.
type Row = (&'static str, &'static str, fn() -> Value, [u16; 11]);

fn nothing() -> Value {
    Value::Null
}

fn empty() -> Value {
    json!({})
}

fn echo() -> Value {
    json!({"function": "echo", "params": {"text": "hello"}})
}

fn answer() -> Value {
    json!({"answer": true})
}

fn message() -> Value {
    json!({"ext_id": "probe", "user_id": "anna", "text": "Hello."})
}

fn foreign_message() -> Value {
    json!({"ext_id": "another-app", "user_id": "anna", "text": "Hello."})
}

fn task_ids() -> Value {
    json!({"task_ids": []})
}

fn pause() -> Value {
    json!({"app_id": "probe", "task_name": "inquire", "paused": true})
}

fn schedule() -> Value {
    json!({"name": "Yearly", "app_id": "probe", "function": "echo", "params": {"text": "hello"}, "when": {"cron": "@yearly"}})
}

fn say() -> Value {
    json!({"text": "hello"})
}

fn times() -> Value {
    json!({"when": {"cron": "0 8 * * *"}, "zone": "Europe/Berlin"})
}

fn value() -> Value {
    json!({"value": "a value"})
}

/// Allowed for every user and for no other caller.
const USERS: [u16; 11] = [200, 200, 200, 401, 401, 401, 401, 401, 401, 401, 401];
/// Allowed for the owner; forbidden for other signed-in callers.
const OWNER: [u16; 11] = [200, 403, 403, 401, 401, 401, 401, 401, 401, 401, 401];
const ANYBODY: [u16; 11] = [200; 11];

#[rustfmt::skip]
const TABLE: &[Row] = &[
    // columns:                                                  owner other tenant serv. s.oth f.serv none  exp. forg. aud. unsig.
    ("POST", "/v1/extensions/probe/call", echo,                  USERS),
    ("POST", "/v1/extensions/another-app/call", echo,            [404, 404, 404, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("POST", "/v1/calls/{call}/cancel", nothing,                 OWNER),
    ("POST", "/v1/calls/01a20482-1178-74f9-8951-cc3b678a7413/cancel", nothing, [404, 404, 404, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("GET",  "/v1/chat/turns", nothing,                          USERS),
    // No model is configured.
    ("POST", "/v1/chat/say", say,                                [409, 409, 409, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("GET",  "/v1/chat/allowed", nothing,                        USERS),
    ("DELETE", "/v1/chat/allowed/probe/echo", nothing,           USERS),
    ("GET",  "/v1/events/stream", nothing,                       USERS),
    ("GET",  "/v1/drafts", nothing,                              USERS),
    // Drafts are gone with their work. `drafts` tests the owner of a running one.
    ("GET",  "/v1/drafts/01a20482-1178-74f9-8951-cc3b678a7413", nothing, [404, 404, 404, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("GET",  "/v1/tasks", nothing,                               USERS),
    ("GET",  "/v1/tasks/active", nothing,                        USERS),
    ("GET",  "/v1/tasks/{task}", nothing,                        OWNER),
    ("GET",  "/v1/tasks/{task}/steps", nothing,                  OWNER),
    ("GET",  "/v1/tasks/{task}/timeline", nothing,               OWNER),
    // The task is a background task, which cannot be exported.
    ("GET",  "/v1/tasks/{task}/export", nothing,                 [409, 403, 403, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("GET",  "/v1/tasks/{task}/questions", nothing,              OWNER),
    // The task asks nothing, so a caller with the right to answer finds no question.
    ("POST", "/v1/tasks/{task}/answer", answer,                  [404, 403, 403, 404, 403, 401, 401, 401, 401, 401, 401]),
    ("POST", "/v1/tasks/{task}/cancel", nothing,                 OWNER),
    // Nor can it be continued, or run again: only a durable task can.
    ("POST", "/v1/tasks/{task}/continue", empty,                 [409, 403, 403, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("POST", "/v1/tasks/{task}/run-again", empty,                [409, 403, 403, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("GET",  "/v1/tasks/01a20482-1178-74f9-8951-cc3b678a7413", nothing, [404, 404, 404, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("GET",  "/v1/operator/tasks", nothing,                      [403, 403, 403, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("POST", "/v1/operator/tasks/cancel", task_ids,              [403, 403, 403, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("POST", "/v1/operator/tasks/retry", task_ids,               [403, 403, 403, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("GET",  "/v1/operator/paused", nothing,                     [403, 403, 403, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("POST", "/v1/operator/paused", pause,                       [403, 403, 403, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("GET",  "/v1/operator/queues", nothing,                     [403, 403, 403, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("GET",  "/v1/files", nothing,                               USERS),
    ("GET",  "/v1/files/{file}", nothing,                        [200, 404, 404, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("DELETE", "/v1/files/{file}", nothing,                      [200, 404, 404, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("GET",  "/v1/operator/jobs", nothing,                       [403, 403, 403, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("GET",  "/v1/operator/schedules", nothing,                  [400, 400, 400, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("GET",  "/v1/operator/schedules?tenant=default&user=anna", nothing, [403, 403, 403, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("POST", "/v1/operator/schedules/pause", nothing,            [403, 403, 403, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("GET",  "/v1/operator/documents", nothing,                  [400, 400, 400, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("GET",  "/v1/operator/documents?tenant=default&user=anna", nothing, [403, 403, 403, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("GET",  "/v1/operator/documents/page", nothing,             [400, 400, 400, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("GET",  "/v1/operator/documents/page?tenant=default&user=anna&app=probe&collection=things", nothing, [403, 403, 403, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("POST", "/v1/operator/documents/import", nothing,           [403, 403, 403, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("POST", "/v1/operator/documents/delete", nothing,           [403, 403, 403, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("POST", "/v1/operator/secrets/rotate", nothing,             [403, 403, 403, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("GET",  "/v1/schedules", nothing,                           USERS),
    ("POST", "/v1/schedules", schedule,                          [201, 201, 201, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("POST", "/v1/schedules/preview", times,                     USERS),
    ("GET",  "/v1/schedules/{schedule}", nothing,                OWNER),
    ("PATCH", "/v1/schedules/{schedule}", empty,                 OWNER),
    ("GET",  "/v1/schedules/{schedule}/runs", nothing,           OWNER),
    ("POST", "/v1/schedules/{schedule}/pause", nothing,          OWNER),
    // A paused schedule is not run.
    ("POST", "/v1/schedules/{schedule}/run", nothing,            [409, 403, 403, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("POST", "/v1/schedules/{schedule}/resume", empty,           OWNER),
    // The owner comes first, and leaves nothing for the others.
    ("DELETE", "/v1/schedules/{schedule}", nothing,              [200, 404, 404, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("GET",  "/v1/secrets", nothing,                             USERS),
    ("GET",  "/v1/secrets?user=anna", nothing,                   [200, 403, 200, 401, 401, 401, 401, 401, 401, 401, 401]),
    // The extension declares none.
    ("GET",  "/v1/secrets/probe/key", nothing,                   [404, 404, 404, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("PUT",  "/v1/secrets/probe/key", value,                     [404, 404, 404, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("DELETE", "/v1/secrets/probe/key", nothing,                 [404, 404, 404, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("POST", "/v1/internal/chat/inject", message,                [403, 403, 403, 200, 403, 401, 401, 401, 401, 401, 401]),
    ("POST", "/v1/internal/chat/inject", foreign_message,        [403, 403, 403, 404, 403, 401, 401, 401, 401, 401, 401]),
    ("POST", "/v1/internal/link", nothing,                       [403, 403, 403, 401, 401, 401, 401, 401, 401, 401, 401]),
    ("GET",  "/v1/extensions", nothing,                          USERS),
    ("GET",  "/v1/extensions/probe/manifest", nothing,           USERS),
    ("GET",  "/v1/extensions/probe/icon", nothing,               USERS),
    ("GET",  "/v1/session", nothing,                             USERS),
    ("DELETE", "/v1/session", nothing,                           [400, 400, 400, 401, 401, 401, 401, 400, 400, 400, 400]),
    ("GET",  "/v1/audit", nothing,                               USERS),
    ("GET",  "/v1/audit/check", nothing,                         USERS),
    ("GET",  "/healthz", nothing,                                ANYBODY),
    ("GET",  "/readyz", nothing,                                 ANYBODY),
    ("GET",  "/metrics", nothing,                                ANYBODY),
    ("GET",  "/openapi.json", nothing,                           ANYBODY),
    ("GET",  "/", nothing,                                       ANYBODY),
    ("GET",  "/open/a-guess", nothing,                           ANYBODY),
    ("POST", "/open/a-guess", nothing,                           [303; 11]),
    ("GET",  "/v1/nothing", nothing,                             [404; 11]),
];

const AUDIENCE: &str = "the-platform";

fn signed(sub: &str, tenant: &str, audience: &str, secret: &str, age: i64) -> String {
    let claims = Claims::of(sub);
    let claims = json!({
        "sub": sub, "tenant_id": tenant, "aud": audience, "exp": claims.exp - age, "scopes": claims.scopes,
    });
    let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap()
}

/// The request of a caller.
fn as_asked(request: RequestBuilder, who: &str) -> RequestBuilder {
    let by_user = |tenant, sub| signed(sub, tenant, AUDIENCE, JWT_SECRET, 0);
    let good = by_user("default", "anna");
    match who {
        "owner" => request.bearer_auth(good),
        "other user" => request.bearer_auth(by_user("default", "ben")),
        "other tenant" => request.bearer_auth(by_user("elsewhere", "anna")),
        "service" => request.header("x-service-token", SERVICE_TOKEN).header("x-acting-user", "anna"),
        "service for another" => request.header("x-service-token", SERVICE_TOKEN).header("x-acting-user", "cora"),
        "false service" => request.header("x-service-token", "a-guess").header("x-acting-user", "anna"),
        "expired" => request.bearer_auth(signed("anna", "default", AUDIENCE, JWT_SECRET, 7200)),
        "forged" => request.bearer_auth(signed("anna", "default", AUDIENCE, "another-secret-of-32-bytes-or-more!!", 0)),
        "wrong audience" => request.bearer_auth(signed("anna", "default", "another-platform", JWT_SECRET, 0)),
        "unsigned" => request.bearer_auth(format!("eyJhbGciOiJub25lIn0.{}.", good.split('.').nth(1).unwrap())),
        _ => request,
    }
}

/// Calls a function that takes long in the foreground, and returns its answer and the call's id.
async fn linger(anna: &User) -> (tokio::task::JoinHandle<Value>, String) {
    let caller = anna.clone();
    let answer = tokio::spawn(async move { caller.call("linger", json!({"millis": 600_000})).await });
    let call_id = eventually("the call is accepted", async || {
        let turns = anna.turns().await;
        turns.iter().find(|turn| turn["function"] == "linger")?["call_id"].as_str().map(str::to_owned)
    });
    (answer, call_id.await)
}

fn reader(node: &Node, scopes: &[&str], who: (&str, &str)) -> User {
    let mut claims = serde_json::to_value(Claims::of(who.1)).unwrap();
    claims["tenant_id"] = json!(who.0);
    claims["aud"] = json!(AUDIENCE);
    claims["scopes"] = json!(scopes);
    let key = jsonwebtoken::EncodingKey::from_secret(JWT_SECRET.as_bytes());
    User::with_token(node, &jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap())
}

#[tokio::test]
async fn each_caller_gets_the_tables_status_and_refusals_are_audited() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    options.args.extend(["--audience", AUDIENCE].map(str::to_owned));
    let node = options.start().await;
    let anna = reader(&node, &[], ("default", "anna"));
    let reply = anna.call("steps", json!({"steps": 6000, "step_ms": 100})).await;
    let task_id = reply["result"]["data"]["task_id"].as_str().unwrap().to_owned();
    let (waiting, call_id) = linger(&anna).await;
    let (_, schedule) = anna.post("/v1/schedules", &schedule()).await;
    let schedule_id = schedule["id"].as_str().unwrap().to_owned();
    let upload = anna.request(Method::POST, "/v1/files?app=probe&name=notes.txt").body("notes").send().await.unwrap();
    let file: Value = upload.json().await.unwrap();
    let file_id = file["file_id"].as_str().unwrap().to_owned();
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();

    let mut wrong = Vec::new();
    // The audit rows of each caller afterwards.
    let mut refused = std::collections::BTreeMap::<&str, Vec<&str>>::new();
    for (method, path, body, statuses) in TABLE {
        for (who, status) in ASKING.iter().zip(statuses) {
            let url = format!(
                "{}{}",
                node.url,
                path.replace("{task}", &task_id)
                    .replace("{call}", &call_id)
                    .replace("{schedule}", &schedule_id)
                    .replace("{file}", &file_id)
            );
            let mut request = as_asked(http.request(method.parse::<Method>().unwrap(), url), who);
            if body() != Value::Null {
                request = request.json(&body());
            }
            // The body of a stream is endless; only the status is compared.
            let answer = request.send().await.unwrap();
            if answer.status() != *status {
                wrong.push(format!("{who}: {method} {path}: {}, should be {status}", answer.status()));
            }
            // A refused message of a service for an unknown extension is audited with its recipient.
            if *status == 404 && *path == "/v1/internal/chat/inject" && *who == "service" {
                refused.entry("owner").or_default().push("chat.inject");
            }
            if *status == 403 {
                let action = match *path {
                    "/v1/tasks/{task}"
                    | "/v1/tasks/{task}/steps"
                    | "/v1/tasks/{task}/timeline"
                    | "/v1/tasks/{task}/export"
                    | "/v1/tasks/{task}/questions" => "task.read",
                    "/v1/tasks/{task}/answer" => "task.answer",
                    "/v1/tasks/{task}/cancel" => "task.cancel",
                    "/v1/tasks/{task}/continue" => "task.continue",
                    "/v1/tasks/{task}/run-again" => "task.run_again",
                    "/v1/calls/{call}/cancel" => "call.cancel",
                    "/v1/schedules/{schedule}" if *method == "PATCH" => "schedule.edit",
                    "/v1/schedules/{schedule}" | "/v1/schedules/{schedule}/runs" => "schedule.read",
                    "/v1/schedules/{schedule}/pause" => "schedule.pause",
                    "/v1/schedules/{schedule}/resume" => "schedule.resume",
                    "/v1/schedules/{schedule}/run" => "schedule.run",
                    "/v1/internal/link" => "page.link",
                    path if path.starts_with("/v1/operator/documents") => "documents.operate",
                    "/v1/secrets?user=anna" => "secret.operate",
                    "/v1/operator/secrets/rotate" => "secret.rotate",
                    path if path.starts_with("/v1/operator/") => "task.operate",
                    _ => "chat.inject",
                };
                refused.entry(who).or_default().push(action);
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    // The owner's cancel ends the task, which writes an audit row: after that, nothing more is written.
    assert_eq!(anna.end_of(&task_id).await["state"], "cancelled");

    for (who, tried) in refused {
        let name = match who {
            "owner" => ("default", "anna"),
            "other user" => ("default", "ben"),
            "other tenant" => ("elsewhere", "anna"),
            _ => ("default", "cora"),
        };
        let rows = reader(&node, &[], name).audit().await;
        // The service's answer to a question that does not exist is in the owner's trail: a service acts unseen.
        let of_service = |row: &Value| who == "owner" && row["action"] == "task.answer";
        let filed: Vec<_> = rows
            .iter()
            .filter(|row| row["outcome"] == "refused" && !of_service(row))
            .map(|row| row["action"].as_str().unwrap())
            .collect();
        assert_eq!(filed, tried, "{who}");
    }
    // The owner's task and chat are unchanged by all these requests.
    let turns = anna.turns().await;
    let injected = turns.iter().filter(|turn| turn["text"] == "Hello.").count();
    let own = turns.iter().filter(|turn| turn["role"] == "user").count();
    assert_eq!((injected, own), (1, 3), "the service's one message, the task, the slow call and the echo: {turns:?}");
    assert_eq!(waiting.await.unwrap()["result"]["error_code"], "CANCELLED", "by its owner");
    // Without the scope, a caller sees only its own rows.
    for row in anna.audit().await {
        assert_eq!((&row["tenant_id"], &row["user_id"]), (&json!("default"), &json!("anna")));
    }
    let tenant = reader(&node, &["audit:read"], ("default", "auditor")).audit().await;
    assert!(tenant.iter().any(|row| row["user_id"] == "ben") && tenant.iter().all(|row| row["tenant_id"] == "default"));
    let all = reader(&node, &["audit:read:all"], ("default", "auditor")).audit().await;
    assert!(all.iter().any(|row| row["user_id"] == "ben") && all.iter().any(|row| row["tenant_id"] == "elsewhere"));
    let check = async |scope| reader(&node, &[scope], ("default", "auditor")).get("/v1/audit/check").await.1;
    assert_eq!(check("audit:read").await["rows"], tenant.len());
    assert_eq!(check("audit:read:all").await["rows"], all.len());
}

#[test]
fn every_route_is_in_the_permission_table() {
    let source = include_str!("../../imperal/src/gateway/mod.rs");
    let routes: Vec<&str> =
        source.lines().filter_map(|line| line.trim().strip_prefix(".route(\"")?.split('"').next()).collect();
    assert!(routes.len() >= 18, "{routes:?}");
    for route in routes {
        let concrete = [
            ("{app_id}", "probe"),
            ("{name}", "key"),
            ("{function}", "echo"),
            ("{task_id}", "{task}"),
            ("{call_id}", "{call}"),
            ("{schedule_id}", "{schedule}"),
            ("{file_id}", "{file}"),
            ("{draft_id}", "01a20482-1178-74f9-8951-cc3b678a7413"),
        ]
        .into_iter()
        .fold(route.to_owned(), |path, (part, value)| path.replace(part, value));
        assert!(TABLE.iter().any(|(_, path, ..)| *path == concrete), "{route} is not in the table");
    }
}
