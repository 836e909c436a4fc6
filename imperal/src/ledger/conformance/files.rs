//! Files: pending first, stored once, counted exactly, and removed in two steps.

use std::time::Duration;

use super::Backend;
use super::documents::{put, request};
use super::durable::{attempt, step};
use super::scene::{LONG, Node, all_of, anna, ben, new_audit, new_call, ok};
use crate::ids::FileId;
use crate::ledger::{
    Attempt, Fence, FileChange, FileContent, FileLimits, FileRemoval, FileSource, FileState, Incarnation, LedgerError,
    NewFile, Owner, StoredFile, Work,
};

pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);
pub(super) const SECOND: Duration = Duration::from_secs(1);

pub(super) fn new(name: &str) -> NewFile {
    NewFile::new(FileId::generate(), "app", name)
}

pub(super) fn content(file_id: FileId, size: u64) -> FileContent {
    FileContent::new(file_id, "image/png", size, [7; 32])
}

impl Node {
    pub(super) fn upload(&self) -> FileSource {
        FileSource::Upload(self.incarnation.clone())
    }

    pub(super) fn file_source(&self, work: Work) -> FileSource {
        FileSource::Work(Fence { incarnation: self.incarnation.clone(), work })
    }

    /// A file with content that nothing has claimed.
    pub(super) async fn uploaded(&self, owner: &Owner, name: &str, size: u64) -> FileId {
        let file = new(name);
        let file_id = file.file_id;
        ok(self.ledger.begin_file(owner, self.upload(), file).await);
        ok(self.ledger.complete_file(owner, self.upload(), content(file_id, size)).await);
        file_id
    }

    async fn file(&self, owner: &Owner, file_id: FileId) -> Option<StoredFile> {
        ok(self.ledger.find_files(owner, &[file_id]).await).pop()
    }

    async fn state_of_file(&self, owner: &Owner, file_id: FileId) -> Option<FileState> {
        self.file(owner, file_id).await.map(|file| file.state)
    }

    pub(super) async fn accept_with(&self, owner: &Owner, files: Vec<FileId>) -> Result<(), LedgerError> {
        self.ledger.accept_call_with_files(&self.incarnation, new_call(owner), files).await.map(drop)
    }
}

/// All that is known of it comes back, and it is listed once it has content.
pub async fn file_is_pending_until_it_is_completed(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "n").await, Node::start(backend, "m").await);
    let owner = Owner::new("te\0nant", "änna");
    let call = Work::Call(node.call(&owner).await);
    let file = new("a \0 ü \"name\".png").size(9).keep_for(Some(DAY));
    let file_id = file.file_id;
    ok(node.ledger.begin_file(&owner, node.file_source(call), file.clone()).await);
    let again = node.ledger.begin_file(&owner, node.file_source(call), file).await;
    assert_eq!(again, Err(LedgerError::IdExists));
    let Some(pending) = other.file(&owner, file_id).await else { panic!("the pending file is not there") };
    assert_eq!((pending.state, pending.size, pending.sha256), (FileState::Pending, 9, None));
    assert_eq!(ok(other.ledger.files(&owner, None, None, 10).await), []);
    let done = FileContent::new(file_id, "text/pl\0in", 5, [9; 32]).is_stored(true);
    let returned = ok(node.ledger.complete_file(&owner, node.file_source(call), done).await);
    let Some(stored) = other.file(&owner, file_id).await else { panic!("the file is not there") };
    assert_eq!(returned, stored);
    assert_eq!((&*stored.name, &*stored.app_id, &*stored.content_type), ("a \0 ü \"name\".png", "app", "text/pl\0in"));
    assert_eq!((stored.state, stored.size, stored.sha256), (FileState::Stored, 5, Some([9; 32])));
    assert_eq!(stored.created_at, pending.created_at);
    assert!(stored.expires_at.is_some_and(|until| until > stored.created_at));
    assert_eq!(ok(other.ledger.files(&owner, Some("app"), None, 10).await), [stored]);
    assert_eq!(node.look(&owner).await.audit.len(), 0, "a file makes no audit row");
}

