//! Jobs of the extension: functions under `#[schedule]`.

use imperal::documents::Collection;
use imperal::ids::TaskId;
use imperal::ledger::Owner;
use imperal::platform::{Operator, RunState, Schedule};
use imperal::prelude::*;
use imperal::testing::{TestPlatform, TestUser};
use imperal::{User, codes};
use serde_json::json;

use super::{DAY, HOUR, MINUTE, Ran, turns};

#[derive(Serialize, Deserialize)]
struct Page {
    url: String,
}

const PAGES: Collection<Page> = Collection::new("pages");

/// Tidies up each hour.
#[schedule(cron = "0 * * * *", spread = "0s")]
async fn tidy(ctx: Context) -> Result<()> {
    let user = ctx.user().id.clone();
    ctx.state::<Ran>()?
        .1
        .lock()
        .unwrap()
        .push(format!("tidy {user} {}", ctx.user().scopes.join(",")).trim().to_owned());
    match user.as_str() {
        "failing" => Err(Error::user("SERVICE_DOWN", "The service is down.")),
        "panicking" => panic!("on purpose"),
        hanging if hanging.starts_with("hanging") => std::future::pending().await,
        "talking" => ctx.deliver_chat_message("All is tidy.").await.map(drop),
        "starting" => {
            let task = async |_ctx: Context| Ok(ActionResult::done("Swept."));
            ctx.background_task(task).name("Sweeping").await.map(drop)
        }
        "keeping" => ctx.documents(&PAGES).put("last", &Page { url: "https://last.example".into() }).await.map(drop),
        _ => Ok(()),
    }
}

/// Looks at the pages of each user who has some.
#[schedule(cron = "30 3 * * *", documents = PAGES, spread = "1h", name = "look_at_pages")]
async fn look(ctx: Context) -> Result<()> {
    let pages = ctx.documents(&PAGES).find().await?.documents.len();
    ctx.state::<Ran>()?.1.lock().unwrap().push(format!("look {} {pages}", ctx.user().id));
    Ok(())
}

impl Ran {
    fn jobs(&self, name: &str) -> Vec<String> {
        self.1.lock().unwrap().iter().filter(|ran| ran.starts_with(name)).cloned().collect()
    }
}

/// A platform at a time that is not near a full hour, when `tidy` runs by the machine's clock: so a number of hours has as many
/// runs.
async fn platform() -> (TestPlatform, Ran) {
    let (platform, ran) = super::platform().await;
    if !(1..55).contains(&jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).minute()) {
        platform.pass(10 * MINUTE).await;
    }
    (platform, ran)
}

/// A user who has called the extension, with the turns of that call.
async fn caller(platform: &TestPlatform, id: &str) -> TestUser {
    let user = platform.user(id);
    user.call("digest", json!({})).await.unwrap();
    user
}

/// Leaves the hour in which `look` has its times, by the machine's clock: a day that begins in it may have none of them.
async fn leave_the_hour_of_look(platform: &TestPlatform) {
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    let minute = i32::from(now.hour()) * 60 + i32::from(now.minute());
    if (3 * 60 + 25..=4 * 60 + 30).contains(&minute) {
        platform.pass(HOUR + 10 * MINUTE).await;
    }
}

/// How many rows of an action the user's audit trail has.
async fn rows(user: &TestUser, action: &str) -> usize {
    user.audit().await.iter().filter(|row| row.body.action == action).count()
}

async fn operator(platform: &TestPlatform) -> Operator {
    let mut user = User::new("olga", "admins");
    user.scopes = vec!["tasks:operate:all".to_owned()];
    platform.platform().access(user).operator().await.unwrap()
}

fn owner(user: &TestUser) -> Owner {
    user.access().user().into()
}

async fn job(platform: &TestPlatform, user: &TestUser, name: &str) -> Schedule {
    let jobs = operator(platform).await.schedules(&owner(user)).await.unwrap().jobs;
    jobs.into_iter().find(|job| job.name == name).unwrap()
}

/// Once at each time, as each user who has called the extension, without a word in the chat.
#[imperal::test]
async fn job_runs_for_each_caller_in_silence(_platform: TestPlatform) {
    let (platform, ran) = platform().await;
    let (anna, ben) = (caller(&platform, "anna").await, caller(&platform, "ben").await);
    platform.user("carl").access().turns(0, 1).await.unwrap();
    platform.pass(3 * HOUR).await;
    let mut jobs = ran.jobs("tidy");
    jobs.sort();
    assert_eq!(jobs, ["tidy anna", "tidy anna", "tidy anna", "tidy ben", "tidy ben", "tidy ben"]);
    assert_eq!((turns(&anna).await.len(), turns(&ben).await.len()), (2, 2), "the turns of their own calls");
    assert!(anna.access().schedules().list().await.unwrap().is_empty());
    let job = job(&platform, &anna, "tidy").await;
    assert_eq!((job.counts.runs, job.counts.failures, job.running), (3, 0, None));
    assert_eq!(job.last_run.unwrap().state, RunState::Succeeded);
}

