//! The OpenAPI document, generated from the types that the routes use. `operators` has the operations of operators.

mod chat;
mod files;
mod operators;
mod schedules;

use axum::http::StatusCode;
use axum::response::Response;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::api_error::ErrorBody;
use super::audit::AuditRows;
use super::calls::CallBody;
use super::extensions::Extensions;
use super::follow_up::{ContinueBody, RunAgainBody};
use super::questions::{AnswerBody, AnsweredQuestion, ClosedQuestion, Questions};
use super::secrets::{RemovedSecret, SecretBody, Secrets};
use super::session::Session;
use super::tasks::{Steps, Tasks};
use files::file_operations;

use crate::ledger::{AuditCheck, Task};
use crate::platform::{CallReply, Rotation, SecretState, StoppedCall, TaskExport, Timeline};

/// Header of requests that may be retried.
const KEY: (&str, &str) = (
    "Idempotency-Key",
    "1 to 255 visible ASCII characters. Requests with the same key are carried out once: each repetition gets the \
     first result, with the header `Idempotency-Replayed: true`",
);

/// A parameter whose value is a text of an earlier answer.
const NEXT_PLACE: &str = "The `next` of the page before";

/// Headers of a service's messages.
const TENANT: (&str, &str) = (
    "X-Tenant-Id",
    "Tenant of the user, as UTF-8; 1 to 64 bytes. When absent, the tenant of `serve --service-tenant` (`default`): send \
     it if your users have tenants",
);
const ACTING: (&str, &str) = (
    "X-Acting-User",
    "The user that the service acts for, as UTF-8; 1 to 128 bytes. Any user but `user_id` is 403 and audited",
);

const ANSWERING: (&str, &str) =
    ("X-Acting-User", "The user for whom a service answers, as UTF-8; 1 to 128 bytes. A service must send it");

/// One operation of the document.
struct Operation {
    path: &'static str,
    method: &'static str,
    summary: &'static str,
    security: &'static str,
    query: &'static [(&'static str, &'static str)],
    headers: &'static [(&'static str, &'static str)],
    body: Option<Value>,
    answer: Option<Value>,
    errors: &'static [u16],
    /// The body of a 409, if it is not only an error.
    conflict: Option<Value>,
    /// Whether it answers 201.
    is_created: bool,
}

pub(super) async fn document() -> Response {
    super::json(StatusCode::OK, &build())
}

fn build() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    let mut generator = settings.into_generator();
    let mut operations = operations(&mut generator);
    operations.extend(chat::operations(&mut generator));
    operations.extend(task_operations(&mut generator));
    operations.extend(task_changes(&mut generator));
    operations.extend(operators::operations(&mut generator));
    operations.extend(operators::schedules(&mut generator));
    operations.extend(operators::documents(&mut generator));
    operations.extend(file_operations(&mut generator));
    operations.extend(secret_operations(&mut generator));
    operations.extend(schedules::operations(&mut generator));
    let error = schema::<ErrorBody>(&mut generator);
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations {
        let item = paths.entry(operation.path).or_insert_with(|| json!({}));
        item[operation.method] = describe(&operation, &error);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "imperal",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Calls chat functions, follows their background tasks, reads the chat. Times are RFC 3339 UTC; absent means not applicable."
        },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "user": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "page": {"type": "apiKey", "in": "cookie", "name": "imperal_session_*", "description": "Behind TLS `__Host-imperal_session_*`"},
                "service": {"type": "apiKey", "in": "header", "name": "X-Service-Token"}
            }
        }
    })
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

/// A read by a user, as most operations are.
fn get(path: &'static str, summary: &'static str, answer: Value) -> Operation {
    Operation {
        path,
        method: "get",
        summary,
        security: "user",
        query: &[],
        headers: &[],
        body: None,
        answer: Some(answer),
        errors: &[400, 401, 503],
        conflict: None,
        is_created: false,
    }
}

