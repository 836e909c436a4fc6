//! Gives way to other work while many documents are read or written as JSON.

/// How many bytes of JSON are handled at a stretch: some milliseconds.
const STRETCH: usize = 256 << 10;

/// The bytes since the last pause.
#[derive(Debug, Default)]
pub(super) struct Pauses(usize);

impl Pauses {
    /// Notes that a document of this many bytes is handled next, and pauses if it is time.
    pub(super) async fn before(&mut self, bytes: usize) {
        // A small one takes time too.
        self.0 += bytes + 64;
        if self.0 > STRETCH {
            self.0 = 0;
            tokio::task::yield_now().await;
        }
    }
}
