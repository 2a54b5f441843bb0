//! Builds requests from lines and rows.

use std::borrow::Cow;
use std::sync::Arc;

use fetch_driver::{BodyRetention, Error, Netrc, RedirectCheck, Request};
use fetch_proto::{Method, PolicyPatch};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str};
use url::Url;

use super::rows::{BodyDirectory, ListRow};
use crate::outcome::row::RowAttachment;
use crate::output::record::RecordBuilder;
use crate::upload::RequestPayload;

/// The characters that are percent-encoded in the name of a file that is appended to a URL: all but
/// unreserved ones.
const FILE_NAME: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The properties of requests whose rows set no others.
#[derive(Clone)]
pub(crate) struct RequestTemplate {
    /// Whether `Expect: 100-continue` is added where the body is one for which curl does so.
    pub(crate) asks_before_bodies: bool,
    /// Where the files are that rows may send.
    pub(crate) body_dir: Option<BodyDirectory>,
    /// What is written before hosts without scheme.
    pub(crate) default_scheme: &'static str,
    /// Whether http URLs are refused.
    pub(crate) https_only: bool,
    /// Whether outcomes have the responses that redirect.
    pub(crate) keeps_redirects: bool,
    /// Whether `-u` or `-H Authorization` applies to all URLs, also those with a password.
    pub(crate) has_login: bool,
    pub(crate) method: Method,
    /// The passwords of users whom URLs name.
    pub(crate) netrc: Option<Arc<Netrc>>,
    /// Whether paths are sent unchanged.
    pub(crate) path_as_is: bool,
    /// Decides about the targets of redirects: robots.txt.
    pub(crate) redirect_check: Option<Arc<dyn RedirectCheck>>,
    /// Whether the bodies of errors are not waited for.
    pub(crate) skip_error_bodies: bool,
    pub(crate) payload: RequestPayload,
    /// Appended to the query of every URL.
    pub(crate) query: Option<String>,
    /// Sent instead of the path and query of every URL.
    pub(crate) request_target: Option<String>,
}

impl RequestTemplate {
    /// Builds the request of a plain line, without its body.
    pub(super) fn request(&self, url: &str) -> Result<Request, String> {
        self.bare_request(self.method.clone(), url)
    }

    /// Builds the request of a row that sets more than its URL.
    pub(super) fn row_request(&self, row: ListRow) -> Result<(Request, RowAttachment), String> {
        let body = self.row_payload(row.body, row.body_file)?;
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
            request = request.policy_patch(PolicyPatch::attempt_timeout(limit));
        }
        let item = RowAttachment {
            carried: row.carried,
            checksum: row.checksum,
            id: row.id,
            identity: RecordBuilder::row_identity(&request, body.identity()),
            method,
            out: row.out,
        };
        Ok((body.attach_to(request, self.asks_before_bodies), item))
    }

    /// The request without the header fields of its row and without a body.
    fn bare_request(&self, method: Method, url: &str) -> Result<Request, String> {
        let request = match self.has_login {
            true => Request::new(method, without_user(url)),
            false => Request::new(method, url),
        };
        let request = request.map_err(|error| reason(&error))?;
        if self.https_only && request.url().scheme() == "http" {
            return Err("--proto does not allow http: write https://".into());
        }
        let request = self.set_common(request)?;
        Ok(match self.password(url) {
            Some(login) => request.headers([(AUTHORIZATION, login)].into_iter().collect()),
            None => request,
        })
    }

    /// Sets what all requests have in common, besides the body.
    fn set_common(&self, request: Request) -> Result<Request, String> {
        let mut request = request
            .body_retention(BodyRetention::Discard)
            .skip_error_bodies(self.skip_error_bodies);
        if let Some(check) = &self.redirect_check {
            request = request.redirect_check(check.clone());
        }
        self.set_path(request)
    }

    /// The URL of a row, completed in the same way.
    pub(super) fn complete_row_url(&self, row: &ListRow) -> String {
        let payload = match (&row.body_file, &row.body) {
            (Some(_), _) => &RequestPayload::Empty,
            (None, Some(body)) => body,
            (None, None) => &self.payload,
        };
        let url = self.complete_url(row.url.trim().as_bytes(), payload);
        String::from_utf8_lossy(&url).into_owned()
    }

    /// The body of a row: its own, that of its file, or that of all requests.
    fn row_payload(
        &self,
        body: Option<RequestPayload>,
        file: Option<String>,
    ) -> Result<RequestPayload, String> {
        match (body, file, &self.body_dir) {
            (_, Some(file), Some(directory)) => directory.payload(&file),
            (_, Some(_), None) => Err(
                "body_file: write --body-dir DIR, below which lists may name files to send".into(),
            ),
            (Some(body), None, _) => Ok(body),
            (None, None, _) => Ok(self.payload.clone()),
        }
    }

    fn set_path(&self, request: Request) -> Result<Request, String> {
        let request = request.keep_redirects(self.keeps_redirects);
        let request = match (&self.request_target, self.path_as_is) {
            (Some(target), _) => request.with_target(target),
            (None, true) => request.with_path_as_is(),
            (None, false) => Ok(request),
        };
        request.map_err(|error| reason(&error))
    }

    /// The URL with the name of the file that is uploaded to it, if it ends with a slash, and with the
    /// query of all URLs. `payload` is that of its request.
    pub(super) fn complete_url<'a>(
        &self,
        url: &'a [u8],
        payload: &RequestPayload,
    ) -> Cow<'a, [u8]> {
        let mut url = Cow::Borrowed(url);
        if let Some(name) = payload.file_name() {
            append_name(&mut url, name);
        }
        if let Some(query) = &self.query {
            append_query(&mut url, query);
        }
        url
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