/// Its deliveries, and the outcome of a task that it starts.
#[imperal::test]
async fn only_deliveries_and_tasks_of_a_job_speak(_platform: TestPlatform) {
    let (platform, _) = platform().await;
    let (talking, starting) = (caller(&platform, "talking").await, caller(&platform, "starting").await);
    platform.pass(HOUR).await;
    for (user, text) in [(&talking, "All is tidy."), (&starting, "Swept.")] {
        let turns = turns(user).await;
        assert_eq!(turns[2..].iter().map(|turn| turn.body.text.as_str()).collect::<Vec<_>>(), [text]);
    }
    assert_eq!(rows(&talking, "chat.inject").await, 1);
    let tasks: Vec<TaskId> = turns(&starting).await.iter().filter_map(|turn| turn.body.task_id).collect();
    assert_eq!(tasks.len(), 1);
}

/// Writes belong to the run, as those of a handler.
#[imperal::test]
async fn job_keeps_documents_of_its_user(_platform: TestPlatform) {
    let (platform, ran) = platform().await;
    leave_the_hour_of_look(&platform).await;
    let keeping = caller(&platform, "keeping").await;
    platform.pass(DAY).await;
    assert_eq!(ran.jobs("look"), ["look keeping 1"]);
    assert_eq!(keeping.documents(&PAGES).all().await.len(), 1);
}

/// A failure is counted and logged, and the next run comes at its time.
#[imperal::test]
async fn failing_job_goes_on(_platform: TestPlatform) {
    let (platform, ran) = platform().await;
    let (failing, panicking) = (caller(&platform, "failing").await, caller(&platform, "panicking").await);
    platform.pass(7 * HOUR).await;
    assert_eq!((ran.jobs("tidy failing").len(), ran.jobs("tidy panicking").len()), (7, 7));
    for user in [&failing, &panicking] {
        let job = job(&platform, user, "tidy").await;
        assert_eq!((job.counts.failures, job.counts.failures_in_a_row), (7, 7));
        assert_eq!(turns(user).await.len(), 2);
    }
    let last = job(&platform, &failing, "tidy").await.last_run.unwrap();
    assert_eq!((last.state, last.text.as_deref()), (RunState::Failed, Some("The service is down.")));
}

/// Until the job has run so often. Its times are those of the machine's clock.
async fn until_run(platform: &TestPlatform, ran: &Ran, times: usize) {
    for _ in 0..130 {
        if ran.jobs("tidy").len() >= times {
            return;
        }
        platform.pass(MINUTE).await;
    }
    panic!("{:?}", ran.jobs("tidy"));
}

/// After ten minutes, and then the next time runs.
#[imperal::test]
async fn hanging_job_is_stopped(_platform: TestPlatform) {
    let (platform, ran) = platform().await;
    let hanging = caller(&platform, "hanging").await;
    until_run(&platform, &ran, 2).await;
    assert!(job(&platform, &hanging, "tidy").await.running.is_some());
    platform.pass(11 * MINUTE).await;
    let job = job(&platform, &hanging, "tidy").await;
    assert_eq!((job.counts.runs, job.counts.skipped, job.counts.failures), (2, 0, 2));
    assert!(job.last_run.unwrap().text.unwrap().contains("600 s"));
}

/// The other users' runs begin when places are free.
#[imperal::test]
async fn node_runs_sixteen_jobs_at_once(_platform: TestPlatform) {
    let (platform, ran) = platform().await;
    for number in 0..20 {
        caller(&platform, &format!("hanging{number}")).await;
    }
    until_run(&platform, &ran, 16).await;
    platform.pass(MINUTE).await;
    assert_eq!(ran.jobs("tidy").len(), 16);
    platform.pass(11 * MINUTE).await;
    assert_eq!(ran.jobs("tidy").len(), 20);
}

/// The kill of its process ends a run, which is not repeated; its turns stay none.
#[imperal::test]
async fn killed_job_is_interrupted_once(_platform: TestPlatform) {
    let (platform, ran) = platform().await;
    let hanging = caller(&platform, "hanging").await;
    until_run(&platform, &ran, 1).await;
    platform.crash().await;
    platform.pass(6 * MINUTE).await;
    assert_eq!(ran.jobs("tidy").len(), 1);
    let job = job(&platform, &hanging, "tidy").await;
    assert_eq!((job.running, job.last_run.unwrap().state), (None, RunState::Interrupted));
    assert_eq!(turns(&hanging).await.len(), 2);
    until_run(&platform, &ran, 2).await;
}

/// Users with documents are found at a start, whether they ever called or not. They have no scopes.
#[imperal::test]
async fn owners_of_documents_are_users_of_a_job(_platform: TestPlatform) {
    let (platform, ran) = platform().await;
    leave_the_hour_of_look(&platform).await;
    let carl = platform.user("carl");
    carl.documents(&PAGES).put("one", &Page { url: "https://one.example".into() }).await;
    platform.crash().await;
    platform.pass(DAY).await;
    assert_eq!(ran.jobs("look"), ["look carl 1"]);
    assert!(ran.jobs("tidy").is_empty(), "the other job is for callers");
    carl.documents(&PAGES).delete("one").await;
    platform.pass(2 * DAY).await;
    assert_eq!(ran.jobs("look").len(), 1, "without documents it ends");
    assert!(operator(&platform).await.schedules(&owner(&carl)).await.unwrap().jobs.is_empty());
}

