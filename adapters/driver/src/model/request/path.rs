//! Sending a path unchanged.

use std::borrow::Cow;

use fetch_proto::url_origin;
use http::uri::PathAndQuery;
use url::{Position, Url};

use super::Request;
use crate::model::error::{Error, ErrorKind};

impl Request {
    /// Sends the path and the query as given, like curl's `--path-as-is`: `/a/../b` is not resolved,
    /// and nothing is percent-encoded. It does not apply to the targets of redirects.
    ///
    /// With clients that cannot do it, such as those of isahc and surf, the request fails: see
    /// [`Transport::SENDS_PATH_AS_IS`](crate::Transport::SENDS_PATH_AS_IS).
    ///
    /// ```
    /// use fetch_driver::Request;
    /// let request = Request::get("http://a.test/a/../b?c#d")?.with_path_as_is()?;
    /// assert!(Request::get("http://a.test/ä")?.with_path_as_is().is_err());
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the path or the query contains characters that cannot be sent, such as spaces or
    /// non-ASCII letters, or if the URL has a user name or a password.
    pub fn with_path_as_is(mut self) -> Result<Self, Error> {
        let target = target(&self.text).and_then(|target| match self.text_is_original {
            true => Ok(target),
            false => Err(
                "a URL with a user name cannot be sent unchanged: set an `Authorization` \
                          header field instead",
            ),
        });
        let invalid = |why| Error::rejected(ErrorKind::InvalidUrl, &self.text, why);
        self.path_as_is = Some(target.map_err(invalid)?);
        Ok(self)
    }

    /// The URL as it is sent: normalised, or with the path and the query as given, and without fragment,
    /// user and password. Requests with equal methods, header fields and bodies are equal if this is.
    ///
    /// ```
    /// use fetch_driver::Request;
    /// let request = Request::get("HTTP://A.test:80/x/../d#one")?;
    /// assert_eq!(request.sent_url(), "http://a.test/d");
    /// let request = request.with_path_as_is()?;
    /// assert_eq!(request.sent_url(), "http://a.test/x/../d");
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    #[must_use]
    pub fn sent_url(&self) -> Cow<'_, str> {
        match &self.path_as_is {
            Some(target) => format!("{}{target}", url_origin(&self.url)).into(),
            None => self.url[..Position::AfterQuery].into(),
        }
    }

    /// Sends this path and query instead of the URL's, or `*`, like curl's `--request-target`. It does not
    /// apply to the targets of redirects, and has the same limits as
    /// [`with_path_as_is`](Self::with_path_as_is).
    ///
    /// ```
    /// use fetch_driver::Request;
    /// let request = Request::new("OPTIONS".parse()?, "http://a.test/")?.with_target("*")?;
    /// assert!(Request::get("http://a.test/")?.with_target("no path").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If it is neither a path, with or without a query, nor `*`.
    pub fn with_target(mut self, target: &str) -> Result<Self, Error> {
        let is_valid = target == "*" || target.starts_with('/');
        let parsed = PathAndQuery::try_from(target).ok().filter(|_| is_valid);
        let why = "the request target is neither a path nor *";
        let invalid = || Error::rejected(ErrorKind::InvalidUrl, &self.text, why);
        self.path_as_is = Some(parsed.ok_or_else(invalid)?);
        Ok(self)
    }

    /// The request target to send unchanged, if `url` is still the request's own.
    pub(crate) fn unchanged_target(&self, url: &Url) -> Option<PathAndQuery> {
        self.path_as_is.clone().filter(|_| *url == *self.url)
    }
}

/// The path and query of a URL as written.
fn target(url: &str) -> Result<PathAndQuery, &'static str> {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let target = rest[at..].split('#').next().unwrap_or_default();
    let root = if target.starts_with('/') { "" } else { "/" };
    let target = format!("{root}{target}");
    let can_be_sent = target.bytes().all(|byte| byte.is_ascii_graphic());
    let parsed = PathAndQuery::try_from(target).ok().filter(|_| can_be_sent);
    parsed.ok_or("path and query cannot be sent unchanged: percent-encode them")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_and_query_are_taken_unchanged() {
        for (url, expected) in [
            ("http://a.test", "/"),
            ("http://a.test#x", "/"),
            ("http://a.test?b/c", "/?b/c"),
            ("http://a.test/a/../b//c?d=../e#f", "/a/../b//c?d=../e"),
            ("http://a.test/%7Eme", "/%7Eme"),
        ] {
            assert_eq!(target(url).unwrap(), expected, "{url}");
        }
        assert!(target("http://a.test/a b").is_err() && target("http://a.test/ä").is_err());
    }

    #[test]
    fn a_redirect_and_a_url_with_a_user_name_are_not_sent_unchanged() {
        let request = Request::get("http://a.test/a/../b").unwrap();
        let request = request.with_path_as_is().unwrap();
        let elsewhere = "http://a.test/c".parse().unwrap();
        assert_eq!(request.unchanged_target(request.url()).unwrap(), "/a/../b");
        assert_eq!(request.unchanged_target(&elsewhere), None);
        let error = Request::get("http://me@a.test/a/../b")
            .unwrap()
            .with_path_as_is();
        assert!(error.unwrap_err().to_string().contains("Authorization"));
    }
}
