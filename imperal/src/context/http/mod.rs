//! `ctx.http()`: outgoing HTTP calls with a timeout, a size limit and cancellation.
//!
//! Owns the timeout rule (P1), the request builder over the process's pooled client, and the abort of calls
//! whose work is cancelled or has ended. Bodies are bytes and are not decoded. `redirect` follows redirects,
//! `retry` sends requests again, `in_step` is for steps of durable tasks, `body` and `events` read responses as they
//! come.

mod body;
mod events;
mod in_step;
mod proving;
mod redirect;
mod response;
mod retry;
mod timeout;
mod transport;

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde::Serialize;

use super::{Context, Place, StopReason};
use crate::error::HttpError;
pub use body::ResponseStream;
pub use events::{EventStream, ServerEvent};
use in_step::{LoggedRequest, note_repeated, with_step_key};
pub use response::Response;
pub use retry::{Retry, RetryWait};
pub use timeout::Timeout;
use transport::AnyResponse;
pub(crate) use transport::{BodyStream, Exchange, OpenResponse, OutgoingRequest, Pending, Transport};

/// Timeout of a call that sets none.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest timeout of one call; longer work belongs in a background task.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(180);

/// Largest body that is read, unless the call sets another limit.
const DEFAULT_BODY_LIMIT: usize = 64 * 1024 * 1024;

/// Largest body limit that a call can set. `send` holds the whole body in memory.
pub const MAX_BODY_LIMIT: usize = 1024 * 1024 * 1024;

/// Largest server-sent event that is read, unless the call sets another limit.
const DEFAULT_EVENT_LIMIT: usize = 1024 * 1024;

/// The process's pooled client, and the transport of its requests.
#[derive(Debug, Clone)]
pub(crate) struct HttpPool {
    client: reqwest::Client,
    transport: Arc<dyn Transport>,
}

impl HttpPool {
    pub(crate) fn new() -> Result<Self, HttpError> {
        crate::tls::choose_cryptography();
        let client = reqwest::Client::builder()
            // `redirect` follows redirects above the transport, so that scripted services can redirect too.
            .redirect(reqwest::redirect::Policy::none())
            // Another crate may turn on decompression. Bodies stay as received, and the limit counts those bytes.
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .user_agent(concat!("imperal/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| HttpError::from_reqwest(error, DEFAULT_TIMEOUT))?;
        Ok(Self { transport: Arc::new(client.clone()), client })
    }

    /// The transport of its requests.
    #[cfg(feature = "testing")]
    pub(crate) fn transport(&self) -> Arc<dyn Transport> {
        self.transport.clone()
    }

    /// The same pool over another transport.
    #[cfg(feature = "testing")]
    pub(crate) fn over(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = transport;
        self
    }

    /// The same pool with another transport in front of its own.
    pub(crate) fn through(mut self, between: impl FnOnce(Arc<dyn Transport>) -> Arc<dyn Transport>) -> Self {
        self.transport = between(self.transport);
        self
    }
}

/// Outgoing HTTP for one call or task. Made by [`Context::http`].
#[derive(Debug, Clone, Copy)]
pub struct Http<'a>(&'a Context);

impl Context {
    /// Outgoing HTTP through the process's pooled client.
    ///
    /// A call takes at most 30 s, redirects included. [`timeout`](RequestBuilder::timeout) sets another limit,
    /// up to 180 s. Nothing is sent twice unless you set [`retry`](RequestBuilder::retry).
    ///
    /// Up to ten redirects are followed. Within an origin (scheme, host, port), the request keeps its headers
    /// except for `Referer`, and its body unless the redirect turns it into a GET. Another origin only gets a
    /// GET or HEAD with harmless headers such as `accept`, `user-agent` and `range`: no key, no cookie, no
    /// other header of yours, no body. A redirect that would need more fails with
    /// [`HttpErrorKind::Redirect`](crate::context::HttpErrorKind::Redirect), and so does one from https to http.
    ///
    /// When the task is cancelled or ends, its calls in flight are aborted and fail with a
    /// cancelled error.
    ///
    /// ```
    /// # use imperal::prelude::*;
    /// # #[derive(Deserialize)] struct Page { title: String }
    /// # async fn work(ctx: Context) -> Result<()> {
    /// let page: Page = ctx
    ///     .http()
    ///     .get("https://example.com/page.json")
    ///     .query(&[("lang", "en")])
    ///     .timeout(Duration::from_secs(60))
    ///     .send()
    ///     .await?
    ///     .error_for_status()?
    ///     .json()?;
    /// # Ok(()) }
    /// ```
    pub fn http(&self) -> Http<'_> {
        Http(self)
    }
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident $method:ident)*) => {
        impl Http<'_> {
            $($(#[$doc])*
            #[track_caller]
            pub fn $name(self, url: impl AsRef<str>) -> RequestBuilder {
                self.request(Method::$method, url)
            })*
        }
    };
}

