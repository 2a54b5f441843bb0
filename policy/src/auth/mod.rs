//! The tables `[auth.NAME]`: profiles of authentication.

mod check;
mod oauth;
mod read;
mod sigv4;

use fetch_proto::{AuthProfile, LoginSchemes, SecretSource};
use url::Url;

pub(crate) use check::{check_rules, unused_origins};
pub use oauth::{AssertionSettings, ClientSettings, GrantSettings, OAuthSettings};
pub(crate) use read::settings;
pub use sigv4::{SigV4Keys, SigV4Settings};

/// A profile of authentication: `[auth.NAME]` in a policy file.
///
/// ```
/// use fetch_policy::{AuthKind, PolicyFile};
///
/// let file = PolicyFile::parse("p.toml", r#"
/// [auth.api]
/// kind = "bearer"
/// origins = ["https://api.example/v1"]
/// token = "env:API_TOKEN"
/// "#)?;
/// let profile = &file.auth_profiles()?[0];
/// assert_eq!(profile.name, "api");
/// assert!(matches!(&profile.kind, AuthKind::Bearer { token } if token.to_string() == "env:API_TOKEN"));
/// # Ok::<(), fetch_policy::PolicyError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct AuthSettings {
    /// How requests are authenticated.
    pub kind: AuthKind,
    /// The name of the table.
    pub name: String,
    /// The URLs that it applies to: these, and all below them.
    pub origins: Vec<Url>,
}

impl AuthSettings {
    /// The profile of the engine.
    ///
    /// ```
    /// let text = "auth.a = { kind = 'bearer', origins = ['http://a.test'], token = 'env:T' }";
    /// let file = fetch_policy::PolicyFile::parse("p.toml", text)?;
    /// let profile = file.auth_profiles()?[0].profile();
    /// assert!(profile.applies_to(&"http://a.test/x".parse().unwrap()));
    /// # Ok::<(), fetch_policy::PolicyError>(())
    /// ```
    #[must_use]
    pub fn profile(&self) -> AuthProfile {
        let profile = AuthProfile::new(&self.name);
        let origins = self.origins.iter().cloned();
        let profile = origins.fold(profile, AuthProfile::scope);
        match self.kind {
            AuthKind::Digest { .. } => profile.login(LoginSchemes::DIGEST),
            _ => profile,
        }
    }
}

/// How requests are authenticated, and with what.
///
/// ```
/// use fetch_policy::AuthKind;
/// let kind = AuthKind::Bearer { token: "env:TOKEN".parse()? };
/// assert_eq!(kind.name(), "bearer");
/// # Ok::<(), fetch_proto::InvalidSecretSource>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum AuthKind {
    /// User name and password, by the scheme Basic.
    Basic {
        /// The password.
        password: SecretSource,
        /// The user name.
        username: String,
    },
    /// A token, by the scheme Bearer.
    Bearer {
        /// The token.
        token: SecretSource,
    },
    /// User name and password, by the scheme Digest.
    Digest {
        /// The password.
        password: SecretSource,
        /// The user name.
        username: String,
    },
    /// Tokens from a token server.
    OAuth(Box<OAuthSettings>),
    /// Signatures of AWS.
    SigV4(Box<SigV4Settings>),
}

impl AuthKind {
    /// The name of the kind, as it is written in the file.
    ///
    /// ```
    /// # use fetch_policy::AuthKind;
    /// let password = "env:PASSWORD".parse()?;
    /// assert_eq!(AuthKind::Basic { password, username: "me".into() }.name(), "basic");
    /// # Ok::<(), fetch_proto::InvalidSecretSource>(())
    /// ```
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Basic { .. } => "basic",
            Self::Bearer { .. } => "bearer",
            Self::Digest { .. } => "digest",
            Self::OAuth(oauth) => oauth.grant.name(),
            Self::SigV4(_) => "sigv4",
        }
    }

    /// The keys of its secrets, and where each is read from.
    ///
    /// ```
    /// # use fetch_policy::AuthKind;
    /// let token = AuthKind::Bearer { token: "file:/run/token".parse()? };
    /// let secrets: Vec<_> = token.secrets().map(|(key, place)| format!("{key}: {place}")).collect();
    /// assert_eq!(secrets, ["token: file:/run/token"]);
    /// # Ok::<(), fetch_proto::InvalidSecretSource>(())
    /// ```
    pub fn secrets(&self) -> impl Iterator<Item = (&'static str, &SecretSource)> {
        let all = match self {
            Self::Basic { password, .. } | Self::Digest { password, .. } => {
                [Some(("password", password)), None, None]
            }
            Self::Bearer { token } => [Some(("token", token)), None, None],
            Self::OAuth(oauth) => {
                let [one, other] = oauth.secrets();
                [one, other, None]
            }
            Self::SigV4(settings) => settings.keys.secrets(),
        };
        all.into_iter().flatten()
    }
}