/// The answer of a write may be lost. Other content is refused: the file's bytes never change.
pub async fn completing_again_changes_nothing(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let file_id = node.uploaded(&anna(), "a", 5).await;
    let again = ok(node.ledger.complete_file(&anna(), node.upload(), content(file_id, 5)).await);
    assert_eq!(Some(again), node.file(&anna(), file_id).await);
    for other in [content(file_id, 6), FileContent::new(file_id, "image/png", 5, [8; 32])] {
        let refused = node.ledger.complete_file(&anna(), node.upload(), other).await;
        assert_eq!(refused, Err(LedgerError::FileMissing(file_id)));
    }
    let unknown = FileId::generate();
    let refused = node.ledger.complete_file(&anna(), node.upload(), content(unknown, 5)).await;
    assert_eq!(refused, Err(LedgerError::FileMissing(unknown)));
}

/// They are not found, listed, completed, claimed or deleted.
pub async fn files_of_others_do_not_exist(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let file_id = node.uploaded(&anna(), "a", 5).await;
    let begun = new("b");
    ok(node.ledger.begin_file(&anna(), node.upload(), begun.clone()).await);
    for other in [ben(), Owner::new("other", "anna")] {
        assert_eq!(node.file(&other, file_id).await, None);
        assert_eq!(ok(node.ledger.files(&other, None, None, 10).await), []);
        assert!(!ok(node.ledger.delete_file(&other, FileRemoval::default(), file_id).await));
        let stolen = node.accept_with(&other, vec![file_id]).await;
        assert_eq!(stolen, Err(LedgerError::FileMissing(file_id)));
        let stolen = node.ledger.complete_file(&other, node.upload(), content(begun.file_id, 5)).await;
        assert_eq!(stolen, Err(LedgerError::FileMissing(begun.file_id)));
    }
    assert_eq!(ok(node.ledger.files(&anna(), Some("another"), None, 10).await), []);
    assert_eq!(node.state_of_file(&anna(), file_id).await, Some(FileState::Pending));
}

/// Work writes files of its own user, while its node holds it.
pub async fn work_writes_files_until_it_ends(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "n").await, Node::start(backend, "other").await);
    let call_id = node.call(&anna()).await;
    let task_id = node.detached(&anna()).await;
    let (call, task) = (Work::Call(call_id), Work::Task(Attempt::first(task_id)));
    let begin = async |incarnation: &Incarnation, work: Work, owner: &Owner| {
        let source = FileSource::Work(Fence { incarnation: incarnation.clone(), work });
        node.ledger.begin_file(owner, source, new("a")).await
    };
    for work in [call, task] {
        assert_eq!(begin(&node.incarnation, work, &anna()).await, Ok(()));
        assert_eq!(begin(&node.incarnation, work, &ben()).await, Err(LedgerError::NotFound));
        let gone = Incarnation::new("n", node.incarnation.number - 1);
        assert_eq!(begin(&gone, work, &anna()).await, Err(LedgerError::Fenced));
        assert_eq!(begin(&other.incarnation, work, &anna()).await, Err(LedgerError::NotHolder));
        let fence = Fence { incarnation: other.incarnation.clone(), work };
        let removed = node.ledger.delete_file(&anna(), FileRemoval::new(Some(fence), None), FileId::generate()).await;
        assert_eq!(removed, Err(LedgerError::NotHolder));
    }
    let left = new("left");
    ok(node.ledger.begin_file(&anna(), node.file_source(call), left.clone()).await);
    ok(node.reply(call_id).await);
    ok(node.finish(&anna(), task_id).await);
    assert_eq!(begin(&node.incarnation, call, &anna()).await, Err(LedgerError::AlreadyReplied));
    assert_eq!(begin(&node.incarnation, task, &anna()).await, Err(LedgerError::AlreadyEnded));
    let late = node.ledger.complete_file(&anna(), node.file_source(call), content(left.file_id, 1)).await;
    assert_eq!(late, Err(LedgerError::AlreadyReplied));
}

