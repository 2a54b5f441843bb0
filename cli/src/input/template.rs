//! Builds requests from lines and rows.

use std::borrow::Cow;
use std::sync::Arc;

use fetch_driver::{BodyRetention, Error, Request};
use fetch_proto::{Method, PolicyPatch};
use http::header::AUTHORIZATION;
use ring::digest;

use super::netrc::NetrcLogins;
use super::rows::ListRow;
use crate::outcome::row::RowAttachment;

/// The properties of requests whose rows set no others.
pub(crate) struct RequestTemplate {
    pub(crate) body: bytes::Bytes,
    /// Whether `-u` or `-H Authorization` applies to all URLs, also those with a password.
    pub(crate) has_login: bool,
    /// Credentials for requests without others.
    pub(crate) logins: Option<NetrcLogins>,
    pub(crate) method: Method,
    /// Whether paths are sent unchanged.
    pub(crate) path_as_is: bool,
}

impl RequestTemplate {
    /// Builds the request of a plain line.
    pub(super) fn request(&self, url: &str) -> Result<Request, String> {
        let request = self.new_request(self.method.clone(), url)?;
        let request = self.log_in(self.set_path(request.body_retention(BodyRetention::Discard))?);
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
        let request = self.new_request(method.clone(), &row.url)?;
        let request = self.set_path(request.body_retention(BodyRetention::Discard))?;
        let mut request = request.priority(row.priority);
        for (name, value) in row.headers {
            let value = value
                .to_str()
                .map_err(|_| format!("{name}: not in ASCII"))?;
            let with = request.header(name.as_str(), value);
            request = with.map_err(|error| reason(&error))?;
        }
        if let Some(limit) = row.timeout {
            request = request.patch(PolicyPatch::attempt_timeout(limit));
        }
        let digest = digest::digest(&digest::SHA256, &body);
        let item = RowAttachment {
            carried: row.carried,
            body_digest: digest.as_ref().try_into().expect("SHA-256 has 32 bytes"),
            checksum: row.checksum,
            id: row.id,
            method,
            out: row.out,
        };
        if !body.is_empty() {
            request = request.body(body);
        }
        let request = self.log_in(request);
        Ok((request.attach(Arc::new(item.clone())), item))
    }

    fn new_request(&self, method: Method, url: &str) -> Result<Request, String> {
        let request = match self.has_login {
            true => Request::new(method, without_user(url)),
            false => Request::new(method, url),
        };
        request.map_err(|error| reason(&error))
    }

    fn set_path(&self, request: Request) -> Result<Request, String> {
        match self.path_as_is {
            true => request.with_path_as_is().map_err(|error| reason(&error)),
            false => Ok(request),
        }
    }

    /// Adds the credentials of the netrc file, unless the request has others.
    fn log_in(&self, request: Request) -> Request {
        let host = request.url().host_str().unwrap_or_default();
        let login = self.logins.as_ref().and_then(|logins| logins.get(host));
        match login {
            Some(login) if !request.headers_ref().contains_key(AUTHORIZATION) => {
                request.headers([(AUTHORIZATION, login.clone())].into_iter().collect())
            }
            _ => request,
        }
    }
}

/// The URL without user name and password.
fn without_user(url: &str) -> Cow<'_, str> {
    let Some(start) = url.find("://").map(|at| at + 3) else {
        return url.into();
    };
    let end = url[start..].find(['/', '?', '#', '\\']);
    let end = end.map_or(url.len(), |end| start + end);
    match url[start..end].rfind('@') {
        Some(at) => format!("{}{}", &url[..start], &url[start + at + 1..]).into(),
        None => url.into(),
    }
}

fn reason(error: &Error) -> String {
    let detail = error.detail();
    detail.map_or_else(|| error.to_string(), ToOwned::to_owned)
}
