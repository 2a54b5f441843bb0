//! Builds requests from lines and rows.

use std::sync::Arc;

use fetch_driver::{BodyRetention, Error, Netrc, Request};
use fetch_proto::{Method, PolicyPatch};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use percent_encoding::percent_decode_str;
use url::Url;

use super::rows::ListRow;
use crate::outcome::row::RowAttachment;
use crate::output::record::RecordBuilder;

/// The properties of requests whose rows set no others.
pub(crate) struct RequestTemplate {
    pub(crate) body: bytes::Bytes,
    pub(crate) method: Method,
    /// The passwords of users whom URLs name.
    pub(crate) netrc: Option<Arc<Netrc>>,
    /// Whether paths are sent unchanged.
    pub(crate) path_as_is: bool,
}

impl RequestTemplate {
    /// Builds the request of a plain line.
    pub(super) fn request(&self, url: &str) -> Result<Request, String> {
        let request = self.bare_request(self.method.clone(), url)?;
        Ok(match self.body.is_empty() {
            true => request,
            false => request.body(self.body.clone()),
        })
    }

    /// Builds the request of a row that sets more than its URL.
    pub(super) fn row_request(&self, row: ListRow) -> Result<(Request, RowAttachment), String> {
        let body = row.body.unwrap_or_else(|| self.body.clone());
        let method = match row.method {
            Some(method) => method,
            // As in curl, a body makes it a POST.
            None if self.method == Method::Get && !body.is_empty() => Method::Post,
            None => self.method.clone(),
        };
        if method == Method::Head && row.checksum.is_some() {
            return Err("checksum: the answer to HEAD has no body: leave one out".into());
        }
        let request = self.bare_request(method.clone(), &row.url)?;
        let mut headers = HeaderMap::new();
        for (name, value) in row.headers {
            headers.append(name, value);
        }
        // They replace credentials in the URL.
        let mut request = request.headers(headers).priority(row.priority);
        if let Some(limit) = row.timeout {
            request = request.patch(PolicyPatch::attempt_timeout(limit));
        }
        let item = RowAttachment {
            carried: row.carried,
            checksum: row.checksum,
            id: row.id,
            identity: RecordBuilder::row_identity(&request, &body),
            method,
            out: row.out,
        };
        if !body.is_empty() {
            request = request.body(body);
        }
        Ok((request, item))
    }

    /// The request without header fields and body, but for the credentials of its URL.
    fn bare_request(&self, method: Method, url: &str) -> Result<Request, String> {
        let request = Request::new(method, url).map_err(|error| reason(&error))?;
        let request = self.set_path(request.body_retention(BodyRetention::Discard))?;
        Ok(match self.password(url) {
            Some(login) => request.headers([(AUTHORIZATION, login)].into_iter().collect()),
            None => request,
        })
    }

    fn set_path(&self, request: Request) -> Result<Request, String> {
        match self.path_as_is {
            true => request.with_path_as_is().map_err(|error| reason(&error)),
            false => Ok(request),
        }
    }

    /// The login of the netrc file, if the URL names a user without a password.
    fn password(&self, url: &str) -> Option<HeaderValue> {
        let netrc = self.netrc.as_ref()?;
        if !url.contains('@') {
            return None;
        }
        let url = Url::parse(url).ok()?;
        let user = percent_decode_str(url.username()).decode_utf8().ok()?;
        if user.is_empty() || url.password().is_some() {
            return None;
        }
        netrc.authorization(url.host_str()?, Some(&user))
    }
}

fn reason(error: &Error) -> String {
    let detail = error.detail();
    detail.map_or_else(|| error.to_string(), ToOwned::to_owned)
}
