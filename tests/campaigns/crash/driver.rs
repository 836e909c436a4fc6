//! Users at work: they call, cancel, try to access other users' tasks, and follow their stream until the
//! process ends.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::record::SharedRecord;
use crate::Dice;
use crate::{Claims, Events, JWT_SECRET, Node, SERVICE_TOKEN, User, token};

/// A user with the record of all answers.
#[derive(Debug, Clone)]
pub(crate) struct TrackedUser {
    pub(crate) tenant: String,
    pub(crate) id: String,
    token: String,
    user: Option<User>,
    /// Whether a 503 of a node that stops or cannot write is a correct answer.
    pub(crate) may_be_refused: bool,
    /// The service that the steps of durable tasks call.
    pub(crate) service: String,
    pub(crate) record: SharedRecord,
}

/// The work of a call with background tasks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) tasks: u64,
    pub(crate) steps: u64,
    pub(crate) step_ms: u64,
}

impl TrackedUser {
    pub(crate) fn new(tenant: &str, id: &str, service: &str) -> Self {
        let mut claims = Claims::of(id);
        claims.tenant_id = Some(tenant.to_owned());
        claims.exp += 24 * 3600;
        let (tenant, id) = (tenant.to_owned(), id.to_owned());
        Self {
            tenant,
            id,
            token: token(&claims, JWT_SECRET),
            user: None,
            may_be_refused: false,
            service: service.to_owned(),
            record: SharedRecord::default(),
        }
    }

    /// The prefix of all texts of this user.
    pub(crate) fn mark(&self) -> String {
        format!("<{}/{}>", self.tenant, self.id)
    }

    /// Connects to the current process.
    pub(crate) fn visit(&mut self, node: &Node) -> User {
        let user = match &self.user {
            Some(user) => user.at(node),
            None => User::with_token(node, &self.token),
        };
        self.user = Some(user.clone());
        user
    }

    /// Connects to this URL with this HTTP client.
    pub(crate) fn visit_by(&self, http: &reqwest::Client, url: &str) -> User {
        User::by(http.clone(), url, &self.token)
    }

    /// Follows the live stream from the last recorded event until it breaks or, with `until_head`, until the head.
    pub(crate) async fn follow(self, user: User, until_head: bool) -> Result<(), Gone> {
        let last = self.record.open().streamed.len();
        let request = user.request(Method::GET, "/v1/events/stream").header("last-event-id", last.to_string());
        let answer = request.send().await.map_err(|_| Gone)?;
        let mut events = Events::new(answer);
        let mut head = None;
        loop {
            if until_head && head.is_some_and(|head| self.record.open().streamed.len() as u64 >= head) {
                return Ok(());
            }
            let event = events.try_next().await.ok_or(Gone)?;
            if event.event == "hello" {
                head = event.data["head"].as_u64();
            }
            self.record.open().stream(&event);
        }
    }

    /// Sends one request after the other until the process ends.
    pub(crate) async fn drive(self, user: User, others: Vec<SharedRecord>, mut dice: Dice) {
        loop {
            let done = match dice.below(14) {
                0 => self.echo(&user).await,
                1 => self.inject(&user).await,
                2 => self.cancel(&user, &mut dice).await,
                3 => self.answer(&user, &user, &mut dice).await,
                4 => self.trespass(&user, &others, &mut dice).await,
                5 => self.go_on(&user, &mut dice).await,
                6 | 7 => self.upload(&user, &mut dice).await,
                8 => self.schedule(&user, &mut dice).await,
                _ => self.journey(&user, &mut dice).await,
            };
            if done.is_err() {
                return;
            }
        }
    }

    async fn journey(&self, user: &User, dice: &mut Dice) -> Result<(), Gone> {
        let plan = Plan { tasks: dice.below(4), steps: 1 + dice.below(4), step_ms: dice.below(15) };
        self.try_journey(user, plan).await.map(drop)
    }

