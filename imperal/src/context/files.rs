//! `ctx.files()`: files of the user, written and read in pieces.
//!
//! Owns the checks of names and times, and the files of a step, which are stored and deleted with it.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Poll_, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};

use super::{Context, StepFiles, StepScope};
use crate::codes;
use crate::error::Error;
use crate::files::{FileRef, check_name};
use crate::ids::FileId;
use crate::result::Result;
use crate::rows::FileChange;

/// Largest file that is read as a whole.
const WHOLE: u64 = 64 << 20;
/// Most files of one page of a list.
const PAGE: u32 = 1000;

/// The bytes of a file as they come.
pub(crate) type FileBytes = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// A file to be written, as the platform gets it.
pub(crate) struct FilePut {
    pub(crate) name: String,
    /// As the author says; `None` to guess it.
    pub(crate) content_type: Option<String>,
    pub(crate) keep_for: Option<Duration>,
    /// The size, where it is known before.
    pub(crate) size: Option<u64>,
    /// Whether it is stored at once. Otherwise a step stores it.
    pub(crate) is_stored: bool,
    pub(crate) content: FileBytes,
}

impl Context {
    /// The files of this extension and this user. They are kept until they are deleted, or for
    /// [a time](PutFile::expires_in), and their bytes are outside of the ledger: in a folder, or in S3-compatible storage.
    ///
    /// A [`FileRef`] in a result is shown on the chat page: pictures, sound and films in the page, all else as a
    /// download. A [`FileRef`] in the parameters of a function is a file that the user uploads.
    ///
    /// A handler or a background task has stored a file when `put` returns. In a step of a durable task files are stored
    /// and deleted with the step: if it fails, nothing has changed. Outside of steps a durable task reads files only.
    ///
    /// Secrets are not looked for in the content of files.
    ///
    /// ```
    /// # use imperal::prelude::*;
    /// # async fn example(ctx: Context) -> Result<()> {
    /// let files = ctx.files();
    /// let report = files.put("report.csv", "a,b\n1,2\n").content_type("text/csv").await?;
    /// assert_eq!(&*files.get(&report).await?, b"a,b\n1,2\n");
    /// # Ok(()) }
    /// ```
    pub fn files(&self) -> Files {
        Files { ctx: self.clone() }
    }

    /// The files of the step that uses this context now.
    fn step_files(&self) -> Option<Arc<StepFiles>> {
        self.step_in_use().map(|step: Arc<StepScope>| step.files().clone())
    }
}

/// The user's files of the extension. Made by [`Context::files`].
#[derive(Debug, Clone)]
pub struct Files {
    ctx: Context,
}

impl Files {
    /// Writes a file of these bytes: await the result. Its type is guessed from the first bytes unless it is
    /// [said](PutFile::content_type).
    ///
    /// # Errors
    /// Of the awaited value: `FILE_TOO_LARGE`; `FILES_EXCEEDED` over the user's limits; `STEP_NEEDED` in a durable task
    /// outside of a step; `INTERNAL` for a name that is empty, longer than 255 bytes, or has control characters or
    /// slashes; `UNAVAILABLE` when the ledger or the store cannot write; [`Error::cancelled`] when the work was
    /// cancelled or is over. Nothing was stored then.
    pub fn put(&self, name: impl Into<String>, bytes: impl Into<Bytes>) -> PutFile {
        let bytes = bytes.into();
        let size = Some(bytes.len() as u64);
        self.begin_put(name.into(), size, Box::pin(stream::once(std::future::ready(Ok(bytes)))))
    }

    /// Writes a file of the bytes of a stream, for example of a response: at no time is the whole of it in memory. An
    /// error of the stream ends it, and nothing is stored.
    ///
    /// # Errors
    /// As [`put`](Self::put), and the stream's own.
    pub fn put_stream<S, B>(&self, name: impl Into<String>, content: S) -> PutFile
    where
        S: Stream<Item = Result<B>> + Send + 'static,
        B: Into<Bytes>,
    {
        self.begin_put(name.into(), None, Box::pin(content.map(|bytes| bytes.map(Into::into))))
    }

    fn begin_put(&self, name: String, size: Option<u64>, content: FileBytes) -> PutFile {
        let put = FilePut { name, content_type: None, keep_for: None, size, is_stored: true, content };
        PutFile { ctx: self.ctx.clone(), put }
    }

    /// The bytes of a file of at most 64 MiB. For larger ones there is [`stream`](Self::stream).
    ///
    /// # Errors
    /// `NOT_FOUND` for a file that was deleted or has expired, and for one of another user or extension;
    /// `FILE_TOO_LARGE`; `FILE_UNREADABLE` if its bytes are gone or damaged; `UNAVAILABLE` when ledger or store cannot
    /// be read.
    pub async fn get(&self, file: &FileRef) -> Result<Bytes> {
        let found = self.found(file.file_id).await?;
        if found.size > WHOLE {
            return Err(Error::user(
                codes::FILE_TOO_LARGE,
                format!("{} has {} bytes; read it as a stream.", found.name, found.size),
            ));
        }
        let mut bytes = BytesMut::with_capacity(usize::try_from(found.size).unwrap_or_default());
        let mut stream = self.open(&found).await?;
        while let Some(next) = stream.next().await {
            bytes.extend_from_slice(&next?);
        }
        Ok(bytes.freeze())
    }

    /// The bytes of a file as they come.
    ///
    /// # Errors
    /// As [`get`](Self::get). If bytes are gone or damaged, the stream's last item is an error.
    pub async fn stream(&self, file: &FileRef) -> Result<FileStream> {
        let found = self.found(file.file_id).await?;
        self.open(&found).await
    }

