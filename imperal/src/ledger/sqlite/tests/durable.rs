//! Durable tasks in the file: the plan of a claim, and large content in batches.

use futures_util::future::{join_all, poll_immediate};

use super::*;
use crate::ledger::sqlite::rows::counted::statements;
use crate::ledger::{
    AttemptReport, AuditOutcome, ClaimRequest, DurableName, ManualClock, NewAudit, NewDurable, NewQuestion, NewStep,
    NewTask, Release, RetentionPolicy, StepKind, TaskEnd, TaskState,
};

fn plan(conn: &Connection, sql: &str) -> Vec<String> {
    let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let unbound = rusqlite::params_from_iter(vec![rusqlite::types::Null; explain.parameter_count()]);
    explain.query_map(unbound, |row| row.get(3)).unwrap().map(Result::unwrap).collect()
}

/// Other names and other states cost a claim nothing.
#[test]
fn claim_reads_the_ready_tasks_of_its_names_only() {
    let folder = Folder::new();
    drop(folder.open().unwrap());
    let conn = folder.connect();
    let ready = plan(&conn, ops::READY_TASKS);
    let wanted = "SEARCH durable USING INDEX durable_ready (app_id=? AND task_name=? AND suspect=? AND ready_at>? AND ready_at<?)";
    assert_eq!(ready, [wanted]);
    let stuck = plan(&conn, ops::LONG_STUCK_TASKS);
    assert!(
        stuck.iter().any(|step| step.contains("INDEX durable_stuck (stuck_since>? AND stuck_since<?)")),
        "{stuck:?}"
    );
    assert!(!stuck.iter().any(|step| step.starts_with("SCAN")), "{stuck:?}");
    let cancelled = plan(&conn, ops::CANCELLED_TASKS);
    assert!(cancelled.iter().any(|step| step.contains("INDEX task_cancelled")), "{cancelled:?}");
    assert!(!cancelled.iter().any(|step| step.starts_with("SCAN t")), "{cancelled:?}");
    let backlog = plan(&conn, ops::BACKLOG);
    for index in [
        "durable_stuck",
        "INDEX task_unknown",
        "durable_untaken (app_id=? AND task_name=? AND refused_by=? AND ready_at>?)",
    ] {
        assert!(backlog.iter().any(|step| step.contains(index)), "{index} in {backlog:#?}");
    }
    let is_free = |step: &&String| step.contains("INDEX") || ["SCAN f", "SCAN CONSTANT ROW"].contains(&step.as_str());
    let scans: Vec<_> = backlog.iter().filter(|step| step.starts_with("SCAN") && !is_free(step)).collect();
    assert!(scans.iter().all(|step| step.starts_with("SCAN (subquery")), "{scans:?}");
    let untaken = plan(&conn, ops::UNCLAIMED_TASKS);
    // It seeks the next group by each part of its name, and does not scan through a group.
    for parts in ["app_id=? AND task_name=? AND refused_by>?", "app_id=? AND task_name>?", "app_id>?"] {
        let wanted = format!("SEARCH d USING INDEX durable_untaken ({parts})");
        assert!(untaken.contains(&wanted), "{wanted} in {untaken:#?}");
    }
    let of_group = "SEARCH d USING INDEX durable_untaken (app_id=? AND task_name=? AND refused_by=? AND ready_at>? AND ready_at<?)";
    assert!(untaken.iter().any(|step| *step == of_group), "{untaken:#?}");
}

/// The steps of SQLite's virtual machine that a statement takes: it stands for the rows that are read.
fn work_of(conn: &Connection, sql: &str, params: impl rusqlite::Params) -> i32 {
    let mut statement = conn.prepare(sql).unwrap();
    let rows = statement.query(params).unwrap().mapped(|_| Ok(())).count();
    assert_eq!(rows, 1);
    statement.get_status(rusqlite::StatementStatus::VmStep)
}

