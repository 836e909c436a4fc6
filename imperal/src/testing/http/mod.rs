//! Scripted outgoing HTTP: rules that answer, and a record of the requests.
//!
//! Owns the replacement of the network. `rule` matches requests, `reply` and `chunks` have the responses, `recording`
//! the responses of a real service in a file.

mod chunks;
mod pattern;
mod recording;
mod reply;
mod request;
mod rule;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Method;

pub use self::chunks::Chunks;
use self::recording::Recorder;
pub use self::reply::Reply;
pub use self::request::SentRequest;
use self::rule::{Kept, Pending as PendingReply};
pub use self::rule::{Rule, RuleLog};
use crate::context::{Exchange, HttpError, HttpPool, OpenResponse, OutgoingRequest, Pending, Transport};

/// The destination of a test platform's calls.
#[derive(Debug, Default)]
pub(super) enum Network {
    /// The network.
    Real,
    /// The rules.
    #[default]
    Scripted,
    /// The rules, then this file. While recording: the rules, then the network.
    Recording(PathBuf),
}

/// The rules that answer a test platform's outgoing calls, and the requests that were sent. From
/// [`TestPlatform::http`](super::TestPlatform::http).
///
/// No socket is opened, and no address in the extension changes: rules name the URLs that it calls. The
/// first rule that matches and has replies left answers. A call without a rule fails, and the test fails
/// with the list of rules when its platform is dropped. Redirects are followed and refused as on the
/// network; each hop is a request of its own.
///
/// ```
/// # use imperal::testing::{Reply, TestPlatform};
/// # use serde_json::json;
/// # fn rules(platform: &TestPlatform) {
/// let http = platform.http();
/// let job = http.post("https://api.example.com/jobs").reply(Reply::json(json!({"id": 7})));
/// http.get("https://api.example.com/jobs/*")
///     .replies([Reply::status(503), Reply::json(json!({"state": "done"}))]);
/// http.get("/slow").reply(Reply::text("at last").after(std::time::Duration::from_secs(20)));
/// // .. call functions ..
/// assert_eq!(job.calls(), 1);
/// # }
/// ```
#[derive(Clone)]
pub struct ScriptedHttp(Arc<Script>);

struct Script {
    /// Where calls without a rule go, if they leave the process.
    outside: Option<Outside>,
    state: Mutex<State>,
}

enum Outside {
    Open(HttpPool),
    Kept(Recorder),
}

#[derive(Default)]
struct State {
    rules: Vec<Kept>,
    requests: Vec<SentRequest>,
    unanswered: Vec<String>,
}

impl ScriptedHttp {
    pub(super) fn new(network: Network, pool: &HttpPool) -> Self {
        let mut state = State::default();
        let outside = match network {
            Network::Real => Some(Outside::Open(pool.clone())),
            Network::Scripted => None,
            Network::Recording(file) if Recorder::is_requested() => Some(Outside::Kept(Recorder::new(&file))),
            Network::Recording(file) => {
                state.rules = recording::rules_of(&file);
                None
            }
        };
        Self(Arc::new(Script { outside, state: Mutex::new(state) }))
    }

    pub(super) fn is_real(&self) -> bool {
        matches!(self.0.outside, Some(Outside::Open(_)))
    }

    pub(super) fn transport(&self) -> Arc<dyn Transport> {
        match &self.0.outside {
            Some(Outside::Open(pool)) => pool.transport(),
            _ => self.0.clone(),
        }
    }

