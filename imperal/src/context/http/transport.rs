//! The way by which a request leaves, and an answer comes back.
//!
//! Owns the narrow trait between `ctx.http()` and the network. Timeout rules, retries and cancels
//! are on this side of it: whoever stands in for the network answers requests and nothing else.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::{HttpError, Response};

/// A request as it leaves, once.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// Its body, where it has one, is bytes in memory.
    pub(crate) request: reqwest::Request,
    /// For the whole exchange, body included.
    pub(crate) timeout: Duration,
    /// Largest body to read.
    pub(crate) body_limit: usize,
    /// How often it went before.
    pub(crate) resent: u32,
}

impl Outgoing {
    /// The same after so many attempts; none when the body cannot be sent twice.
    pub(super) fn again(&self, resent: u32) -> Option<Self> {
        Some(Self { request: self.request.try_clone()?, timeout: self.timeout, body_limit: self.body_limit, resent })
    }
}

/// An answer on its way.
pub(crate) type Exchange<'a> = Pin<Box<dyn Future<Output = Result<Response, HttpError>> + Send + 'a>>;

/// Carries requests. Keeps to the timeout and the body's limit; dropping the exchange ends it.
pub(crate) trait Transport: Debug + Send + Sync {
    fn exchange(&self, outgoing: Outgoing) -> Exchange<'_>;
}

/// The network.
impl Transport for reqwest::Client {
    fn exchange(&self, outgoing: Outgoing) -> Exchange<'_> {
        let Outgoing { mut request, timeout, body_limit, .. } = outgoing;
        *request.timeout_mut() = Some(timeout);
        let too_large = move |bytes| {
            HttpError::decode(format!("the answer has {bytes} bytes, more than the limit of {body_limit}"))
        };
        Box::pin(async move {
            let mut answer = self.execute(request).await.map_err(|error| HttpError::from_reqwest(error, timeout))?;
            let announced = answer.content_length().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
            if announced > body_limit {
                return Err(too_large(announced));
            }
            let mut body = Vec::with_capacity(announced);
            while let Some(chunk) = answer.chunk().await.map_err(|error| HttpError::from_reqwest(error, timeout))? {
                if body.len() + chunk.len() > body_limit {
                    return Err(too_large(body.len() + chunk.len()));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Response::new(answer.status(), answer.headers().clone(), body.into()))
        })
    }
}
