//! The file: which files are accepted, who can read it, sharing it, query plans.

use super::*;

#[tokio::test]
async fn committed_writes_survive_a_reopen_and_leave_one_file() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let incarnation = ledger.join("n", LEASE).await.unwrap();
    assert_eq!(accept(&ledger, &incarnation, "one").await.unwrap(), 1);
    drop(ledger);
    assert!(!folder.file().with_file_name("ledger.db-wal").exists(), "a tidy end leaves one file");
    let ledger = folder.open().unwrap();
    assert_eq!(ledger.turns(&anna(), 0, PageLimit::rows(10)).await.unwrap()[0].body.text, "one");
}

#[cfg(unix)]
#[test]
fn only_the_user_can_read_the_file_and_its_folder() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let path = folder.folder.path().join("made/here/ledger.db");
    let _ledger = SqliteLedger::open(&path).unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        assert_eq!(mode(&path.with_file_name(name)), 0o600, "{name}");
    }
}

#[test]
fn programs_that_open_a_new_file_together_make_one_schema() {
    // Many rounds, because a race shows only now and then.
    for _ in 0..15 {
        let folder = Folder::new();
        let path = folder.file();
        let barrier = std::sync::Barrier::new(12);
        std::thread::scope(|scope| {
            let open = || {
                barrier.wait();
                schema::prepare_file(&path).unwrap();
                // Kept open, so that no connection is the last one and removes the log.
                schema::open_writer(&path, schema::BUSY).map_err(|fault| fault.into_ledger(&path))
            };
            let threads: Vec<_> = (0..12).map(|_| scope.spawn(open)).collect();
            let conns: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
            assert_eq!(conns.iter().find_map(|conn| conn.as_ref().err()), None);
        });
    }
}

#[test]
fn newer_schema_is_refused_and_unchanged() {
    let folder = Folder::new();
    drop(folder.open().unwrap());
    let conn = Connection::open(folder.file()).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    drop(conn);
    let before = fs::read(folder.file()).unwrap();
    unusable(folder.open(), "run that version");
    assert_eq!(fs::read(folder.file()).unwrap(), before);
}

#[test]
fn earlier_schema_is_refused_and_unchanged() {
    let folder = Folder::new();
    drop(folder.open().unwrap());
    let conn = Connection::open(folder.file()).unwrap();
    conn.pragma_update(None, "user_version", schema::VERSION - 1).unwrap();
    drop(conn);
    let before = fs::read(folder.file()).unwrap();
    unusable(folder.open(), "earlier version (schema ");
    assert_eq!(fs::read(folder.file()).unwrap(), before);
}

#[test]
fn definitions_are_compared_without_comments_and_line_breaks() {
    let folder = Folder::new();
    drop(folder.open().unwrap());
    let conn = Connection::open(folder.file()).unwrap();
    conn.execute_batch(
        "DROP INDEX call_left; CREATE INDEX call_left\n-- work\n ON call (call_no)  WHERE state = 'left'",
    )
    .unwrap();
    drop(conn);
    folder.open().unwrap();
}

#[test]
fn database_of_another_program_is_refused_and_unchanged() {
    let folder = Folder::new();
    let conn = Connection::open(folder.file()).unwrap();
    conn.execute_batch("CREATE TABLE theirs (x)").unwrap();
    drop(conn);
    let before = fs::read(folder.file()).unwrap();
    unusable(folder.open(), "choose another place");
    assert_eq!(fs::read(folder.file()).unwrap(), before);
}

#[test]
fn altered_object_is_named() {
    let folder = Folder::new();
    drop(folder.open().unwrap());
    let conn = Connection::open(folder.file()).unwrap();
    conn.execute_batch("CREATE INDEX their_own ON audit (action); DROP INDEX call_left").unwrap();
    drop(conn);
    unusable(folder.open(), "call_left");
}

#[tokio::test]
async fn damaged_file_is_unusable() {
    let folder = Folder::new();
    fs::write(folder.file(), [0x5a; 8192]).unwrap();
    unusable(folder.open(), "restore a copy");

    fs::remove_file(folder.file()).unwrap();
    let ledger = folder.open().unwrap();
    let incarnation = ledger.join("n", LEASE).await.unwrap();
    for _ in 0..50 {
        accept(&ledger, &incarnation, &"x".repeat(2000)).await.unwrap();
    }
    drop(ledger);
    let mut bytes = fs::read(folder.file()).unwrap();
    // After the pages of the schema.
    bytes[64 * 2048..].fill(0x5a);
    fs::write(folder.file(), bytes).unwrap();
    match folder.open() {
        Ok(ledger) => unusable(ledger.turns(&anna(), 0, PageLimit::rows(100)).await, "restore a copy"),
        refused => unusable(refused, "restore a copy"),
    }
}

#[cfg(unix)]
#[tokio::test]
async fn moved_file_refuses_writes_until_it_is_back() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let away = folder.file().with_file_name("away.db");
    fs::rename(folder.file(), &away).unwrap();
    let outcome = ledger.check_writable().await;
    assert!(matches!(&outcome, Err(LedgerError::Unavailable(why)) if why.contains("put it back")), "{outcome:?}");
    fs::write(folder.file(), "another").unwrap();
    assert!(ledger.check_writable().await.is_err());
    fs::rename(&away, folder.file()).unwrap();
    assert_eq!(ledger.check_writable().await, Ok(()));
}

