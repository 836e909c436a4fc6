//! Schedules: one time makes one call, whichever nodes look.

use std::time::Duration;

use jiff::Timestamp;

use super::Backend;
use super::scene::{Node, all_of, anna, ben, bot, new_audit, new_call, ok};
use crate::ids::{CallId, ScheduleId};
use crate::ledger::{
    AppOwners, Attempt, DocumentSource, DocumentWrite, DocumentWrites, Fence, Incarnation, JobStep, LedgerError,
    NewDocument, NewSeen, Owner, ScheduleKind, ScheduleSource, ScheduleWrite, StoredSchedule, Work,
};

fn long_ago(minute: i64) -> Timestamp {
    Timestamp::from_second(1_600_000_000 + minute * 60).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn far_ahead() -> Timestamp {
    Timestamp::from_second(4_000_000_000).unwrap_or(Timestamp::MAX)
}

/// A write of a person that makes a schedule of the owner due, without its audit row.
fn write(schedule_id: ScheduleId, owner: &Owner, version: u64, wake_at: Timestamp) -> ScheduleWrite {
    let body = format!("{{\"version\":{version}}}");
    ScheduleWrite::new(schedule_id, owner.clone(), version, Some(wake_at), body)
}

impl Node {
    async fn schedule(&self, owner: &Owner, wake_at: Timestamp) -> ScheduleId {
        let id = ScheduleId::generate();
        assert!(ok(self.ledger.write_schedule(ScheduleSource::Person, write(id, owner, 1, wake_at)).await));
        id
    }

    async fn stored(&self, id: ScheduleId) -> Option<StoredSchedule> {
        ok(self.ledger.find_schedule(id).await)
    }

    /// Moves a schedule on and begins a call, as a node does that finds it due.
    async fn begin_due(&self, owner: &Owner, id: ScheduleId, version: u64) -> Result<bool, LedgerError> {
        let write = write(id, owner, version, far_ahead()).call(new_call(owner));
        self.ledger.write_schedule(ScheduleSource::Node(self.incarnation.clone()), write).await
    }

    async fn due(&self, limit: u32) -> Vec<ScheduleId> {
        ok(self.ledger.due_schedules(ScheduleKind::OfUsers, limit).await)
            .into_iter()
            .map(|due| due.schedule.schedule_id)
            .collect()
    }
}

/// With the names of its user and every character of its body.
pub async fn stored_schedule_comes_back_as_it_was(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let owner = Owner::new("te\0nant", "änna");
    let (id, body) = (ScheduleId::generate(), r#"{"name":"Mörgen\u0000 \\ 8"}"#);
    let new = ScheduleWrite::new(id, owner.clone(), 1, Some(far_ahead()), body.to_owned());
    let new = new.audit(new_audit(&owner, "schedule.create"));
    assert!(ok(node.ledger.write_schedule(ScheduleSource::Person, new).await));
    let stored = node.stored(id).await.unwrap_or_else(|| panic!("the schedule is stored"));
    assert_eq!((stored.schedule_id, &stored.owner, stored.version), (id, &owner, 1));
    assert_eq!((stored.wake_at, stored.body.as_str()), (Some(far_ahead()), body));
    assert_eq!(stored.created_at, stored.updated_at);
    assert_eq!(ok(node.ledger.schedules_of(&owner).await), std::slice::from_ref(&stored));
    let paused = ScheduleWrite::new(id, owner.clone(), 2, None, "{}".to_owned());
    assert!(ok(node.ledger.write_schedule(ScheduleSource::Person, paused).await));
    let after = node.stored(id).await.unwrap_or_else(|| panic!("the schedule is stored"));
    assert_eq!((after.wake_at, after.created_at), (None, stored.created_at));
    let look = node.look(&owner).await;
    assert_eq!((look.audit.len(), look.head), (1, 0), "a schedule makes no event");
    assert_eq!(node.stored(ScheduleId::generate()).await, None);
}

/// A write that knows an older version changes nothing, and leaves no audit row and no turn.
pub async fn version_decides_between_writers_of_a_schedule(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let id = node.schedule(&anna(), far_ahead()).await;
    for stale in [1, 3] {
        let late = write(id, &anna(), stale, far_ahead()).audit(new_audit(&anna(), "schedule.edit")).turn(bot("late"));
        assert!(!ok(node.ledger.write_schedule(ScheduleSource::Person, late).await));
    }
    let edit = write(id, &anna(), 2, far_ahead()).audit(new_audit(&anna(), "schedule.edit")).turn(bot("needs you"));
    assert!(ok(node.ledger.write_schedule(ScheduleSource::Person, edit).await));
    let look = node.look(&anna()).await;
    assert_eq!((look.audit.len(), look.turns.len(), look.head), (1, 1, 1));
    assert_eq!(node.stored(id).await.map(|stored| stored.version), Some(2));
}

/// The call is there exactly if the schedule has moved on, and it is a call like any other.
pub async fn due_schedule_moves_on_with_its_call(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let id = node.schedule(&anna(), long_ago(0)).await;
    let call = new_call(&anna());
    let (call_id, by_node) = (call.call_id, ScheduleSource::Node(node.incarnation.clone()));
    let claim = write(id, &anna(), 2, far_ahead()).call(call.clone());
    assert!(ok(node.ledger.write_schedule(by_node.clone(), claim.clone()).await));
    assert!(!ok(node.ledger.write_schedule(by_node.clone(), claim).await), "a repeated write is a stale one");
    let asked = ok(node.ledger.find_call(&anna(), call_id).await).map(|call| call.asked.body);
    assert_eq!(asked, Some(call.turn.clone()));
    ok(node.reply(call_id).await);
    assert_eq!(node.look(&anna()).await.head, 2);
    let mut same = write(id, &anna(), 3, far_ahead()).call(call);
    assert_eq!(node.ledger.write_schedule(by_node.clone(), same.clone()).await, Err(LedgerError::IdExists));
    same.call = Some(new_call(&anna()).max_stored(1));
    assert_eq!(node.ledger.write_schedule(by_node, same).await, Err(LedgerError::QuotaExceeded(1)));
    assert_eq!(node.stored(id).await.map(|stored| stored.version), Some(2), "a refused call leaves the schedule");
    let by_person = write(id, &anna(), 3, far_ahead()).call(new_call(&anna()));
    let refused = node.ledger.write_schedule(ScheduleSource::Person, by_person).await;
    assert_eq!(refused, Err(LedgerError::NotHolder));
}

/// Of nodes that find a schedule due at once, one begins its call.
pub async fn racing_nodes_begin_one_call(backend: &impl Backend) {
    let first = Node::start(backend, "first").await;
    let ids = [first.schedule(&anna(), long_ago(0)).await, first.schedule(&anna(), long_ago(1)).await];
    let mut racers = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let node = Node::start(backend, name).await;
        racers.push(tokio::spawn(async move {
            let mut won = 0;
            for id in ids {
                won += u32::from(ok(node.begin_due(&anna(), id, 2).await));
            }
            won
        }));
    }
    assert_eq!(all_of(racers).await.into_iter().sum::<u32>(), 2);
    let look = first.look(&anna()).await;
    assert_eq!((look.turns.len(), look.head), (2, 2));
    assert!(first.due(10).await.is_empty());
}

/// The earliest first, one of each user, none that sleeps.
pub async fn due_schedules_are_the_earliest_of_each_user(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    assert_eq!(ok(node.ledger.next_wake_in().await), None);
    let sleeping = node.schedule(&ben(), far_ahead()).await;
    assert!(ok(node.ledger.next_wake_in().await).is_some_and(|left| left > Duration::from_secs(3600)));
    let late = node.schedule(&anna(), long_ago(9)).await;
    let (early, middle) = (node.schedule(&anna(), long_ago(1)).await, node.schedule(&ben(), long_ago(5)).await);
    assert_eq!(node.due(10).await, [early, middle]);
    assert_eq!(node.due(1).await, [early]);
    assert_eq!(ok(node.ledger.next_wake_in().await), Some(Duration::ZERO));
    assert_eq!(node.begin_due(&anna(), early, 2).await, Ok(true));
    assert_eq!(node.due(10).await, [middle, late]);
    let paused = ScheduleWrite::new(middle, ben(), 2, None, "{}".to_owned());
    assert!(ok(node.ledger.write_schedule(ScheduleSource::Person, paused).await));
    assert_eq!(node.due(10).await, [late]);
    assert_eq!(node.stored(sleeping).await.map(|stored| stored.version), Some(1));
    let ids = async |owner: &Owner| {
        ok(node.ledger.schedules_of(owner).await).into_iter().map(|stored| stored.schedule_id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&anna()).await, [early, late]);
    assert_eq!(ids(&ben()).await, [middle, sleeping]);
}

/// However many nodes create them at once. Edits and removals are not refused.
pub async fn limit_of_schedules_holds_in_races(backend: &impl Backend) {
    let mut racers = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        let node = Node::start(backend, name).await;
        racers.push(tokio::spawn(async move {
            let new = write(ScheduleId::generate(), &anna(), 1, far_ahead()).most(3);
            node.ledger.write_schedule(ScheduleSource::Person, new).await
        }));
    }
    let outcomes = all_of(racers).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Ok(true)).count(), 3, "{outcomes:?}");
    let refused = outcomes.iter().filter(|outcome| **outcome == Err(LedgerError::TooManySchedules(3))).count();
    assert_eq!(refused, 2, "{outcomes:?}");
    let node = Node::start(backend, "n").await;
    let own = ok(node.ledger.schedules_of(&anna()).await);
    assert_eq!(own.len(), 3);
    let edit = write(own[0].schedule_id, &anna(), 2, far_ahead()).most(3);
    assert!(ok(node.ledger.write_schedule(ScheduleSource::Person, edit).await));
    let new = write(ScheduleId::generate(), &ben(), 1, far_ahead()).most(3);
    assert!(ok(node.ledger.write_schedule(ScheduleSource::Person, new).await), "another user has a limit of their own");
}