    /// Sends a call with background tasks. A call without an answer is repeated first, with its key.
    pub(crate) async fn try_journey(&self, user: &User, plan: Plan) -> Result<CallOutcome, Gone> {
        let earlier = self.record.open().unanswered.take();
        let again = earlier.is_some();
        let (tag, plan) = earlier.unwrap_or_else(|| (self.tag(), plan));
        let sent =
            send_call(travel(user, &tag, &plan, &self.service).header("idempotency-key", tag.replace(' ', "-"))).await;
        let mut record = self.record.open();
        let Ok((status, repeated, answer)) = sent else {
            record.unanswered = Some((tag, plan));
            return Err(Gone);
        };
        match status {
            StatusCode::OK => {
                record.reply(&answer);
                if repeated && !again {
                    record.odd_answers.push(format!("a request was answered before it was sent: {answer}"));
                }
                return Ok(if repeated { CallOutcome::Repeated } else { CallOutcome::Answered });
            }
            StatusCode::SERVICE_UNAVAILABLE if self.may_be_refused => {
                let why = answer["error"]["message"].as_str().unwrap_or_default();
                if !again && (why.contains("Nothing was accepted") || why.contains("is stopping")) {
                    record.refused_calls.insert(tag);
                } else {
                    // The outcome of the earlier try stays unknown.
                    record.unanswered = Some((tag, plan));
                }
            }
            _ => record.odd_answers.push(format!("a good call was answered with {status}: {answer}")),
        }
        Ok(CallOutcome::Refused)
    }

    async fn echo(&self, user: &User) -> Result<(), Gone> {
        let params = json!({ "text": format!("{} echo", self.tag()) });
        let answer = self.accepted(call(user, "echo", &params)).await?;
        self.record.open().reply(&answer);
        Ok(())
    }

    pub(crate) async fn inject(&self, user: &User) -> Result<(), Gone> {
        let body = json!({ "ext_id": "probe", "user_id": self.id, "text": format!("{} news", self.tag()) });
        let request = user
            .request(Method::POST, "/v1/internal/chat/inject")
            .header("x-service-token", SERVICE_TOKEN)
            .header("x-acting-user", &self.id)
            .header("x-tenant-id", &self.tenant)
            .json(&body);
        let answer = self.accepted(request).await?;
        let turn_id = answer["turn"]["turn_id"].as_str().unwrap_or_default().to_owned();
        self.record.open().injected.push(turn_id);
        Ok(())
    }

    pub(crate) async fn cancel(&self, user: &User, dice: &mut Dice) -> Result<(), Gone> {
        let answer = self.accepted(user.request(Method::GET, "/v1/tasks/active")).await?;
        let running: Vec<String> = answer["tasks"].as_array().into_iter().flatten().filter_map(id_of).collect();
        let Some(task_id) = dice.one_of(&running) else { return Ok(()) };
        let request = user.request(Method::POST, &format!("/v1/tasks/{task_id}/cancel"));
        let task = self.accepted(request).await?;
        // A durable task that no process runs ends at once.
        if task["state"] == "running" || (task["state"] == "cancelled" && task["cancel_requested_at"].is_string()) {
            self.record.open().cancelled.push(task_id.clone());
        }
        Ok(())
    }

    /// Goes on from an ended task in two windows at the same time.
    async fn go_on(&self, user: &User, dice: &mut Dice) -> Result<(), Gone> {
        let recent = self.accepted(user.request(Method::GET, "/v1/tasks?limit=50")).await?;
        let is_unfinished = |task: &&Value| {
            task["durable"] == true && matches!(task["state"].as_str(), Some("cancelled" | "failed" | "reclaimed"))
        };
        let ended: Vec<String> =
            recent["tasks"].as_array().into_iter().flatten().filter(is_unfinished).filter_map(id_of).collect();
        let Some(task_id) = dice.one_of(&ended) else { return Ok(()) };
        let path = format!("/v1/tasks/{task_id}/continue");
        let press = || send(user.request(Method::POST, &path).json(&json!({})));
        let (here, there) = tokio::join!(press(), press());
        let (mut started, mut gone) = (Vec::new(), false);
        for sent in [here, there] {
            let Ok((status, answer)) = sent else {
                gone = true;
                continue;
            };
            match status {
                StatusCode::OK => started.extend(id_of(&answer)),
                // The call was interrupted, or the node stops.
                StatusCode::SERVICE_UNAVAILABLE => gone |= self.may_be_refused,
                _ => {
                    let text = format!("going on from {task_id} was answered with {status}: {answer}");
                    self.record.open().odd_answers.push(text);
                }
            }
        }
        started.dedup();
        if started.len() > 1 {
            self.record.open().odd_answers.push(format!("two windows went on from {task_id} as {started:?}"));
        }
        if gone { Err(Gone) } else { Ok(()) }
    }

