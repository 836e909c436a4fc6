//! Reads the ledger's rows from PostgreSQL, without the platform.

use serde_json::{Value, json};
use tokio_postgres::types::FromSqlOwned;
use tokio_postgres::{Client, Row};

use super::contents::{
    AWAKE, AuditRow, CallRow, Contents, FileRow, ScheduleRow, TaskEventRow, TaskRow, TurnRow, by_task, file_totals,
    followed, totals,
};

impl Contents {
    /// Reads the schema `imperal` in one transaction.
    pub(crate) async fn of_database(client: &mut Client) -> Self {
        let look = client.build_transaction().isolation_level(tokio_postgres::IsolationLevel::RepeatableRead);
        let look = look.start().await.expect("a transaction begins");
        let rows = async |sql: &str| look.query(sql, &[]).await.expect("the schema is as it was");
        let owners = rows("SELECT owner_id, tenant_id, user_id, head FROM imperal.owner").await;
        let turns = rows("SELECT owner_id, seq, turn_id::text, body FROM imperal.turn ORDER BY owner_id, seq").await;
        let calls = rows("SELECT owner_id, call_id::text, state FROM imperal.call").await;
        let tasks = rows(
            "SELECT owner_id, task_id::text, call_id::text, state, cancel_requested_at IS NOT NULL, outcome_seq, \
             task_name IS NOT NULL, name, follows FROM imperal.task",
        )
        .await;
        let events = rows(
            "SELECT owner_id, seq, task_id::text, state, cancel_requested_at IS NOT NULL \
             FROM imperal.task_event ORDER BY owner_id, seq",
        )
        .await;
        let audit = rows("SELECT owner_id, action, target, outcome, detail FROM imperal.audit ORDER BY audit_id").await;
        let effects = rows(
            "SELECT t.task_id::text, s.kind FROM imperal.step s JOIN imperal.task t ON t.task_no = s.task_no \
             WHERE s.kind IN ('intent', 'effect', 'not_done') ORDER BY s.task_no, s.ordinal",
        )
        .await;
        let steps = rows(
            "SELECT t.task_id::text, convert_from(decode(s.name, 'escape'), 'UTF8') FROM imperal.step s \
             JOIN imperal.task t ON t.task_no = s.task_no WHERE s.kind = 'step'",
        )
        .await;
        let documents = rows(
            "SELECT s.owner_id, convert_from(d.id, 'UTF8') FROM imperal.shelf s \
             JOIN imperal.collection c ON c.shelf_no = s.shelf_no \
             JOIN imperal.document d ON d.collection_no = c.collection_no",
        )
        .await;
        let totals = rows(&totals("imperal.")).await;
        let files = rows("SELECT owner_id, file_id::text, name, state FROM imperal.file").await;
        let file_totals = rows(&file_totals("imperal.")).await;
        let sql = format!("SELECT owner_id, schedule_id::text, {AWAKE} FROM imperal.schedule WHERE job IS NULL");
        let schedules = rows(&sql).await;
        Self {
            owners: owners.iter().map(|row| (get(row, 0), (get(row, 1), get(row, 2), number(row, 3)))).collect(),
            turns: turns
                .iter()
                .map(|row| TurnRow {
                    owner: get(row, 0),
                    seq: number(row, 1),
                    turn_id: get(row, 2),
                    body: serde_json::from_str(row.get(3)).expect("stored JSON is JSON"),
                })
                .collect(),
            calls: calls
                .iter()
                .map(|row| CallRow { owner: get(row, 0), call_id: get(row, 1), state: get(row, 2) })
                .collect(),
            tasks: tasks
                .iter()
                .map(|row| TaskRow {
                    owner: get(row, 0),
                    task_id: get(row, 1),
                    call_id: get(row, 2),
                    state: get(row, 3),
                    asked_to_stop: get(row, 4),
                    outcome_seq: get::<Option<i64>>(row, 5).map(i64::unsigned_abs),
                    durable: get(row, 6),
                    name: get(row, 7),
                    follows: followed(get::<Option<String>>(row, 8).as_deref()),
                })
                .collect(),
            task_events: events
                .iter()
                .map(|row| TaskEventRow { owner: get(row, 0), seq: number(row, 1), body: event(row) })
                .collect(),
            audit: audit
                .iter()
                .map(|row| AuditRow {
                    owner: get(row, 0),
                    action: get(row, 1),
                    target: get::<Option<String>>(row, 2).unwrap_or_default(),
                    outcome: get(row, 3),
                    detail: get::<Option<String>>(row, 4).unwrap_or_default(),
                })
                .collect(),
            effects: by_task(effects.iter().map(|row| (get(row, 0), get(row, 1)))),
            steps: steps.iter().map(|row| (get(row, 0), get(row, 1))).collect(),
            documents: documents.iter().map(|row| (get(row, 0), get(row, 1))).collect(),
            totals: totals.iter().map(|row| (get(row, 0), get(row, 1))).collect(),
            files: files
                .iter()
                .map(|row| FileRow { owner: get(row, 0), file_id: get(row, 1), name: get(row, 2), state: get(row, 3) })
                .collect(),
            file_totals: file_totals.iter().map(|row| (get(row, 0), get(row, 1))).collect(),
            schedules: schedules.iter().map(schedule).collect(),
        }
    }
}

fn schedule(row: &Row) -> ScheduleRow {
    let (is_awake, is_for_later) = (get(row, 2), get(row, 3));
    ScheduleRow { owner: get(row, 0), schedule_id: get(row, 1), is_awake, is_for_later }
}

/// The compared fields of an event, in the form of the stream.
fn event(row: &Row) -> Value {
    let asked = get::<bool>(row, 4).then_some("then");
    json!({ "task_id": row.get::<_, &str>(2), "state": row.get::<_, &str>(3), "cancel_requested_at": asked })
}

fn get<T: FromSqlOwned>(row: &Row, column: usize) -> T {
    row.get(column)
}

fn number(row: &Row, column: usize) -> u64 {
    get::<i64>(row, column).unsigned_abs()
}
