//! Credentials that a server names in a redirect.

use alloc::boxed::Box;
use core::fmt;

use url::Url;

/// User name and password of a `Location`, for the origin to which it leads.
///
/// ```
/// # use fetch_proto::testing::{FetchScript, status};
/// # use fetch_proto::Policy;
/// let target = "http://me:secret@b.test/";
/// let run = FetchScript::new(Policy::default()).answers([status(302).location(target), status(200)]).run();
/// let credentials = run.attempts()[1].credentials.as_deref().expect("the Location has them");
/// assert_eq!((credentials.user(), credentials.password()), ("me", "secret"));
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct UrlCredentials {
    user: Box<str>,
    password: Box<str>,
}

impl UrlCredentials {
    /// The user name, percent-encoded as in the URL.
    ///
    /// ```
    /// # fn show(attempt: &fetch_proto::Attempt) {
    /// println!("{:?}", attempt.credentials.as_ref().map(|credentials| credentials.user()));
    /// # }
    /// ```
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The password, percent-encoded as in the URL; empty if there is none.
    ///
    /// ```
    /// # fn is_open(attempt: &fetch_proto::Attempt) -> bool {
    /// attempt.credentials.as_ref().is_some_and(|credentials| credentials.password().is_empty())
    /// # }
    /// ```
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Takes user name and password out of `url`.
    pub(crate) fn take(url: &mut Url) -> Option<Self> {
        if url.username().is_empty() && url.password().is_none() {
            return None;
        }
        let credentials = Self {
            user: url.username().into(),
            password: url.password().unwrap_or_default().into(),
        };
        // Cannot fail, because an http URL has a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Some(credentials)
    }
}

impl fmt::Debug for UrlCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UrlCredentials(..)")
    }
}