/// An ended incarnation completes nothing, and no other work completes its files.
pub async fn zombies_complete_no_files(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call = Work::Call(node.call(&anna()).await);
    let (begun, uploaded) = (new("a"), new("b"));
    ok(node.ledger.begin_file(&anna(), node.file_source(call), begun.clone()).await);
    ok(node.ledger.begin_file(&anna(), node.upload(), uploaded.clone()).await);
    let again = Node::start(backend, "n").await;
    for (source, file) in [(node.file_source(call), &begun), (node.upload(), &uploaded)] {
        let zombie = node.ledger.complete_file(&anna(), source, content(file.file_id, 1)).await;
        assert_eq!(zombie, Err(LedgerError::Fenced));
    }
    let other = Work::Call(again.call(&anna()).await);
    for (source, file) in [(again.file_source(other), &begun), (again.upload(), &uploaded)] {
        let stolen = again.ledger.complete_file(&anna(), source, content(file.file_id, 1)).await;
        assert_eq!(stolen, Err(LedgerError::FileMissing(file.file_id)));
    }
}

/// In the transaction of the call. A stored file may be a parameter again.
pub async fn accepted_call_stores_its_files(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "n").await, Node::start(backend, "m").await);
    let (one, two) = (node.uploaded(&anna(), "1", 5).await, other.uploaded(&anna(), "2", 5).await);
    assert_eq!(node.state_of_file(&anna(), one).await, Some(FileState::Pending));
    ok(other.accept_with(&anna(), vec![two, one, one]).await);
    for file_id in [one, two] {
        assert_eq!(node.state_of_file(&anna(), file_id).await, Some(FileState::Stored));
    }
    ok(node.accept_with(&anna(), vec![one]).await);
    ok(node.accept_with(&anna(), vec![]).await);
    assert_eq!(node.look(&anna()).await.turns.len(), 3);
}

/// Neither the call nor its turn is written, and its other files stay pending.
pub async fn refused_call_stores_no_file(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let file_id = node.uploaded(&anna(), "a", 5).await;
    let empty = new("no content");
    ok(node.ledger.begin_file(&anna(), node.upload(), empty.clone()).await);
    let gone = node.uploaded(&anna(), "gone", 5).await;
    assert!(ok(node.ledger.delete_file(&anna(), FileRemoval::default(), gone).await));
    let of_another = NewFile::new(FileId::generate(), "another", "a");
    ok(node.ledger.begin_file(&anna(), node.upload(), of_another.clone()).await);
    ok(node.ledger.complete_file(&anna(), node.upload(), content(of_another.file_id, 1)).await);
    for missing in [empty.file_id, gone, of_another.file_id, FileId::generate()] {
        let refused = node.accept_with(&anna(), vec![file_id, missing]).await;
        assert_eq!(refused, Err(LedgerError::FileMissing(missing)));
    }
    let call = new_call(&anna());
    ok(node.ledger.accept_call(&node.incarnation, call.clone()).await);
    let again = node.ledger.accept_call_with_files(&node.incarnation, call, vec![file_id]).await;
    assert_eq!(again, Err(LedgerError::IdExists));
    let fenced = Incarnation::new("n", node.incarnation.number - 1);
    let refused = node.ledger.accept_call_with_files(&fenced, new_call(&anna()), vec![FileId::generate()]).await;
    assert_eq!(refused, Err(LedgerError::Fenced));
    assert_eq!(node.state_of_file(&anna(), file_id).await, Some(FileState::Pending));
    assert_eq!(node.look(&anna()).await.turns.len(), 1);
}