/// The end of an incarnation looks at a few rows of each task that it held, and a metric at as many as it counts.
#[test]
fn long_tasks_and_queues_cost_no_more_than_short_ones() {
    let folder = Folder::new();
    drop(folder.open().unwrap());
    let conn = folder.connect();
    let numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) ";
    let steps = "INSERT INTO step (step_id, name, kind, attempt, began_at, done_at)
        SELECT (1 << 16) + i, i, 'step', 1, i, i FROM n";
    conn.execute(&format!("{numbers}{steps}"), ()).unwrap();
    assert!(work_of(&conn, ops::LAST_STEP, [1, 1]) < 2_000, "64 of 20,000 rows");
    let last: i64 = conn.query_row(ops::LAST_STEP, [1, 1], |row| row.get(0)).unwrap();
    assert_eq!(last, 20_000);
    let queued =
        "INSERT INTO durable (task_no, app_id, task_name, root_task, cap, ready_at, queue, owner_id, input, user)
        SELECT i, 'app', 'work', '', 0, i, 'render', 1, '', '' FROM n";
    conn.execute(&format!("{numbers}{queued}"), ()).unwrap();
    conn.execute("INSERT INTO queue (app_id, queue) VALUES ('app', 'render')", ()).unwrap();
    let load = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(3)?, row.get::<_, i64>(4)?));
    let load = conn.query_row(queues::QUEUE_LOADS, [1_000_000, 10_000], load).unwrap();
    assert_eq!(load, (10_000, 1));
}

/// It finds the owners one by one, so that a user with thousands of tasks costs as much as any other.
#[test]
fn queue_reads_one_row_of_each_owner() {
    let folder = Folder::new();
    drop(folder.open().unwrap());
    let conn = folder.connect();
    for sql in [ops::OWNERS_IN_TURN, ops::WAITING_OWNERS] {
        let plan = plan(&conn, sql);
        for wanted in [
            "SEARCH d USING COVERING INDEX durable_queued (app_id=? AND queue=? AND suspect=? AND owner_id>?)",
            "SEARCH d USING COVERING INDEX durable_queued (app_id=? AND queue=? AND suspect=? AND owner_id=? AND ready_at<?)",
        ] {
            // The other statement looks at the states of the tasks, too.
            let not_covering = wanted.replace("COVERING ", "");
            assert!(plan.iter().any(|step| *step == wanted || *step == not_covering), "{wanted} in {plan:#?}");
        }
        let scans: Vec<_> = plan.iter().filter(|step| step.starts_with("SCAN")).collect();
        assert!(scans.iter().all(|step| step.starts_with("SCAN o") || step.contains("CONSTANT ROW")), "{scans:#?}");
    }
}