#[tokio::test]
async fn two_nodes_on_one_file_see_each_others_commits() {
    let folder = Folder::new();
    let (first, second) = (folder.open().unwrap(), folder.open().unwrap());
    let a = first.join("a", LEASE).await.unwrap();
    let b = second.join("b", LEASE).await.unwrap();
    for n in 0..10 {
        assert_eq!(accept(&first, &a, "from a").await, Ok(2 * n + 1));
        assert_eq!(second.head(&anna()).await, Ok(2 * n + 1));
        assert_eq!(accept(&second, &b, "from b").await, Ok(2 * n + 2));
        assert_eq!(first.head(&anna()).await, Ok(2 * n + 2));
    }
}

#[test]
fn reads_use_an_index() {
    let folder = Folder::new();
    drop(folder.open().unwrap());
    let conn = folder.connect();
    let statements = [
        ("turns", reads::TURNS),
        ("latest_turns", reads::LATEST_TURNS),
        ("events", reads::EVENTS),
        ("head", reads::OWNER_HEAD),
        ("task", ops::TASK),
        ("open tasks", reads::OPEN_TASKS),
        ("steps", reads::STEPS),
        ("value of a step", reads::STEP_VALUE),
        ("first ready task of a name", ops::FIRST_READY),
        ("attempts", reads::ATTEMPTS),
        ("durable part of a task", reads::DURABLE),
        ("question", ops::QUESTION),
        ("questions of a task", reads::QUESTIONS),
        ("numbers of a task's questions", reads::QUESTION_NUMBERS),
        ("question by its number", reads::QUESTION_BY_NUMBER),
        ("open question of a step", ops::IS_OPEN),
        ("open questions of a task", ops::COUNT_OPEN),
        ("close of a question", ops::CLOSE),
        ("withdrawal of a task's questions", ops::WITHDRAW),
        ("open effects of a task", ops::OPEN_EFFECTS),
        ("rows that a task inherits", ops::INHERIT),
        ("inherited rows without a value", ops::HAS_LOST_VALUE),
        ("step of a lost question", ops::STEP_OF_LOST),
        ("recent_tasks", reads::RECENT_TASKS),
        ("tasks of a call", reads::TASKS_OF_CALL),
        ("audit", reads::AUDIT_ROWS),
        ("audit of an owner", reads::AUDIT_ROWS_OF_OWNER),
        ("end of an owner's audit", reads::AUDIT_END_OF_OWNER),
        ("running", ops::RUNNING_TASK_COUNT),
        ("open", ops::OPEN_TASK_COUNT),
        ("unheld tasks of an owner", ops::HAS_UNHELD_TASK),
        ("ready tasks", ops::READY_TASKS),
        ("taken slots of a queue", ops::TAKEN_SLOTS),
        ("ready tasks of an owner in a queue", ops::QUEUED_TASKS),
        ("first tasks of queues", reads::FIRST_QUEUED),
        ("paused name", ops::IS_PAUSED),
        ("open work", operators::OPEN_WORK),
        ("candidate of a claim", ops::CANDIDATE_TASK),
        ("rows of a task that was lost", ops::HAS_LEFT_ROWS),
        ("last step", ops::LAST_STEP),
        ("last progress", ops::LAST_PROGRESS),
        ("durable tasks of an incarnation", ops::HELD_DURABLE_TASKS),
        ("durable tasks of lapsed incarnations", ops::LAPSED_DURABLE_TASKS),
        ("untold tasks", ops::UNTOLD_TASKS),
        ("due values", ops::TASKS_WITH_DUE_VALUES),
        ("partial tasks", ops::PARTIAL_TASKS),
        ("displaced tasks", ops::DISPLACED_TASKS),
        ("asked to cancel", ops::TASKS_TO_CANCEL),
        ("asked to stop", ops::CALLS_TO_CANCEL),
        ("lapsed", ops::LAPSED_LEASES),
        ("left call", ops::LEFT_CALL),
        ("left calls", ops::LEFT_CALLS),
        ("left tasks", ops::LEFT_TASKS),
        ("unreplied calls", ops::UNREPLIED_CALLS),
        ("oldest call at work", ops::OLDEST_ACTIVE_TURN),
        ("old turns", ops::TURNS_BETWEEN),
        ("oldest tasks", ops::OLDEST_TASKS),
        ("oldest audit rows", ops::OLDEST_AUDIT_ROWS),
        ("due for pruning", ops::OWNERS_WITH_OLD_ROWS),
    ];
    for (name, sql) in statements {
        let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let unbound = rusqlite::params_from_iter(vec![rusqlite::types::Null; explain.parameter_count()]);
        let plan: Vec<String> = explain.query_map(unbound, |row| row.get(3)).unwrap().map(Result::unwrap).collect();
        for step in &plan {
            // The small indexes of open and left work are scanned from their start.
            let small = ["call_left", "task_left", "call_held", "task_unheld"];
            let is_small = step.starts_with("SCAN (subquery")
                || step == "SCAN CONSTANT ROW"
                || small.iter().any(|index| step.contains(index));
            let whole = step.starts_with("SCAN") && !is_small;
            assert!(!whole && !step.contains("TEMP B-TREE"), "{name}: {plan:#?}");
        }
    }
}