/// Tenant and user both count.
pub async fn schedules_of_others_are_not_written_or_removed(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let id = node.schedule(&anna(), far_ahead()).await;
    for other in [ben(), Owner::new("other", "anna")] {
        assert!(!ok(node.ledger.write_schedule(ScheduleSource::Person, write(id, &other, 2, far_ahead())).await));
        let audit = new_audit(&other, "schedule.delete");
        assert!(!ok(node.ledger.remove_schedule(&other, ScheduleSource::Person, id, Some(audit)).await));
        assert_eq!(ok(node.ledger.schedules_of(&other).await), []);
        assert_eq!(node.look(&other).await.audit, []);
    }
    let remove = async || {
        let audit = new_audit(&anna(), "schedule.delete");
        ok(node.ledger.remove_schedule(&anna(), ScheduleSource::Person, id, Some(audit)).await)
    };
    assert!(remove().await);
    assert!(!remove().await, "a removed schedule is gone");
    assert_eq!(node.look(&anna()).await.audit.len(), 1);
    assert_eq!(node.stored(id).await, None);
    assert_eq!(node.begin_due(&anna(), id, 2).await, Ok(false), "a removed schedule does not run");
    assert_eq!(node.look(&anna()).await.turns, []);
}

/// A node whose lease was ended begins no call; the next node does.
pub async fn ended_node_runs_no_schedule(backend: &impl Backend) {
    let zombie = Node::start(backend, "n").await;
    let id = zombie.schedule(&anna(), long_ago(0)).await;
    let node = Node::start(backend, "n").await;
    assert_eq!(zombie.begin_due(&anna(), id, 2).await, Err(LedgerError::Fenced));
    // Nor does it move a schedule on without a call.
    let by_zombie = ScheduleSource::Node(zombie.incarnation.clone());
    let moved = zombie.ledger.write_schedule(by_zombie, write(id, &anna(), 2, far_ahead())).await;
    assert_eq!(moved, Err(LedgerError::Fenced));
    assert_eq!(node.look(&anna()).await.turns, []);
    assert_eq!(node.due(10).await, [id]);
    assert_eq!(node.begin_due(&anna(), id, 2).await, Ok(true));
    assert_eq!(zombie.begin_due(&anna(), id, 3).await, Err(LedgerError::Fenced));
    assert_eq!(node.look(&anna()).await.turns.len(), 1);
}