/// A claim that takes no suspect does not read them, and one that does finds the first at once; so do the next look
/// and a queue's load.
#[test]
fn crowd_of_suspects_costs_claims_and_looks_nothing() {
    let folder = Folder::new();
    drop(folder.open().unwrap());
    let conn = folder.connect();
    let crowd = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
        INSERT INTO durable
            (task_no, app_id, task_name, root_task, cap, ready_at, crashes, queue, owner_id, input, user)
        SELECT i, 'app', 'work', '', 0, i, ?1, ?2, 1, '', '' FROM n";
    conn.execute(crowd, rusqlite::params![crate::ledger::SUSPECT, None::<&str>]).unwrap();
    conn.execute(&crowd.replace("SELECT i, ", "SELECT i + 20000, "), rusqlite::params![9, "render"]).unwrap();
    let other = "INSERT INTO durable
            (task_no, app_id, task_name, root_task, cap, ready_at, crashes, queue, owner_id, input, user)
        VALUES (?1, 'app', 'work', '', 0, 30000, 1, ?2, 2, '', '')";
    conn.execute(other, rusqlite::params![50_000, None::<&str>]).unwrap();
    conn.execute(other, rusqlite::params![50_001, "render"]).unwrap();
    conn.execute("INSERT INTO queue (app_id, queue) VALUES ('app', 'render')", ()).unwrap();
    for suspects in [0, 1] {
        let ready = rusqlite::params!["app", "work", 90_000, i64::MIN, i64::MIN, "v1", 1, suspects];
        assert!(work_of(&conn, ops::READY_TASKS, ready) < 100);
        assert!(work_of(&conn, ops::FIRST_READY, rusqlite::params!["app", "work", suspects]) < 100);
        assert!(work_of(&conn, reads::FIRST_QUEUED, rusqlite::params!["app", suspects]) < 100);
        assert!(work_of(&conn, ops::QUEUES, rusqlite::params!["app", 90_000, suspects]) < 200);
        let owners = rusqlite::params!["app", "render", 90_000, suspects];
        assert!(work_of(&conn, ops::OWNERS_IN_TURN, owners) < 400);
        let owner = if suspects == 1 { 1 } else { 2 };
        let queued = rusqlite::params!["app", "render", owner, 90_000, i64::MIN, i64::MIN, "v1", 1, suspects];
        assert!(work_of(&conn, ops::QUEUED_TASKS, queued) < 100);
    }
    assert!(work_of(&conn, queues::QUEUE_LOADS, [90_000, 10_000]) < 400);
    let load = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(3)?, row.get::<_, i64>(4)?));
    assert_eq!(conn.query_row(queues::QUEUE_LOADS, [90_000, 10_000], load).unwrap(), (1, 30_000));
}

/// How many statements each operation of a durable task runs. One more costs every task: it needs a reason.
#[tokio::test]
async fn operations_of_a_durable_task_take_few_statements() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let incarnation = ledger.join("n", LEASE).await.unwrap();
    let call_id = CallId::generate();
    let call = NewCall { call_id, owner: anna(), turn: turn("?"), max_stored: None };
    ledger.accept_call(&incarnation, call).await.unwrap();
    ledger.reply(&incarnation, call_id, turn("reply")).await.unwrap();
    let task = |queue: Option<&str>| {
        let new = NewTask::new(call_id, anna(), "app", "work");
        let durable = NewDurable::new(new.task_id, "work", "{}", "{}");
        new.durable(queue.into_iter().fold(durable, NewDurable::queue))
    };
    let (plain, queued, second) = (task(None), task(Some("render")), task(Some("render")));
    let attempt = crate::ledger::Attempt::first(plain.task_id);
    let names = vec![DurableName::new("app", "work")];
    let limits = vec![crate::ledger::QueueLimit::new("app", "render", 9)];
    let audit = NewAudit::new(&anna(), "platform", "chat.inject", AuditOutcome::Done);
    let turn = ops::TurnJson { turn_id: crate::ids::TurnId::generate(), json: "{}".to_owned() };
    let end = ops::EndJson { state: TaskState::Succeeded, turn, audit, open_effects: 0, notes: None };
    let counts = ledger.writer.write(Weight::Light, move |tx| {
        let (mut before, mut counts) = (statements(), Vec::new());
        let mut note = |operation: &'static str| {
            let now = statements();
            counts.push((operation, now - std::mem::replace(&mut before, now)));
        };
        tx.start_task(&incarnation, &plain)?;
        note("start");
        tx.store_step(&incarnation, attempt, &NewStep::new(1, "one", StepKind::Step, "{}"))?;
        note("step");
        tx.store_step(&incarnation, attempt, &NewStep::new(2, "pay", StepKind::Intent, "{}"))?;
        note("intent");
        tx.store_step(&incarnation, attempt, &NewStep::new(3, "pay", StepKind::Effect, "{}"))?;
        note("effect");
        tx.release_task(&incarnation, attempt, &Release::HandOver, &AttemptReport::default())?;
        note("release");
        let claim = ClaimRequest::new(names.clone(), "v1", 2).suspect(false);
        let claimed = tx.claim_tasks(&incarnation, &claim)?;
        note("claim");
        tx.finish_task(&incarnation, claimed[0].record.task.attempt(), &end)?;
        note("end");
        tx.start_task(&incarnation, &queued)?;
        tx.start_task(&incarnation, &second)?;
        note("two starts in a queue");
        let claim = claim.queues(limits.clone());
        assert_eq!(tx.claim_tasks(&incarnation, &ClaimRequest { limit: 4, ..claim })?.len(), 2);
        note("claim of two from a queue");
        Ok(counts)
    });
    let wanted = [
        ("start", 10),
        ("step", 2),
        ("intent", 3),
        ("effect", 3),
        ("release", 10),
        ("claim", 12),
        ("end", 16),
        ("two starts in a queue", 22),
        ("claim of two from a queue", 27),
    ];
    assert_eq!(counts.await.unwrap(), wanted);
}

