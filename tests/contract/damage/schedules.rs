//! Damage of schedules, of users as last seen, and of files: a damaged row costs its user that row, and others nothing.

use std::sync::Arc;

use imperal::ids::{FileId, ScheduleId};
use imperal::ledger::{
    AppOwners, FileContent, FileLimits, FileRemoval, FileSource, Ledger, LedgerError, NewFile, NewSeen, ScheduleKind,
    ScheduleSource, ScheduleWrite, SqliteLedger, StoredSchedule,
};
use imperal::platform::NewSchedule;
use imperal::schedules::When;
use imperal::testing::TestPlatform;
use jiff::Timestamp;

use super::*;

const MAX: &str = "9223372036854775807";
const MIN: &str = "-9223372036854775808";

/// Tables and new values, for both backends.
fn damages() -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    let mut add = |table, column: &str, values: &[&str]| {
        all.extend(values.iter().map(|value| (table, format!("{column} = {value}"))));
    };
    let deep = format!("'{}1{}'", "[".repeat(100_000), "]".repeat(100_000));
    for column in ["version", "created_at", "updated_at"] {
        add("schedule", column, &[MAX, MIN, "-3", "0"]);
    }
    add("schedule", "wake_at", &[MAX, MIN, "-3", "0", "NULL"]);
    add("schedule", "body", &["'not json'", "''", "'[]'", "'{\"app_id\": 7}'", &deep]);
    add("schedule", "job", &["''", "'other'", "NULL"]);
    add("seen", "seen_at", &[MAX, MIN, "-3", "0"]);
    add("seen", "seen_user", &["'not json'", "''", "'{}'", &deep]);
    add("seen", "app_id", &["'other'"]);
    for column in ["size", "created_at", "incarnation"] {
        add("file", column, &[MAX, MIN, "-3", "0"]);
    }
    for column in ["expires_at", "due_at", "attempt"] {
        add("file", column, &[MAX, MIN, "-3", "NULL"]);
    }
    add("file", "name", &["''"]);
    add("file", "content_type", &["''", "'DAMAGE'"]);
    add("file", "app_id", &["'other'"]);
    for column in ["files", "file_bytes"] {
        add("shelf", column, &[MAX, MIN, "-3", "0"]);
    }
    all
}

/// The rows of a user.
struct Rows {
    own: ScheduleId,
    job: ScheduleId,
    file: FileId,
}

async fn fill(ledger: &dyn Ledger, incarnation: &Incarnation, owner: &Owner) -> Rows {
    let node = ScheduleSource::Node(incarnation.clone());
    let due = Timestamp::from_second(1_700_000_000).unwrap();
    let rows = Rows { own: ScheduleId::generate(), job: ScheduleId::generate(), file: FileId::generate() };
    let new = |id| ScheduleWrite::new(id, owner.clone(), 1, Some(due), "{\"n\":1}".to_owned());
    assert!(ledger.write_schedule(node.clone(), new(rows.own)).await.unwrap());
    assert!(ledger.write_schedule(node, new(rows.job).job("contract/job")).await.unwrap());
    let seen = |app: &str| NewSeen::new(owner.clone(), app, "{\"id\":\"a\"}".to_owned());
    ledger.note_seen(vec![seen(""), seen("contract")]).await.unwrap();
    let upload = FileSource::Upload(incarnation.clone());
    ledger.begin_file(owner, upload.clone(), NewFile::new(rows.file, "contract", "a.txt")).await.unwrap();
    let content = FileContent::new(rows.file, "text/plain", 3, [7; 32]).is_stored(true);
    ledger.complete_file(owner, upload, content).await.unwrap();
    rows
}

async fn ids_of(ledger: &dyn Ledger, kind: ScheduleKind) -> Vec<ScheduleId> {
    let due = ledger.due_schedules(kind, 10_000).await.unwrap();
    due.into_iter().map(|due| due.schedule.schedule_id).collect()
}

/// Damaged totals of files are counted again: the limits are exact after the owner's one file is deleted.
async fn check_recount(ledger: &dyn Ledger, incarnation: &Incarnation, owner: &Owner, file: FileId) {
    assert!(ledger.delete_file(owner, FileRemoval::default(), file).await.unwrap());
    let limits = FileLimits::new(1, 5);
    for wanted in [Ok(()), Err(LedgerError::TooManyFiles(1))] {
        let new = NewFile::new(FileId::generate(), "contract", "b.txt").size(5).limits(limits);
        assert_eq!(ledger.begin_file(owner, FileSource::Upload(incarnation.clone()), new).await, wanted);
    }
}