/// And its documents: all or nothing. A file that the step deletes is there until then.
pub async fn files_and_their_step_are_stored_together(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task = node.durable(&anna()).await;
    let of = attempt(task, 1);
    let source = node.file_source(Work::Task(of));
    let write = async |name: &str| {
        let file = new(name);
        ok(node.ledger.begin_file(&anna(), source.clone(), file.clone()).await);
        ok(node.ledger.complete_file(&anna(), source.clone(), content(file.file_id, 3)).await);
        file.file_id
    };
    let (kept, old) = (write("kept").await, write("old").await);
    let store = async |ordinal, files: Vec<FileChange>, documents| {
        node.ledger.store_step_with_files(&node.incarnation, of, step(ordinal), request(documents), files).await
    };
    ok(store(1, vec![FileChange::Store(old)], Vec::new()).await);
    assert_eq!(node.state_of_file(&anna(), old).await, Some(FileState::Stored));
    let missing = FileId::generate();
    let refused = store(
        2,
        vec![FileChange::Store(kept), FileChange::Delete(old), FileChange::Store(missing)],
        vec![put("d", "1")],
    )
    .await;
    assert_eq!(refused.map(drop), Err(LedgerError::FileMissing(missing)));
    assert_eq!(node.state_of_file(&anna(), kept).await, Some(FileState::Pending));
    assert_eq!(node.state_of_file(&anna(), old).await, Some(FileState::Stored));
    assert_eq!(node.document(&anna(), "d").await, None);
    let changes = vec![FileChange::Store(kept), FileChange::Delete(old), FileChange::Delete(missing)];
    ok(store(2, changes.clone(), vec![put("d", "1")]).await);
    assert_eq!(node.state_of_file(&anna(), kept).await, Some(FileState::Stored));
    assert_eq!(node.file(&anna(), old).await, None);
    assert!(node.document(&anna(), "d").await.is_some());
    assert_eq!(store(2, changes, Vec::new()).await.map(drop), Err(LedgerError::IdExists));
    let again = Node::start(backend, "n").await;
    let zombie =
        node.ledger.store_step_with_files(&node.incarnation, of, step(3), request(Vec::new()), Vec::new()).await;
    assert_eq!(zombie.map(drop), Err(LedgerError::Fenced));
    drop(again);
}

/// Of an owner and an extension, over all nodes: files when they begin, bytes as they are known.
pub async fn limits_of_files_hold_in_races(backend: &impl Backend) {
    let limits = FileLimits::new(5, 100);
    let mut racers = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let node = Node::start(backend, name).await;
        racers.push(tokio::spawn(async move {
            let mut taken = 0;
            for _ in 0..3 {
                match node.ledger.begin_file(&anna(), node.upload(), new("x").size(10).limits(limits)).await {
                    Ok(()) => taken += 1,
                    Err(error) => assert_eq!(error, LedgerError::TooManyFiles(5)),
                }
            }
            taken
        }));
    }
    assert_eq!(all_of(racers).await.into_iter().sum::<u64>(), 5);
    let node = Node::start(backend, "e").await;
    ok(node.ledger.begin_file(&ben(), node.upload(), new("x").size(100).limits(limits)).await);
    ok(node
        .ledger
        .begin_file(&anna(), node.upload(), NewFile { app_id: "other".into(), ..new("x").limits(limits) })
        .await);
    let more = FileLimits::new(100, 100);
    let refused = node.ledger.begin_file(&anna(), node.upload(), new("x").size(51).limits(more)).await;
    assert_eq!(refused, Err(LedgerError::TooManyFileBytes(100)));
    let last = new("x").size(1).limits(more);
    ok(node.ledger.begin_file(&anna(), node.upload(), last.clone()).await);
    let refused = node.ledger.complete_file(&anna(), node.upload(), content(last.file_id, 51).limits(more)).await;
    assert_eq!(refused, Err(LedgerError::TooManyFileBytes(100)));
    ok(node.ledger.complete_file(&anna(), node.upload(), content(last.file_id, 50).limits(more)).await);
}

/// A deleted file frees its place at once. Its bytes are due a day later, and then its row goes.
pub async fn deleted_files_count_no_more_and_are_due_later(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let file_id = node.uploaded(&anna(), "a", 90).await;
    ok(node.accept_with(&anna(), vec![file_id]).await);
    let begin = async || {
        let new = new("b").size(20).limits(FileLimits::new(10, 100));
        node.ledger.begin_file(&anna(), node.upload(), new).await
    };
    assert_eq!(begin().await, Err(LedgerError::TooManyFileBytes(100)));
    let by_person = || FileRemoval::new(None, Some(new_audit(&anna(), "file.delete")));
    assert!(ok(node.ledger.delete_file(&anna(), by_person(), file_id).await));
    assert!(!ok(node.ledger.delete_file(&anna(), by_person(), file_id).await));
    assert_eq!(node.look(&anna()).await.audit.len(), 1);
    assert_eq!(node.file(&anna(), file_id).await, None);
    ok(begin().await);
    assert_eq!(ok(node.ledger.sweep_files(10).await).due, []);
    assert_eq!(ok(node.ledger.forget_files(&[file_id]).await), 0, "its bytes are kept for a day");
    backend.age_tasks(DAY + SECOND).await;
    let node = Node::start(backend, "n").await;
    assert_eq!(ok(node.ledger.sweep_files(10).await).due, [file_id]);
    assert_eq!(ok(node.ledger.forget_files(&[file_id, FileId::generate()]).await), 1);
    assert_eq!(ok(node.ledger.sweep_files(10).await).due, []);
}