methods! {
    /// A GET request.
    get GET
    /// A POST request.
    post POST
    /// A PUT request.
    put PUT
    /// A PATCH request.
    patch PATCH
    /// A DELETE request.
    delete DELETE
    /// A HEAD request.
    head HEAD
}

impl Http<'_> {
    /// A request of any method. [`send`](RequestBuilder::send) reports a malformed URL.
    #[track_caller]
    pub fn request(self, method: Method, url: impl AsRef<str>) -> RequestBuilder {
        let is_safe = method.is_safe();
        RequestBuilder {
            request: self.0.services().http.client.request(method, url.as_ref()),
            ctx: self.0.clone(),
            timeout: Ok(DEFAULT_TIMEOUT),
            body_limit: DEFAULT_BODY_LIMIT,
            event_limit: DEFAULT_EVENT_LIMIT,
            accepts_events: false,
            follow_redirects: true,
            retry: None,
            is_safe,
            place: Location::caller(),
        }
    }
}

/// A request being built. Nothing is sent before [`send`](Self::send), [`stream`](Self::stream) or
/// [`events`](Self::events).
#[must_use = "nothing is sent unless `send()`, `stream()` or `events()` is called and awaited"]
pub struct RequestBuilder {
    request: reqwest::RequestBuilder,
    ctx: Context,
    timeout: Result<Duration, HttpError>,
    body_limit: usize,
    event_limit: usize,
    accepts_events: bool,
    follow_redirects: bool,
    retry: Option<Retry>,
    is_safe: bool,
    place: Place,
}

