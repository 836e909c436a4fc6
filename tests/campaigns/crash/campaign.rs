//! One process after another on the same folder: start, judge, work, kill.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinSet;

use super::contents::{Contents, ScheduleRow, TaskRow};
use super::driver::{Gone, TrackedUser, send};
use super::fate::Fate;
use super::judge::{AUDIT, EFFECT, FILE, GOES_ON, LIVE, REPLY, STEP, judge, judge_effects};
use super::report::{RULES, Report};
use super::stored_files::{AGE, AGED, judge_swept};
use crate::Dice;
use crate::support::step_service::StepService;
use crate::{Node, NodeOptions};

/// Processes on one folder: enough that they build on each other, few enough to read the whole file after each.
const LIVES: u64 = 20;

/// Longest wait for a named moment.
const PATIENCE: Duration = Duration::from_millis(2500);

/// Longest wait for a stream to show the events that are already in the ledger.
const CATCHING_UP: Duration = Duration::from_secs(10);

/// Longest time from SIGTERM to the end of the process: the grace period and what follows it.
const STOP: Duration = Duration::from_secs(25);

/// Concurrent requests of one user.
const HANDS: u64 = 2;

/// A campaign against one process.
#[derive(Debug)]
pub struct Campaign {
    /// The binary that hosts the extension `probe`, built with `crash-points`.
    pub binary: PathBuf,
    /// Number of kills.
    pub kills: u64,
    /// Seed of all choices.
    pub seed: u64,
    /// Whether the campaign prints its progress.
    pub talkative: bool,
}

/// One folder with its users.
struct World {
    folder: TempDir,
    options: NodeOptions,
    service: StepService,
    tracked_users: Vec<TrackedUser>,
    checked: [u64; RULES.len()],
}

/// Longest wait for the durable tasks of a folder to end: over the waits of the poison rules.
const REST: Duration = Duration::from_secs(420);

