//! Sends failed requests again.
//!
//! Owns the policy ([`Retry`]), the rule for which requests may be sent again, `Retry-After`, and the loop.
//! A wait never exceeds the time that its call or task has left.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::transport::AnyResponse;
use super::{OutgoingRequest, attempt, stopped};
use crate::context::{Context, Percent};
use crate::error::HttpError;

pub(super) const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Longest wait that an author can set. With the longest call (180 s), it is shorter than the default liveness
/// window (300 s).
const LONGEST_WAIT: Duration = Duration::from_secs(100);
const DEFAULT_LONGEST_WAIT: Duration = Duration::from_secs(60);
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);
const ATTEMPTS: u32 = 3;
const STATUSES: [u16; 4] = [429, 502, 503, 504];

/// The policy for sending a request again, for [`retry`](super::RequestBuilder::retry).
///
/// **Requests.** GET, HEAD, OPTIONS, PUT and DELETE, and any method with an
/// [`idempotency_key`](super::RequestBuilder::idempotency_key).
///
/// **Failures.** The service could not be reached or the connection broke; the statuses 429, 502,
/// 503 and 504, or those of [`on_statuses`](Self::on_statuses). A timeout only with
/// [`on_timeout`](Self::on_timeout). Never a response that could not be read, and never a cancel.
///
/// **Wait.** The wait of the schedule, or the one that the service asks for with `Retry-After` (seconds
/// or a date) if that is longer. If the service asks for more than [`longest_wait`](Self::longest_wait),
/// the request is not sent again.
///
/// After the last attempt you get its response or error unchanged, with the number of attempts:
/// [`Response::attempts`](super::Response::attempts), [`HttpError::attempts`].
///
/// ```
/// # use imperal::context::Retry;
/// # use std::time::Duration;
/// // Three attempts in all, after about 1 s and 2 s: the default.
/// let _ = Retry::default();
/// // Exactly after 3 s and 6 s, and on a 500 as well.
/// let _ = Retry::waits([3, 6].map(Duration::from_secs)).on_statuses([429, 500, 502, 503, 504]);
/// ```
#[derive(Clone)]
#[must_use = "give it to `.retry(..)` of a request"]
pub struct Retry {
    schedule: Schedule,
    statuses: Vec<u16>,
    on_timeout: bool,
    longest_wait: Duration,
    shown_at: Option<f64>,
    on_wait: Option<OnWait>,
}

type OnWait = Arc<dyn Fn(&RetryWait) + Send + Sync>;

#[derive(Debug, Clone)]
enum Schedule {
    Backoff { attempts: u32, first: Duration },
    Waits(Vec<Duration>),
}

/// A wait that is about to begin, for [`Retry::on_wait`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RetryWait {
    /// Number of attempts so far.
    pub attempt: u32,
    /// Most attempts in all, the first one included.
    pub of: u32,
    /// Length of the wait.
    pub wait: Duration,
    /// The reason, such as `the service answered 429 Too Many Requests`.
    pub why: String,
}

impl Default for Retry {
    /// [`backoff`](Self::backoff) with three attempts.
    fn default() -> Self {
        Self::backoff(ATTEMPTS)
    }
}

impl Retry {
    fn by(schedule: Schedule) -> Self {
        Self {
            schedule,
            statuses: STATUSES.to_vec(),
            on_timeout: false,
            longest_wait: DEFAULT_LONGEST_WAIT,
            shown_at: None,
            on_wait: None,
        }
    }

    /// At most `attempts` attempts, the first one included. The waits double from 1 s to 30 s. Each wait
    /// is shortened at random, to no less than half, so that tasks that failed together do not retry
    /// together.
    pub fn backoff(attempts: u32) -> Self {
        Self::by(Schedule::Backoff { attempts, first: FIRST_WAIT })
    }

    /// Exactly these waits, so at most one attempt more than there are waits. A wait above
    /// [`longest_wait`](Self::longest_wait) is shortened to it.
    pub fn waits(waits: impl IntoIterator<Item = Duration>) -> Self {
        Self::by(Schedule::Waits(waits.into_iter().collect()))
    }

