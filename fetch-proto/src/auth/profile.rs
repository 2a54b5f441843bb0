//! Which requests get which token.

use alloc::boxed::Box;
use alloc::vec::Vec;

use url::Url;

use crate::auth::grant::TokenPolicy;

/// A token that requests to certain URLs share. Its value stays with the driver: the engine knows only
/// which token a request gets, and when one is acquired.
///
/// ```
/// use fetch_proto::{AuthProfile, EngineConfig};
///
/// let profile = AuthProfile::new("api").scope("https://api.test/v1".parse()?);
/// assert!(profile.applies_to(&"https://api.test/v1/users?page=2".parse()?));
/// assert!(!profile.applies_to(&"https://api.test/v10".parse()?));
/// assert!(!profile.applies_to(&"http://api.test/v1".parse()?));
/// let config = EngineConfig::default().auth_profiles([profile]);
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct AuthProfile {
    name: Box<str>,
    scopes: Vec<Url>,
    tokens: TokenPolicy,
}

impl AuthProfile {
    /// A profile that applies to no URL yet.
    ///
    /// ```
    /// assert_eq!(fetch_proto::AuthProfile::new("api").name(), "api");
    /// ```
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            scopes: Vec::new(),
            tokens: TokenPolicy::DEFAULT,
        }
    }

    /// Applies it to all URLs of this origin whose path is that of `url` or below it.
    ///
    /// ```
    /// # use fetch_proto::AuthProfile;
    /// let all = AuthProfile::new("api").scope("https://api.test/".parse()?);
    /// assert!(all.applies_to(&"https://api.test/any".parse()?));
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn scope(mut self, url: Url) -> Self {
        self.scopes.push(url);
        self
    }

    /// Sets when its token is refreshed, and how failures are waited out.
    ///
    /// ```
    /// use fetch_proto::{AuthProfile, TokenPolicy};
    /// let profile = AuthProfile::new("api").tokens(TokenPolicy::default().max_failures(1));
    /// ```
    #[must_use]
    pub fn tokens(mut self, tokens: TokenPolicy) -> Self {
        self.tokens = tokens;
        self
    }

    /// The name, for events.
    ///
    /// ```
    /// assert_eq!(fetch_proto::AuthProfile::new("api").name(), "api");
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When its token is refreshed, and how failures are waited out.
    ///
    /// ```
    /// use fetch_proto::{AuthProfile, TokenPolicy};
    /// assert_eq!(AuthProfile::new("api").token_policy(), TokenPolicy::default());
    /// ```
    #[must_use]
    pub const fn token_policy(&self) -> TokenPolicy {
        self.tokens
    }

    /// Whether requests to `url` get its token.
    ///
    /// ```
    /// # use fetch_proto::AuthProfile;
    /// let none = AuthProfile::new("api");
    /// assert!(!none.applies_to(&"https://api.test/".parse()?));
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn applies_to(&self, url: &Url) -> bool {
        self.scopes.iter().any(|scope| {
            let folder = scope.path().trim_end_matches('/');
            let rest = url.path().strip_prefix(folder);
            let is_below = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            is_below && scope.origin() == url.origin()
        })
    }
}