impl World {
    async fn new(binary: &Path) -> Self {
        let service = StepService::start().await;
        let folder = tempfile::tempdir().expect("a folder can be made");
        let mut options = NodeOptions::new(binary, folder.path().join("data"));
        options.env.push(("RUST_LOG".to_owned(), "error".to_owned()));
        options.log = Some(folder.path().join("log"));
        let tracked_users = [("default", "anna"), ("default", "ben"), ("north", "anna"), ("north", "cora")];
        let tracked_users =
            tracked_users.into_iter().map(|(tenant, id)| TrackedUser::new(tenant, id, &service.url)).collect();
        Self { folder, options, service, tracked_users, checked: [0; RULES.len()] }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Campaign {
    /// Runs the campaign and judges the ledger after each kill.
    ///
    /// # Panics
    /// When a node neither listens nor ends, or its file cannot be read.
    pub async fn run(&self) -> Report {
        let mut report = Report::new(self.seed);
        let mut dice = Dice::new(self.seed);
        while report.kills() < self.kills {
            let mut world = World::new(&self.binary).await;
            let lives = LIVES.min(self.kills - report.kills());
            let mut latest = "";
            for _ in 0..lives {
                let fate = Fate::choose(&mut dice);
                let missed = live(&mut world, &fate, latest, &mut report, &mut dice).await;
                report.killed(fate.name(), missed);
                latest = fate.name();
                if report.violations() > 0 {
                    break;
                }
            }
            let node = world.options.start().await;
            if !rests(&mut world, &node).await {
                report.found(GOES_ON, "tasks are open, or schedules are due, although the process was left alone");
            }
            judge_all(&mut world, &node, (latest, true), &mut report).await.expect("a node that is left alone answers");
            report.ended(&Contents::of_file(&world.options.folder.join("ledger.db")).tasks);
            let (checked, found) = world.service.verdict();
            report.counted(latest, STEP, checked);
            for what in found {
                report.found(STEP, &what);
            }
            let file = Contents::of_file(&world.options.folder.join("ledger.db"));
            let (checked, found) = judge_effects(&file, &world.service.effects, false);
            report.counted(latest, EFFECT, checked);
            for what in found {
                report.found(EFFECT, &what);
            }
            node.kill().await;
            let (checked, found) = swept(&world).await;
            report.counted(latest, FILE, checked);
            for what in found {
                report.found(FILE, &what);
            }
            for line in world.log().lines().filter(|line| line.contains("panicked at")) {
                report.found(REPLY, &format!("the platform panicked: {line}"));
            }
            if self.talkative {
                eprintln!("{} kills, {} violations", report.kills(), report.violations());
            }
            if report.violations() > 0 {
                let kept = world.folder.keep();
                report.note(format!("the folder is kept at {}", kept.display()));
                break;
            }
        }
        report
    }
}

/// Runs one process until its fate. Returns whether its named moment was never reached.
async fn live(world: &mut World, fate: &Fate, latest: &'static str, report: &mut Report, dice: &mut Dice) -> bool {
    let mut options = world.options.clone();
    options.env.extend(fate.env());
    if let Fate::Starting(after) = fate {
        let mut child = options.command().spawn().expect("the binary starts");
        tokio::time::sleep(*after).await;
        child.kill().await.expect("the process can be killed");
        return false;
    }
    let Some(mut node) = options.try_start().await else { return false };
    // The moment may come during recovery, before the first request.
    if !latest.is_empty() && judge_all(world, &node, (latest, false), report).await.is_err() {
        node.ended_within(PATIENCE).await;
        return false;
    }
    let mut at_work = JoinSet::new();
    let records: Vec<_> = world.tracked_users.iter().map(|tracked| tracked.record.clone()).collect();
    for (index, tracked) in world.tracked_users.iter_mut().enumerate() {
        let user = tracked.visit(&node);
        // A process that was asked to stop refuses later requests.
        tracked.may_be_refused = matches!(fate, Fate::Stopped(_));
        let mut others = records.clone();
        others.remove(index);
        for _ in 0..HANDS {
            at_work.spawn(tracked.clone().drive(user.clone(), others.clone(), dice.fork()));
        }
        let watching = tracked.clone();
        at_work.spawn(async move {
            let _ = watching.follow(user, false).await;
        });
    }
    let missed = match fate {
        Fate::At(..) => !node.ended_within(PATIENCE).await,
        Fate::After(time) => {
            tokio::time::sleep(*time).await;
            false
        }
        Fate::Stopped(time) => {
            tokio::time::sleep(*time).await;
            node.signal("TERM").await;
            !node.ended_within(STOP).await
        }
        Fate::Starting(_) => unreachable!("it was killed above"),
    };
    node.kill().await;
    // The users notice the kill by their broken connections.
    while let Some(done) = at_work.join_next().await {
        done.expect("users do not panic");
    }
    missed
}

/// Sweeps the files twice, as two days later: first unclaimed files are deleted, then the bytes are removed.
async fn swept(world: &World) -> (u64, Vec<String>) {
    let path = world.options.folder.join("ledger.db");
    for _ in 0..2 {
        let ledger = rusqlite::Connection::open(&path).expect("the file opens");
        ledger.execute(&format!("UPDATE {AGE}"), ()).expect("the file can be written");
        let node = world.options.start().await;
        crate::eventually("the sweep has looked at all files", async || {
            let left = ledger.query_row(&format!("SELECT count(*) FROM {AGED}"), (), |row| row.get::<_, i64>(0));
            (left == Ok(0)).then_some(())
        })
        .await;
        node.kill().await;
    }
    judge_swept(&Contents::of_file(&path), &world.options.folder.join("files"))
}

/// Waits until no task of the folder is open, and no schedule is due. The users answer what they are asked about effects.
async fn rests(world: &mut World, node: &Node) -> bool {
    let by = tokio::time::Instant::now() + REST;
    let is_at_work = |ledger: Contents| {
        let is_due = |schedule: &ScheduleRow| schedule.is_awake && !schedule.is_for_later;
        ledger.tasks.iter().any(TaskRow::is_open) || ledger.schedules.iter().any(is_due)
    };
    while is_at_work(Contents::of_file(&world.options.folder.join("ledger.db"))) {
        if tokio::time::Instant::now() > by {
            return false;
        }
        for tracked in &mut world.tracked_users {
            let user = tracked.visit(node);
            let _ = tracked.answer_effects(&user).await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    true
}

/// Lets every stream catch up, then judges the ledger. No user is at work, and the node settled the work of
/// earlier processes before it listened.
async fn judge_all(
    world: &mut World,
    node: &Node,
    (fate, at_rest): (&'static str, bool),
    report: &mut Report,
) -> Result<(), Gone> {
    let mut chats = Vec::new();
    for tracked in &mut world.tracked_users {
        let user = tracked.visit(node);
        match tokio::time::timeout(CATCHING_UP, tracked.clone().follow(user.clone(), true)).await {
            Ok(followed) => followed?,
            Err(_) => report.found(LIVE, &format!("{}'s stream never reached its head", tracked.mark())),
        }
        chats.push(chat(&user).await?);
        let (_, trail) = send(user.request(reqwest::Method::GET, "/v1/audit/check")).await?;
        if !trail["rows"].is_u64() || !trail["broken"].is_null() {
            report.found(AUDIT, &format!("{}'s audit trail is broken: {trail}", tracked.mark()));
        }
    }
    let file = Contents::of_file(&world.options.folder.join("ledger.db"));
    let verdict = judge(&file, &world.tracked_users, at_rest);
    for (rule, what) in verdict.found {
        report.found(rule, &what);
    }
    for (tracked, chat) in world.tracked_users.iter().zip(chats) {
        let owner = file.owner(&tracked.tenant, &tracked.id);
        let stored: Vec<_> =
            file.turns.iter().filter(|turn| Some(turn.owner) == owner).map(|turn| turn.turn_id.clone()).collect();
        let shown = if at_rest { stored.len() } else { chat.len().min(stored.len()) };
        if chat != stored[..shown] {
            report.found(REPLY, &format!("{} reads another chat over HTTP than the file holds", tracked.mark()));
        }
    }
    let mut new = verdict.checked;
    for (new, before) in new.iter_mut().zip(world.checked) {
        *new = new.saturating_sub(before);
    }
    world.checked = verdict.checked;
    report.checked(fate, new);
    Ok(())
}

/// The ids of all turns of the user's chat, read page by page.
pub(crate) async fn chat(user: &crate::User) -> Result<Vec<String>, Gone> {
    let (mut turns, mut after) = (Vec::new(), 0);
    loop {
        let path = format!("/v1/chat/turns?after={after}&limit=500");
        let (_, page) = send(user.request(reqwest::Method::GET, &path)).await?;
        let page_turns = page["turns"].as_array().into_iter().flatten();
        turns.extend(page_turns.filter_map(|turn| turn["turn_id"].as_str()).map(str::to_owned));
        match page["next"].as_u64() {
            Some(next) => after = next,
            None => return Ok(turns),
        }
    }
}
