//! Durable tasks that wait for a time: what they cost the start, the first calls and the claims of a node that holds
//! none of them, and how fast those of one second are taken up.
//!
//! The rows of the waiting tasks are copies of one parked task, made with SQL.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use imperal::ids::CallId;
use imperal::ledger::{
    AttemptReport, ClaimRequest, Clock, DurableName, Incarnation, Ledger, NewCall, NewDurable, NewTask, Owner, Park,
    Release, RetentionPolicy, Role, SqliteLedger, SystemClock, TurnBody,
};
use rusqlite::{Connection, params};

use super::Size;
use super::sample::{Sample, Table, resident, time};

const LEASE: Duration = Duration::from_secs(3600);
const OWNERS: u32 = 10_000;
const BATCH: u32 = 16;

async fn call(ledger: &SqliteLedger, incarnation: &Incarnation, owner: &Owner) -> CallId {
    let call_id = CallId::generate();
    let turn = TurnBody::new(Role::User, "work", "app").call_id(call_id);
    ledger.accept_call(incarnation, NewCall::new(call_id, owner.clone(), turn)).await.unwrap();
    call_id
}

async fn reply(ledger: &SqliteLedger, incarnation: &Incarnation, call_id: CallId) {
    ledger.reply(incarnation, call_id, TurnBody::new(Role::Bot, "done", "app").call_id(call_id)).await.unwrap();
}

/// One parked task, and `count` copies of it over many owners. `due` of them wake a second ago, the rest in a day.
async fn fill(file: &Path, count: u32, due: u32) {
    let ledger = SqliteLedger::open(file).unwrap();
    let incarnation = ledger.join("n", LEASE).await.unwrap();
    let owner = Owner::new("default", "anna");
    let call_id = call(&ledger, &incarnation, &owner).await;
    let new = NewTask::new(call_id, owner, "app", "work");
    let durable = NewDurable::new(new.task_id, "work", "{}", "{}");
    let attempt = ledger.start_task(&incarnation, new.durable(durable)).await.unwrap().attempt();
    reply(&ledger, &incarnation, call_id).await;
    let wake_at = SystemClock.now() + Duration::from_secs(24 * 3600);
    ledger
        .release_task(&incarnation, attempt, Release::Park(Park::new(wake_at, vec![])), AttemptReport::default())
        .await
        .unwrap();
    ledger.leave(&incarnation).await.unwrap();
    drop(ledger);
    let conn = Connection::open(file).unwrap();
    conn.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000; BEGIN").unwrap();
    let owners = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
        INSERT INTO owner (owner_id, tenant_id, user_id) SELECT n + 1, 'default', 'user-' || n FROM n";
    conn.execute(owners, [OWNERS]).unwrap();
    let copies = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
        INSERT INTO task (task_no, task_id, call_id, owner_id, node, incarnation, app_id, function, name, state,
            long_running, created_at, durable, attempt, waits_for)
        SELECT n + 1, printf('%08x-0000-7000-8000-000000000000', n), printf('%08x-0000-7000-8000-000000000001', n),
            2 + n % ?2, node, incarnation, app_id, function, name, state, long_running, created_at, 1, 1, waits_for
        FROM n, task t WHERE t.task_no = 1";
    conn.execute(copies, params![count, OWNERS]).unwrap();
    let copies = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
        INSERT INTO durable (task_no, app_id, task_name, root_task, cap, ready_at, owner_id, input, user)
        SELECT n + 1, app_id, task_name, printf('%08x-0000-7000-8000-000000000000', n), cap,
            iif(n <= ?2, ?3, ready_at + n), 2 + n % ?4, input, user FROM n, durable d WHERE d.task_no = 1";
    let past = SystemClock.now().as_microsecond() - 1_000_000;
    conn.execute(copies, params![count, due, past, OWNERS]).unwrap();
    conn.execute_batch("COMMIT").unwrap();
}

async fn timed<T>(work: impl Future<Output = T>) -> (f64, T) {
    let begun = Instant::now();
    let done = work.await;
    (begun.elapsed().as_secs_f64(), done)
}

fn request() -> ClaimRequest {
    ClaimRequest::new(vec![DurableName::new("app", "work")], "v1", BATCH)
}