/// Everything that others have is there, and every read of the damaged user is answered.
async fn check_rows(ledger: Arc<dyn Ledger>, damages: Vec<(&'static str, String)>, damage: impl AsyncFn(&str)) {
    let ledger = &*ledger;
    let incarnation = ledger.join(NODE, LEASE).await.unwrap();
    let ben = owner("ben");
    let whole = fill(ledger, &incarnation, &ben).await;
    let ids = |stored: Vec<StoredSchedule>| stored.into_iter().map(|one| one.schedule_id).collect::<Vec<_>>();
    for (number, (table, set)) in damages.into_iter().enumerate() {
        let anna = owner(&format!("anna-{number}"));
        let rows = fill(ledger, &incarnation, &anna).await;
        let owner_id = format!("(SELECT owner_id FROM owner WHERE user_id = '{}')", anna.user_id);
        // A row of each kind where there are several.
        let which = match table {
            "schedule" if set.starts_with("job") => " AND job IS NOT NULL",
            "schedule" => " AND job IS NULL",
            "seen" => " AND app_id = 'contract'",
            _ => "",
        };
        damage(&format!("UPDATE {table} SET {set} WHERE owner_id = {owner_id}{which}")).await;
        ledger.schedules_of(&anna).await.unwrap();
        ledger.jobs_of(&anna).await.unwrap();
        ledger.seen_user(&anna, "contract").await.unwrap();
        ledger.files(&anna, None, None, 100).await.unwrap();
        ledger.next_wake_in().await.unwrap();
        ledger.job_owners().await.unwrap();
        ledger.owners_of_app(AppOwners::new("contract", LEASE, "contract/new", 10_000)).await.unwrap();
        ledger.sweep_files(100).await.unwrap();
        if table == "shelf" {
            check_recount(ledger, &incarnation, &anna, rows.file).await;
        }
        // The damaged user goes on.
        fill(ledger, &incarnation, &anna).await;
        let due = ids_of(ledger, ScheduleKind::OfUsers).await;
        assert!(due.contains(&whole.own), "{set}");
        assert!(ids_of(ledger, ScheduleKind::OfJobs).await.contains(&whole.job), "{set}");
    }
    assert_eq!(ids(ledger.schedules_of(&ben).await.unwrap()), [whole.own]);
    assert_eq!(ids(ledger.jobs_of(&ben).await.unwrap()), [whole.job]);
    let files = ledger.find_files(&ben, &[whole.file]).await.unwrap();
    assert_eq!((files.len(), files[0].size, files[0].sha256), (1, 3, Some([7; 32])));
    assert!(ledger.seen_user(&ben, "contract").await.unwrap().is_some());
    ledger.forget_seen(LEASE, 10_000).await.unwrap();
    assert!(ledger.seen_user(&ben, "contract").await.unwrap().is_some(), "only old rows go");
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_schedules_and_files_in_a_file_hurt_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.db");
    let ledger = Arc::new(SqliteLedger::open(&file).unwrap());
    let mut all = damages();
    let not_utf8 = "CAST(x'7b226e223a31ff7d' AS TEXT)";
    for (table, column) in [("schedule", "body"), ("schedule", "schedule_id"), ("seen", "seen_user"), ("file", "name")]
    {
        all.push((table, format!("{column} = {not_utf8}")));
    }
    all.push(("schedule", "schedule_id = 'not-a-uuid'".to_owned()));
    for set in ["file_id = 'not-a-uuid'", "state = 'DAMAGE'", "sha256 = x'00'", "sha256 = NULL", "node = ''"] {
        all.push(("file", set.to_owned()));
    }
    let run = async |sql: &str| {
        let conn = rusqlite::Connection::open(&file).unwrap();
        conn.busy_timeout(Duration::from_secs(5)).unwrap();
        conn.pragma_update(None, "foreign_keys", false).unwrap();
        assert_eq!(conn.execute(sql, ()).unwrap(), 1, "{sql}");
    };
    check_rows(ledger.clone(), all, run).await;
    // A platform on all of that: the schedule of a user runs.
    let platform = TestPlatform::setup().ledger(ledger).start().await;
    let cleo = platform.user("cleo");
    let schedules = cleo.access().schedules();
    let id = schedules.create(NewSchedule::new("Work", "contract", "work", When::EverySeconds(3600))).await.unwrap().id;
    schedules.run(id).await.unwrap();
    imperal_tests::eventually("the run", async || {
        schedules
            .find(id)
            .await
            .unwrap()
            .last_run
            .map(|run| assert_eq!(run.state, imperal::platform::RunState::Succeeded))
    })
    .await;
}

mod postgres {
    use imperal::ledger::PostgresLedger;
    use imperal_tests::cluster;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn damaged_schedules_and_files_hurt_no_other() {
        let schema = format!("damaged_schedules_{}", std::process::id());
        drop(cluster::client().await);
        let ledger = Arc::new(PostgresLedger::connect_in(&cluster::url(&schema), &schema, 4).await.unwrap());
        let mut all = damages();
        for set in [r"sha256 = '\x00'", "sha256 = NULL", "file_id = gen_random_uuid()"] {
            all.push(("file", set.to_owned()));
        }
        check_rows(ledger, all, async |sql: &str| {
            let client = cluster::client().await;
            client.batch_execute(&format!("SET search_path = {schema}")).await.unwrap();
            assert_eq!(client.execute(sql, &[]).await.unwrap(), 1, "{sql}");
        })
        .await;
        cluster::drop_schema(&schema);
    }
}
