//! Users who call without a pause until they are asked to stop, and the checks of their chats at the end. One
//! user also follows a live stream.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use imperal::ids::RequestKey;
use imperal_tests::{Claims, JWT_SECRET, User, token};
use reqwest::Method;
use serde_json::{Value, json};

use super::idempotency::call;

pub(crate) const USERS: usize = 4;

/// The outcomes of a user's calls.
#[derive(Debug, Default)]
struct Calls {
    /// The tasks of accepted calls.
    tasks: Vec<String>,
    /// Number of refusals that ask for a repetition.
    refused: usize,
    /// Number of accepted calls whose reply says that the node was stopping.
    too_late: usize,
    /// Number of requests without an answer of a node, because a node or a connection ended.
    unanswered: usize,
}

/// Users who call without a pause until they are asked to stop.
pub(crate) struct Crowd {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    users: Vec<tokio::task::JoinHandle<(User, Calls)>>,
    watcher: tokio::task::JoinHandle<Vec<u64>>,
    /// The event at which the watcher stops.
    last: Arc<AtomicU64>,
}

impl Crowd {
    pub(crate) fn start(url: &str) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let user = |n| member(url, n);
        let users = (0..USERS).map(|n| tokio::spawn(calls(user(n), stop.clone(), done.clone()))).collect();
        let last = Arc::new(AtomicU64::new(u64::MAX));
        Self { watcher: tokio::spawn(watch(user(0), last.clone())), last, stop, done, users }
    }

    /// Waits for this many more calls, so that some of them meet the change before.
    pub(crate) async fn go_on(&self, more: usize) {
        let wanted = self.done.load(Ordering::SeqCst) + more;
        let met = async {
            while self.done.load(Ordering::SeqCst) < wanted {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), met).await.expect("calls continue");
    }

    /// Tells all users to stop, and waits for them.
    pub(crate) async fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        for user in self.users {
            user.await.expect("every call is answered");
        }
        self.last.store(0, Ordering::SeqCst);
        self.watcher.await.expect("the stream continues");
    }

    /// Checks that every acknowledged call and task is in its chat. Returns the numbers of refusals and of
    /// requests without an answer.
    pub(crate) async fn judge(self) -> (usize, usize) {
        self.stop.store(true, Ordering::SeqCst);
        let (mut all_refused, mut all_unanswered) = (0, 0);
        let mut of_watched = 0;
        for (number, user) in self.users.into_iter().enumerate() {
            let (user, Calls { tasks, refused, too_late, unanswered }) = user.await.expect("every call is answered");
            all_refused += refused + too_late;
            all_unanswered += unanswered;
            let ended = async {
                while !user.get("/v1/tasks?limit=200").await.1["tasks"]
                    .as_array()
                    .is_some_and(|tasks| tasks.iter().all(|task| task["state"] != "running"))
                {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(30), ended).await.expect("every task ends");
            let turns = all_turns(&user).await;
            if number == 0 {
                of_watched = turns.last().expect("the watched user has called")["seq"].as_u64().unwrap();
            }
            let asked = turns.iter().filter(|turn| turn["role"] == "user").count();
            assert_eq!(asked, tasks.len() + too_late, "each request is accepted once");
            let mut outcomes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for turn in turns.iter().filter(|turn| !turn["task_id"].is_null() && !turn["result"].is_null()) {
                let outcome = turn["result"]["status"].as_str().unwrap();
                outcomes.entry(turn["task_id"].as_str().unwrap()).or_default().push(outcome);
            }
            for task in &tasks {
                assert_eq!(outcomes.get(task.as_str()), Some(&vec!["success"]), "{task}");
            }
            assert_eq!(outcomes.len(), tasks.len(), "each call has one task, and each task one outcome");
        }
        // However long a node took to find the database again: the stream comes to the end.
        self.last.store(of_watched, Ordering::SeqCst);
        let watched = tokio::time::timeout(Duration::from_secs(30), self.watcher).await;
        let seen = watched.expect("the stream comes to the user's last turn").unwrap();
        let wanted: Vec<u64> = (1..).take(seen.len()).collect();
        assert_eq!(seen, wanted, "the stream missed or repeated an event");
        (all_refused, all_unanswered)
    }
}

/// One of the users.
pub(crate) fn member(url: &str, n: usize) -> User {
    User::behind(url, &token(&Claims::of(&format!("user-{n}")), JWT_SECRET))
}

/// All turns of a user's chat.
pub(crate) async fn all_turns(user: &User) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let after = all.last().map_or(0, |turn| turn["seq"].as_u64().unwrap());
        let (status, body) = user.get(&format!("/v1/chat/turns?limit=500&after={after}")).await;
        assert_eq!(status, 200, "{body}");
        let more = body["turns"].as_array().unwrap();
        if more.is_empty() {
            return all;
        }
        all.extend(more.iter().cloned());
    }
}

async fn calls(user: User, stop: Arc<AtomicBool>, done: Arc<AtomicUsize>) -> (User, Calls) {
    let mut calls = Calls::default();
    while !stop.load(Ordering::SeqCst) {
        let (key, mut tries) = (RequestKey::generate(), 0);
        while !ask(&user, key.as_str(), &mut calls).await {
            tries += 1;
            assert!(tries < 200, "no answer in 200 tries");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        done.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (user, calls)
}

/// Sends one request until it is answered.
async fn ask(user: &User, key: &str, calls: &mut Calls) -> bool {
    // An answer of the proxy is not JSON.
    let Ok((status, _, body)) = call(user, key, "steps", json!({"steps": 3, "step_ms": 60})).await else {
        calls.unanswered += 1;
        return false;
    };
    match status.as_u16() {
        // Accepted just before the node was asked to stop, after which it starts no task.
        200 if body["result"]["error_code"] == "UNAVAILABLE" => calls.too_late += 1,
        200 => calls.tasks.push(body["result"]["data"]["task_id"].as_str().unwrap().to_owned()),
        // Refused, or with an unknown outcome: a repetition with the same key is safe.
        503 => {
            calls.refused += 1;
            return false;
        }
        _ => panic!("{status}: {body}"),
    }
    true
}

/// The numbers of all events in the order of arrival, over as many streams as needed.
async fn watch(user: User, last: Arc<AtomicU64>) -> Vec<u64> {
    let mut seen: Vec<u64> = Vec::new();
    let is_at_end = |seen: &[u64]| seen.last().copied().unwrap_or_default() >= last.load(Ordering::SeqCst);
    while !is_at_end(&seen) {
        let path = format!("/v1/events/stream?after={}", seen.last().unwrap_or(&0));
        let answer = user.request(Method::GET, &path).send().await;
        let Some(answer) = answer.ok().filter(|answer| answer.status() == 200) else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let mut events = imperal_tests::Events::new(answer);
        while let Ok(Some(event)) = tokio::time::timeout(Duration::from_secs(2), events.try_next()).await {
            seen.extend(event.id);
            if is_at_end(&seen) {
                return seen;
            }
        }
    }
    seen
}