/// Work writes schedules of its own user, while its node holds it and until it has ended.
pub async fn work_writes_only_its_users_schedules_until_it_ends(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let task_id = node.detached(&anna()).await;
    let put = async |incarnation: &Incarnation, work: Work, owner: &Owner| {
        let source = ScheduleSource::Work(Fence { incarnation: incarnation.clone(), work });
        node.ledger.write_schedule(source, write(ScheduleId::generate(), owner, 1, far_ahead())).await
    };
    let id = node.schedule(&anna(), far_ahead()).await;
    for work in [Work::Call(call_id), Work::Task(Attempt::first(task_id))] {
        assert_eq!(put(&node.incarnation, work, &anna()).await, Ok(true));
        assert_eq!(put(&node.incarnation, work, &ben()).await, Err(LedgerError::NotFound));
        let gone = Incarnation::new("n", node.incarnation.number - 1);
        assert_eq!(put(&gone, work, &anna()).await, Err(LedgerError::Fenced));
        let other = Node::start(backend, "other").await;
        assert_eq!(put(&other.incarnation, work, &anna()).await, Err(LedgerError::NotHolder));
        let source = ScheduleSource::Work(Fence { incarnation: other.incarnation.clone(), work });
        let audit = new_audit(&anna(), "schedule.delete");
        let removed = node.ledger.remove_schedule(&anna(), source, id, Some(audit)).await;
        assert_eq!(removed, Err(LedgerError::NotHolder));
    }
    ok(node.reply(call_id).await);
    ok(node.finish(&anna(), task_id).await);
    assert_eq!(put(&node.incarnation, Work::Call(call_id), &anna()).await, Err(LedgerError::AlreadyReplied));
    let task = Work::Task(Attempt::first(task_id));
    assert_eq!(put(&node.incarnation, task, &anna()).await, Err(LedgerError::AlreadyEnded));
    assert_eq!(ok(node.ledger.schedules_of(&anna()).await).len(), 3);
    assert_eq!(ok(node.ledger.schedules_of(&ben()).await).len(), 0);
}

