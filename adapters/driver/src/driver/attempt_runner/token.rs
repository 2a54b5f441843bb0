//! How a token authenticates a request.

use std::sync::Arc;

use fetch_proto::Attempt;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use url::Position;

use crate::auth::signer::{RequestSigner, RequestToSign};
use crate::auth::source::TokenSecret;
use crate::driver::token_keeper::AttemptToken;
use crate::transport::message::OutgoingRequest;

/// Adds the token, unless the request has credentials. `common` has the header fields of all requests.
/// Returns whether the token authenticates it.
pub(super) fn add_token(
    request: &mut OutgoingRequest,
    token: AttemptToken<'_>,
    attempt: &Attempt,
    common: &Arc<HeaderMap>,
) -> bool {
    if let Some(headers) = token.headers
        && Arc::ptr_eq(&request.headers, common)
    {
        request.headers = headers.clone();
        return true;
    }
    if request.headers.contains_key(header::AUTHORIZATION) {
        return false;
    }
    match token.secret {
        TokenSecret::Value(value) => {
            Arc::make_mut(&mut request.headers).insert(header::AUTHORIZATION, value.clone());
        }
        TokenSecret::Signer(signer) => {
            let fields = sign(&**signer, request, attempt);
            if !fields.is_empty() {
                let headers = Arc::make_mut(&mut request.headers);
                for (name, mut value) in fields {
                    value.set_sensitive(name == header::AUTHORIZATION);
                    headers.insert(name, value);
                }
            }
        }
    }
    true
}

/// The fields that the signer computes.
fn sign(
    signer: &dyn RequestSigner,
    request: &OutgoingRequest,
    attempt: &Attempt,
) -> Vec<(HeaderName, HeaderValue)> {
    let url = &*attempt.url;
    let unchanged = request.path_as_is.as_ref().map(PathAndQuery::as_str);
    signer.sign(&RequestToSign {
        body: request.body.as_bytes(),
        headers: &request.headers,
        login: attempt.login.as_deref(),
        method: &request.method,
        target: unchanged.unwrap_or_else(|| &url[Position::BeforePath..Position::AfterQuery]),
        url,
    })
}
