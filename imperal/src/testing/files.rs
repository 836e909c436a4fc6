//! Files of a test: uploaded before a call, looked at after it.

use bytes::Bytes;
use futures_util::TryStreamExt;

use super::TestUser;
use crate::files::FileRef;
use crate::platform::Upload;

impl TestUser {
    /// Uploads a file, as the page does, and returns what a call takes as a parameter.
    ///
    /// ```
    /// # use imperal::testing::TestPlatform;
    /// # async fn example(platform: TestPlatform) -> imperal::Result<()> {
    /// let anna = platform.user("anna");
    /// let picture = anna.file("picture.png", &b"\x89PNG\r\n\x1a\n.."[..]).await;
    /// let reply = anna.call("shrink", serde_json::json!({"picture": picture})).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    /// When the file is refused.
    pub async fn file(&self, name: &str, bytes: impl Into<Bytes>) -> FileRef {
        let (_, _, app_id) = self.for_documents();
        let uploaded = self.access().upload_file(Upload::new(app_id, name, bytes)).await;
        uploaded.unwrap_or_else(|error| panic!("{error}"))
    }

    /// The bytes of a file of the user, such as one of a result.
    ///
    /// # Panics
    /// When the user has no such file, or it cannot be read.
    pub async fn read_file(&self, file: &FileRef) -> Vec<u8> {
        let read = async {
            let stream = self.access().read_file(file.file_id).await?;
            stream
                .try_fold(Vec::new(), async |mut all: Vec<u8>, bytes: Bytes| {
                    all.extend_from_slice(&bytes);
                    Ok(all)
                })
                .await
        };
        read.await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// All files of the user, the latest first.
    ///
    /// # Panics
    /// When they cannot be read.
    pub async fn files(&self) -> Vec<FileRef> {
        let page = self.access().files(None, None, 1000).await.unwrap_or_else(|error| panic!("{error}"));
        page.files.into_iter().map(|info| info.file).collect()
    }
}
