//! Profiles whose tokens come from a token server.

use std::path::PathBuf;

use fetch_proto::{InvalidTokenUrl, SecretSource, TokenUrl};

use super::read::AuthTable;
use crate::keys::{AuthKindName, ClientStyle};
use crate::source::PolicyError;

/// How tokens are acquired from an OAuth 2 token server.
///
/// ```
/// use fetch_policy::{AuthKind, PolicyFile};
///
/// let file = PolicyFile::parse("p.toml", r#"
/// [auth.api]
/// kind = "client_credentials"
/// origins = ["https://api.example"]
/// token_url = "https://id.example/token"
/// client_id = "batch"
/// client_secret = "env:API_SECRET"
/// "#)?;
/// let AuthKind::OAuth(oauth) = &file.auth_profiles()?[0].kind else { unreachable!() };
/// assert_eq!(oauth.token_url.to_string(), "https://id.example/token");
/// # Ok::<(), fetch_policy::PolicyError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct OAuthSettings {
    /// How the client shows the token server who it is.
    pub client: ClientSettings,
    /// The id of the client.
    pub client_id: Option<String>,
    /// What is exchanged for access tokens.
    pub grant: GrantSettings,
    /// What the tokens are for.
    pub scope: Option<String>,
    /// The file that keeps the tokens.
    pub token_cache: Option<PathBuf>,
    /// The URL of the token server.
    pub token_url: TokenUrl,
}

/// What is exchanged for access tokens.
///
/// ```
/// assert_eq!(fetch_policy::GrantSettings::ClientCredentials.name(), "client_credentials");
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum GrantSettings {
    /// Nothing but the client's own authentication.
    ClientCredentials,
    /// A signed assertion.
    JwtBearer(AssertionSettings),
    /// A refresh token: where the first one is read from.
    RefreshToken(SecretSource),
}

/// How a client shows a token server who it is.
///
/// ```
/// use fetch_policy::ClientSettings;
/// let secret = ClientSettings::Basic("env:API_SECRET".parse()?);
/// # Ok::<(), fetch_proto::InvalidSecretSource>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ClientSettings {
    /// By its secret, in the scheme Basic.
    Basic(SecretSource),
    /// Not at all.
    None,
    /// By its secret, in the form.
    Post(SecretSource),
    /// By a JWT that it signs.
    PrivateKeyJwt(AssertionSettings),
}

/// What a signed assertion says, and the key that signs it.
///
/// ```
/// use fetch_policy::{AuthKind, GrantSettings, PolicyFile};
///
/// let file = PolicyFile::parse("p.toml", r#"
/// [auth.api]
/// kind = "jwt_bearer"
/// origins = ["https://api.example"]
/// token_url = "https://id.example/token"
/// issuer = "robot@project.example"
/// key = "file:key.pem"
/// "#)?;
/// let AuthKind::OAuth(oauth) = &file.auth_profiles()?[0].kind else { unreachable!() };
/// let GrantSettings::JwtBearer(assertion) = &oauth.grant else { unreachable!() };
/// assert_eq!(assertion.key.to_string(), "file:key.pem");
/// # Ok::<(), fetch_policy::PolicyError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct AssertionSettings {
    /// For whom it is. Default: the URL of the token server.
    pub audience: Option<String>,
    /// Who asserts. Default: the id of the client.
    pub issuer: Option<String>,
    /// The private key, in PEM.
    pub key: SecretSource,
    /// The server's name of the key.
    pub key_id: Option<String>,
    /// Whom the token is for. Default: the issuer.
    pub subject: Option<String>,
}

impl GrantSettings {
    /// Its name, as the file's key `kind` has it.
    ///
    /// ```
    /// # use fetch_policy::GrantSettings;
    /// let refresh = GrantSettings::RefreshToken("file:/run/refresh-token".parse()?);
    /// assert_eq!(refresh.name(), "refresh_token");
    /// # Ok::<(), fetch_proto::InvalidSecretSource>(())
    /// ```
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ClientCredentials => AuthKindName::ClientCredentials.name(),
            Self::JwtBearer(_) => AuthKindName::JwtBearer.name(),
            Self::RefreshToken(_) => AuthKindName::RefreshToken.name(),
        }
    }
}

