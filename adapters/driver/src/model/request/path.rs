//! A path that is sent as it is.

use http::uri::PathAndQuery;
use url::Url;

use super::Request;
use crate::model::error::{Error, ErrorKind};

impl Request {
    /// Sends the path and the query as they were given: `/a/../b` stays that, and nothing is
    /// percent-encoded. Redirects lead where they lead.
    ///
    /// Over clients that cannot do that, those of isahc and surf among them, such a request fails:
    /// see [`Transport::SENDS_PATH_AS_IS`](crate::Transport::SENDS_PATH_AS_IS).
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
    /// If the path or the query hold what cannot be sent, such as a blank or a letter that is not
    /// ASCII, or if the URL has a user name or a password: its text is not kept then.
    pub fn with_path_as_is(mut self) -> Result<Self, Error> {
        let target = target(&self.text).and_then(|target| match self.text_is_kept {
            true => Ok(target),
            false => Err(
                "a URL with a user name cannot be sent as it is: write a field \
                          Authorization in its place",
            ),
        });
        let invalid = |why| Error::invalid(ErrorKind::InvalidUrl, &self.text, why);
        self.path_as_is = Some(target.map_err(invalid)?);
        Ok(self)
    }

    /// What is sent as the target of a request to `url`.
    pub(crate) fn target_as_is(&self, url: &Url) -> Option<PathAndQuery> {
        self.path_as_is.clone().filter(|_| *url == *self.url)
    }
}

/// Path and query of a URL, as they stand there.
fn target(url: &str) -> Result<PathAndQuery, &'static str> {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let target = rest[at..].split('#').next().unwrap_or_default();
    let root = if target.starts_with('/') { "" } else { "/" };
    let target = format!("{root}{target}");
    let can_be_sent = target.bytes().all(|byte| byte.is_ascii_graphic());
    let parsed = PathAndQuery::try_from(target).ok().filter(|_| can_be_sent);
    parsed.ok_or("it cannot be sent as it is: percent-encode its path and query")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_and_query_stay_and_the_rest_is_left_out() {
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
    fn only_the_first_request_has_it_and_none_whose_text_is_lost() {
        let request = Request::get("http://a.test/a/../b").unwrap();
        let request = request.with_path_as_is().unwrap();
        let elsewhere = "http://a.test/c".parse().unwrap();
        assert_eq!(request.target_as_is(request.url()).unwrap(), "/a/../b");
        assert_eq!(request.target_as_is(&elsewhere), None);
        let error = Request::get("http://me@a.test/a/../b")
            .unwrap()
            .with_path_as_is();
        assert!(error.unwrap_err().to_string().contains("Authorization"));
    }
}
