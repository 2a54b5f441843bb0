//! How a token authenticates a request.

use std::sync::Arc;

use fetch_proto::Attempt;
use http::header;
use http::uri::PathAndQuery;
use url::Position;

use crate::auth::signer::RequestToSign;
use crate::auth::source::TokenSecret;
use crate::transport::message::OutgoingRequest;

/// Adds the token, unless the request has credentials. Also returns whether the token authenticates it, so
/// that what its server says about authentication is for the token.
pub(super) fn with_token(
    mut request: OutgoingRequest,
    token: &TokenSecret,
    attempt: &Attempt,
) -> (OutgoingRequest, bool) {
    if request.headers.contains_key(header::AUTHORIZATION) {
        return (request, false);
    }
    let fields = match token {
        TokenSecret::Value(value) => Vec::from([(header::AUTHORIZATION, value.clone())]),
        TokenSecret::Signer(signer) => {
            let url = &*attempt.url;
            let unchanged = request.path_as_is.as_ref().map(PathAndQuery::as_str);
            let request = RequestToSign {
                body: request.body.as_bytes(),
                headers: &request.headers,
                login: attempt.login.as_deref(),
                method: &request.method,
                target: unchanged
                    .unwrap_or_else(|| &url[Position::BeforePath..Position::AfterQuery]),
                url,
            };
            signer.sign(&request)
        }
    };
    if !fields.is_empty() {
        let headers = Arc::make_mut(&mut request.headers);
        for (name, mut value) in fields {
            value.set_sensitive(name == header::AUTHORIZATION);
            headers.insert(name, value);
        }
    }
    (request, true)
}