/// 90 days after the last call.
#[imperal::test]
async fn job_ends_when_its_user_is_gone(_platform: TestPlatform) {
    let (platform, ran) = platform().await;
    let anna = caller(&platform, "anna").await;
    platform.pass(91 * DAY).await;
    let count = ran.jobs("tidy").len();
    assert!((90 * 24 - 2..=90 * 24 + 1).contains(&count), "{count}");
    caller(&platform, "anna").await;
    platform.pass(2 * HOUR).await;
    assert_eq!(ran.jobs("tidy").len(), count + 2, "a call brings it back");
    assert_eq!(turns(&anna).await.len(), 4);
}

/// At one place in the window, each day the same.
#[imperal::test]
async fn runs_are_spread_over_the_window(_platform: TestPlatform) {
    let (platform, _) = platform().await;
    let mut late = Vec::new();
    for number in 0..8 {
        let user = platform.user(&format!("user{number}"));
        user.documents(&PAGES).put("one", &Page { url: String::new() }).await;
        user.call("digest", json!({})).await.unwrap();
    }
    platform.pass(DAY + HOUR).await;
    for number in 0..8 {
        let run = job(&platform, &platform.user(&format!("user{number}")), "look_at_pages").await.last_run.unwrap();
        assert!(run.late_by_s < 5, "late by the place in the window is not late");
        late.push(run.at.duration_since(run.due_at).as_secs());
    }
    assert!(late.iter().all(|late| (0..3601).contains(late)), "{late:?}");
    late.sort_unstable();
    late.dedup();
    assert!(late.len() > 4, "{late:?}");
}

/// An operator sees all jobs, and a user's with their runs.
#[imperal::test]
async fn operator_sees_jobs(_platform: TestPlatform) {
    let (platform, _) = platform().await;
    caller(&platform, "anna").await;
    platform.pass(HOUR).await;
    let jobs = operator(&platform).await.jobs().await.unwrap();
    let shown: Vec<_> =
        jobs.iter().map(|job| (job.job.split('@').next().unwrap(), job.cron.as_deref(), job.users)).collect();
    assert_eq!(shown, [("planner/look_at_pages", Some("30 3 * * *"), 1), ("planner/tidy", Some("0 * * * *"), 1)]);
    assert!(jobs.iter().all(|job| job.next_at.is_some()));
    let mut local = User::new("lea", "default");
    local.scopes = vec!["tasks:operate".to_owned()];
    let local = platform.platform().access(local).operator().await.unwrap();
    assert_eq!(local.jobs().await.unwrap_err().code(), &codes::PERMISSION_DENIED);
    assert_eq!(local.schedules(&Owner::new("other", "anna")).await.unwrap_err().code(), &codes::PERMISSION_DENIED);
}

/// Its user neither sees nor changes it among the own schedules.
#[imperal::test]
async fn job_is_no_schedule_of_its_user(_platform: TestPlatform) {
    let (platform, _) = platform().await;
    let anna = caller(&platform, "anna").await;
    platform.pass(MINUTE).await;
    let id = job(&platform, &anna, "tidy").await.id;
    let schedules = anna.access().schedules();
    for refused in [
        schedules.find(id).await.map(|_| ()),
        schedules.pause(id).await.map(|_| ()),
        schedules.run(id).await.map(|_| ()),
        schedules.remove(id).await,
    ] {
        assert_eq!(refused.unwrap_err().code(), &codes::NOT_FOUND);
    }
}

/// Jobs and schedules stop, stay stopped when their user resumes them, and go on when the operator says so.
#[imperal::test]
async fn operator_pauses_all_of_a_user(_platform: TestPlatform) {
    let (platform, ran) = platform().await;
    let anna = caller(&platform, "anna").await;
    let id = super::create(&anna, "digest", json!({"text": "own"})).await;
    let operator = operator(&platform).await;
    assert_eq!(operator.pause_schedules(&owner(&anna), true).await.unwrap(), 3);
    assert_eq!(operator.pause_schedules(&owner(&anna), true).await.unwrap(), 0);
    platform.pass(3 * HOUR).await;
    assert_eq!((ran.count(), ran.jobs("tidy").len()), (1, 0), "only the call by hand");
    let schedules = anna.access().schedules();
    let shown = schedules.find(id).await.unwrap();
    assert_eq!(shown.paused_by.as_deref(), Some("operator:admins/olga"));
    let refused = schedules.resume(id, None).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (&codes::SCHEDULE_NOT_ACTIVE, "An operator has paused it. Ask them to resume it.")
    );
    assert_eq!(operator.pause_schedules(&owner(&anna), false).await.unwrap(), 3);
    platform.pass(HOUR + MINUTE).await;
    assert_eq!((ran.count(), ran.jobs("tidy").len()), (2, 1));
    assert_eq!(rows(&anna, "schedule.pause").await, 3);
}