    /// The wait after the first attempt of a [`backoff`](Self::backoff), instead of 1 s.
    pub fn first_wait(mut self, wait: Duration) -> Self {
        if let Schedule::Backoff { first, .. } = &mut self.schedule {
            *first = wait;
        }
        self
    }

    /// The statuses after which to send again, instead of 429, 502, 503 and 504.
    pub fn on_statuses(mut self, statuses: impl IntoIterator<Item = u16>) -> Self {
        self.statuses = statuses.into_iter().collect();
        self
    }

    /// Whether to send again after a timeout. Default: `false`.
    pub fn on_timeout(mut self, repeat: bool) -> Self {
        self.on_timeout = repeat;
        self
    }

    /// The longest single wait, by the schedule or by `Retry-After`. Default: 60 s; at most 100 s, so that
    /// the platform does not take a waiting task for a silent one.
    pub fn longest_wait(mut self, wait: Duration) -> Self {
        self.longest_wait = wait.min(LONGEST_WAIT);
        self
    }

    /// Reports progress at this percent for each wait, with a text such as "Waiting 3 s, then attempt
    /// 2 of 3". Has no effect in a handler, or with a percent outside 0 to 100.
    pub fn shown_at(mut self, percent: impl Percent) -> Self {
        self.shown_at = Some(percent.into_percent());
        self
    }

    /// Calls `told` before each wait, for a log or a counter. `told` must not block.
    pub fn on_wait(mut self, told: impl Fn(&RetryWait) + Send + Sync + 'static) -> Self {
        self.on_wait = Some(Arc::new(told));
        self
    }

    fn attempts(&self) -> u32 {
        match &self.schedule {
            Schedule::Backoff { attempts, .. } => *attempts,
            Schedule::Waits(waits) => u32::try_from(waits.len()).unwrap_or(u32::MAX).saturating_add(1),
        }
    }

    /// The scheduled wait after this attempt; `None` if no attempts are left.
    fn scheduled(&self, attempt: u32, chance: f64) -> Option<Duration> {
        if attempt >= self.attempts() {
            return None;
        }
        let wait = match &self.schedule {
            Schedule::Backoff { first, .. } => {
                let doubled = first.saturating_mul(2_u32.saturating_pow(attempt - 1)).min(LONGEST_BACKOFF);
                doubled.mul_f64(0.5 + chance / 2.0)
            }
            Schedule::Waits(waits) => *waits.get(usize::try_from(attempt - 1).ok()?)?,
        };
        Some(wait.min(self.longest_wait))
    }

    /// The wait before the next attempt; `None` if this response or error is final.
    fn wait_after(&self, attempt: u32, answer: &Result<impl AnyResponse, HttpError>) -> Option<Duration> {
        let asked = match answer {
            Ok(answer) if self.statuses.contains(&answer.status().as_u16()) => {
                let asked = answer.headers().get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok());
                asked.and_then(|text| retry_after(text, Timestamp::now()))
            }
            Err(error) if error.may_pass() || (self.on_timeout && error.is_timeout()) => None,
            _ => return None,
        };
        let scheduled = self.scheduled(attempt, chance())?;
        match asked {
            Some(asked) if asked > self.longest_wait => None,
            Some(asked) => Some(asked.max(scheduled)),
            None => Some(scheduled),
        }
    }
}