/// The latest request counts. A due schedule comes with its user.
pub async fn user_is_stored_as_last_seen(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let id = node.schedule(&anna(), long_ago(0)).await;
    let due = ok(node.ledger.due_schedules(ScheduleKind::OfUsers, 1).await);
    assert_eq!(due.iter().map(|due| (due.schedule.schedule_id, due.seen.clone())).collect::<Vec<_>>(), [(id, None)]);
    let seen = |owner: Owner, app: &str, user: &str| NewSeen::new(owner, app, user.to_owned());
    let both = vec![seen(anna(), "", "{\"n\":1}"), seen(anna(), "app", "{\"n\":2}"), seen(ben(), "", "{\"n\":3}")];
    ok(node.ledger.note_seen(both).await);
    ok(node.ledger.note_seen(vec![seen(anna(), "", "{\"n\":4}"), seen(anna(), "", "{\"n\":5}")]).await);
    ok(node.ledger.note_seen(Vec::new()).await);
    let user = async |owner: &Owner, app: &str| ok(node.ledger.seen_user(owner, app).await).map(|seen| seen.user);
    assert_eq!(user(&anna(), "").await.as_deref(), Some("{\"n\":5}"));
    assert_eq!(user(&anna(), "app").await.as_deref(), Some("{\"n\":2}"));
    assert_eq!(user(&ben(), "").await.as_deref(), Some("{\"n\":3}"));
    assert_eq!(user(&ben(), "app").await, None);
    assert_eq!(user(&Owner::new("other", "anna"), "").await, None);
    let due = ok(node.ledger.due_schedules(ScheduleKind::OfUsers, 1).await);
    let seen = due.first().and_then(|due| due.seen.clone()).unwrap_or_else(|| panic!("the user was seen"));
    assert_eq!(seen.user, "{\"n\":5}");
    assert!(due[0].now.duration_since(seen.at).as_secs() < 600, "seen by the ledger's clock");
}

