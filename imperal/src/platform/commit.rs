//! Writing what has to be written: an ending is not given up because the disk is full for a while.

use std::time::Duration;

use super::Node;
use crate::ledger::{Fut, LedgerError, Turn};

const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

impl Node {
    /// Repeats a write of an ending until the ledger has taken or refused it for good. `None` when
    /// it is there already, or is another life's to write.
    pub(super) async fn insist<'a>(&self, what: &str, mut write: impl FnMut() -> Fut<'a, Turn>) -> Option<Turn> {
        let mut wait = FIRST_WAIT;
        loop {
            match write().await {
                Ok(turn) => return Some(turn),
                // Also when the answer to an earlier try was lost, and the try was not.
                Err(LedgerError::Settled) => return None,
                Err(error @ (LedgerError::Fenced | LedgerError::Unknown)) => {
                    tracing::warn!(what, %error, "not written: another life writes it");
                    return None;
                }
                Err(error) => tracing::warn!(what, %error, retry_ms = wait.as_millis(), "not written yet"),
            }
            self.ended.run_until_cancelled(tokio::time::sleep(wait)).await?;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }
}
