//! Runs: their times, and how the chat and the schedule show them.

use imperal::platform::{RunState, ScheduleState};

use super::*;

/// As its user, with its parameters, marked in the chat; the schedule knows how it ended.
#[imperal::test]
async fn due_schedule_runs_as_its_user(_platform: TestPlatform) {
    let (platform, ran) = platform().await;
    let anna = platform.user("anna");
    let id = create(&anna, "digest", json!({"text": "inbox"})).await;
    platform.pass(59 * MINUTE).await;
    assert_eq!(ran.count(), 0);
    platform.pass(2 * MINUTE).await;
    assert_eq!(ran.all(), ["anna inbox"]);
    platform.pass(2 * HOUR).await;
    assert_eq!(ran.count(), 3);

    let schedule = find(&anna, id).await;
    assert_eq!((schedule.state, schedule.words.as_str()), (ScheduleState::Active, "every hour"));
    assert_eq!((schedule.counts.runs, schedule.counts.missed, schedule.counts.failures), (3, 0, 0));
    let last = schedule.last_run.unwrap();
    assert_eq!((last.state, last.text.as_deref()), (RunState::Succeeded, Some("The digest is ready.")));
    assert!(schedule.running.is_none());

    let turns = turns(&anna).await;
    assert_eq!(turns.len(), 6);
    let asked = turns.iter().filter(|turn| turn.body.role == Role::User).collect::<Vec<_>>();
    for turn in asked {
        let mark = turn.body.schedule.as_ref().unwrap();
        assert_eq!((mark.id, mark.name.as_str(), mark.late_by), (id, "Morning digest", 0));
        assert_eq!(
            (turn.body.function.as_deref(), &turn.body.params),
            (Some("digest"), &Some(json!({"text": "inbox"})))
        );
    }
    let runs = anna.access().schedules().runs(id).await.unwrap();
    assert_eq!(runs.len(), 3);
    assert!(runs[0].due_at > runs[2].due_at, "newest first");
}

/// A second node on the same ledger makes no second call.
#[imperal::test]
async fn two_nodes_make_one_call(_platform: TestPlatform) {
    let ran = Ran::default();
    let first = TestPlatform::setup().state(ran.clone()).start().await;
    // Two nodes of one name would end each other's incarnation at each renewal, and with it a run.
    let second = TestPlatform::setup().settings(|settings| settings.node = "second".into());
    let second = second.state(ran.clone()).on_ledger_of(&first).start().await;
    for user in ["anna", "ben", "cara"] {
        create(&first.user(user), "digest", json!({})).await;
    }
    second.pass(5 * HOUR + MINUTE).await;
    assert_eq!(ran.count(), 15);
}

/// The other users' schedules run when places are free, and say how late they are.
#[imperal::test]
async fn node_runs_thirty_two_schedules_at_once(_platform: TestPlatform) {
    let (platform, ran) = platform().await;
    let mut ids = Vec::new();
    for number in 0..40 {
        let user = platform.user(&format!("user{number}"));
        ids.push((create(&user, "hang", json!({})).await, user));
    }
    platform.pass(HOUR + MINUTE).await;
    assert_eq!(ran.count(), 32);
    platform.pass(6 * MINUTE).await;
    assert_eq!(ran.count(), 40);
    let mut late = 0;
    for (id, user) in &ids {
        let run = user.access().schedules().runs(*id).await.unwrap().remove(0);
        late += u32::from(run.late_by_s >= 300);
    }
    assert_eq!(late, 8);
}

/// Times in which no process ran collapse into one run, which says how late it is.
#[imperal::test]
async fn missed_times_run_once(_platform: TestPlatform) {
    let (platform, ran) = platform().await;
    let anna = platform.user("anna");
    let id = create(&anna, "digest", json!({})).await;
    platform.platform().shutdown(Duration::ZERO).await;
    platform.pass(3 * HOUR + 30 * MINUTE).await;
    platform.crash().await;
    platform.pass(MINUTE).await;
    assert_eq!(ran.count(), 1);
    let schedule = find(&anna, id).await;
    assert_eq!((schedule.counts.runs, schedule.counts.missed), (1, 2));
    let late = schedule.last_run.unwrap().late_by_s;
    assert!((1790..1900).contains(&late), "{late}");
    let marked = turns(&anna).await.into_iter().find_map(|turn| turn.body.schedule).unwrap();
    assert_eq!(marked.late_by, late);
}

