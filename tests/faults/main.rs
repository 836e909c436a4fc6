//! Faults around the ledger's file, in a real process: no space, a lock, a damaged or newer file.
//!
//! During a fault, calls get 503 with a reason, and `/readyz` gives the reason too. Acknowledged calls are on
//! disk, refused calls are not. After the fault the process continues without a restart.

mod at_start;
mod at_work;
mod disk;
mod loops;
mod rows;

use std::time::{Duration, Instant};

use imperal_tests::User;
use serde_json::{Value, json};

/// The answers that a user got during a fault.
#[derive(Debug, Default)]
struct Answers {
    /// Texts of calls that were answered.
    answered: Vec<String>,
    /// Texts of calls that were refused with nothing accepted.
    refused: Vec<String>,
    /// Texts of calls that were accepted with a later reply.
    late: Vec<String>,
}

impl Answers {
    /// Calls with a text of this length; returns whether the response was 503.
    async fn call(&mut self, user: &User, length: usize) -> bool {
        let number = self.answered.len() + self.refused.len() + self.late.len();
        let text = format!("{number:06}{}", "x".repeat(length));
        let (status, body) = user.try_call("echo", json!({ "text": text })).await;
        if status == 200 {
            self.answered.push(text);
            return false;
        }
        assert_eq!((status.as_u16(), &body["error"]["code"]), (503, &json!("UNAVAILABLE")), "{body}");
        let message = body["error"]["message"].as_str().unwrap();
        if message.contains("Nothing was accepted") {
            self.refused.push(text);
        } else {
            assert!(message.contains("its reply will be in the chat"), "{message}");
            self.late.push(text);
        }
        true
    }

    /// Each answered or accepted call has exactly one reply; refused calls have no turn. Waits for the late
    /// replies, which the node retries.
    async fn check_chat(&self, user: &User) {
        let begun = Instant::now();
        let mut turns = all_turns(user).await;
        let is_missing = |turns: &[Value], text: &String| !turns.iter().any(|turn| turn["text"] == **text);
        while self.late.iter().any(|text| is_missing(&turns, text)) {
            assert!(begun.elapsed() < Duration::from_secs(30), "late replies are missing: {self:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
            turns = all_turns(user).await;
        }
        let count = |role: &str, text: &str| {
            let said = |turn: &&Value| match role {
                "user" => turn["role"] == "user" && turn["params"]["text"] == text,
                _ => turn["role"] == "bot" && turn["text"] == text,
            };
            turns.iter().filter(said).count()
        };
        for text in self.answered.iter().chain(&self.late) {
            assert_eq!((count("user", text), count("bot", text)), (1, 1), "{}", &text[..6]);
        }
        for text in &self.refused {
            assert_eq!((count("user", text), count("bot", text)), (0, 0), "{}", &text[..6]);
        }
    }
}

async fn all_turns(user: &User) -> Vec<Value> {
    let (mut turns, mut after) = (Vec::new(), 0);
    loop {
        let (status, page) = user.get(&format!("/v1/chat/turns?limit=500&after={after}")).await;
        assert_eq!(status, 200, "{page}");
        turns.extend(page["turns"].as_array().unwrap().iter().cloned());
        match page["next"].as_u64() {
            Some(next) => after = next,
            None => return turns,
        }
    }
}

/// Polls `/readyz` until calls are accepted.
async fn until_ready(user: &User) {
    let looking = async {
        while !ready(user).await.0 {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), looking).await.expect("ready again");
}

/// Waits until `/readyz` is 503. Its public answer has no path; the log has these words.
async fn until_not_ready(user: &User, log: &std::path::Path, words: &[&str]) {
    let looking = async {
        while ready(user).await.0 {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), looking).await.expect("not ready");
    let (_, why) = ready(user).await;
    assert!(!why.contains("ledger.db") && why.contains("cannot write"), "{why}");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(
        log.lines().any(|line| line.contains("not ready") && words.iter().all(|word| line.contains(word))),
        "{log}"
    );
}

/// Whether calls are accepted, and the text of `/readyz`.
async fn ready(user: &User) -> (bool, String) {
    let (status, text) = user.get("/readyz").await;
    (status == 200, text.as_str().unwrap_or_default().to_owned())
}
