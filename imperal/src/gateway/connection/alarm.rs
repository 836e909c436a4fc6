//! A deadline that moves often and is rarely reached.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

/// Moving the deadline is one assignment: the timer is only set again when it fires too early, or would
/// fire too late.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    deadline: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    pub(super) fn set(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
    }

    pub(super) fn clear(&mut self) {
        self.deadline = None;
    }

    pub(super) fn is_set(&self) -> bool {
        self.deadline.is_some()
    }

    /// Whether the deadline has passed; else the task is woken when it does.
    pub(super) fn rings(&mut self, cx: &mut Context<'_>) -> bool {
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

    async fn rings(alarm: &mut Alarm) -> Instant {
        poll_fn(|cx| if alarm.rings(cx) { Poll::Ready(Instant::now()) } else { Poll::Pending }).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_moved_either_way_is_kept_exactly() {
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        let mut alarm = Alarm::default();
        alarm.set(after(75));
        poll_fn(|cx| Poll::Ready(alarm.rings(cx))).await;
        alarm.set(after(10));
        assert_eq!(rings(&mut alarm).await, after(10));
        alarm.set(after(20));
        poll_fn(|cx| Poll::Ready(alarm.rings(cx))).await;
        alarm.set(after(95));
        assert_eq!(rings(&mut alarm).await, after(95));
        alarm.clear();
        assert!(!poll_fn(|cx| Poll::Ready(alarm.rings(cx))).await);
    }
}