/// Never more at once than asked for.
pub async fn users_who_are_long_gone_are_forgotten(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let seen = |owner: Owner, app: &str| NewSeen::new(owner, app, "{}".to_owned());
    ok(node.ledger.note_seen(vec![seen(anna(), ""), seen(anna(), "app"), seen(ben(), "")]).await);
    assert_eq!(ok(node.ledger.forget_seen(Duration::from_secs(3600), 10).await), 0);
    assert_eq!(ok(node.ledger.forget_seen(Duration::MAX, 10).await), 0, "no age is too long");
    backend.pass(Duration::from_millis(20)).await;
    assert_eq!(ok(node.ledger.forget_seen(Duration::from_millis(1), 2).await), 2);
    assert_eq!(ok(node.ledger.forget_seen(Duration::from_millis(1), 2).await), 1);
    assert_eq!(ok(node.ledger.seen_user(&anna(), "").await), None);
    assert_eq!(ok(node.ledger.seen_user(&ben(), "").await), None);
}

impl Node {
    fn as_node(&self) -> ScheduleSource {
        ScheduleSource::Node(self.incarnation.clone())
    }

    async fn job(&self, owner: &Owner, job: &str, wake_at: Timestamp) -> ScheduleId {
        let id = ScheduleId::generate();
        assert!(ok(self.ledger.write_schedule(self.as_node(), write(id, owner, 1, wake_at).job(job)).await));
        id
    }

