//! Files that are not as the handler's extension wrote them: those of another extension, very large ones, and those whose
//! bytes have changed.

use std::sync::{Arc, Mutex};

use futures_util::TryStreamExt;
use imperal::ledger::SqliteLedger;
use imperal::testing::TestUser;
use rusqlite::Connection;

use super::*;

/// A platform on a SQLite file, in which a test changes rows.
struct OnFile {
    folder: tempfile::TempDir,
    _platform: TestPlatform,
    anna: TestUser,
    file: Arc<Mutex<Option<FileRef>>>,
}

/// Uses a file in each way. Returns what came of it.
async fn use_file(ctx: &Context, file: &FileRef) -> Result<String> {
    let files = ctx.files();
    let said = |read: Result<usize>| read.map_or_else(|error| error.code().to_string(), |size| size.to_string());
    let found = files.find(file.file_id).await?.is_some();
    let listed = files.list().await?.len();
    let got = said(files.get(file).await.map(|bytes| bytes.len()));
    let read = async { files.stream(file).await?.try_fold(0, async |sum, bytes| Ok(sum + bytes.len())).await };
    let streamed = said(read.await);
    let deleted = files.delete(file).await?;
    Ok(format!("found {found}, listed {listed}, got {got}, streamed {streamed}, deleted {deleted}"))
}

impl OnFile {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = Arc::new(Mutex::new(None));
        let used = file.clone();
        let setup = handler(move |ctx| {
            let file: Option<FileRef> = used.lock().unwrap().clone();
            async move { Ok(ActionResult::done(use_file(&ctx, &file.unwrap()).await?)) }
        });
        let ledger = SqliteLedger::open(folder.path().join("ledger.db")).unwrap();
        let platform = setup.ledger(Arc::new(ledger)).start().await;
        let anna = platform.user("anna");
        Self { folder, _platform: platform, anna, file }
    }

    fn sql(&self) -> Connection {
        Connection::open(self.folder.path().join("ledger.db")).unwrap()
    }

    /// Uploads a file of five bytes, and changes its row.
    async fn upload(&self, change: &str) -> FileRef {
        let file = self.anna.file("a.txt", "hello").await;
        let sql = format!("UPDATE file SET {change} WHERE file_id = '{}'", file.file_id);
        assert_eq!(self.sql().execute(&sql, ()).unwrap(), 1);
        file
    }

    /// The uses of the file that a handler of the extension `files` succeeds with.
    async fn use_it(&self, file: &FileRef) -> String {
        *self.file.lock().unwrap() = Some(file.clone());
        self.anna.call("handle", json!({})).await.unwrap().turn.body.text
    }
}

/// A disk that loses bits, or a copy of another file in its place.
#[imperal::test(clock = "real")]
async fn changed_bytes_are_an_error_for_a_handler() {
    let on_file = OnFile::start().await;
    let sound = on_file.upload("state = state").await;
    assert_eq!(on_file.use_it(&sound).await, "found true, listed 1, got 5, streamed 5, deleted true");
    let other = on_file.upload("sha256 = zeroblob(32)").await;
    let damaged = "found true, listed 1, got FILE_UNREADABLE, streamed FILE_UNREADABLE, deleted true";
    assert_eq!(on_file.use_it(&other).await, damaged);
}

/// A user's files of one extension are nothing to another extension, whatever it knows of them.
#[imperal::test(clock = "real")]
async fn files_of_other_extensions_are_not_there() {
    let on_file = OnFile::start().await;
    let file = on_file.upload("app_id = 'other'").await;
    let wanted = "found false, listed 0, got NOT_FOUND, streamed NOT_FOUND, deleted false";
    assert_eq!(on_file.use_it(&file).await, wanted);
    let refused = on_file.anna.call("read_files", json!({"file": file.file_id})).await.unwrap_err();
    assert_eq!((refused.code(), refused.field()), (&codes::VALIDATION_TYPE_ERROR, Some("file")));
    let state = "SELECT state FROM file";
    assert_eq!(on_file.sql().query_row(state, (), |row| row.get::<_, String>(0)).unwrap(), "pending");
    assert_eq!(names(&on_file.anna.files().await), ["a.txt"], "its user sees it");
}

/// A larger file is read as a stream.
#[imperal::test(clock = "real")]
async fn file_over_64_mib_is_not_read_into_memory() {
    let on_file = OnFile::start().await;
    for (size, got) in [(64 << 20, "FILE_UNREADABLE"), ((64 << 20) + 1, "FILE_TOO_LARGE")] {
        let file = on_file.upload(&format!("size = {size}")).await;
        // Most of its bytes are not there.
        let wanted = format!("found true, listed 1, got {got}, streamed FILE_UNREADABLE, deleted true");
        assert_eq!(on_file.use_it(&file).await, wanted);
    }
}
