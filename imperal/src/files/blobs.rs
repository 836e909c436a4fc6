//! The bytes of files: in a folder, in memory, or in an S3-compatible service. A key is a file's id and nothing else.
//!
//! Bytes are streamed both ways; an upload holds at most two parts in memory. An upload that is dropped is aborted, so
//! that a service keeps no parts of it. Nothing lists the store: the ledger knows all keys.

use std::fmt;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::Path as FilePath;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
#[cfg(any(test, feature = "testing"))]
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};
use sha2::{Digest, Sha256};

use crate::ids::FileId;

/// Size of the parts of an upload. S3 needs 5 MiB at least, and the same for all but the last.
const PART: usize = 5 << 20;

/// The bytes of a file as they come.
pub(crate) type BlobStream = Pin<Box<dyn Stream<Item = Result<Bytes, BlobError>> + Send>>;

/// Why the store did not read or write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BlobError {
    /// There are no bytes under the id, or fewer than there were.
    Gone,
    /// The disk has no space left. The text is for the operator.
    Full(String),
    /// The store cannot be reached or refuses. The text is for the operator.
    Unavailable(String),
}

impl fmt::Display for BlobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("the bytes of the file are gone from the store; restore a copy of it"),
            Self::Full(why) => write!(f, "the disk of the files is full; free some space ({why})"),
            Self::Unavailable(why) => write!(f, "the store of files is not available: {why}"),
        }
    }
}

impl std::error::Error for BlobError {}

impl From<object_store::Error> for BlobError {
    fn from(error: object_store::Error) -> Self {
        if matches!(error, object_store::Error::NotFound { .. }) {
            return Self::Gone;
        }
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            let full = [ErrorKind::StorageFull, ErrorKind::QuotaExceeded, ErrorKind::FileTooLarge];
            if error.downcast_ref::<std::io::Error>().is_some_and(|error| full.contains(&error.kind())) {
                return Self::Full(text);
            }
            let more = error.to_string();
            if !text.contains(&more) {
                text = format!("{text}: {more}");
            }
            cause = error.source();
        }
        Self::Unavailable(text)
    }
}

/// The size and hash of written bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) size: u64,
    pub(crate) sha256: [u8; 32],
}

/// The store. Cloning is cheap; all clones are one store.
#[derive(Clone)]
pub(crate) struct Blobs {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    /// Of a store in a folder.
    folder: Option<Arc<FilePath>>,
}

impl fmt::Debug for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blobs({})", self.store)
    }
}

