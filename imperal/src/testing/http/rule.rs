//! Rules: the requests they match, their replies, and how often they answered.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Method;
use serde_json::Value;

use super::pattern::Pattern;
use super::{Reply, ScriptedHttp, SentRequest};

type Matcher = Box<dyn Fn(&SentRequest) -> bool + Send + Sync>;

/// A rule under construction: conditions first, then its reply. It takes effect with
/// [`reply`](Self::reply) or [`replies`](Self::replies).
#[must_use = "a rule takes effect when it has a reply: add `.reply(..)`"]
pub struct Rule<'a> {
    http: &'a ScriptedHttp,
    kept: Kept,
}

/// A rule in effect.
pub(super) struct Kept {
    method: Option<Method>,
    url: Pattern,
    /// Conditions, each with its description.
    matchers: Vec<(String, Matcher)>,
    answers: Answers,
    log: RuleLog,
}

enum Answers {
    Always(Reply),
    Once(VecDeque<Reply>),
}

/// How a rule was used. From [`Rule::reply`] and [`Rule::replies`].
#[derive(Debug, Clone, Default)]
pub struct RuleLog(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    calls: AtomicUsize,
    running: AtomicUsize,
    most: AtomicUsize,
}

impl RuleLog {
    /// The number of requests that the rule has answered or is answering.
    pub fn calls(&self) -> usize {
        self.0.calls.load(Ordering::SeqCst)
    }

    /// The number of responses that are pending now.
    pub fn running(&self) -> usize {
        self.0.running.load(Ordering::SeqCst)
    }

    /// The largest number of responses that were pending at once.
    pub fn most_at_once(&self) -> usize {
        self.0.most.load(Ordering::SeqCst)
    }

    fn begin(&self) -> Pending {
        self.0.calls.fetch_add(1, Ordering::SeqCst);
        let running = self.0.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most.fetch_max(running, Ordering::SeqCst);
        Pending(self.clone())
    }
}

/// A pending response. Its drop ends it, whether it was sent or the call was dropped.
pub(super) struct Pending(RuleLog);

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl<'a> Rule<'a> {
    pub(super) fn new(http: &'a ScriptedHttp, method: Option<Method>, url: String) -> Self {
        Self { http, kept: Kept::new(method, url) }
    }

    fn with(mut self, about: String, matcher: impl Fn(&SentRequest) -> bool + Send + Sync + 'static) -> Self {
        self.kept = self.kept.with(about, matcher);
        self
    }

    /// Only requests with this query parameter.
    pub fn query(self, name: &str, value: &str) -> Self {
        let about = format!("{name}={value}");
        let (name, value) = (name.to_owned(), value.to_owned());
        self.with(about, move |request| request.url.query_pairs().any(|(k, v)| k == name && v == value))
    }

    /// Only requests with this header.
    pub fn header(self, name: &str, value: &str) -> Self {
        let about = format!("{name}: {value}");
        let (name, value) = (name.to_owned(), value.to_owned());
        self.with(about, move |request| request.header(&name) == Some(&value))
    }

    /// Only requests whose body is this JSON, in any layout.
    pub fn json_body(self, body: Value) -> Self {
        let about = format!("the body {body}");
        self.with(about, move |request| serde_json::from_slice::<Value>(&request.body).is_ok_and(|sent| sent == body))
    }

    /// Only requests whose body contains this text.
    pub fn body_contains(self, part: &str) -> Self {
        let about = format!("{part:?} in its body");
        let part = part.to_owned();
        self.with(about, move |request| String::from_utf8_lossy(&request.body).contains(&part))
    }

    /// Only requests for which `is_it` returns true.
    pub fn matching(self, is_it: impl Fn(&SentRequest) -> bool + Send + Sync + 'static) -> Self {
        self.with("a condition".to_owned(), is_it)
    }

    /// Answers every request with this reply.
    pub fn reply(mut self, reply: Reply) -> RuleLog {
        self.kept.answers = Answers::Always(reply);
        self.add()
    }

    /// Answers with each reply once, in order. Then later rules match.
    pub fn replies(mut self, replies: impl IntoIterator<Item = Reply>) -> RuleLog {
        self.kept.answers = Answers::Once(replies.into_iter().collect());
        self.add()
    }

    fn add(self) -> RuleLog {
        let log = self.kept.log.clone();
        self.http.add(self.kept);
        log
    }
}

impl Kept {
    fn new(method: Option<Method>, url: String) -> Self {
        let answers = Answers::Once(VecDeque::new());
        Self { method, url: Pattern::new(url), matchers: Vec::new(), answers, log: RuleLog::default() }
    }

    fn with(mut self, about: String, matcher: impl Fn(&SentRequest) -> bool + Send + Sync + 'static) -> Self {
        self.matchers.push((about, Box::new(matcher)));
        self
    }

    /// One recorded response, for requests of this method for which `is_it` is true.
    pub(super) fn recorded(
        method: Method,
        url: &str,
        is_it: impl Fn(&SentRequest) -> bool + Send + Sync + 'static,
        reply: Reply,
    ) -> Self {
        let kept = Self::new(Some(method), "*".to_owned()).with(format!("recorded for {url}"), is_it);
        Self { answers: Answers::Once([reply].into()), ..kept }
    }

    /// The reply to a request that the rule matches.
    pub(super) fn answer(&mut self, request: &SentRequest) -> Option<(Reply, Pending)> {
        let is_it = self.method.as_ref().is_none_or(|method| *method == request.method)
            && self.url.matches(&request.url)
            && self.matchers.iter().all(|(_, matcher)| matcher(request));
        if !is_it {
            return None;
        }
        let reply = match &mut self.answers {
            Answers::Always(reply) => reply.clone(),
            Answers::Once(replies) => replies.pop_front()?,
        };
        Some((reply, self.log.begin()))
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.as_ref().map_or("any method", Method::as_str), self.url.as_str())?;
        for (about, _) in &self.matchers {
            write!(f, " with {about}")?;
        }
        match &self.answers {
            Answers::Always(reply) => write!(f, ": {reply:?}"),
            Answers::Once(replies) if replies.is_empty() => f.write_str(": used up"),
            Answers::Once(replies) => write!(f, ": {} left", replies.len()),
        }?;
        write!(f, ", answered {}", self.log.calls())
    }
}

impl fmt::Debug for Rule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rule({})", self.kept)
    }
}