    /// The file with this id; `None` if the user has no such file of this extension.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the ledger cannot be read.
    pub async fn find(&self, file_id: FileId) -> Result<Option<FileRef>> {
        self.ctx.check_active()?;
        if self.ctx.step_files().is_some_and(|step| step.has_deleted(file_id)) {
            return Ok(None);
        }
        let _in_flight = self.ctx.in_flight();
        let found = self.ctx.services().host.find_file(self.ctx.origin(), file_id).await?;
        self.ctx.signal().touch();
        Ok(found)
    }

    /// The latest files first, 100 of them: await it.
    pub fn list(&self) -> ListFiles {
        ListFiles { files: self.clone(), after: None, limit: 100 }
    }

    /// Deletes a file. Returns whether it existed. In a step it is deleted with the step.
    ///
    /// # Errors
    /// `STEP_NEEDED` in a durable task outside of a step; `UNAVAILABLE` when the ledger cannot write;
    /// [`Error::cancelled`] when the work was cancelled or is over.
    pub async fn delete(&self, file: &FileRef) -> Result<bool> {
        self.ctx.check_active()?;
        self.check_writes()?;
        let Some(step) = self.ctx.step_files() else {
            let _in_flight = self.ctx.in_flight();
            let deleted = self.ctx.services().host.delete_file(self.ctx.origin(), file.file_id).await?;
            self.ctx.signal().touch();
            return Ok(deleted);
        };
        let existed = self.find(file.file_id).await?.is_some();
        if existed {
            step.add(FileChange::Delete(file.file_id));
        }
        Ok(existed)
    }

    fn check_writes(&self) -> Result<()> {
        if self.ctx.keeps_documents() {
            return Ok(());
        }
        Err(Error::platform(
            codes::STEP_NEEDED,
            "A durable task writes and deletes files in steps only: outside of them it would do so again on each \
             attempt. Put this into `ctx.step(..)`, and use the context that its closure gets.",
        ))
    }

    async fn found(&self, file_id: FileId) -> Result<FileRef> {
        let found = self.find(file_id).await?;
        found.ok_or_else(|| Error::user(codes::NOT_FOUND, "The file is not there any more."))
    }

    async fn open(&self, file: &FileRef) -> Result<FileStream> {
        let content = self.ctx.services().host.read_file(self.ctx.origin(), file.clone()).await?;
        Ok(FileStream { ctx: self.ctx.clone(), content })
    }
}

/// A file that is written when this is awaited. Made by [`Files::put`].
#[must_use = "nothing is written unless this is awaited: add `.await?`"]
pub struct PutFile {
    ctx: Context,
    put: FilePut,
}

impl PutFile {
    /// The type of the content, for example `image/png`. A page shows a file only if its first bytes agree with it.
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.put.content_type = Some(content_type.into());
        self
    }

    /// The file is kept for this long. Without it, it is kept until it is deleted.
    pub fn expires_in(mut self, time: Duration) -> Self {
        self.put.keep_for = Some(time);
        self
    }
}

impl fmt::Debug for PutFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PutFile").field("name", &self.put.name).finish_non_exhaustive()
    }
}

impl IntoFuture for PutFile {
    type Output = Result<FileRef>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<FileRef>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { ctx, mut put } = self;
        Box::pin(async move {
            ctx.check_active()?;
            ctx.files().check_writes()?;
            check_name(&put.name).map_err(Error::internal)?;
            let step = ctx.step_files();
            put.is_stored = step.is_none();
            let signal = ctx.clone();
            // The stream may be slow; it is at work.
            put.content = Box::pin(put.content.inspect(move |_| signal.signal().touch()));
            let _in_flight = ctx.in_flight();
            let host = ctx.services().host.clone();
            let file = ctx.until_stopped(host.put_file(ctx.origin(), put)).await?;
            ctx.signal().touch();
            if let Some(step) = step {
                step.add(FileChange::Store(file.file_id));
            }
            Ok(file)
        })
    }
}

/// A page of files. Made by [`Files::list`]; await it.
#[derive(Debug, Clone)]
#[must_use = "nothing is read unless this is awaited: add `.await?`"]
pub struct ListFiles {
    files: Files,
    after: Option<FileId>,
    limit: u32,
}

impl ListFiles {
    /// Continues after the last file of a page.
    pub fn after(self, file_id: FileId) -> Self {
        Self { after: Some(file_id), ..self }
    }

    /// How many files, at most 1,000.
    pub fn limit(self, limit: u32) -> Self {
        Self { limit: limit.clamp(1, PAGE), ..self }
    }
}

impl IntoFuture for ListFiles {
    type Output = Result<Vec<FileRef>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Vec<FileRef>>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let ctx = &self.files.ctx;
            ctx.check_active()?;
            let _in_flight = ctx.in_flight();
            let mut found = ctx.services().host.list_files(ctx.origin(), self.after, self.limit).await?;
            if let Some(step) = ctx.step_files() {
                found.retain(|file| !step.has_deleted(file.file_id));
            }
            ctx.signal().touch();
            Ok(found)
        })
    }
}

/// The bytes of a file as they come. Made by [`Files::stream`].
pub struct FileStream {
    ctx: Context,
    content: FileBytes,
}

impl Stream for FileStream {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Poll_<'_>) -> Poll<Option<Self::Item>> {
        let next = self.content.as_mut().poll_next(cx);
        if next.is_ready() {
            self.ctx.signal().touch();
        }
        next
    }
}

impl fmt::Debug for FileStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStream").finish_non_exhaustive()
    }
}
