//! Totals of files: exact after each change, whoever makes it. A limit shows them: it refuses one more.

use std::time::Duration;

use super::Backend;
use super::documents::request;
use super::durable::{attempt, step};
use super::files::{DAY, SECOND, content, new};
use super::scene::{Node, all_of, anna, ben, ok};
use crate::ids::FileId;
use crate::ledger::{FileChange, FileContent, FileLimits, FileRemoval, LedgerError, NewFile, Owner, Work};

impl Node {
    /// Checks the exact number and bytes of an owner's files of `app`.
    async fn expect_files(&self, owner: &Owner, count: u64, bytes: u64) {
        let begin = async |file: NewFile| self.ledger.begin_file(owner, self.upload(), file).await;
        let refused = begin(new("x").limits(FileLimits::new(count, u64::MAX))).await;
        assert_eq!(refused, Err(LedgerError::TooManyFiles(count)), "files are more than counted");
        let refused = begin(new("x").size(1).limits(FileLimits::new(u64::MAX, bytes))).await;
        assert_eq!(refused, Err(LedgerError::TooManyFileBytes(bytes)), "bytes are more than counted");
        let last = new("x").size(1).limits(FileLimits::new(count + 1, bytes + 1));
        assert_eq!(begin(last.clone()).await, Ok(()), "{count} files of {bytes} bytes are counted as more");
        self.remove(owner, last.file_id).await;
    }

    async fn remove(&self, owner: &Owner, file_id: FileId) -> bool {
        ok(self.ledger.delete_file(owner, FileRemoval::default(), file_id).await)
    }
}

/// Of the writes of work, of users, and of the sweep. A refused write changes none.
pub async fn totals_of_files_follow_each_change(backend: &impl Backend) {
    let node = Node::start_with(backend, "n", 10 * DAY).await;
    let expect = async |count, bytes| node.expect_files(&anna(), count, bytes).await;
    expect(0, 0).await;
    let begun = new("a").size(100).keep_for(Some(60 * SECOND));
    ok(node.ledger.begin_file(&anna(), node.upload(), begun.clone()).await);
    expect(1, 100).await;
    let again = node.ledger.begin_file(&anna(), node.upload(), begun.clone().limits(FileLimits::new(1, 100))).await;
    assert_eq!(again, Err(LedgerError::IdExists), "also of a user whose files are too many");
    let too_large = content(begun.file_id, 101).limits(FileLimits::new(1, 100));
    let refused = node.ledger.complete_file(&anna(), node.upload(), too_large).await;
    assert_eq!(refused, Err(LedgerError::TooManyFileBytes(100)));
    expect(1, 100).await;
    for _ in 0..2 {
        ok(node.ledger.complete_file(&anna(), node.upload(), content(begun.file_id, 7)).await);
        expect(1, 7).await;
    }
    // A larger file than was said, of a call, and one of another user and of another extension.
    let larger = node.uploaded(&anna(), "b", 30).await;
    node.uploaded(&ben(), "c", 1000).await;
    let other = NewFile { app_id: "other".into(), ..new("d") };
    ok(node.ledger.begin_file(&anna(), node.upload(), other.size(1000)).await);
    ok(node.accept_with(&anna(), vec![begun.file_id, larger]).await);
    expect(2, 37).await;
    backend.age_tasks(61 * SECOND).await;
    assert!(!node.remove(&anna(), begun.file_id).await);
    expect(2, 37).await;
    assert_eq!(ok(node.ledger.sweep_files(100).await).deleted, 1);
    expect(1, 30).await;
    for is_there in [true, false] {
        assert_eq!(node.remove(&anna(), larger).await, is_there);
        expect(0, 0).await;
    }
    node.uploaded(&anna(), "never claimed", 5).await;
    backend.age_tasks(DAY + SECOND).await;
    assert_eq!(ok(node.ledger.sweep_files(100).await).deleted, 3, "one of each user and extension");
    expect(0, 0).await;
    let due = ok(node.ledger.sweep_files(100).await).due;
    ok(node.ledger.forget_files(&due).await);
    expect(0, 0).await;
    node.expect_files(&ben(), 0, 0).await;
}