    /// Answers a question of a task twice at the same time, with different answers.
    pub(crate) async fn answer(&self, here: &User, there: &User, dice: &mut Dice) -> Result<(), Gone> {
        let active = self.accepted(here.request(Method::GET, "/v1/tasks/active")).await?;
        let asks = |task: &&Value| task["open_questions"].as_u64().is_some_and(|count| count > 0);
        let asking: Vec<String> =
            active["tasks"].as_array().into_iter().flatten().filter(asks).filter_map(id_of).collect();
        let Some(task_id) = dice.one_of(&asking) else { return Ok(()) };
        let path = format!("/v1/tasks/{task_id}/questions");
        let questions = self.accepted(here.request(Method::GET, &path)).await?;
        let listed = questions["questions"].as_array().into_iter().flatten();
        let Some(question) = listed.into_iter().find(|question| question["state"] == "open") else { return Ok(()) };
        let Some(question_id) = question["question_id"].as_str() else { return Ok(()) };
        if is_about_effect(question) {
            let task = active["tasks"].as_array().into_iter().flatten().find(|task| task["task_id"] == *task_id);
            let name = task.and_then(|task| task["name"].as_str()).unwrap_or_default();
            return self.answer_about_effect(here, task_id, (name, question_id), dice.below(6) == 0).await;
        }
        let next = || self.record.open().next();
        // One lock after the other.
        let (first, second) = (next(), next());
        let values = [first, second];
        let request = |user: &User, value: u64| {
            let body = json!({ "question_id": question_id, "answer": value });
            send(user.request(Method::POST, &format!("/v1/tasks/{task_id}/answer")).json(&body))
        };
        let (here, there) = tokio::join!(request(here, values[0]), request(there, values[1]));
        let mut gone = false;
        for (sent, value) in [here, there].into_iter().zip(values) {
            let Ok((status, answer)) = sent else {
                gone = true;
                continue;
            };
            let mut record = self.record.open();
            match status {
                StatusCode::OK => record.answers.push((task_id.clone(), value)),
                StatusCode::CONFLICT if answer["error"]["code"] == "QUESTION_CLOSED" => {}
                StatusCode::SERVICE_UNAVAILABLE if self.may_be_refused => gone = true,
                _ => record.odd_answers.push(format!("a good answer was answered with {status}: {answer}")),
            }
        }
        if gone { Err(Gone) } else { Ok(()) }
    }

    /// Looks at the service whether a task's effect was done, and says so; or stops the task.
    async fn answer_about_effect(
        &self,
        here: &User,
        task_id: &str,
        (name, question_id): (&str, &str),
        stops: bool,
    ) -> Result<(), Gone> {
        let url = format!("{}/effect/{}", self.service, path_of(name));
        let done: u64 = reqwest::get(url).await.map_err(|_| Gone)?.json().await.map_err(|_| Gone)?;
        let answer = if stops { "stop" } else { ["again", "done"][usize::from(done > 0)] };
        let body = json!({ "question_id": question_id, "answer": answer });
        let (status, told) =
            send(here.request(Method::POST, &format!("/v1/tasks/{task_id}/answer")).json(&body)).await?;
        match status {
            // 422: a look-up failed, so there is no "done".
            StatusCode::OK | StatusCode::UNPROCESSABLE_ENTITY => Ok(()),
            // Another request of this user was first, or the task has ended.
            StatusCode::CONFLICT if told["error"]["code"] == "QUESTION_CLOSED" => Ok(()),
            StatusCode::SERVICE_UNAVAILABLE if self.may_be_refused => Err(Gone),
            _ => {
                self.record.open().odd_answers.push(format!("a good answer was answered with {status}: {told}"));
                Ok(())
            }
        }
    }