/// Sends the request until a response or error is final.
pub(super) async fn send<T: AnyResponse>(
    ctx: &Context,
    outgoing: OutgoingRequest,
    follow_redirects: bool,
    retry: &Retry,
    effect: Option<&Arc<crate::context::EffectRequest>>,
) -> Result<T, HttpError> {
    let method = outgoing.request.method();
    if !method.is_idempotent() && !outgoing.request.headers().contains_key(IDEMPOTENCY_KEY) {
        return Err(HttpError::refused(format!(
            "a {method} is sent again only with an idempotency key, or the service may do twice what it was asked \
             once: add .idempotency_key(..), or leave .retry(..) out"
        )));
    }
    let mut attempts = 0;
    loop {
        let Some(once) = outgoing.again(attempts) else {
            return Err(HttpError::refused("the body cannot be sent twice".to_owned()));
        };
        attempts += 1;
        let answer = attempt::<T>(ctx, once, follow_redirects, effect).await;
        let left = ctx.time_left();
        // An effect's request that the service may have acted on.
        let is_last = effect.is_some_and(|request| !request.may_be_sent_again());
        let wait = if is_last { None } else { retry.wait_after(attempts, &answer) };
        let Some(wait) = wait.filter(|wait| *wait < left) else {
            return match answer {
                Ok(answer) => Ok(answer.after(attempts)),
                Err(error) => Err(error.after(attempts)),
            };
        };
        let told = retry.tell(ctx, attempts, wait, &answer);
        if let Some(percent) = retry.shown_at {
            // The wait below notices a cancel.
            let _ = ctx.progress(percent, told.for_the_user()).await;
        }
        tokio::select! {
            biased;
            reason = ctx.signal().stopped() => return Err(stopped(reason).after(attempts)),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

impl Retry {
    fn tell(
        &self,
        ctx: &Context,
        attempt: u32,
        wait: Duration,
        answer: &Result<impl AnyResponse, HttpError>,
    ) -> RetryWait {
        let why = match answer {
            Ok(answer) => HttpError::status(answer.status()).to_string(),
            Err(error) => error.to_string(),
        };
        let told = RetryWait { attempt, of: self.attempts(), wait, why };
        ctx.log().info(&told);
        if let Some(on_wait) = &self.on_wait {
            on_wait(&told);
        }
        told
    }
}

impl RetryWait {
    fn for_the_user(&self) -> String {
        format!("Waiting {:.0} s, then attempt {} of {}", self.wait.as_secs_f64().ceil(), self.attempt + 1, self.of)
    }
}

impl fmt::Display for RetryWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { attempt, of, wait, why } = self;
        write!(f, "{why} (attempt {attempt} of {of}), waiting {:.1} s", wait.as_secs_f64())
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("schedule", &self.schedule)
            .field("statuses", &self.statuses)
            .field("on_timeout", &self.on_timeout)
            .field("longest_wait", &self.longest_wait)
            .finish_non_exhaustive()
    }
}

/// The wait in a `Retry-After` header: seconds or a date. A past date means no wait.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

/// A random number from 0 to 1.
#[allow(clippy::cast_precision_loss, reason = "52 bits of chance are plenty")]
fn chance() -> f64 {
    (uuid::Uuid::new_v4().as_u128() >> 96) as f64 / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = "1994-11-06T08:49:07Z".parse().unwrap();
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after(" 0 ", now), Some(Duration::ZERO));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:40:00 GMT", now), Some(Duration::ZERO));
        for nonsense in ["", "-5", "1.5", "soon", "99999999999999999999999"] {
            assert_eq!(retry_after(nonsense, now), None, "{nonsense}");
        }
    }

    #[test]
    fn a_backoff_doubles_to_its_limit_and_is_shortened_by_half_at_most() {
        let retry = Retry::backoff(9);
        let waits = |chance| (1..=9).map(|attempt| retry.scheduled(attempt, chance)).collect::<Vec<_>>();
        let seconds = [1, 2, 4, 8, 16, 30, 30, 30].map(|s| Some(Duration::from_secs(s)));
        assert_eq!(waits(1.0)[..8], seconds);
        assert_eq!(waits(0.0)[..8], seconds.map(|s| s.map(|s| s / 2)));
        assert_eq!(waits(0.5)[8], None, "nine attempts have eight waits");
    }

    #[test]
    fn chance_stays_in_its_bounds() {
        assert!((0..1000).map(|_| chance()).all(|chance| (0.0..=1.0).contains(&chance)));
    }

    #[test]
    fn a_given_schedule_is_kept_to_the_second() {
        let retry = Retry::waits([3, 6].map(Duration::from_secs));
        assert_eq!(retry.scheduled(1, 0.0), Some(Duration::from_secs(3)));
        assert_eq!(retry.scheduled(2, 0.0), Some(Duration::from_secs(6)));
        assert_eq!(retry.scheduled(3, 0.0), None);
        assert_eq!(Retry::backoff(0).scheduled(1, 0.0), None, "no attempts are one");
    }
}
