//! A payment whose process ends at each moment between its intent and its result, or whose answer comes too late (P18).
//! Each ends in one payment, or in a question whose three answers do what they say.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::routing::post;
use imperal_tests::{Node, NodeOptions, User, eventually};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The fate of the first request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// The process ends before it sends the request.
    AfterTheIntent,
    /// The service has acted, and the process is killed while it waits for the answer.
    InTheCall,
    /// The process has the answer, and ends before its result is stored.
    BeforeTheResult,
    /// The service has acted, and the answer does not come in time.
    Timeout,
}

impl Cut {
    /// The place at which the process ends itself: each row of an effect is a pass.
    fn crash_at(self) -> Option<&'static str> {
        match self {
            Self::AfterTheIntent => Some("after-step:1"),
            Self::BeforeTheResult => Some("before-step:2"),
            Self::InTheCall | Self::Timeout => None,
        }
    }

    /// Whether the service never answers the first request.
    fn is_held(self) -> bool {
        matches!(self, Self::InTheCall | Self::Timeout)
    }
}

/// A service that counts its payments.
struct Service {
    url: String,
    payments: Arc<AtomicU32>,
}

impl Service {
    async fn start(holds_the_first: bool) -> Self {
        let payments = Arc::new(AtomicU32::new(0));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/charge", listener.local_addr().unwrap());
        let counted = payments.clone();
        let pay = move || {
            let is_first = counted.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                if holds_the_first && is_first {
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().route("/charge", post(pay))).await });
        Self { url, payments }
    }

    fn payments(&self) -> u32 {
        self.payments.load(Ordering::SeqCst)
    }
}

/// The options of a process that ends itself at this moment.
fn armed(mut options: NodeOptions, cut: Cut) -> NodeOptions {
    options.env.extend(cut.crash_at().map(|place| ("IMPERAL_CRASH_AT".to_owned(), place.to_owned())));
    options
}

/// Starts the payment, and ends its process at the moment. Returns the process if it still runs.
async fn cut_off(mut node: Node, user: &User, service: &Service, cut: Cut) -> Option<Node> {
    let timeout = if cut == Cut::Timeout { 1 } else { 60 };
    // The process may end before it answers.
    let call = json!({"function": "charge", "params": {"url": service.url, "timeout": timeout}});
    let request = user.request(reqwest::Method::POST, "/v1/extensions/probe/call").json(&call);
    let _ = request.send().await;
    match cut {
        Cut::AfterTheIntent | Cut::BeforeTheResult => {
            assert!(node.ended_within(Duration::from_secs(30)).await, "{cut:?}: the process ends");
            None
        }
        Cut::InTheCall => {
            eventually("the request", async || (service.payments() == 1).then_some(())).await;
            node.kill().await;
            None
        }
        Cut::Timeout => Some(node),
    }
}

/// Answers the question about the payment. Returns the task as it ended, and its outcome.
async fn answered(user: &User, answer: &str) -> (Value, Value) {
    let task_id = eventually("the question", async || {
        let (_, active) = user.get("/v1/tasks/active").await;
        let task = active["tasks"].as_array()?.iter().find(|task| task["open_questions"].as_u64() == Some(1))?;
        Some(task["task_id"].as_str()?.to_owned())
    })
    .await;
    let (status, told) = user.post(&format!("/v1/tasks/{task_id}/answer"), &json!({"answer": answer})).await;
    assert_eq!(status, 200, "{told}");
    let task = user.end_of(&task_id).await;
    let mut outcomes = user.outcomes(&task_id).await;
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    (task, outcomes.remove(0))
}

/// Each answer does what it says, and a person who looks at the service first pays exactly once.
async fn check_answer(user: &User, service: &Service, cut: Cut, answer: &str) {
    let before = u32::from(cut != Cut::AfterTheIntent);
    let (task, outcome) = answered(user, answer).await;
    let context = format!("{cut:?}, {answer}: {task} {outcome}");
    let (state, text, payments) = match answer {
        "done" => ("succeeded", "You say that it is paid.", before),
        "again" => ("succeeded", "It is paid.", before + 1),
        _ => ("failed", "It is not known whether `pay` was done.", before),
    };
    assert_eq!(task["state"], state, "{context}");
    assert!(outcome["text"].as_str().unwrap().contains(text), "{context}");
    if answer == "stop" {
        assert_eq!(outcome["result"]["error_code"], "EFFECT_UNKNOWN", "{context}");
    }
    assert_eq!(service.payments(), payments, "{context}");
    if answer == if before == 0 { "again" } else { "done" } {
        assert_eq!(service.payments(), 1, "{context}");
    }
}

const ANSWERS: [&str; 3] = ["done", "again", "stop"];

/// The next process of the folder goes on.
async fn on_one_node(cut: Cut) {
    for answer in ANSWERS {
        let folder = tempfile::tempdir().unwrap();
        let (options, service) = (crate::options(&folder), Service::start(cut.is_held()).await);
        let node = armed(options.clone(), cut).start().await;
        let anna = User::of(&node, "anna");
        let node = match cut_off(node, &anna, &service, cut).await {
            Some(node) => node,
            None => options.start().await,
        };
        check_answer(&anna.at(&node), &service, cut, answer).await;
    }
}

#[tokio::test]
async fn payment_cut_off_after_its_intent() {
    on_one_node(Cut::AfterTheIntent).await;
}

#[tokio::test]
async fn payment_cut_off_in_its_call() {
    on_one_node(Cut::InTheCall).await;
}

#[tokio::test]
async fn payment_cut_off_before_its_result() {
    on_one_node(Cut::BeforeTheResult).await;
}

#[tokio::test]
async fn payment_whose_answer_comes_too_late() {
    on_one_node(Cut::Timeout).await;
}

/// Another of three nodes goes on.
mod postgres {
    use imperal_tests::campaigns::nodes::Fleet;

    use super::*;

    async fn on_three_nodes(name: &str, cut: Cut) {
        let fleet = Fleet::make(name, env!("CARGO_BIN_EXE_probe").as_ref(), 3).await;
        let others = [fleet.start(1).await, fleet.start(2).await];
        for (answer, user) in ANSWERS.into_iter().zip(["anna", "ben", "carol"]) {
            let service = Service::start(cut.is_held()).await;
            let node = armed(fleet.options(0).clone(), cut).start().await;
            let user = User::of(&node, user);
            let still_runs = cut_off(node, &user, &service, cut).await;
            check_answer(&user.at(&others[answer.len() % 2]), &service, cut, answer).await;
            // Until its end it holds the data folder that the next one uses.
            if let Some(node) = still_runs {
                node.kill().await;
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn payment_cut_off_after_its_intent() {
        on_three_nodes("payment_intent", Cut::AfterTheIntent).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn payment_cut_off_in_its_call() {
        on_three_nodes("payment_call", Cut::InTheCall).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn payment_cut_off_before_its_result() {
        on_three_nodes("payment_result", Cut::BeforeTheResult).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn payment_whose_answer_comes_too_late() {
        on_three_nodes("payment_timeout", Cut::Timeout).await;
    }
}