    /// A rule for GET requests. [`any`](Self::any) describes the URL.
    pub fn get(&self, url: impl Into<String>) -> Rule<'_> {
        self.request(Method::GET, url)
    }

    /// A rule for POST requests.
    pub fn post(&self, url: impl Into<String>) -> Rule<'_> {
        self.request(Method::POST, url)
    }

    /// A rule for PUT requests.
    pub fn put(&self, url: impl Into<String>) -> Rule<'_> {
        self.request(Method::PUT, url)
    }

    /// A rule for PATCH requests.
    pub fn patch(&self, url: impl Into<String>) -> Rule<'_> {
        self.request(Method::PATCH, url)
    }

    /// A rule for DELETE requests.
    pub fn delete(&self, url: impl Into<String>) -> Rule<'_> {
        self.request(Method::DELETE, url)
    }

    /// A rule for requests of one method.
    pub fn request(&self, method: Method, url: impl Into<String>) -> Rule<'_> {
        Rule::new(self, Some(method), url.into())
    }

    /// A rule for requests of any method.
    ///
    /// The URL is one without a query, which matches any query (`https://api.example.com/jobs`), or a path,
    /// which matches any host (`/jobs`). A `*` matches any characters, including `/` and none:
    /// `https://*.example.com/jobs/*`. With a `?` in the URL the query has to match too.
    pub fn any(&self, url: impl Into<String>) -> Rule<'_> {
        Rule::new(self, None, url.into())
    }

    /// Every request, answered or not, in order. A retried request appears once per attempt.
    pub fn requests(&self) -> Vec<SentRequest> {
        self.0.lock().requests.clone()
    }

    /// Ends the test: writes the recording, and lists the calls without a rule.
    pub(super) fn finish(&self) -> Option<String> {
        if let Some(Outside::Kept(recorder)) = &self.0.outside {
            recorder.save();
        }
        let state = self.0.lock();
        let has_failed = !state.unanswered.is_empty();
        has_failed.then(|| format!("{}\n{}", state.unanswered.join("\n"), state.list_rules()))
    }

    fn add(&self, rule: Kept) {
        self.0.lock().rules.push(rule);
    }
}

impl State {
    fn list_rules(&self) -> String {
        if self.rules.is_empty() {
            return "there are no rules: add one with platform.http().get(..).reply(..)".to_owned();
        }
        let rules: Vec<String> = self.rules.iter().map(|rule| format!("  {rule}")).collect();
        format!("the rules are:\n{}", rules.join("\n"))
    }
}

impl Script {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer to a request.
enum Answered<'a> {
    Rule(Reply, PendingReply),
    Recorder(&'a Recorder),
}

impl Script {
    /// Notes a request, and finds what answers it.
    fn ask(&self, request: &SentRequest) -> Result<Answered<'_>, HttpError> {
        let mut state = self.lock();
        state.requests.push(request.clone());
        if let Some((reply, pending)) = state.rules.iter_mut().find_map(|rule| rule.answer(request)) {
            return Ok(Answered::Rule(reply, pending));
        }
        if let Some(Outside::Kept(recorder)) = &self.outside {
            return Ok(Answered::Recorder(recorder));
        }
        let text = format!("no rule answers {request}");
        let told = format!("{text}; {}", state.list_rules());
        state.unanswered.push(text);
        Err(HttpError::refused(told))
    }
}

impl Transport for Script {
    fn exchange(&self, outgoing: OutgoingRequest) -> Exchange<'_> {
        let request = SentRequest::of(&outgoing.request);
        let asked = self.ask(&request);
        Box::pin(async move {
            match asked? {
                Answered::Rule(reply, _pending) => reply.given(&request, outgoing.timeout, outgoing.body_limit).await,
                Answered::Recorder(recorder) => recorder.exchange(request, outgoing).await,
            }
        })
    }

    fn open(&self, outgoing: OutgoingRequest) -> Pending<'_, OpenResponse> {
        let request = SentRequest::of(&outgoing.request);
        let asked = self.ask(&request);
        Box::pin(async move {
            let (times, limit) = ((outgoing.timeout, outgoing.silence), outgoing.body_limit);
            match asked? {
                Answered::Rule(reply, pending) => reply.opened(&request, times, limit, pending).await,
                Answered::Recorder(recorder) => {
                    let answer = recorder.open(request.clone(), outgoing).await?;
                    recording::replayed(&answer).opened(&request, times, limit, ()).await
                }
            }
        })
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("rules", &self.lock().rules.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for ScriptedHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.lock();
        f.debug_struct("ScriptedHttp")
            .field("rules", &state.rules.len())
            .field("requests", &state.requests.len())
            .finish_non_exhaustive()
    }
}
