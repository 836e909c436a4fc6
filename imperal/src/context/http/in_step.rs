//! Requests of a durable task: their idempotency keys in a step, their place in the step's log, and the hazard of those
//! outside of steps.

use std::sync::Arc;

use tokio::time::Instant;

use super::retry;
use super::transport::AnyResponse;
use crate::context::Context;
use crate::context::durable::{StepLogEntry, StepScope, cut_log_text};
use crate::context::hazard::{Hazard, Place};
use crate::error::HttpError;
use crate::secrets::SecretsInUse;

/// In a step of a durable task: gives a request that may change something a key, unless it has one. Every run of
/// the step sends the same key with the same request. A body that is not in memory has no key.
pub(super) fn with_step_key(ctx: &Context, mut request: reqwest::Request) -> reqwest::Request {
    let Some(scope) = ctx.step_in_use() else { return request };
    if request.method().is_safe() || request.headers().contains_key(retry::IDEMPOTENCY_KEY) {
        return request;
    }
    let body = match request.body() {
        None => Some(&[][..]),
        Some(body) => body.as_bytes(),
    };
    let Some(body) = body else { return request };
    if let Some(effect) = scope.effect() {
        if let Ok(key) = http::HeaderValue::from_str(effect.key.as_str()) {
            request.headers_mut().insert(retry::IDEMPOTENCY_KEY, key);
        }
        return request;
    }
    let key = scope.request_key(request.method().as_str(), &ordered_url(request.url()), &ordered_json(body));
    if let Ok(key) = http::HeaderValue::from_str(&key) {
        request.headers_mut().insert(retry::IDEMPOTENCY_KEY, key);
    }
    request
}

/// In the body of a durable task: notes a request that may change something, outside of steps and without a key. Each
/// attempt sends it, and the service cannot recognise it.
pub(super) fn note_repeated(ctx: &Context, request: &reqwest::Request, place: Place) {
    let has_key = request.headers().contains_key(retry::IDEMPOTENCY_KEY);
    if request.method().is_safe() || has_key || ctx.durable_run().is_none() || ctx.step_in_use().is_some() {
        return;
    }
    let url = request.url();
    ctx.note_hazard(Hazard::Request {
        method: request.method().to_string(),
        host: cut_log_text(url.host_str().unwrap_or_default().to_owned()),
        path: cut_log_text(url.path().to_owned()),
        place,
    });
}

/// The URL with its query in order: a map has another order in each process.
fn ordered_url(url: &reqwest::Url) -> String {
    let mut pairs: Vec<_> = url.query_pairs().into_owned().collect();
    pairs.sort();
    let mut ordered = url.clone();
    ordered.set_query(None);
    format!("{ordered}?{pairs:?}")
}

/// A JSON body with its keys in order, for the same reason. Another body stays as it is.
fn ordered_json(body: &[u8]) -> Vec<u8> {
    fn order(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(object) => {
                object.sort_keys();
                object.values_mut().for_each(order);
            }
            serde_json::Value::Array(items) => items.iter_mut().for_each(order),
            _ => {}
        }
    }
    match imperal_manifest::json::read::<serde_json::Value>(body) {
        Ok(mut value) => {
            order(&mut value);
            serde_json::to_vec(&value).unwrap_or_else(|_| body.to_vec())
        }
        Err(_) => body.to_vec(),
    }
}

/// A request of a step, for the step's log.
pub(super) struct LoggedRequest {
    scope: Arc<StepScope>,
    method: String,
    url: String,
    secrets: SecretsInUse,
    begun: Instant,
}

impl LoggedRequest {
    pub(super) fn new(scope: Arc<StepScope>, request: &reqwest::Request, secrets: &SecretsInUse) -> Self {
        let (host, path) = (request.url().host_str().unwrap_or_default(), request.url().path());
        // Before it is cut: the beginning of a value would not be found.
        let url = cut_log_text(secrets.replace(&format!("{host}{path}")).into_owned());
        Self { scope, method: request.method().to_string(), url, secrets: secrets.clone(), begun: Instant::now() }
    }

    pub(super) fn note(self, answer: &Result<impl AnyResponse, HttpError>) {
        let ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (status, error) = match answer {
            Ok(answer) => (Some(answer.status().as_u16()), None),
            Err(error) => (None, Some(cut_log_text(self.secrets.replace(&error.to_string()).into_owned()))),
        };
        self.scope.log().add(&StepLogEntry::Request { method: self.method, url: self.url, status, ms, error });
    }
}