impl RequestBuilder {
    /// Adds a header. [`send`](Self::send) reports a malformed one.
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        self.request = self.request.header(name.as_ref(), value.as_ref());
        self
    }

    /// Adds `Authorization: Bearer`. The token does not appear in logs.
    pub fn bearer_auth(mut self, token: impl fmt::Display) -> Self {
        self.request = self.request.bearer_auth(token);
        self
    }

    /// Adds pairs to the URL's query.
    pub fn query<T: Serialize + ?Sized>(mut self, pairs: &T) -> Self {
        self.request = self.request.query(pairs);
        self
    }

    /// Sends the value as JSON.
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        self.request = self.request.json(value);
        self
    }

    /// Sends pairs as a form.
    pub fn form<T: Serialize + ?Sized>(mut self, pairs: &T) -> Self {
        self.request = self.request.form(pairs);
        self
    }

    /// Sends these bytes unchanged.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.request = self.request.body(body.into());
        self
    }

    /// Longest time of the whole call, body included: a `Duration`, or a number of seconds. For
    /// [`stream`](Self::stream) and [`events`](Self::events) it is the longest silence: up to the head of the response,
    /// and then between two chunks. The time of their whole response is bounded by that of the call or task.
    ///
    /// The most is 180 s. [`send`](Self::send) refuses a longer timeout, zero, a negative number and NaN
    /// before it sends anything.
    pub fn timeout(mut self, timeout: impl Timeout) -> Self {
        self.timeout = timeout.into_timeout().filter(|t| !t.is_zero() && *t <= MAX_TIMEOUT).ok_or_else(|| {
            HttpError::refused(format!(
                "a timeout must be more than 0 and at most {} s, not {timeout:?}; longer work belongs in ctx.background_task",
                MAX_TIMEOUT.as_secs()
            ))
        });
        self
    }

    /// Whether to follow redirects. If not, a redirect is a response like any other, with its `location`.
    pub fn follow_redirects(mut self, follow: bool) -> Self {
        self.follow_redirects = follow;
        self
    }

    /// Largest body to read, in bytes. Default: 64 MiB; at most [`MAX_BODY_LIMIT`] (1 GiB).
    ///
    /// A larger body fails with [`HttpErrorKind::TooLarge`](crate::context::HttpErrorKind::TooLarge). [`send`](Self::send) refuses a larger limit.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Largest data, name and id of a server-sent event, in bytes, for [`events`](Self::events). Default: 1 MiB; at most
    /// [`MAX_BODY_LIMIT`].
    ///
    /// A larger event fails with [`HttpErrorKind::TooLarge`](crate::context::HttpErrorKind::TooLarge) and ends the
    /// stream. [`events`](Self::events) refuses a larger limit, and zero.
    pub fn event_limit(mut self, bytes: usize) -> Self {
        self.event_limit = bytes;
        self
    }

    /// Sends the request again after a failure that may be temporary. [`Retry`] lists these failures.
    ///
    /// The timeout applies to each attempt. A cancel of the task ends a wait at once. If a wait would end
    /// after [`Context::time_left`], the last response or error is returned without it. Each attempt is a
    /// sign of life. A wait is none, but it is shorter than the default liveness window.
    ///
    /// A POST or PATCH also needs an [`idempotency_key`](Self::idempotency_key): without one, the service may
    /// do the same thing twice. [`send`](Self::send) refuses such a request before it sends anything. The request of an
    /// [effect](crate::TaskContext::effect) is sent again only if that cannot do the effect twice.
    ///
    /// ```
    /// # use imperal::{prelude::*, context::Retry};
    /// # async fn work(ctx: Context) -> Result<()> {
    /// let answer = ctx
    ///     .http()
    ///     .get("https://api.example.com/report")
    ///     .retry(Retry::waits([Duration::from_secs(3), Duration::from_secs(6)]).on_statuses([429, 500]))
    ///     .send()
    ///     .await?
    ///     .error_for_status()?;
    /// ctx.log().info(format_args!("sent {} times", answer.attempts()));
    /// # Ok(()) }
    /// ```
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = Some(retry);
        self
    }

    /// Sends an `Idempotency-Key` header, the same on every attempt. By this key the service recognises a
    /// request that it has already carried out. In a step of a durable task each request that is not safe has one
    /// by itself: it is derived from the task, the step, the request, and how many equal ones came before it.
    ///
    /// Derive the key from the subject of the request, such as the number of an order. A random key does not
    /// protect against a second run of the task.
    pub fn idempotency_key(self, key: impl AsRef<str>) -> Self {
        self.header(retry::IDEMPOTENCY_KEY, key)
    }

    /// Sends the request and reads the whole response. A response of any status is `Ok`:
    /// [`Response::error_for_status`] turns a 4xx or 5xx into an error.
    ///
    /// Dropping the future aborts the request. The service may have acted already.
    ///
    /// # Errors
    /// [`HttpErrorKind`](crate::context::HttpErrorKind) lists them. `?` gives each its error code.
    pub async fn send(self) -> Result<Response, HttpError> {
        self.receive().await.map(|(answer, _)| answer)
    }

    /// Sends the request and reads the head of the response. The chunks of the body are then read as they come, in as
    /// little memory as they take. A response of any status is `Ok`.
    ///
    /// The [timeout](Self::timeout) is the longest silence, and the [body limit](Self::body_limit) counts the bytes that
    /// were read. A [retry](Self::retry) repeats the request only until the head of a response has come: later failures
    /// are errors of the body, since you may have used its beginning.
    ///
    /// A cancel and the end of the call or task end the body with an error. In a durable task, a body that is open holds
    /// up a hand-over, like every request.
    ///
    /// # Errors
    /// [`HttpErrorKind`](crate::context::HttpErrorKind) lists them. `?` gives each its error code.
    pub async fn stream(self) -> Result<ResponseStream, HttpError> {
        let (ctx, event_limit) = (self.ctx.clone(), self.event_limit);
        let (answer, effect) = self.receive().await?;
        Ok(ResponseStream::new(&ctx, answer, event_limit, effect.as_ref()))
    }

    /// Sends the request and reads the response as server-sent events, such as the tokens of a language model.
    ///
    /// Sends `accept: text/event-stream`, unless you set `accept`. Otherwise it is [`stream`](Self::stream), then
    /// [`error_for_status`](ResponseStream::error_for_status), then [`events`](ResponseStream::events): call these
    /// yourself to read the body of a failed response. [`EventStream`] has an example.
    ///
    /// # Errors
    /// [`HttpErrorKind::Status`](crate::context::HttpErrorKind::Status) for 4xx and 5xx,
    /// [`Decode`](crate::context::HttpErrorKind::Decode) if the response has another `content-type`; the other kinds as
    /// in [`stream`](Self::stream).
    pub async fn events(mut self) -> Result<EventStream, HttpError> {
        if self.event_limit == 0 || self.event_limit > MAX_BODY_LIMIT {
            return Err(HttpError::refused(format!(
                "an event limit is from 1 to {MAX_BODY_LIMIT} bytes, not {}",
                self.event_limit
            )));
        }
        self.accepts_events = true;
        self.stream().await?.error_for_status()?.events()
    }

    /// Sends the request, and reads a response of either shape.
    async fn receive<T: AnyResponse>(self) -> Result<(T, Option<Arc<super::EffectRequest>>), HttpError> {
        let scope = self.ctx.step_in_use().filter(|_| !self.is_safe);
        let effect = match scope.as_ref().and_then(|scope| scope.effect()) {
            Some(effect) => Some(effect.begin_request().ok_or_else(HttpError::second_request)?),
            None => None,
        };
        let timeout = self.timeout?;
        let mut request = self.request.build().map_err(|error| HttpError::from_reqwest(error, timeout))?;
        if self.body_limit > MAX_BODY_LIMIT {
            return Err(HttpError::refused(format!(
                "a body limit is at most {MAX_BODY_LIMIT} bytes, not {}",
                self.body_limit
            )));
        }
        if self.accepts_events {
            let accept = http::HeaderValue::from_static("text/event-stream");
            request.headers_mut().entry(http::header::ACCEPT).or_insert(accept);
        }
        let request = with_step_key(&self.ctx, request);
        note_repeated(&self.ctx, &request, self.place);
        let _in_flight = self.ctx.in_flight();
        let outgoing = OutgoingRequest {
            request,
            timeout,
            silence: timeout,
            body_limit: self.body_limit,
            resent: 0,
            traced: true,
        };
        let answer = match &self.retry {
            None => attempt(&self.ctx, outgoing, self.follow_redirects, effect.as_ref()).await,
            Some(retry) => retry::send(&self.ctx, outgoing, self.follow_redirects, retry, effect.as_ref()).await,
        };
        answer.map(|answer| (answer, effect))
    }
}