/// Appends the name to a path that ends with a slash, or that is missing.
fn append_name(url: &mut Cow<'_, [u8]>, name: &str) {
    let end = url
        .iter()
        .position(|byte| b"?#".contains(byte))
        .unwrap_or(url.len());
    let path = url[..end]
        .windows(3)
        .position(|part| part == b"://")
        .map_or(0, |at| at + 3);
    let has_path = url[path..end].contains(&b'/');
    if has_path && url[end - 1] != b'/' {
        return;
    }
    let slash = if has_path { "" } else { "/" };
    let name = percent_encoding::utf8_percent_encode(name, FILE_NAME);
    url.to_mut()
        .splice(end..end, format!("{slash}{name}").into_bytes());
}

/// Appends to the query, before the fragment.
fn append_query(url: &mut Cow<'_, [u8]>, query: &str) {
    let end = url
        .iter()
        .position(|byte| *byte == b'#')
        .unwrap_or(url.len());
    let separator = match url[..end].iter().position(|byte| *byte == b'?') {
        None => "?",
        Some(at) if at + 1 == end => "",
        Some(_) => "&",
    };
    url.to_mut()
        .splice(end..end, format!("{separator}{query}").into_bytes());
}

fn reason(error: &Error) -> String {
    let detail = error.detail();
    detail.map_or_else(|| error.to_string(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(edit: fn(&mut Cow<'_, [u8]>, &str), url: &str, with: &str) -> String {
        let mut url = Cow::Borrowed(url.as_bytes());
        edit(&mut url, with);
        String::from_utf8(url.into_owned()).unwrap()
    }

    #[test]
    fn the_name_of_a_file_completes_a_directory() {
        for (url, expected) in [
            ("http://a.test", "http://a.test/f%20x"),
            ("http://a.test/", "http://a.test/f%20x"),
            ("http://a.test/d/?q#f", "http://a.test/d/f%20x?q#f"),
            ("http://a.test/d?q/", "http://a.test/d?q/"),
            ("http://a.test?q", "http://a.test/f%20x?q"),
        ] {
            assert_eq!(edited(append_name, url, "f x"), expected);
        }
    }

    #[test]
    fn the_query_is_extended_before_the_fragment() {
        for (url, expected) in [
            ("http://a.test/", "http://a.test/?a=1"),
            ("http://a.test/?", "http://a.test/?a=1"),
            ("http://a.test/?b#c?d", "http://a.test/?b&a=1#c?d"),
            ("http://a.test#c", "http://a.test?a=1#c"),
        ] {
            assert_eq!(edited(append_query, url, "a=1"), expected);
        }
    }
}
