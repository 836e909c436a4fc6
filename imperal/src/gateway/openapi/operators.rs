//! The operations of operators: tasks, pauses and queues, documents.

use schemars::SchemaGenerator;
use serde_json::Value;

use super::{NEXT_PLACE, Operation, get, schema};
use crate::gateway::documents::{ChangedDocuments, Collections, DeleteBody, ImportBody};
use crate::gateway::operators::{
    OperatedTasks, OperatorJobs, PauseBody, PauseChange, PauseSchedulesBody, PausedSchedules, PausedTasks, QueueStates,
    TaskIds,
};
use crate::platform::{OperatorDocuments, OperatorPage, UserSchedules};

const USER_TENANT: (&str, &str) = ("tenant", "The user's tenant");
const USER: (&str, &str) = ("user", "The user's id");

pub(super) fn operations(generator: &mut SchemaGenerator) -> Vec<Operation> {
    vec![
        Operation {
            query: &[
                ("app", "Only tasks of this extension"),
                ("function", "Only tasks that this function started"),
                ("task", "Only durable tasks of this name"),
                ("state", "Only tasks in this state"),
                ("waits_for", "Only tasks that wait for this"),
                ("queue", "Only tasks of this queue"),
                ("tenant", "Only tasks of this tenant's users"),
                ("user", "Only tasks of users with this id; add `tenant` for one user, because tenants may share ids"),
                ("suspect", "Only tasks whose attempts crashed twice or more in a row, or only others"),
                ("after", NEXT_PLACE),
                ("limit", "Most tasks, 1 to 100; 100 when absent"),
            ],
            errors: &[400, 401, 403, 503],
            ..get(
                "/v1/operator/tasks",
                "Open tasks of the tenant's users with the scope tasks:operate, of all users with tasks:operate:all",
                schema::<OperatorPage>(generator),
            )
        },
        post(
            "/v1/operator/tasks/cancel",
            "Ask tasks of any user to stop",
            schema::<TaskIds>(generator),
            schema::<OperatedTasks>(generator),
        ),
        post(
            "/v1/operator/tasks/retry",
            "Let tasks that are stuck, or wait after crashes, be taken up at once",
            schema::<TaskIds>(generator),
            schema::<OperatedTasks>(generator),
        ),
        Operation {
            errors: &[400, 401, 403, 503],
            ..get(
                "/v1/operator/paused",
                "The durable tasks that are paused; needs tasks:operate:all",
                schema::<PausedTasks>(generator),
            )
        },
        Operation {
            errors: &[400, 401, 403, 404, 413, 503],
            ..post(
                "/v1/operator/paused",
                "Pause a durable task on all nodes, or resume it; needs tasks:operate:all",
                schema::<PauseBody>(generator),
                schema::<PauseChange>(generator),
            )
        },
        Operation {
            errors: &[400, 401, 403, 503],
            ..get(
                "/v1/operator/queues",
                "The queues of durable tasks; needs tasks:operate:all",
                schema::<QueueStates>(generator),
            )
        },
    ]
}

/// The operations on jobs and on schedules of users.
pub(super) fn schedules(generator: &mut SchemaGenerator) -> Vec<Operation> {
    vec![
        Operation {
            errors: &[401, 403, 503],
            ..get(
                "/v1/operator/jobs",
                "The jobs of extensions that have users; needs tasks:operate:all",
                schema::<OperatorJobs>(generator),
            )
        },
        Operation {
            query: &[USER_TENANT, USER],
            errors: &[400, 401, 403, 503],
            ..get(
                "/v1/operator/schedules",
                "The schedules and jobs of a user, with their latest runs; needs tasks:operate for a user of the \
                 tenant, else tasks:operate:all",
                schema::<UserSchedules>(generator),
            )
        },
        Operation {
            errors: &[400, 401, 403, 409, 413, 422, 503],
            ..post(
                "/v1/operator/schedules/pause",
                "Pause all schedules and jobs of a user, or resume those that an operator has paused; audited",
                schema::<PauseSchedulesBody>(generator),
                schema::<PausedSchedules>(generator),
            )
        },
    ]
}

/// A change by an operator.
fn post(path: &'static str, summary: &'static str, body: Value, answer: Value) -> Operation {
    Operation {
        method: "post",
        body: Some(body),
        errors: &[400, 401, 403, 413, 422, 503],
        ..get(path, summary, answer)
    }
}

/// The operations on documents of users.
pub(super) fn documents(generator: &mut SchemaGenerator) -> Vec<Operation> {
    vec![
        Operation {
            query: &[USER_TENANT, USER, ("app", "Only collections of this extension")],
            errors: &[400, 401, 403, 503],
            ..get(
                "/v1/operator/documents",
                "The collections of a user that have documents; needs documents:operate for a user of the tenant, else \
                 documents:operate:all",
                schema::<Collections>(generator),
            )
        },
        Operation {
            query: &[
                USER_TENANT,
                USER,
                ("app", "The extension"),
                ("collection", "The collection"),
                ("id", "Only the document with this id"),
                ("after", NEXT_PLACE),
                ("limit", "Most documents, 1 to 100; 100 when absent"),
            ],
            errors: &[400, 401, 403, 503],
            ..get(
                "/v1/operator/documents/page",
                "Documents of a user in the order of their ids; audited",
                schema::<OperatorDocuments>(generator),
            )
        },
        Operation {
            errors: &[400, 401, 403, 404, 409, 413, 422, 503],
            ..post(
                "/v1/operator/documents/import",
                "Write documents of a user under their ids, all or none; audited",
                schema::<ImportBody>(generator),
                schema::<ChangedDocuments>(generator),
            )
        },
        Operation {
            errors: &[400, 401, 403, 413, 422, 503],
            ..post(
                "/v1/operator/documents/delete",
                "Delete documents of a user; audited",
                schema::<DeleteBody>(generator),
                schema::<ChangedDocuments>(generator),
            )
        },
    ]
}