/// A run that still goes on is not joined by a second one.
#[imperal::test]
async fn overlap_is_skipped(_platform: TestPlatform) {
    let (platform, ran) = platform().await;
    let anna = platform.user("anna");
    let id = create(&anna, "ask", json!({})).await;
    platform.pass(HOUR + MINUTE).await;
    let schedule = find(&anna, id).await;
    let running = schedule.running.unwrap();
    assert_eq!(
        (running.state, running.text.as_deref()),
        (RunState::Waiting, Some("The question waits for your answer."))
    );
    platform.pass(2 * HOUR).await;
    let schedule = find(&anna, id).await;
    assert_eq!((schedule.counts.runs, schedule.counts.skipped), (1, 2));
    let runs = anna.access().schedules().runs(id).await.unwrap();
    assert_eq!(runs[0].text.as_deref(), Some("The run before waits for your answer."));
    let task_id = runs[2].task_ids[0];
    anna.answer(task_id, true).await;
    platform.pass(HOUR).await;
    assert_eq!(ran.all(), ["confirmed true"]);
    let schedule = find(&anna, id).await;
    assert_eq!((schedule.counts.runs, schedule.counts.skipped, schedule.counts.failures), (2, 2, 0));
}

/// A killed run says that it was interrupted, and is not run again.
#[imperal::test]
async fn killed_run_is_not_repeated(_platform: TestPlatform) {
    let (platform, ran) = platform().await;
    let anna = platform.user("anna");
    let id = create(&anna, "hang", json!({})).await;
    platform.pass(HOUR + Duration::from_secs(2)).await;
    assert_eq!(ran.count(), 1);
    platform.crash().await;
    platform.pass(30 * MINUTE).await;
    assert_eq!(ran.count(), 1);
    let schedule = find(&anna, id).await;
    assert_eq!(schedule.last_run.unwrap().state, RunState::Interrupted);
    assert_eq!((schedule.state, schedule.counts.failures), (ScheduleState::Active, 1));
    platform.pass(31 * MINUTE).await;
    assert_eq!(ran.count(), 2, "the next time runs");
}

/// Now, without moving the times after it.
#[imperal::test]
async fn schedule_is_run_by_hand(_platform: TestPlatform) {
    let (platform, ran) = platform().await;
    let anna = platform.user("anna");
    let id = create(&anna, "digest", json!({})).await;
    let next = find(&anna, id).await.next_at;
    platform.pass(10 * MINUTE).await;
    anna.access().schedules().run(id).await.unwrap();
    platform.pass(Duration::from_secs(2)).await;
    assert_eq!(ran.count(), 1);
    assert_eq!(find(&anna, id).await.next_at, next);
}

/// An interval whose start is within a second runs first at that start, as its preview says.
#[imperal::test]
async fn interval_runs_first_at_its_start(_platform: TestPlatform) {
    let (platform, ran) = platform().await;
    let schedules = platform.user("anna").access().schedules();
    let starts_at = jiff::Timestamp::now() + jiff::SignedDuration::from_millis(90_300);
    let request = json!({"when": {"every_seconds": 86_400}, "starts_at": starts_at});
    let preview = schedules.preview(serde_json::from_value(request).unwrap()).await.unwrap();
    let mut new = hourly("digest", json!({}));
    (new.when, new.starts_at, new.max_runs) = (When::EverySeconds(86_400), Some(starts_at), Some(1));
    let made = schedules.create(new).await.unwrap();
    assert_eq!(made.next_at, Some(preview.next[0].at));
    assert!(preview.next[0].at.duration_since(starts_at).as_millis() < 1000, "{preview:?}");
    platform.pass(2 * MINUTE).await;
    assert_eq!(ran.count(), 1);
}

/// The next times and their words, before anything is created.
#[imperal::test]
async fn preview_shows_the_next_times(_platform: TestPlatform) {
    let (platform, _) = platform().await;
    let schedules = platform.user("anna").access().schedules();
    let request = json!({"when": {"cron": "30 2 * * *"}, "zone": "europe/berlin"});
    let preview = schedules.preview(serde_json::from_value(request).unwrap()).await.unwrap();
    assert_eq!((preview.words.as_str(), preview.zone.as_str()), ("every day at 02:30", "Europe/Berlin"));
    assert_eq!(preview.next.len(), 5);
    assert!(preview.next.iter().all(|next| next.local.ends_with(&next.offset)));
    assert!(preview.next.windows(2).all(|pair| pair[0].at < pair[1].at));
    let notes: Vec<_> = preview.notes().collect();
    assert_eq!(notes.len(), 2);
    assert!(notes.iter().any(|note| note.contains("02:30 does not exist, it runs at 03:00")), "{notes:?}");
    assert!(schedules.list().await.unwrap().is_empty());
}
