//! By what stored responses are found.

use std::fmt;
use std::sync::Arc;

use fetch_proto::url_origin;
use http::uri::PathAndQuery;
use url::Url;

/// By what stored responses are found: the URL as it is sent, and the identity behind the request. A store
/// compares both in full.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct CacheKey {
    identity: Arc<[u8]>,
    url: Arc<str>,
}

impl CacheKey {
    /// The key of a request.
    pub(crate) fn new(url: &Url, as_is: Option<&PathAndQuery>, identity: Arc<[u8]>) -> Self {
        Self {
            identity,
            url: url_key(url, as_is).into(),
        }
    }

    /// The URL as it is sent: without a fragment, user name and password.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The credentials of the request, and what else distinguishes its sender: empty if there are none. A
    /// store that outlives the program must keep no more than a keyed hash of it.
    #[must_use]
    pub fn identity(&self) -> &[u8] {
        &self.identity
    }
}

impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_identity = !self.identity.is_empty();
        f.debug_struct("CacheKey")
            .field("has_identity", &has_identity)
            .finish_non_exhaustive()
    }
}

/// The URL of a request as a key.
pub(crate) fn url_key(url: &Url, as_is: Option<&PathAndQuery>) -> String {
    let target = match as_is {
        Some(target) => target.as_str(),
        None => &url[url::Position::BeforePath..url::Position::AfterQuery],
    };
    format!("{}{target}", url_origin(url))
}

/// Collects what distinguishes the sender of a request.
#[derive(Clone, Default)]
pub(crate) struct IdentityBuilder(Vec<u8>);

impl IdentityBuilder {
    /// Adds a part of this kind. Parts are told apart by kind and length.
    pub(crate) fn add(&mut self, kind: &str, value: &[u8]) {
        self.0.extend_from_slice(kind.as_bytes());
        self.0.push(0);
        self.0
            .extend_from_slice(&(value.len() as u64).to_le_bytes());
        self.0.extend_from_slice(value);
    }

    pub(crate) fn finish(self) -> Arc<[u8]> {
        self.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_the_target_as_it_is_sent_and_no_secret() {
        let key = |text: &str| url_key(&Url::parse(text).unwrap(), None);
        assert_eq!(
            key("http://me:pw@A.test:80/a?b=1&a=2#f"),
            "http://a.test/a?b=1&a=2"
        );
        assert_ne!(key("http://a.test/?a=1&b=2"), key("http://a.test/?b=2&a=1"));
        assert_ne!(key("http://a.test/"), key("https://a.test/"));
        assert_ne!(key("http://a.test/"), key("http://a.test:8080/"));
        let as_is = PathAndQuery::from_static("/a/../b");
        let url = Url::parse("http://a.test/b").unwrap();
        assert_eq!(url_key(&url, Some(&as_is)), "http://a.test/a/../b");
    }

    #[test]
    fn parts_of_an_identity_cannot_be_confused() {
        let build = |parts: &[(&str, &str)]| {
            let mut identity = IdentityBuilder::default();
            parts
                .iter()
                .for_each(|(kind, value)| identity.add(kind, value.as_bytes()));
            identity.finish()
        };
        assert_ne!(build(&[("a", "xy")]), build(&[("a", "x"), ("a", "y")]));
        assert_ne!(build(&[("a", "x")]), build(&[("b", "x")]));
        assert!(build(&[]).is_empty());
    }
}
