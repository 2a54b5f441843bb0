//! Which requests get which token.

use alloc::boxed::Box;
use alloc::vec::Vec;

use url::{Position, Url};

use crate::auth::grant::TokenPolicy;
use crate::challenge::answer::LoginSchemes;
use crate::policy::AuthChoice;

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
    #[cfg_attr(feature = "serde", serde(default))]
    is_for_first_origins: bool,
    #[cfg_attr(feature = "serde", serde(default))]
    login: Option<LoginSchemes>,
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
            is_for_first_origins: false,
            login: None,
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

    /// Applies it also to each fetch as long as it stays at the origin of its first URL, whatever that
    /// is: not after a redirect to another origin, unless such redirects are
    /// [trusted](crate::RedirectPolicy::trusted).
    ///
    /// ```
    /// let profile = fetch_proto::AuthProfile::new("cli").first_origins();
    /// assert!(profile.is_for_first_origins());
    /// ```
    #[must_use]
    pub fn first_origins(mut self) -> Self {
        self.is_for_first_origins = true;
        self
    }

    /// Makes it a login: nothing is sent before a server asks for it by 401, and what is sent then
    /// depends on the challenge. The challenge is remembered for later requests to the same protection
    /// space. Its token is the user name and the password, which stay with the driver.
    ///
    /// ```
    /// use fetch_proto::{AuthProfile, LoginSchemes};
    /// let profile = AuthProfile::new("api").login(LoginSchemes::DIGEST);
    /// assert_eq!(profile.login_schemes(), Some(LoginSchemes::DIGEST));
    /// ```
    #[must_use]
    pub fn login(mut self, schemes: LoginSchemes) -> Self {
        self.login = Some(schemes);
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

    /// The schemes of a login; `None` for a token, which is sent with the first request.
    ///
    /// ```
    /// assert_eq!(fetch_proto::AuthProfile::new("api").login_schemes(), None);
    /// ```
    #[must_use]
    pub const fn login_schemes(&self) -> Option<LoginSchemes> {
        self.login
    }

    /// Whether it applies to each fetch at the origin of its first URL.
    ///
    /// ```
    /// assert!(!fetch_proto::AuthProfile::new("api").is_for_first_origins());
    /// ```
    #[must_use]
    pub const fn is_for_first_origins(&self) -> bool {
        self.is_for_first_origins
    }

    /// Whether `url` is in one of its scopes.
    ///
    /// ```
    /// # use fetch_proto::AuthProfile;
    /// let none = AuthProfile::new("api");
    /// assert!(!none.applies_to(&"https://api.test/".parse()?));
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn applies_to(&self, url: &Url) -> bool {
        self.scope_length(url).is_some()
    }

    /// How well it fits `url`: where in it the path of its longest scope that has it ends; `None` if no
    /// scope has it.
    pub(crate) fn scope_length(&self, url: &Url) -> Option<usize> {
        let lengths = self.scopes.iter().filter_map(|scope| {
            let rest = below(url.as_str(), &scope[..Position::AfterPath]).or_else(|| {
                // The texts of equal origins differ only by a login.
                let has_login = url.as_str().contains('@') || scope.as_str().contains('@');
                let is_same = has_login && is_same_origin(scope, url);
                is_same.then(|| below(&url[Position::BeforePath..], scope.path()))?
            })?;
            Some(url.as_str().len() - rest.len())
        });
        lengths.max()
    }

    /// The profile among `profiles` that authenticates a request to `url`, by its position.
    /// `is_first_origin` says whether `url` has the origin of its fetch's first URL.
    ///
    /// ```
    /// use fetch_proto::{AuthChoice, AuthProfile};
    ///
    /// let profiles = ["https://api.test/", "https://api.test/admin"];
    /// let profiles = profiles.map(|url| AuthProfile::new("api").scope(url.parse().unwrap()));
    /// let url = "https://api.test/admin/users".parse()?;
    /// assert_eq!(AuthProfile::choose(&profiles, &AuthChoice::ByScope, &url, true), Some(1));
    /// assert_eq!(AuthProfile::choose(&profiles, &AuthChoice::Off, &url, true), None);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn choose(
        profiles: &[Self],
        choice: &AuthChoice,
        url: &Url,
        is_first_origin: bool,
    ) -> Option<u16> {
        if profiles.is_empty() {
            return None;
        }
        let fit = |profile: &Self| {
            let everywhere = (is_first_origin && profile.is_for_first_origins).then_some(0);
            profile.scope_length(url).or(everywhere)
        };
        let position = match choice {
            AuthChoice::Off => None,
            AuthChoice::Profile(name) => profiles
                .iter()
                .position(|profile| profile.name == *name && fit(profile).is_some()),
            AuthChoice::ByScope => {
                let fits = profiles.iter().map(fit).enumerate();
                let fits = fits.filter_map(|(position, fit)| Some((fit?, position)));
                // Of equals, the first.
                let best = fits.reduce(|best, next| if next.0 > best.0 { next } else { best });
                best.map(|(_, position)| position)
            }
        };
        u16::try_from(position?).ok()
    }
}

/// What follows `folder` in a text that is this folder or below it.
fn below<'a>(text: &'a str, folder: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(folder.trim_end_matches('/'))?;
    let is_below = matches!(rest.as_bytes().first(), None | Some(b'/' | b'?' | b'#'));
    is_below.then_some(rest)
}

/// Without the allocations of `Url::origin`, because requests are compared.
fn is_same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.port() == other.port()
        && one.host_str() == other.host_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(choice: &AuthChoice, url: &str, is_first_origin: bool) -> Option<u16> {
        let scope = |url: &str| url.parse().unwrap();
        let profiles = [
            AuthProfile::new("all").scope(scope("https://api.test/")),
            AuthProfile::new("admin").scope(scope("https://api.test/admin")),
            AuthProfile::new("same").scope(scope("https://api.test/admin/")),
            AuthProfile::new("any").first_origins(),
        ];
        AuthProfile::choose(&profiles, choice, &url.parse().unwrap(), is_first_origin)
    }

    #[test]
    fn the_longest_scope_wins_and_of_equals_the_first() {
        let by_scope = AuthChoice::ByScope;
        assert_eq!(chosen(&by_scope, "https://api.test/x", true), Some(0));
        assert_eq!(chosen(&by_scope, "https://api.test/admin/x", true), Some(1));
        assert_eq!(chosen(&by_scope, "https://other.test/", true), Some(3));
        assert_eq!(chosen(&by_scope, "https://other.test/", false), None);
    }

    #[test]
    fn a_login_in_the_url_does_not_change_its_origin() {
        let by_scope = AuthChoice::ByScope;
        assert_eq!(chosen(&by_scope, "https://me:pw@api.test/x", true), Some(0));
        assert_eq!(chosen(&by_scope, "https://me@api.test:444/x", false), None);
        assert_eq!(
            chosen(&by_scope, "https://api.test@evil.test/", false),
            None
        );
    }

    #[test]
    fn a_chosen_profile_is_used_only_in_its_scope() {
        let admin = AuthChoice::profile("admin");
        assert_eq!(chosen(&admin, "https://api.test/admin", true), Some(1));
        assert_eq!(chosen(&admin, "https://api.test/x", true), None);
        let all = AuthChoice::profile("all");
        assert_eq!(chosen(&all, "https://api.test/admin", true), Some(0));
        assert_eq!(chosen(&all, "https://api.test:444/admin", true), None);
        assert_eq!(
            chosen(&AuthChoice::profile("x"), "https://api.test/", true),
            None
        );
        assert_eq!(chosen(&AuthChoice::Off, "https://api.test/", true), None);
    }
}