/// A durable task with one step that has failed; with an open question if it `asks`.
async fn ended_task(ledger: &SqliteLedger, incarnation: &Incarnation, asks: bool) {
    let call_id = CallId::generate();
    let call = NewCall { call_id, owner: anna(), turn: turn("?"), max_stored: None };
    ledger.accept_call(incarnation, call).await.unwrap();
    let new = NewTask::new(call_id, anna(), "app", "work");
    let durable = NewDurable::new(new.task_id, "work", "{}", "{}");
    let attempt = ledger.start_task(incarnation, new.durable(durable)).await.unwrap().attempt();
    ledger.store_step(incarnation, attempt, NewStep::new(1, "one", StepKind::Step, "{}")).await.unwrap();
    ledger.reply(incarnation, call_id, turn("reply")).await.unwrap();
    ledger.release_task(incarnation, attempt, Release::HandOver, AttemptReport::default()).await.unwrap();
    let request = ClaimRequest::new(vec![DurableName::new("app", "work")], "v1", 1);
    let attempt = ledger.claim_tasks(incarnation, request).await.unwrap()[0].record.task.attempt();
    if asks {
        ledger.ask_question(incarnation, attempt, NewQuestion::new(2, "two", "?", "{}")).await.unwrap();
    }
    let audit = NewAudit::new(&anna(), "platform", "chat.inject", AuditOutcome::Done);
    let end = TaskEnd::new(TaskState::Failed, turn("failed"), audit);
    ledger.finish_task(incarnation, attempt, end).await.unwrap();
}

#[tokio::test]
async fn pruned_task_leaves_no_rows() {
    let folder = Folder::new();
    let clock = std::sync::Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
    let ledger = SqliteLedger::open_with_clock(folder.file(), clock.clone()).unwrap();
    let incarnation = ledger.join("n", LEASE).await.unwrap();
    ended_task(&ledger, &incarnation, true).await;
    let rows = || {
        let conn = Connection::open(folder.file()).unwrap();
        let sql = "SELECT (SELECT count(*) FROM task), (SELECT count(*) FROM durable), (SELECT count(*) FROM step),
            (SELECT count(*) FROM question), (SELECT count(*) FROM attempt)";
        let read = |row: &rusqlite::Row<'_>| (0..5).map(|column| row.get(column)).collect::<Result<Vec<i64>, _>>();
        conn.query_row(sql, (), read).unwrap()
    };
    assert_eq!(rows(), [1, 1, 2, 1, 1]);
    clock.advance(Duration::from_secs(60));
    let age = Some(Duration::from_secs(1));
    let policy = RetentionPolicy { turns: age, tasks: age, events: age, audit: age };
    ledger.prune(&policy, 0, 100).await.unwrap();
    assert_eq!(rows(), [0; 5]);
}

