//! The operations of schedules.

use schemars::SchemaGenerator;

use super::{Operation, get, schema};
use crate::gateway::schedules::{DeletedSchedule, ResumeBody, Runs, Schedules};
use crate::platform::{NewSchedule, Preview, PreviewRequest, Schedule, ScheduleChanges};

const ONE: &str = "/v1/schedules/{schedule_id}";

pub(super) fn operations(generator: &mut SchemaGenerator) -> Vec<Operation> {
    let one = schema::<Schedule>(generator);
    let post = |path, summary, answer| Operation {
        method: "post",
        errors: &[400, 401, 403, 404, 409, 503],
        ..get(path, summary, answer)
    };
    vec![
        get("/v1/schedules", "The caller's schedules, newest first: at most 100", schema::<Schedules>(generator)),
        Operation {
            body: Some(schema::<NewSchedule>(generator)),
            errors: &[400, 401, 404, 409, 413, 422, 503],
            is_created: true,
            ..post(
                "/v1/schedules",
                "Run a function at times, as the caller; 409 without the approval that a destructive one needs",
                one.clone(),
            )
        },
        Operation {
            body: Some(schema::<PreviewRequest>(generator)),
            errors: &[400, 401, 404, 413, 422, 503],
            ..post(
                "/v1/schedules/preview",
                "The next times of an expression in a zone, and what clock changes mean for it; creates nothing",
                schema::<Preview>(generator),
            )
        },
        Operation { errors: &[400, 401, 403, 404, 503], ..get(ONE, "One schedule", one.clone()) },
        Operation {
            method: "patch",
            body: Some(schema::<ScheduleChanges>(generator)),
            errors: &[400, 401, 403, 404, 409, 413, 422, 503],
            ..get(ONE, "Change a schedule; other parameters of a destructive function need an approval", one.clone())
        },
        Operation {
            method: "delete",
            errors: &[400, 401, 403, 404, 503],
            ..get(ONE, "Delete a schedule; its past runs stay in the chat", schema::<DeletedSchedule>(generator))
        },
        post("/v1/schedules/{schedule_id}/pause", "Pause a schedule; one that is not active stays so", one.clone()),
        Operation {
            body: Some(schema::<ResumeBody>(generator)),
            errors: &[400, 401, 403, 404, 409, 413, 422, 503],
            ..post("/v1/schedules/{schedule_id}/resume", "Make a schedule active again, from now on", one.clone())
        },
        post("/v1/schedules/{schedule_id}/run", "Make an active schedule due now; its later times stay", one),
        Operation {
            errors: &[400, 401, 403, 404, 503],
            ..get(
                "/v1/schedules/{schedule_id}/runs",
                "The latest 50 runs of a schedule, newest first",
                schema::<Runs>(generator),
            )
        },
    ]
}
