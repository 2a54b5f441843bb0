//! From lines and rows to requests.

use std::sync::Arc;

use fetch_driver::{Error, Keep, Request};
use fetch_proto::{Method, Policy, Rules};
use http::header::AUTHORIZATION;
use ring::digest;

use super::row::ListRow;
use crate::input::logins::NetrcLogins;
use crate::outcome::item::Item;

/// What requests have where their rows say nothing else.
pub(crate) struct RequestTemplate {
    pub(crate) body: bytes::Bytes,
    /// What hosts are told that are told nothing else.
    pub(crate) logins: Option<NetrcLogins>,
    pub(crate) method: Method,
    /// Whether paths are sent as they are in the list.
    pub(crate) path_as_is: bool,
    /// By which a row's own limit on time is one of its attempts, all else being as the rules say.
    pub(crate) rules: Rules,
}

impl RequestTemplate {
    /// The request of a plain line.
    pub(super) fn request(&self, url: &str) -> Result<Request, String> {
        let request = Request::new(self.method.clone(), url).map_err(|error| why(&error))?;
        let request = self.log_in(self.as_is(request.keep(Keep::Nothing))?);
        Ok(match self.body.is_empty() {
            true => request,
            false => request.body(self.body.clone()),
        })
    }

    /// The request of a row that says more than its URL.
    pub(super) fn of_row(&self, row: ListRow) -> Result<(Request, Item), String> {
        let body = row.body.unwrap_or_else(|| self.body.clone());
        let method = match row.method {
            Some(method) => method,
            // As curl has it for data.
            None if self.method == Method::Get && !body.is_empty() => Method::Post,
            None => self.method.clone(),
        };
        let request = Request::new(method.clone(), row.url).map_err(|error| why(&error))?;
        let request = self.as_is(request.keep(Keep::Nothing))?;
        let mut request = request.priority(row.priority);
        for (name, value) in row.headers {
            let value = value
                .to_str()
                .map_err(|_| format!("{name}: not in ASCII"))?;
            let with = request.header(name.as_str(), value);
            request = with.map_err(|error| why(&error))?;
        }
        if let Some(limit) = row.timeout {
            let policy = self.rules.policy(&method, request.url());
            request = request.policy(Policy::clone(policy).attempt_timeout(limit));
        }
        let digest = digest::digest(&digest::SHA256, &body);
        let item = Item {
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

    fn as_is(&self, request: Request) -> Result<Request, String> {
        match self.path_as_is {
            true => request.with_path_as_is().map_err(|error| why(&error)),
            false => Ok(request),
        }
    }

    /// Adds the login of the request's host, unless it has one of its own.
    fn log_in(&self, request: Request) -> Request {
        let host = request.url().host_str().unwrap_or_default();
        let login = self.logins.as_ref().and_then(|logins| logins.of(host));
        match login {
            Some(login) if !request.headers_ref().contains_key(AUTHORIZATION) => {
                request.headers([(AUTHORIZATION, login.clone())].into_iter().collect())
            }
            _ => request,
        }
    }
}

fn why(error: &Error) -> String {
    let detail = error.detail();
    detail.map_or_else(|| error.to_string(), ToOwned::to_owned)
}