    /// Answers every open question about an effect, so that the tasks can end.
    pub(crate) async fn answer_effects(&self, here: &User) -> Result<(), Gone> {
        let active = self.accepted(here.request(Method::GET, "/v1/tasks/active")).await?;
        for task in active["tasks"].as_array().into_iter().flatten() {
            let (Some(task_id), Some(name)) = (id_of(task), task["name"].as_str()) else { continue };
            if task["open_questions"].as_u64().is_none_or(|count| count == 0) {
                continue;
            }
            let questions = self.accepted(here.request(Method::GET, &format!("/v1/tasks/{task_id}/questions"))).await?;
            let open = questions["questions"].as_array().into_iter().flatten();
            for question in open.filter(|question| question["state"] == "open" && is_about_effect(question)) {
                if let Some(question_id) = question["question_id"].as_str() {
                    self.answer_about_effect(here, &task_id, (name, question_id), false).await?;
                }
            }
        }
        Ok(())
    }

    /// Tries to cancel or read a task of another user.
    pub(crate) async fn trespass(&self, user: &User, others: &[SharedRecord], dice: &mut Dice) -> Result<(), Gone> {
        let Some(theirs) = dice.one_of(others) else { return Ok(()) };
        let task_id = theirs.open().replies.iter().rev().find_map(|reply| reply.task_ids.last().cloned());
        let Some(task_id) = task_id else { return Ok(()) };
        let request = match dice.below(2) {
            0 => user.request(Method::GET, &format!("/v1/tasks/{task_id}")),
            _ => user.request(Method::POST, &format!("/v1/tasks/{task_id}/cancel")),
        };
        let (status, answer) = send(request).await?;
        if self.may_be_refused && status == StatusCode::SERVICE_UNAVAILABLE {
            return Err(Gone);
        }
        let mut record = self.record.open();
        if status == StatusCode::FORBIDDEN {
            record.refused.push(task_id);
        } else {
            record.odd_grants.push(format!("another user's task {task_id} was answered with {status}: {answer}"));
        }
        Ok(())
    }

    pub(super) fn tag(&self) -> String {
        format!("{} {}", self.mark(), self.record.open().next())
    }

    async fn accepted(&self, request: reqwest::RequestBuilder) -> Result<Value, Gone> {
        let (status, answer) = send(request).await?;
        if self.may_be_refused && status == StatusCode::SERVICE_UNAVAILABLE {
            return Err(Gone);
        }
        if status != StatusCode::OK {
            self.record.open().odd_answers.push(format!("a good request was answered with {status}: {answer}"));
        }
        Ok(answer)
    }
}

/// The outcome of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallOutcome {
    Answered,
    /// A repeated call whose earlier try had been accepted.
    Repeated,
    Refused,
}

/// The process ended before the answer was complete, or does not listen.
#[derive(Debug)]
pub(crate) struct Gone;

fn call(user: &User, function: &str, params: &Value) -> reqwest::RequestBuilder {
    let body = json!({ "function": function, "params": params });
    user.request(Method::POST, "/v1/extensions/probe/call").json(&body)
}

fn travel(user: &User, tag: &str, plan: &Plan, service: &str) -> reqwest::RequestBuilder {
    let Plan { tasks, steps, step_ms } = plan;
    let params = json!({ "tag": tag, "tasks": tasks, "steps": steps, "step_ms": step_ms, "service": service });
    call(user, "journey", &params)
}

/// Whether a question is about an effect that may or may not have happened.
fn is_about_effect(question: &Value) -> bool {
    question["name"].as_str().is_some_and(|name| name.starts_with("imperal:effect/"))
}

/// The path of a task at the service, as the probe makes it from the task's name.
pub(crate) fn path_of(name: &str) -> String {
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect()
}

fn id_of(task: &Value) -> Option<String> {
    task["task_id"].as_str().map(str::to_owned)
}

/// Returns status and complete body, or `Gone`.
pub(crate) async fn send(request: reqwest::RequestBuilder) -> Result<(StatusCode, Value), Gone> {
    send_call(request).await.map(|(status, _, value)| (status, value))
}

/// The same, with whether it is the answer to an earlier try.
async fn send_call(request: reqwest::RequestBuilder) -> Result<(StatusCode, bool, Value), Gone> {
    let answer = request.send().await.map_err(|_| Gone)?;
    let (status, repeated) = (answer.status(), answer.headers().contains_key("idempotency-replayed"));
    let bytes = answer.bytes().await.map_err(|_| Gone)?;
    let value = serde_json::from_slice(&bytes).map_err(|_| Gone)?;
    Ok((status, repeated, value))
}
