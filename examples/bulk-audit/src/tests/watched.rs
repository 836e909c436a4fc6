//! The small service, with counters of requests in flight.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;

use crate::service;

/// The service and its counters.
pub(super) struct Watched {
    pub(super) base: String,
    seen: Seen,
}

type Seen = Arc<Mutex<Counts>>;

#[derive(Debug, Default, Clone)]
pub(super) struct Counts {
    /// Requests in all.
    pub(super) requests: usize,
    /// In flight now, by domain.
    flying: BTreeMap<String, usize>,
    /// Most requests in flight at once.
    pub(super) most: usize,
    /// Most domains in flight at once.
    pub(super) most_domains: usize,
    /// Most requests of one domain in flight at once.
    pub(super) most_of_one: usize,
}

impl Watched {
    pub(super) async fn start() -> Self {
        let seen = Seen::default();
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(watch).with_state(seen.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { base, seen }
    }

    pub(super) fn counts(&self) -> Counts {
        self.seen.lock().unwrap().clone()
    }
}

/// Counts a request as in flight until it is dropped: after its answer, or when its caller hangs up.
struct Flight(Seen, String);

impl Flight {
    fn begin(seen: &Seen, domain: String) -> Self {
        let mut counts = seen.lock().unwrap();
        counts.requests += 1;
        *counts.flying.entry(domain.clone()).or_default() += 1;
        counts.most = counts.most.max(counts.flying.values().sum());
        counts.most_domains = counts.most_domains.max(counts.flying.len());
        counts.most_of_one = counts.most_of_one.max(counts.flying[&domain]);
        Self(seen.clone(), domain)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut counts = self.0.lock().unwrap();
        let left = counts.flying.get_mut(&self.1).unwrap();
        *left -= 1;
        if *left == 0 {
            counts.flying.remove(&self.1);
        }
    }
}

async fn watch(State(seen): State<Seen>, request: Request) -> Response {
    let domain = request.uri().path().split('/').find(|part| part.contains('.')).unwrap_or_default().to_owned();
    let _flight = Flight::begin(&seen, domain);
    service::answer(request).await
}
