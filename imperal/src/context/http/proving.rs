//! The request of an effect on its way: notes of each exchange whether it proves that the service did nothing.

use std::sync::Arc;

use super::transport::{AnyResponse, Pending};
use super::{Exchange, OpenResponse, OutgoingRequest, Transport};
use crate::context::EffectRequest;
use crate::error::HttpError;

/// A transport that notes what the exchanges of an effect's request prove.
#[derive(Debug)]
pub(super) struct Proving<'a> {
    pub(super) transport: &'a dyn Transport,
    pub(super) request: Arc<EffectRequest>,
}

impl Transport for Proving<'_> {
    fn exchange(&self, outgoing: OutgoingRequest) -> Exchange<'_> {
        self.receive(outgoing)
    }

    /// The head of the response is enough to tell.
    fn open(&self, outgoing: OutgoingRequest) -> Pending<'_, OpenResponse> {
        self.receive(outgoing)
    }
}

impl Proving<'_> {
    fn receive<T: AnyResponse>(&self, outgoing: OutgoingRequest) -> Pending<'_, T> {
        Box::pin(async move {
            self.request.begin_exchange();
            let answer = T::receive(self.transport, outgoing).await;
            self.request.end_exchange(is_refusal(&answer));
            answer
        })
    }
}

/// Whether a service that answers so has done nothing.
fn is_refusal(answer: &Result<impl AnyResponse, HttpError>) -> bool {
    match answer {
        // A 408 and a 409 may be about an earlier send of the same request. 307 and 308 name another place for it.
        Ok(answer) => matches!(answer.status().as_u16(), 307 | 308 | 400..=407 | 410..=499),
        Err(error) => error.was_never_sent(),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::context::Response;

    #[expect(clippy::unnecessary_wraps, reason = "what a send returns")]
    fn answered(status: u16) -> Result<Response, HttpError> {
        Ok(Response::new(StatusCode::from_u16(status).unwrap(), HeaderMap::new(), bytes::Bytes::new()))
    }

    #[test]
    fn only_refusals_prove_that_nothing_happened() {
        for status in [400, 401, 404, 422, 429, 307, 308] {
            assert!(is_refusal(&answered(status)), "{status}");
        }
        for status in [200, 201, 301, 302, 303, 408, 409, 500, 503] {
            assert!(!is_refusal(&answered(status)), "{status}");
        }
        assert!(is_refusal(&Err::<Response, _>(HttpError::refused("a timeout".to_owned()))));
        assert!(is_refusal(&Err::<Response, _>(HttpError::unreachable())));
        assert!(!is_refusal(&Err::<Response, _>(HttpError::timeout(std::time::Duration::from_secs(1)))));
        assert!(!is_refusal(&Err::<Response, _>(HttpError::stopped("cancelled"))));
        assert!(!is_refusal(&Err::<Response, _>(HttpError::redirect("too many".to_owned()))));
    }
}