/// A step that is stored deletes files; one that is refused does not.
pub async fn totals_of_files_follow_steps(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task = node.durable(&anna()).await;
    let of = attempt(task, 1);
    let source = node.file_source(Work::Task(of));
    let mut written = Vec::new();
    for size in [3, 5] {
        let file = new("a");
        ok(node.ledger.begin_file(&anna(), source.clone(), file.clone()).await);
        ok(node.ledger.complete_file(&anna(), source.clone(), content(file.file_id, size)).await);
        written.push(file.file_id);
    }
    let store = async |ordinal, files: Vec<FileChange>| {
        let documents = request(Vec::new());
        node.ledger.store_step_with_files(&node.incarnation, of, step(ordinal), documents, files).await.map(drop)
    };
    let missing = FileId::generate();
    let refused = store(1, vec![FileChange::Delete(written[0]), FileChange::Store(missing)]).await;
    assert_eq!(refused, Err(LedgerError::FileMissing(missing)));
    node.expect_files(&anna(), 2, 8).await;
    let (kept, gone) = (FileChange::Store(written[1]), FileChange::Delete(written[0]));
    ok(store(1, vec![kept, gone]).await);
    node.expect_files(&anna(), 1, 5).await;
    assert_eq!(store(1, vec![kept, gone]).await, Err(LedgerError::IdExists));
    ok(store(2, vec![gone]).await);
    node.expect_files(&anna(), 1, 5).await;
}

/// Four nodes write and delete files of one user; then one deletes files while two sweep others.
pub async fn totals_of_files_are_exact_after_races(backend: &impl Backend) {
    let mut racers = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let node = Node::start_with(backend, name, 10 * DAY).await;
        racers.push(tokio::spawn(async move {
            let mut left = (0, 0);
            for size in 1..=6_u64 {
                let file = new("x").size(9);
                let stored = FileContent { is_stored: true, ..content(file.file_id, size) };
                ok(node.ledger.begin_file(&anna(), node.upload(), file.clone()).await);
                ok(node.ledger.complete_file(&anna(), node.upload(), stored).await);
                if size % 2 == 0 {
                    node.remove(&anna(), file.file_id).await;
                } else {
                    left = (left.0 + 1, left.1 + size);
                }
            }
            left
        }));
    }
    let left = all_of(racers).await.into_iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert_eq!(left, (12, 36));
    let node = Node::start_with(backend, "g", 10 * DAY).await;
    node.expect_files(&anna(), left.0, left.1).await;
    let listed = ok(node.ledger.files(&anna(), Some("app"), None, 100).await);
    let mut expiring = Vec::new();
    for _ in 0..12 {
        let file = new("y").keep_for(Some(60 * SECOND));
        ok(node.ledger.begin_file(&anna(), node.upload(), file.clone()).await);
        ok(node.ledger.complete_file(&anna(), node.upload(), content(file.file_id, 50)).await);
        expiring.push(file.file_id);
    }
    ok(node.accept_with(&anna(), expiring).await);
    backend.age_tasks(61 * SECOND).await;
    let mut racers = Vec::new();
    for name in ["h", "i"] {
        let node = Node::start_with(backend, name, 10 * DAY).await;
        racers.push(tokio::spawn(async move {
            let mut deleted = 0;
            // A shelf that another node holds is left for the next pass.
            for _ in 0..200 {
                deleted += ok(node.ledger.sweep_files(2).await).deleted;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            deleted
        }));
    }
    for file in &listed {
        assert!(node.remove(&anna(), file.file_id).await);
    }
    assert_eq!(all_of(racers).await.into_iter().sum::<u64>(), 12);
    node.expect_files(&anna(), 0, 0).await;
}