    /// Writes the next version of a job's schedule with a step of its work.
    async fn step_job(&self, owner: &Owner, id: ScheduleId, version: u64, step: JobStep) -> Result<bool, LedgerError> {
        // A node does not wait for another transaction, and one that was refused a moment ago may not have ended yet.
        for _ in 0..50 {
            let write = write(id, owner, version, far_ahead()).job_step(step);
            let written = self.ledger.write_schedule(self.as_node(), write).await;
            if written != Ok(false) {
                return written;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(false)
    }

    async fn due_jobs(&self) -> Vec<ScheduleId> {
        let due = ok(self.ledger.due_schedules(ScheduleKind::OfJobs, 10).await);
        due.into_iter().map(|due| due.schedule.schedule_id).collect()
    }
}

/// A user's list and limit know nothing of them, and neither kind waits for the other.
pub async fn schedules_of_jobs_are_apart_from_those_of_users(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let job = node.job(&anna(), "app/digest", long_ago(0)).await;
    let own = node.schedule(&anna(), long_ago(5)).await;
    let new = write(ScheduleId::generate(), &anna(), 1, far_ahead()).most(2);
    assert!(ok(node.ledger.write_schedule(ScheduleSource::Person, new).await), "a job counts for no limit");
    assert_eq!((node.due(10).await, node.due_jobs().await), (vec![own], vec![job]));
    let ids = |stored: Vec<StoredSchedule>| stored.into_iter().map(|one| one.schedule_id).collect::<Vec<_>>();
    assert!(!ids(ok(node.ledger.schedules_of(&anna()).await)).contains(&job));
    assert_eq!(ids(ok(node.ledger.jobs_of(&anna()).await)), [job]);
    assert_eq!(ok(node.ledger.jobs_of(&ben()).await), []);
    assert_eq!(node.stored(job).await.and_then(|stored| stored.job).as_deref(), Some("app/digest"));
    assert!(ok(node.step_job(&anna(), job, 2, JobStep::Begin(CallId::generate())).await));
    assert_eq!(node.stored(job).await.and_then(|stored| stored.job).as_deref(), Some("app/digest"), "it stays one");
    node.job(&ben(), "app/digest", long_ago(7)).await;
    node.job(&ben(), "app/other", far_ahead()).await;
    let jobs = ok(node.ledger.job_owners().await);
    let counts: Vec<_> = jobs.iter().map(|one| (one.job.as_str(), one.owners, one.next_wake_at)).collect();
    assert_eq!(counts, [("app/digest", 2, Some(long_ago(7))), ("app/other", 1, Some(far_ahead()))]);
    assert!(ok(node.ledger.remove_schedule(&anna(), node.as_node(), job, None).await));
    assert_eq!(node.look(&anna()).await.audit, [], "a job leaves no audit row");
}

/// It may write like a call, and nobody sees it as one.
pub async fn work_of_a_job_is_a_call_without_turns(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let id = node.job(&anna(), "app/digest", long_ago(0)).await;
    let call_id = CallId::generate();
    assert_eq!(node.step_job(&anna(), id, 2, JobStep::Begin(call_id)).await, Ok(true));
    assert_eq!(node.step_job(&anna(), id, 3, JobStep::Begin(call_id)).await, Err(LedgerError::IdExists));
    assert_eq!(ok(node.ledger.find_call(&anna(), call_id).await), None);
    let by_person = write(id, &anna(), 3, far_ahead()).job_step(JobStep::End(call_id));
    let refused = node.ledger.write_schedule(ScheduleSource::Person, by_person).await;
    assert_eq!(refused, Err(LedgerError::NotHolder));
    let put = async |incarnation: &Incarnation, owner: &Owner| {
        let fence = Fence { incarnation: incarnation.clone(), work: Work::Call(call_id) };
        let new = write(ScheduleId::generate(), owner, 1, far_ahead());
        node.ledger.write_schedule(ScheduleSource::Work(fence), new).await
    };
    assert_eq!(put(&node.incarnation, &anna()).await, Ok(true));
    assert_eq!(put(&node.incarnation, &ben()).await, Err(LedgerError::NotFound));
    let other = Node::start(backend, "other").await;
    assert_eq!(put(&other.incarnation, &anna()).await, Err(LedgerError::NotHolder));
    assert_eq!(other.step_job(&anna(), id, 3, JobStep::End(call_id)).await, Err(LedgerError::NotHolder));
    assert_eq!(other.step_job(&anna(), id, 3, JobStep::Reclaim(call_id)).await, Err(LedgerError::NotOrphaned));
    assert_eq!(node.step_job(&anna(), id, 3, JobStep::End(call_id)).await, Ok(true));
    assert_eq!(put(&node.incarnation, &anna()).await, Err(LedgerError::NotFound), "its row is gone");
    assert_eq!(node.step_job(&anna(), id, 4, JobStep::End(call_id)).await, Err(LedgerError::NotFound));
    let look = node.look(&anna()).await;
    assert_eq!((look.turns.len(), look.head, look.audit.len()), (0, 0, 0));
}

/// A task that it started ends after it, and may write until then.
pub async fn tasks_of_a_job_outlive_it(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let id = node.job(&anna(), "app/digest", long_ago(0)).await;
    let call_id = CallId::generate();
    assert_eq!(node.step_job(&anna(), id, 2, JobStep::Begin(call_id)).await, Ok(true));
    let task_id = node.task(call_id, &anna()).await;
    assert_eq!(node.finish(&anna(), task_id).await, Err(LedgerError::CallNotReplied));
    assert_eq!(node.step_job(&anna(), id, 3, JobStep::End(call_id)).await, Ok(true));
    assert_eq!(node.step_job(&anna(), id, 4, JobStep::End(call_id)).await, Err(LedgerError::AlreadyReplied));
    assert_eq!(ok(node.ledger.find_call(&anna(), call_id).await), None);
    ok(node.finish(&anna(), task_id).await);
    assert_eq!(node.look(&anna()).await.turns.len(), 1, "only the task speaks");
}

/// Recovery leaves it to the loop that looks at schedules, which ends it with its run.
pub async fn lost_job_is_reclaimed_with_its_schedule(backend: &impl Backend) {
    let zombie = Node::start(backend, "n").await;
    let id = zombie.job(&anna(), "app/digest", long_ago(0)).await;
    let call_id = CallId::generate();
    assert_eq!(zombie.step_job(&anna(), id, 2, JobStep::Begin(call_id)).await, Ok(true));
    let node = Node::start(backend, "n").await;
    assert_eq!(ok(node.ledger.orphans(10).await), []);
    assert_eq!(zombie.step_job(&anna(), id, 3, JobStep::End(call_id)).await, Err(LedgerError::Fenced));
    assert_eq!(node.step_job(&anna(), id, 3, JobStep::End(call_id)).await, Err(LedgerError::NotHolder));
    assert_eq!(node.step_job(&anna(), id, 3, JobStep::Reclaim(call_id)).await, Ok(true));
    assert_eq!(node.step_job(&anna(), id, 4, JobStep::Reclaim(call_id)).await, Err(LedgerError::NotFound));
    assert_eq!(node.look(&anna()).await.head, 0);
}

/// Those who called it, and those with documents in the collection, until they have their schedule.
pub async fn owners_of_an_app_called_it_or_have_documents(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let seen = |owner: &Owner, app: &str| NewSeen::new(owner.clone(), app, "{}".to_owned());
    let (carl, dora) = (Owner::new("other", "carl"), Owner::new("tenant", "dora"));
    ok(node.ledger.note_seen(vec![seen(&anna(), "app"), seen(&ben(), "other"), seen(&carl, "")]).await);
    let put = async |owner: &Owner, collection: &str, app: &str| {
        let writes = vec![DocumentWrite::put(collection, "d", NewDocument::new("{}"))];
        let source = DocumentSource::Operator(new_audit(owner, "document.import"));
        ok(node.ledger.write_documents(owner, source, DocumentWrites::new(app, 1, writes)).await);
    };
    put(&carl, "pages", "app").await;
    put(&anna(), "pages", "app").await;
    put(&dora, "other", "app").await;
    put(&dora, "pages", "other").await;
    let owners = async |wanted: AppOwners| {
        let mut owners = ok(node.ledger.owners_of_app(wanted).await);
        owners.sort_by_key(|owner| owner.user_id.to_string());
        owners
    };
    let called = |limit| AppOwners::new("app", Duration::from_secs(3600), "app/digest", limit);
    assert_eq!(owners(called(10)).await, [anna()]);
    assert_eq!(owners(called(10).or_documents_in("pages")).await, [anna(), carl.clone()]);
    assert_eq!(owners(called(1).or_documents_in("pages")).await.len(), 1);
    assert_eq!(owners(called(10).or_documents_in("none")).await, [anna()]);
    node.job(&anna(), "app/digest", far_ahead()).await;
    node.job(&carl, "app/another", far_ahead()).await;
    assert_eq!(owners(called(10).or_documents_in("pages")).await, [carl]);
}

/// A clock that is set back makes nothing due that has moved on, and hides nothing that is due.
pub async fn clock_set_back_makes_no_time_due_again(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let (moved, due) = (node.schedule(&anna(), long_ago(0)).await, node.schedule(&ben(), long_ago(1)).await);
    let job = node.job(&anna(), "app/digest", long_ago(0)).await;
    assert_eq!(node.begin_due(&anna(), moved, 2).await, Ok(true));
    let call_id = CallId::generate();
    assert_eq!(node.step_job(&anna(), job, 2, JobStep::Begin(call_id)).await, Ok(true));
    backend.set_back(Duration::from_secs(3600)).await;
    assert_eq!((node.due(10).await, node.due_jobs().await), (vec![due], vec![]));
    assert_eq!(node.begin_due(&anna(), moved, 2).await, Ok(false), "the time has its call");
    assert_eq!(node.begin_due(&ben(), due, 2).await, Ok(true));
    assert_eq!(node.step_job(&anna(), job, 3, JobStep::End(call_id)).await, Ok(true));
    assert_eq!(node.look(&anna()).await.turns.len(), 1);
}
