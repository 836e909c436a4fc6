//! The trait between `ctx.http()` and the network.
//!
//! A transport sends one request and reads one response. The callers above it handle timeout rules, retries,
//! redirects and cancels.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::Response;
use crate::error::HttpError;

/// Most bytes that are reserved for a body before it arrives.
const READ_AHEAD: usize = 1024 * 1024;

/// A request that is sent once.
#[derive(Debug)]
pub(crate) struct OutgoingRequest {
    /// The request. Its body, if any, is bytes in memory.
    pub(crate) request: reqwest::Request,
    /// Limit for the whole exchange, body included.
    pub(crate) timeout: Duration,
    /// Largest body to read.
    pub(crate) body_limit: usize,
    /// Number of earlier sends, redirects included.
    pub(crate) resent: u32,
    /// Whether it carries trace context. `false` after a redirect to another origin.
    pub(crate) traced: bool,
}

impl OutgoingRequest {
    /// A copy for another attempt; `None` if the body cannot be sent twice.
    pub(super) fn again(&self, resent: u32) -> Option<Self> {
        let Self { timeout, body_limit, traced, .. } = *self;
        Some(Self { request: self.request.try_clone()?, timeout, body_limit, resent, traced })
    }
}

/// A pending response.
pub(crate) type Exchange<'a> = Pin<Box<dyn Future<Output = Result<Response, HttpError>> + Send + 'a>>;

/// Sends requests. Applies the timeout and the body limit. Dropping the exchange aborts it.
pub(crate) trait Transport: Debug + Send + Sync {
    fn exchange(&self, outgoing: OutgoingRequest) -> Exchange<'_>;
}

/// Sends requests over the network.
impl Transport for reqwest::Client {
    fn exchange(&self, outgoing: OutgoingRequest) -> Exchange<'_> {
        let OutgoingRequest { mut request, timeout, body_limit, .. } = outgoing;
        *request.timeout_mut() = Some(timeout);
        Box::pin(async move {
            let mut answer = self.execute(request).await.map_err(|error| HttpError::from_reqwest(error, timeout))?;
            let announced = answer.content_length().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
            if announced > body_limit {
                return Err(HttpError::too_large(body_limit));
            }
            // Does not reserve the whole announced length: the service may announce more than it sends.
            let mut body = Vec::with_capacity(announced.min(READ_AHEAD));
            while let Some(chunk) = answer.chunk().await.map_err(|error| HttpError::from_reqwest(error, timeout))? {
                if body.len() + chunk.len() > body_limit {
                    return Err(HttpError::too_large(body_limit));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Response::new(answer.status(), answer.headers().clone(), body.into()))
        })
    }
}