/// A task may have thousands of steps, and a writer that comes meanwhile waits for the whole transaction.
#[tokio::test]
async fn pruning_removes_the_steps_of_a_few_tasks_at_a_time() {
    const TASKS: i64 = 20;
    const STEPS: i64 = 2_000;
    let folder = Folder::new();
    let clock = std::sync::Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
    let ledger = SqliteLedger::open_with_clock(folder.file(), clock.clone()).unwrap();
    let incarnation = ledger.join("n", LEASE).await.unwrap();
    for _ in 0..TASKS {
        ended_task(&ledger, &incarnation, false).await;
    }
    let conn = Connection::open(folder.file()).unwrap();
    let copies = "INSERT INTO step (step_id, name, kind, attempt, began_at, done_at, value)
        SELECT step_id + n, name, kind, attempt, began_at, done_at, value
        FROM step, (WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT ?1 - 1) SELECT n FROM n)";
    conn.execute(copies, [STEPS]).unwrap();
    clock.advance(Duration::from_secs(60));
    let age = Some(Duration::from_secs(1));
    let policy = RetentionPolicy { turns: age, tasks: age, events: age, audit: age };
    let count = || conn.query_row("SELECT count(*) FROM step", (), |row| row.get::<_, i64>(0)).unwrap();
    let (mut from, mut left, mut passes) = (Some(0), count(), 0);
    assert_eq!(left, TASKS * STEPS);
    while let Some(at) = from {
        from = ledger.prune(&policy, at, 500).await.unwrap().next;
        let now = count();
        assert!(left - now <= 10_000 + STEPS, "{} steps in one transaction", left - now);
        (left, passes) = (now, passes + 1);
    }
    assert_eq!(left, 0, "after {passes} passes");
}

/// For each of these jobs, how many of them were committed before it ran.
async fn committed_before(ledger: &SqliteLedger, folder: &Folder, tenant: &'static str, bytes: &[usize]) -> Vec<i64> {
    let jobs = bytes.iter().enumerate().map(|(number, bytes)| {
        let file = folder.file();
        let work = move |tx: &mut ops::Tx<'_>| {
            let sql = "INSERT INTO owner (tenant_id, user_id) VALUES (?1, ?2)";
            tx.connection().execute(sql, rusqlite::params![tenant, number.to_string()])?;
            let sql = "SELECT count(*) FROM owner WHERE tenant_id = ?1";
            Ok(Connection::open(&file)?.query_row(sql, [tenant], |row| row.get(0))?)
        };
        ledger.writer.write_sized(Weight::Light, *bytes, work)
    });
    as_one_batch(ledger, join_all(jobs)).await.into_iter().map(Result::unwrap).collect()
}

#[tokio::test]
async fn batch_ends_at_8_mib() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    assert_eq!(committed_before(&ledger, &folder, "small", &[100; 9]).await, [0; 9]);
    assert_eq!(committed_before(&ledger, &folder, "large", &[3 << 20; 7]).await, [0, 0, 0, 3, 3, 3, 6]);
    // A job that is larger than a batch, or than the queue, is a batch of its own.
    assert_eq!(committed_before(&ledger, &folder, "huge", &[100 << 20, 1]).await, [0, 1]);
}

/// A caller that gives up while it waits for room writes nothing.
#[tokio::test]
async fn jobs_wait_for_room_in_the_queue() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let mut busy = Box::pin(ledger.writer.write(Weight::Light, move |_| {
        wait.recv().unwrap();
        Ok(())
    }));
    assert!(poll_immediate(&mut busy).await.is_none());
    let ran = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    for _ in 0..70 {
        let ran = ran.clone();
        let mut job = Box::pin(ledger.writer.write_sized(Weight::Light, 1 << 20, move |_| {
            ran.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Ok(())
        }));
        assert!(poll_immediate(&mut job).await.is_none());
        // A task that has used up its turn in tokio finds nothing ready.
        tokio::task::yield_now().await;
    }
    go.send(()).unwrap();
    busy.await.unwrap();
    // Answered writes make room in the queue.
    ledger.writer.write_sized(Weight::Light, 64 << 20, |_| Ok(())).await.unwrap();
    drop(ledger);
    assert_eq!(ran.load(std::sync::atomic::Ordering::SeqCst), 64);
}