/// A node starts on a file with this many waiting tasks, of which none is due.
async fn start(folder: &Path, count: u32, table: &mut Table) {
    let file = folder.join(format!("waiting-{count}.db"));
    fill(&file, count, 0).await;
    let before = resident("self");
    let begun = Instant::now();
    let ledger = SqliteLedger::open(&file).unwrap();
    let opened = begun.elapsed().as_secs_f64();
    let (joined, incarnation) = timed(ledger.join("n", LEASE)).await;
    let incarnation = incarnation.unwrap();
    let owner = Owner::new("default", "user-7");
    let (first_call, ()) = timed(async {
        let call_id = call(&ledger, &incarnation, &owner).await;
        reply(&ledger, &incarnation, call_id).await;
    })
    .await;
    let mut claims = Sample::default();
    for _ in 0..100 {
        let begun = Instant::now();
        assert!(ledger.claim_tasks(&incarnation, request()).await.unwrap().is_empty());
        claims.push(begun.elapsed());
    }
    let (renewed, done) = timed(ledger.renew(&incarnation, LEASE)).await;
    done.unwrap();
    let (marked, stuck) = timed(ledger.mark_stuck(&incarnation, Duration::ZERO)).await;
    assert_eq!(stuck, Ok(0));
    let (expired, ended) = timed(ledger.expire_leases(&incarnation)).await;
    ended.unwrap();
    let (orphaned, orphans) = timed(ledger.orphans(100)).await;
    assert!(orphans.unwrap().is_empty());
    let mut keep = RetentionPolicy::FOREVER;
    keep.turns = Some(LEASE);
    let (pruned, _) = timed(ledger.prune(&keep, 0, 1000)).await;
    let kib = (resident("self") - before) / 1024.0;
    let parts = [
        ("opened", opened),
        ("joined", joined),
        ("first call", first_call),
        ("claim, p50", claims.median()),
        ("renewal", renewed),
        ("look for stuck tasks", marked),
        ("look for lapsed leases", expired),
        ("look for orphans", orphaned),
        ("pass of retention", pruned),
    ];
    for (what, seconds) in parts {
        table.row(format!("{count} waiting tasks: {what}"), time(seconds), "");
    }
    table.row(format!("{count} waiting tasks: resident memory after all that"), format!("{kib:.0} KiB"), "");
}

/// Plain calls one after the other, each with its reply: at least 100, and on until `stop`.
async fn calls(ledger: Arc<SqliteLedger>, incarnation: Incarnation, stop: Arc<AtomicBool>) -> Sample {
    let (owner, mut sample, mut count) = (Owner::new("default", "user-9"), Sample::default(), 0);
    while count < 100 || !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let call_id = call(&ledger, &incarnation, &owner).await;
        reply(&ledger, &incarnation, call_id).await;
        sample.push(begun.elapsed());
        count += 1;
    }
    sample
}

/// Many tasks are due in the same second, and a user calls meanwhile.
async fn wake(folder: &Path, count: u32, due: u32, table: &mut Table) {
    let file = folder.join("due.db");
    fill(&file, count, due).await;
    let ledger = Arc::new(SqliteLedger::open(&file).unwrap());
    let incarnation = ledger.join("n", LEASE).await.unwrap();
    let alone = calls(ledger.clone(), incarnation.clone(), Arc::new(AtomicBool::new(true))).await;
    let stop = Arc::new(AtomicBool::new(false));
    let calling = tokio::spawn(calls(ledger.clone(), incarnation.clone(), stop.clone()));
    let (mut batches, mut last, mut taken) = (Sample::default(), String::new(), 0);
    let begun = Instant::now();
    loop {
        let batch = Instant::now();
        let claimed = ledger.claim_tasks(&incarnation, request()).await.unwrap();
        if claimed.is_empty() {
            break;
        }
        batches.push(batch.elapsed());
        for claimed in &claimed {
            let id = claimed.record.task.task_id.to_string();
            assert!(id > last, "tasks of the same second come in the order of their starts");
            last = id;
        }
        taken += u32::try_from(claimed.len()).unwrap();
    }
    let took = begun.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    let meanwhile = calling.await.unwrap();
    assert_eq!(taken, due);
    let what = format!("{due} of {count} tasks due in one second, claimed in batches of {BATCH}: all");
    table.row(what, time(took), "");
    let of = |sample: &Sample| format!("{} (p99 {})", time(sample.median()), time(sample.at(0.99)));
    table.row("the same, one batch, p50", of(&batches), "");
    table.row("one plain call with its reply, before that, p50", of(&alone), "");
    table.row("one plain call with its reply, meanwhile, p50", of(&meanwhile), "");
}

pub(crate) async fn run(size: Size, folder: &Path, table: &mut Table) {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let of = |full, smoke| u32::try_from(size.of(full, smoke)).unwrap();
    start(folder.path(), of(1_000, 100), table).await;
    start(folder.path(), of(1_000_000, 200), table).await;
    wake(folder.path(), of(1_000_000, 1_000), of(10_000, 200), table).await;
}