fn task_operations(generator: &mut SchemaGenerator) -> Vec<Operation> {
    vec![
        Operation {
            query: &[("limit", "Most tasks, 1 to 500; 50 when absent"), ("call_id", "Only tasks of this call")],
            ..get("/v1/tasks", "The caller's tasks, newest first, without their results", schema::<Tasks>(generator))
        },
        get(
            "/v1/tasks/active",
            "The caller's open tasks: running, queued, waiting and stuck ones",
            schema::<Tasks>(generator),
        ),
        Operation {
            errors: &[400, 401, 403, 404, 503],
            ..get(
                "/v1/tasks/{task_id}",
                "One task, with its result when it has ended; 403 for another user's, 404 for an unknown one",
                schema::<Task>(generator),
            )
        },
        Operation {
            query: &[("after", "Only steps after this ordinal"), ("limit", "Most steps, 1 to 1,000; 200 when absent")],
            errors: &[400, 401, 403, 404, 503],
            ..get(
                "/v1/tasks/{task_id}/steps",
                "The stored steps of a durable task, in order, without their values",
                schema::<Steps>(generator),
            )
        },
        Operation {
            query: &[
                ("after", "Only what came after the stored row with this ordinal"),
                ("limit", "Most stored rows, 1 to 500; 200 when absent"),
            ],
            errors: &[400, 401, 403, 404, 503],
            ..get(
                "/v1/tasks/{task_id}/timeline",
                "What happened to a task, in order: attempts, steps with their requests and failed tries, waits, questions, \
                 and time in which no process ran it. Without the values of steps",
                schema::<Timeline>(generator),
            )
        },
        Operation {
            errors: &[400, 401, 403, 404, 409, 503],
            ..get(
                "/v1/tasks/{task_id}/export",
                "A durable task with its input and the values of its steps, for a replay; 409 if these may have secrets, or \
                 are no longer kept",
                schema::<TaskExport>(generator),
            )
        },
        Operation {
            errors: &[400, 401, 403, 404, 503],
            ..get(
                "/v1/tasks/{task_id}/questions",
                "The questions of a durable task, in the order in which they were asked",
                schema::<Questions>(generator),
            )
        },
    ]
}

/// A user's changes of their tasks.
fn task_changes(generator: &mut SchemaGenerator) -> Vec<Operation> {
    vec![
        Operation {
            method: "post",
            body: Some(schema::<AnswerBody>(generator)),
            security: "user or service",
            headers: &[TENANT, ANSWERING],
            errors: &[400, 401, 403, 404, 409, 413, 422, 503],
            conflict: Some(schema::<ClosedQuestion>(generator)),
            ..get(
                "/v1/tasks/{task_id}/answer",
                "Answer a question of a task: as its user, or as a service with the headers X-Service-Token and \
                 X-Acting-User. The first answer counts; 409 with the question when it has another one, its time is \
                 over, or it was withdrawn",
                schema::<AnsweredQuestion>(generator),
            )
        },
        Operation {
            method: "post",
            errors: &[400, 401, 403, 404, 503],
            ..get("/v1/tasks/{task_id}/cancel", "Ask a task to stop", schema::<Task>(generator))
        },
        Operation {
            method: "post",
            headers: &[KEY],
            body: Some(schema::<ContinueBody>(generator)),
            errors: &[400, 401, 403, 404, 409, 413, 422, 429, 503],
            ..get(
                "/v1/tasks/{task_id}/continue",
                "Go on from an ended durable task that did not succeed, in a new task that keeps the steps before \
                 `from_step` and all effects. Returns the new task: the same one for each request, because a task is gone \
                 on from once. 409 if it cannot go on",
                schema::<Task>(generator),
            )
        },
        Operation {
            method: "post",
            headers: &[KEY],
            body: Some(schema::<RunAgainBody>(generator)),
            errors: &[400, 401, 403, 404, 409, 413, 422, 429, 503],
            ..get(
                "/v1/tasks/{task_id}/run-again",
                "Run an ended durable task again from the start, in a new task that keeps nothing of it: effects are done \
                 again. Returns the new task: the same one for each request with the same key, or without one. 409 if it \
                 cannot run again",
                schema::<Task>(generator),
            )
        },
    ]
}

/// The owner of the secrets that an operator means.
const OF_USER: &[(&str, &str)] = &[
    ("user", "The secrets of this user; needs the scope secrets:operate, or secrets:operate:all"),
    ("tenant", "Tenant of that user; the caller's when absent"),
];

fn secret_operations(generator: &mut SchemaGenerator) -> Vec<Operation> {
    const ONE: &str = "/v1/secrets/{app_id}/{name}";
    let one = schema::<SecretState>(generator);
    vec![
        Operation {
            query: OF_USER,
            errors: &[400, 401, 403, 503],
            ..get(
                "/v1/secrets",
                "The secrets that the extensions declare: whether they have a value, since when, by whom; never the value",
                schema::<Secrets>(generator),
            )
        },
        Operation {
            query: OF_USER,
            errors: &[400, 401, 403, 404, 503],
            ..get(ONE, "One secret, without its value", one.clone())
        },
        Operation {
            method: "put",
            query: OF_USER,
            body: Some(schema::<SecretBody>(generator)),
            errors: &[400, 401, 403, 404, 413, 422, 503],
            ..get(ONE, "Enter or replace the value of a secret", one)
        },
        Operation {
            method: "delete",
            query: OF_USER,
            errors: &[400, 401, 403, 404, 503],
            ..get(ONE, "Remove the value of a secret", schema::<RemovedSecret>(generator))
        },
        Operation {
            method: "post",
            errors: &[400, 401, 403, 503],
            ..get(
                "/v1/operator/secrets/rotate",
                "Seal the secrets of all users again with the first key of this node, up to 1,000; needs \
                 secrets:operate:all",
                schema::<Rotation>(generator),
            )
        },
    ]
}

