//! `ctx.progress`: how far the work is, for the user's eyes and as a sign of life.
//!
//! Owns the range check, and the moment at which work notices a cancel. The platform coalesces and sends the
//! reports.

use std::fmt;
use std::future::Future;
use std::ops::RangeInclusive;
use std::pin::Pin;

use super::{Context, Hazard, Origin};
use crate::codes;
use crate::error::Error;
use crate::result::Result;
use crate::rows::DraftPiece;

/// Longest text of a progress report, in bytes; longer ones are cut at a character.
const MESSAGE_LIMIT: usize = 500;

/// One report, checked.
#[derive(Debug, Clone)]
pub(crate) struct ProgressMark {
    pub(crate) percent: f64,
    pub(crate) message: String,
}

/// A wait of the work after its report.
pub(crate) type ReportPause = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A moment of a step at which a process may die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepMoment {
    /// Its work is done and nothing is stored.
    Done,
    /// It is stored and the body does not know yet.
    Stored,
}

/// Gets every report of every task, before any is coalesced, and the moments of steps. For the test kit.
pub(crate) trait WorkListener: fmt::Debug + Send + Sync {
    fn on_report(&self, origin: &Origin, mark: &ProgressMark);

    /// A piece of a draft, before it is coalesced with others.
    fn on_draft(&self, piece: &DraftPiece);

    /// A wait of the work at a moment of one of its steps.
    fn pause_at_step(&self, origin: &Origin, moment: StepMoment) -> Option<ReportPause>;

    /// A fault in the body of a durable task that an interruption would show.
    fn on_hazard(&self, hazard: &Hazard);

    /// A wait of the work after its latest report.
    fn pause_after_report(&self, origin: &Origin) -> Option<ReportPause>;
}

impl Context {
    /// Reports how far the work is, in percent from 0 to 100, with a stage such as
    /// "Fetching context".
    ///
    /// Cheap enough to call often: it waits for nothing and costs no fsync; what comes faster than
    /// ten times a second is coalesced, the latest winning. It
    /// may be called from concurrent parts of one task. A text over 500 bytes is cut.
    ///
    /// Every report is a sign of life: work that is silent for the liveness window (300 s by
    /// default) is reclaimed. In a handler outside a background task the report is checked and
    /// otherwise without effect, and so is that of a resumed durable task until it has passed its stored steps.
    ///
    /// # Errors
    /// [`Error::cancelled`] once the user has cancelled: let it propagate with `?`. From then on
    /// the task ends `cancelled` whatever it returns. `VALIDATION_TYPE_ERROR` for a NaN or a
    /// percent outside 0 to 100.
    ///
    /// ```
    /// # async fn work(ctx: imperal::Context) -> imperal::Result<()> {
    /// for (done, page) in ["a", "b", "c"].iter().enumerate() {
    ///     ctx.progress(done * 100 / 3, format!("Reading page {page}")).await?;
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn progress(&self, percent: impl Percent, message: impl Into<String>) -> Result<()> {
        self.report(percent.into_percent(), message.into())?;
        if let Some(pause) = self.services().host.pause_after_report(self.origin()) {
            pause.await;
            self.check_active()?;
        }
        // A loop that only computes and reports still yields its thread from time to time.
        tokio::task::coop::consume_budget().await;
        Ok(())
    }

    /// As [`progress`](Self::progress), for callers outside of async code.
    pub(super) fn report(&self, percent: f64, mut message: String) -> Result<()> {
        self.check_active()?;
        if !(0.0..=100.0).contains(&percent) {
            return Err(Error::user(
                codes::VALIDATION_TYPE_ERROR,
                format!("percent must be a number from 0 to 100, not {percent}"),
            )
            .with_field("percent"));
        }
        // Before it is cut: the beginning of a value would not be found.
        self.origin().secrets.screen(&mut message);
        if message.len() > MESSAGE_LIMIT {
            message.truncate(message.floor_char_boundary(MESSAGE_LIMIT));
        }
        if !self.is_live() {
            return Ok(());
        }
        self.services().host.report_progress(self.origin(), ProgressMark { percent, message });
        Ok(())
    }
}

/// The part of 0 to 100 that some piece of the work fills.
#[derive(Debug, Clone)]
pub(super) struct ProgressRange(RangeInclusive<u8>);

impl ProgressRange {
    pub(super) const WHOLE: Self = Self(0..=100);

    /// # Errors
    /// `INTERNAL` for a range that is empty or leaves 0 to 100.
    pub(super) fn new(range: RangeInclusive<u8>) -> Result<Self> {
        if range.is_empty() || *range.end() > 100 {
            return Err(Error::internal(format!("a range of progress lies within 0 to 100, not {range:?}")));
        }
        Ok(Self(range))
    }

    /// The percent of the whole work when the piece is at `part`, of 0 to 1.
    pub(super) fn at(&self, part: f64) -> f64 {
        let (from, to) = (f64::from(*self.0.start()), f64::from(*self.0.end()));
        // A NaN counts as 0.
        let part = if part.is_nan() { 0.0 } else { part.clamp(0.0, 1.0) };
        (from + (to - from) * part).clamp(from, to)
    }
}

/// A number that can be a percent: every integer and float type.
pub trait Percent: private::Sealed {
    #[doc(hidden)]
    fn into_percent(self) -> f64;
}

mod private {
    pub trait Sealed {}
}

macro_rules! percent {
    ($($ty:ty)*) => {
        $(impl private::Sealed for $ty {}
        impl Percent for $ty {
            #[allow(clippy::cast_lossless, clippy::cast_precision_loss, reason = "0 to 100 is exact in every type")]
            fn into_percent(self) -> f64 {
                self as f64
            }
        })*
    };
}

percent!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize f32 f64);