/// Unless the attempt that began them still runs.
pub async fn pending_files_are_swept_after_a_day(backend: &impl Backend) {
    let lease = 3 * LONG;
    let node = Node::start_with(backend, "n", lease).await;
    let uploaded = node.uploaded(&anna(), "a", 5).await;
    let task_id = node.detached(&anna()).await;
    let (of_task, of_call) = (new("b"), new("c"));
    let task = node.file_source(Work::Task(Attempt::first(task_id)));
    ok(node.ledger.begin_file(&anna(), task, of_task.clone()).await);
    let call = node.file_source(Work::Call(node.call(&anna()).await));
    ok(node.ledger.begin_file(&anna(), call, of_call.clone()).await);
    assert_eq!(ok(node.ledger.sweep_files(10).await).deleted, 0);
    backend.age_tasks(DAY + SECOND).await;
    assert_eq!(ok(node.ledger.sweep_files(10).await).deleted, 2);
    assert_eq!(node.file(&anna(), uploaded).await, None);
    assert_eq!(node.file(&anna(), of_call.file_id).await, None);
    assert_eq!(node.state_of_file(&anna(), of_task.file_id).await, Some(FileState::Pending));
    ok(node.finish(&anna(), task_id).await);
    backend.age_tasks(DAY + SECOND).await;
    let swept = ok(node.ledger.sweep_files(10).await);
    assert_eq!((swept.deleted, swept.due.len()), (1, 2));
    assert_eq!(node.file(&anna(), of_task.file_id).await, None);
}

/// At once, and swept later. A file whose time is over is claimed by no call.
pub async fn expired_files_are_gone(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let begin = async |keep_for| {
        let file = new("a").keep_for(keep_for);
        ok(node.ledger.begin_file(&anna(), node.upload(), file.clone()).await);
        ok(node.ledger.complete_file(&anna(), node.upload(), content(file.file_id, 5)).await);
        file.file_id
    };
    let (short, unclaimed, long) = (begin(Some(60 * SECOND)).await, begin(Some(60 * SECOND)).await, begin(None).await);
    ok(node.accept_with(&anna(), vec![short, long]).await);
    backend.age_tasks(61 * SECOND).await;
    assert_eq!(node.file(&anna(), short).await, None);
    assert_eq!(node.accept_with(&anna(), vec![unclaimed]).await, Err(LedgerError::FileMissing(unclaimed)));
    assert!(!ok(node.ledger.delete_file(&anna(), FileRemoval::default(), short).await));
    assert_eq!(ok(node.ledger.files(&anna(), None, None, 10).await).len(), 1);
    assert_eq!(ok(node.ledger.sweep_files(10).await).deleted, 1);
    assert_eq!(node.state_of_file(&anna(), long).await, Some(FileState::Stored));
}

/// The latest first.
pub async fn files_are_listed_in_pages(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let mut wanted = Vec::new();
    for number in 0..7 {
        wanted.insert(0, node.uploaded(&anna(), &number.to_string(), 1).await);
    }
    node.uploaded(&ben(), "other", 1).await;
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = ok(node.ledger.files(&anna(), Some("app"), before, 3).await);
        let Some(last) = page.last() else { break };
        before = Some(last.file_id);
        found.extend(page.into_iter().map(|file| file.file_id));
    }
    assert_eq!(found, wanted);
    let found = ok(node.ledger.find_files(&anna(), &[wanted[6], wanted[0], FileId::generate()]).await);
    assert_eq!(found.len(), 2);
}