impl OAuthSettings {
    /// The keys of its secrets, and where each is read from.
    pub(super) fn secrets(&self) -> [Option<(&'static str, &SecretSource)>; 2] {
        let client = match &self.client {
            ClientSettings::Basic(secret) | ClientSettings::Post(secret) => {
                Some(("client_secret", secret))
            }
            ClientSettings::None => None,
            ClientSettings::PrivateKeyJwt(assertion) => Some(("key", &assertion.key)),
        };
        let grant = match &self.grant {
            GrantSettings::ClientCredentials => None,
            GrantSettings::JwtBearer(assertion) => Some(("key", &assertion.key)),
            GrantSettings::RefreshToken(first) => Some(("refresh_token", first)),
        };
        // Both may be signed by the same key.
        [grant, client.filter(|client| Some(*client) != grant)]
    }
}

impl AuthTable<'_> {
    /// # Errors
    ///
    /// If a key is missing, has an invalid value, or has no meaning beside the others.
    pub(super) fn oauth(&self, kind: AuthKindName) -> Result<OAuthSettings, PolicyError> {
        let auth = self.auth;
        let url = self.string("token_url", auth.token_url.as_deref())?;
        let token_url = url
            .parse()
            .map_err(|error: InvalidTokenUrl| self.error("token_url", &error.to_string()))?;
        let grant = match kind {
            AuthKindName::JwtBearer => {
                if auth.issuer.is_none() && auth.client_id.is_none() {
                    return Err(self.missing_key("issuer"));
                }
                let assertion = AssertionSettings {
                    issuer: auth.issuer.clone(),
                    subject: auth.subject.clone(),
                    ..self.assertion()?
                };
                GrantSettings::JwtBearer(assertion)
            }
            AuthKindName::RefreshToken => {
                let first = self.secret("refresh_token", auth.refresh_token.as_deref())?;
                GrantSettings::RefreshToken(first)
            }
            _ => GrantSettings::ClientCredentials,
        };
        let client = self.client()?;
        let has_client = !matches!(client, ClientSettings::None);
        let needs_client = has_client || grant == GrantSettings::ClientCredentials;
        if needs_client && auth.client_id.as_deref().is_none_or(str::is_empty) {
            return Err(self.missing_key("client_id"));
        }
        if grant == GrantSettings::ClientCredentials && !has_client {
            return Err(self.missing_key("client_secret"));
        }
        self.check_assertion_keys(&client)?;
        Ok(OAuthSettings {
            client,
            client_id: auth.client_id.clone(),
            grant,
            scope: auth.scope.clone(),
            token_cache: auth.token_cache.clone(),
            token_url,
        })
    }

    fn client(&self) -> Result<ClientSettings, PolicyError> {
        let secret = self.auth.client_secret.as_deref();
        let read = || self.secret("client_secret", secret);
        Ok(match self.auth.style {
            Some(ClientStyle::PrivateKeyJwt) if secret.is_some() => {
                let why = "style = \"private_key_jwt\" has no client_secret, but a key: remove it";
                return Err(self.error("client_secret", why));
            }
            Some(ClientStyle::PrivateKeyJwt) => ClientSettings::PrivateKeyJwt(self.assertion()?),
            Some(ClientStyle::Post) => ClientSettings::Post(read()?),
            Some(ClientStyle::Basic) => ClientSettings::Basic(read()?),
            None if secret.is_some() => ClientSettings::Basic(read()?),
            None => ClientSettings::None,
        })
    }

    /// # Errors
    ///
    /// If there are keys for an assertion, but nothing is signed.
    fn check_assertion_keys(&self, client: &ClientSettings) -> Result<(), PolicyError> {
        let auth = self.auth;
        let signs = auth.kind == Some(AuthKindName::JwtBearer)
            || matches!(client, ClientSettings::PrivateKeyJwt(_));
        let keys = [
            ("key", auth.key.is_some()),
            ("key_id", auth.key_id.is_some()),
            ("audience", auth.audience.is_some()),
        ];
        let given = keys.into_iter().find(|(_, is_set)| *is_set && !signs);
        let Some((key, _)) = given else { return Ok(()) };
        let why = "this key is for assertions: add style = \"private_key_jwt\", or remove it";
        Err(self.error(key, why))
    }

    fn assertion(&self) -> Result<AssertionSettings, PolicyError> {
        let auth = self.auth;
        Ok(AssertionSettings {
            audience: auth.audience.clone(),
            issuer: None,
            key: self.secret("key", auth.key.as_deref())?,
            key_id: auth.key_id.clone(),
            subject: None,
        })
    }
}