/// Makes one attempt, redirects included. A cancel aborts it, but not the request of an effect, which would leave the
/// effect unknown: that is dropped with its work.
async fn attempt<T: AnyResponse>(
    ctx: &Context,
    outgoing: OutgoingRequest,
    follow_redirects: bool,
    effect: Option<&Arc<super::EffectRequest>>,
) -> Result<T, HttpError> {
    let signal = ctx.signal();
    let transport = &*ctx.services().http.transport;
    let proving = effect.map(|request| proving::Proving { transport, request: request.clone() });
    let transport = proving.as_ref().map_or(transport, |proving| proving as &dyn Transport);
    let logged = ctx.step_in_use().map(|scope| LoggedRequest::new(scope, &outgoing.request, &ctx.origin().secrets));
    let exchange = async {
        if follow_redirects {
            redirect::follow(transport, outgoing).await
        } else {
            T::receive(transport, outgoing).await
        }
    };
    signal.check().map_err(stopped)?;
    if ctx.step_scope().is_some_and(super::StepScope::is_closed) {
        return Err(HttpError::stopped("the step has ended"));
    }
    if effect.is_some() && ctx.services().host.may_be_taken_over(ctx.origin()) {
        // The process was frozen between the intent and this moment: another node may be at work on the effect.
        return Err(HttpError::stopped("another node may have taken the task over"));
    }
    signal.touch();
    let answer = tokio::select! {
        biased;
        reason = async { if effect.is_some() { signal.over().await } else { signal.stopped().await } } => {
            Err(stopped(reason))
        }
        answer = ctx.span().instrument(exchange) => answer,
    };
    signal.touch();
    if let Some(request) = logged {
        request.note(&answer);
    }
    answer
}

impl fmt::Debug for RequestBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The request is left out: its headers and query may contain secrets.
        f.debug_struct("RequestBuilder").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

fn stopped(reason: StopReason) -> HttpError {
    HttpError::stopped(match reason {
        StopReason::Cancelled => "the task was cancelled",
        _ => "the call or task has ended",
    })
}