fn operations(generator: &mut SchemaGenerator) -> Vec<Operation> {
    vec![
        Operation {
            method: "post",
            headers: &[KEY],
            body: Some(schema::<CallBody>(generator)),
            errors: &[400, 401, 404, 413, 422, 429, 500, 503],
            ..get("/v1/extensions/{app_id}/call", "Run a function as the user", schema::<CallReply>(generator))
        },
        Operation {
            method: "post",
            errors: &[400, 401, 403, 404, 503],
            ..get(
                "/v1/calls/{call_id}/cancel",
                "Ask a running call to stop, on whichever node it runs; its reply turn says that it was cancelled",
                schema::<StoppedCall>(generator),
            )
        },
        get("/v1/extensions", "The loaded extensions", schema::<Extensions>(generator)),
        Operation {
            errors: &[400, 401, 404, 503],
            ..get("/v1/extensions/{app_id}/manifest", "An extension's manifest, version 3", json!({"type": "object"}))
        },
        get("/v1/session", "The caller, and what they can run", schema::<Session>(generator)),
        Operation {
            method: "delete",
            security: "page",
            errors: &[400, 401, 403, 503],
            ..get("/v1/session", "Sign out: end the page's session and its streams in every browser", Value::Null)
        },
        Operation {
            query: &[("after", "Only rows with a higher number"), ("limit", "Most rows, 1 to 500; 100 when absent")],
            errors: &[400, 401, 503],
            ..get(
                "/v1/audit",
                "The caller's audit rows; their tenant's with scope audit:read, all with audit:read:all",
                schema::<AuditRows>(generator),
            )
        },
        get(
            "/v1/audit/check",
            "Check the hash chain of those rows; names the first broken row",
            schema::<AuditCheck>(generator),
        ),
    ]
}

fn describe(operation: &Operation, error: &Value) -> Value {
    let in_path = operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = in_path
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect();
    parameters.extend(operation.query.iter().map(|(name, about)| {
        let number = ["limit", "latest", "before", "after"].contains(name) && *about != NEXT_PLACE;
        let schema = if number { json!({"type": "integer", "minimum": 0}) } else { json!({"type": "string"}) };
        json!({"name": name, "in": "query", "description": about, "schema": schema})
    }));
    parameters.extend(operation.headers.iter().map(
        |(name, about)| json!({"name": name, "in": "header", "description": about, "schema": {"type": "string"}}),
    ));
    let mut responses = Map::new();
    let answer = match &operation.answer {
        Some(schema) if *schema == files::bytes() => {
            json!({"description": "The bytes", "content": {"*/*": {"schema": schema}}})
        }
        Some(schema) => json!({"description": "Done", "content": {"application/json": {"schema": schema}}}),
        None => json!({"description": "A stream", "content": {"text/event-stream": {"schema": {"type": "string"}}}}),
    };
    if operation.answer == Some(Value::Null) {
        responses.insert("204".to_owned(), json!({"description": "Done"}));
    } else {
        // An upload makes something.
        let is_created = operation.is_created || operation.body == Some(files::bytes());
        responses.insert(if is_created { "201" } else { "200" }.to_owned(), answer);
    }
    for status in operation.errors {
        let body = operation.conflict.as_ref().filter(|_| *status == 409).unwrap_or(error);
        let content = json!({"application/json": {"schema": body}});
        responses.insert(status.to_string(), json!({"description": reason(*status), "content": content}));
    }
    let mut item = json!({
        "summary": operation.summary,
        "security": [{operation.security: []}],
        "parameters": parameters,
        "responses": responses,
    });
    match operation.security {
        "user" => item["security"] = json!([{"user": []}, {"page": []}]),
        "user or service" => item["security"] = json!([{"user": []}, {"page": []}, {"service": []}]),
        _ => {}
    }
    if operation.body == Some(files::bytes()) {
        item["requestBody"] = json!({"required": true, "content": {"*/*": {"schema": operation.body}}});
    } else if let Some(body) = &operation.body {
        item["requestBody"] = json!({"required": true, "content": {"application/json": {"schema": body}}});
    }
    item
}

fn reason(status: u16) -> &'static str {
    match status {
        400 => "The request is malformed",
        401 => "Not signed in, or the token is invalid",
        403 => "It belongs to another user; audited",
        404 => "Not found",
        409 => "It cannot be done as things are; the message says why",
        413 => "The request is too large",
        416 => "The file has no bytes in this range",
        422 => "A parameter is missing or wrong, and `field` names it; or the key belongs to another request",
        429 => "A rate limit or the day's storage quota is exceeded; Retry-After says when to retry",
        500 => "Reading the parameters panicked; nothing was accepted",
        _ => "The platform cannot do it right now; the message says whether the request may have been accepted",
    }
}