impl Blobs {
    /// A store in memory, for tests.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn in_memory() -> Self {
        Self { store: Arc::new(InMemory::new()), prefix: Path::default(), folder: None }
    }

    /// A store in a folder, which is made if it is missing, readable by this user only. What is written is synced.
    ///
    /// # Errors
    /// A sentence that names the folder.
    #[cfg(feature = "platform")]
    pub(crate) fn in_folder(folder: &FilePath) -> Result<Self, String> {
        let opened = crate::private_file::make_folder(folder).map_err(|error| error.to_string()).and_then(|()| {
            object_store::local::LocalFileSystem::new_with_prefix(folder).map_err(|error| error.to_string())
        });
        let store = opened.map_err(|error| format!("cannot use {} for files: {error}", folder.display()))?;
        let folder = Some(Arc::from(folder));
        Ok(Self { store: Arc::new(store.with_fsync(true)), prefix: Path::default(), folder })
    }

    /// The store of a URL: `file:///folder`, or with the feature `s3` `s3://bucket/prefix`, whose keys and endpoint come
    /// from the usual `AWS_` variables.
    ///
    /// # Errors
    /// A sentence that names the URL and what may be used instead.
    #[cfg(feature = "platform")]
    pub(crate) fn open(url: &str) -> Result<Self, String> {
        if let Some(folder) = url.strip_prefix("file://") {
            if !folder.starts_with('/') {
                return Err(format!("invalid URL of files {url:?}; use file:///folder with the folder's whole path"));
            }
            return Self::in_folder(FilePath::new(folder));
        }
        if let Some(rest) = url.strip_prefix("s3://") {
            return Self::in_bucket(rest);
        }
        Err(format!("invalid URL of files {url:?}; use file:///folder or s3://bucket/prefix"))
    }

    #[cfg(all(feature = "platform", not(feature = "s3")))]
    fn in_bucket(_: &str) -> Result<Self, String> {
        Err("this program was built without S3; build it with the feature `s3` of imperal, or use file:///folder"
            .to_owned())
    }

    #[cfg(feature = "s3")]
    fn in_bucket(rest: &str) -> Result<Self, String> {
        crate::tls::choose_cryptography();
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let store = object_store::aws::AmazonS3Builder::from_env().with_bucket_name(bucket).build();
        let store = store.map_err(|error| format!("cannot use s3://{rest} for files: {error}"))?;
        let prefix = Path::parse(prefix.trim_matches('/')).map_err(|error| format!("invalid prefix: {error}"))?;
        Ok(Self { store: Arc::new(store), prefix, folder: None })
    }

    fn key(&self, file_id: FileId) -> Path {
        self.prefix.clone().join(file_id.to_string())
    }

    /// Writes the bytes of a file. When this returns they are durable. The error of the stream ends the upload, and is
    /// returned as it is.
    pub(crate) async fn put<E>(
        &self,
        file_id: FileId,
        content: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<Written, E>
    where
        E: From<BlobError>,
    {
        let store = |error: object_store::Error| E::from(BlobError::from(error));
        let mut content = std::pin::pin!(content);
        let (mut hash, mut size) = (Sha256::new(), 0_u64);
        let (mut part, mut held) = (Vec::new(), 0);
        let mut upload: Option<Upload> = None;
        while let Some(mut bytes) = content.try_next().await? {
            hash.update(&bytes);
            size += bytes.len() as u64;
            while held + bytes.len() >= PART {
                part.push(bytes.split_to(PART - held));
                let upload = match &mut upload {
                    Some(upload) => upload,
                    None => upload.insert(Upload::begin(&*self.store, &self.key(file_id)).await.map_err(store)?),
                };
                let full: PutPayload = std::mem::take(&mut part).into_iter().collect();
                held = 0;
                upload.part(full).await.map_err(store)?;
            }
            held += bytes.len();
            if !bytes.is_empty() {
                part.push(bytes);
            }
        }
        let rest: PutPayload = part.into_iter().collect();
        match upload {
            None => {
                self.store.put(&self.key(file_id), rest).await.map_err(store)?;
            }
            Some(mut upload) => {
                if rest.content_length() > 0 {
                    upload.part(rest).await.map_err(store)?;
                }
                upload.complete().await.map_err(store)?;
            }
        }
        Ok(Written { size, sha256: hash.finalize().into() })
    }

    /// The bytes of a range of a file. Fewer bytes than that are an error at the end of the stream.
    ///
    /// # Errors
    /// `Gone` for a file without bytes.
    pub(crate) async fn get(&self, file_id: FileId, range: Range<u64>) -> Result<BlobStream, BlobError> {
        if range.is_empty() {
            return Ok(Box::pin(stream::empty()));
        }
        let wanted = range.end - range.start;
        let options = GetOptions::new().with_range(Some(GetRange::Bounded(range.clone())));
        let found = match self.store.get_opts(&self.key(file_id), options).await {
            Ok(found) => found,
            // Also for a range that begins after the end of the bytes that are left.
            Err(error) => {
                let is_short = self.store.head(&self.key(file_id)).await.is_ok_and(|meta| meta.size < range.end);
                return Err(if is_short { BlobError::Gone } else { error.into() });
            }
        };
        let counted = found.into_stream().map_err(BlobError::from).map(Some).chain(stream::once(async { None }));
        let bytes = counted.scan(0_u64, move |seen, next| {
            let next = match next {
                Some(Ok(bytes)) => {
                    *seen += bytes.len() as u64;
                    Some(Ok(bytes))
                }
                Some(Err(error)) => Some(Err(error)),
                None if *seen < wanted => Some(Err(BlobError::Gone)),
                None => None,
            };
            std::future::ready(next)
        });
        Ok(Box::pin(bytes))
    }

    /// Removes the bytes of a file; none are no error.
    pub(crate) async fn delete(&self, file_id: FileId) -> Result<(), BlobError> {
        if let Some(folder) = &self.folder {
            // The part that a killed process was writing has the store's own name for the first upload of a key.
            let part = folder.join(format!("{}#1", self.key(file_id)));
            drop(tokio::task::spawn_blocking(move || std::fs::remove_file(part)).await);
        }
        match self.store.delete(&self.key(file_id)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// An upload in parts. Dropped before its end it is aborted.
struct Upload(Option<Box<dyn MultipartUpload>>);

impl Upload {
    async fn begin(store: &dyn ObjectStore, key: &Path) -> object_store::Result<Self> {
        Ok(Self(Some(store.put_multipart(key).await?)))
    }

    async fn part(&mut self, bytes: PutPayload) -> object_store::Result<()> {
        match &mut self.0 {
            Some(upload) => upload.put_part(bytes).await,
            None => Ok(()),
        }
    }

    async fn complete(&mut self) -> object_store::Result<()> {
        if let Some(upload) = &mut self.0 {
            upload.complete().await?;
        }
        self.0 = None;
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(mut upload) = self.0.take() else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            drop(runtime.spawn(async move {
                if let Err(error) = upload.abort().await {
                    tracing::debug!(%error, "an upload of a file was not aborted");
                }
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Chunks = Vec<Result<Bytes, BlobError>>;

    fn content(size: usize, chunk: usize) -> (Vec<u8>, Chunks) {
        let bytes: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let chunks = bytes.chunks(chunk).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        (bytes, chunks)
    }

    async fn read(blobs: &Blobs, file_id: FileId, range: Range<u64>) -> Result<Vec<u8>, BlobError> {
        let stream = blobs.get(file_id, range).await?;
        stream
            .try_fold(Vec::new(), async |mut all, bytes| {
                all.extend_from_slice(&bytes);
                Ok(all)
            })
            .await
    }

    fn stores() -> Vec<(Blobs, Option<tempfile::TempDir>)> {
        let folder = tempfile::tempdir().unwrap();
        let in_folder = Blobs::in_folder(&folder.path().join("files")).unwrap();
        vec![(Blobs::in_memory(), None), (in_folder, Some(folder))]
    }

    #[tokio::test]
    async fn bytes_come_back_in_ranges() {
        for (blobs, _folder) in stores() {
            for (size, chunk) in
                [(0, 1), (1, 1), (70_000, 999), (PART, PART), (PART + 1, 1 << 16), (2 * PART + 7, 3 * PART)]
            {
                let (bytes, chunks) = content(size, chunk);
                let file_id = FileId::generate();
                let written = blobs.put(file_id, stream::iter(chunks)).await.unwrap();
                assert_eq!((written.size, written.sha256), (size as u64, Sha256::digest(&bytes).into()));
                assert_eq!(read(&blobs, file_id, 0..size as u64).await.unwrap(), bytes);
                let (from, to) = (size / 3, size / 2);
                assert_eq!(read(&blobs, file_id, from as u64..to as u64).await.unwrap(), &bytes[from..to]);
                assert_eq!(read(&blobs, file_id, 0..size as u64 + 1).await, Err(BlobError::Gone), "{size}");
                blobs.delete(file_id).await.unwrap();
                blobs.delete(file_id).await.unwrap();
                if size > 0 {
                    assert_eq!(read(&blobs, file_id, 0..size as u64).await, Err(BlobError::Gone));
                }
            }
        }
    }

    #[tokio::test]
    async fn failed_upload_leaves_nothing() {
        for (blobs, folder) in stores() {
            for size in [10, PART + 10] {
                let (_, mut chunks) = content(size, 1 << 20);
                chunks.push(Err(BlobError::Unavailable("hung up".to_owned())));
                let file_id = FileId::generate();
                let failed = blobs.put(file_id, stream::iter(chunks)).await;
                assert_eq!(failed, Err(BlobError::Unavailable("hung up".to_owned())));
                assert_eq!(read(&blobs, file_id, 0..1).await, Err(BlobError::Gone));
            }
            if let Some(folder) = folder {
                // The upload is aborted by a task of the runtime.
                for _ in 0..200 {
                    if std::fs::read_dir(folder.path().join("files")).unwrap().next().is_none() {
                        return;
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
                panic!("parts of an upload are left");
            }
        }
    }

    #[test]
    fn urls_are_refused_with_a_way_out() {
        for (url, way_out) in [
            ("", "use file:///folder or s3://bucket/prefix"),
            ("http://host/x", "use file:///folder or s3://bucket/prefix"),
            ("file://relative", "use file:///folder with the folder's whole path"),
            ("file:///dev/null/files", "cannot use /dev/null/files for files"),
        ] {
            let refused = Blobs::open(url).unwrap_err();
            assert!(refused.contains(way_out), "{refused}");
        }
    }
}
