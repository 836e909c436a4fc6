//! A timer for deadlines that move often and are rarely reached.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

/// Moving the deadline is one assignment. The timer is reset only when it fires too early or would fire too late.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Deadline {
    deadline: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    pub(in crate::gateway) fn set(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
    }

    pub(in crate::gateway) fn clear(&mut self) {
        self.deadline = None;
    }

    pub(in crate::gateway) fn is_set(&self) -> bool {
        self.deadline.is_some()
    }

    /// Whether the deadline has passed. Otherwise the task is woken when it passes.
    pub(in crate::gateway) fn poll_passed(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(deadline) = self.deadline else { return false };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        loop {
            match timer.as_mut().poll(cx) {
                Poll::Pending => return false,
                Poll::Ready(()) if timer.deadline() >= deadline => return true,
                Poll::Ready(()) => timer.as_mut().reset(deadline),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    async fn passed(deadline: &mut Deadline) -> Instant {
        poll_fn(|cx| if deadline.poll_passed(cx) { Poll::Ready(Instant::now()) } else { Poll::Pending }).await
    }

    #[tokio::test(start_paused = true)]
    async fn deadline_is_exact_after_moves_in_both_directions() {
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        let mut deadline = Deadline::default();
        deadline.set(after(75));
        poll_fn(|cx| Poll::Ready(deadline.poll_passed(cx))).await;
        deadline.set(after(10));
        assert_eq!(passed(&mut deadline).await, after(10));
        deadline.set(after(20));
        poll_fn(|cx| Poll::Ready(deadline.poll_passed(cx))).await;
        deadline.set(after(95));
        assert_eq!(passed(&mut deadline).await, after(95));
        deadline.clear();
        assert!(!poll_fn(|cx| Poll::Ready(deadline.poll_passed(cx))).await);
    }
}
