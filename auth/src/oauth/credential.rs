//! What a token is acquired with.

use std::path::PathBuf;
use std::sync::Arc;

use fetch_driver::{Adapter, Settings};
use fetch_proto::{SecretSource, TokenUrl};
use ring::digest::{Context, SHA256};

use super::assertion::AssertionSigner;
use super::source::OAuthSource;

/// A client of an OAuth 2 token server: how it acquires access tokens.
///
/// ```no_run
/// use fetch_auth::{ClientAuthentication, OAuthCredential};
/// use fetch_driver::{AuthProfile, Settings};
/// use fetch_smol::Smol;
///
/// let oauth = OAuthCredential::client_credentials("https://id.example/token".parse()?)
///     .client("my-client", ClientAuthentication::Basic("env:API_SECRET".parse()?))
///     .scope("read");
/// let profile = AuthProfile::new("api").scope("https://api.example/".parse()?);
/// let mut settings = Settings::default();
/// let source = oauth.source::<Smol>(&settings);
/// settings.add_credentials(profile, source);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct OAuthCredential {
    pub(super) authentication: ClientAuthentication,
    pub(super) cache: Option<PathBuf>,
    pub(super) client_id: Option<String>,
    pub(super) grant: Grant,
    pub(super) scope: Option<String>,
    pub(super) token_url: TokenUrl,
}

/// How a client shows the token server who it is.
///
/// ```
/// use fetch_auth::ClientAuthentication;
/// let secret = ClientAuthentication::Basic("env:API_SECRET".parse()?);
/// # Ok::<(), fetch_proto::InvalidSecretSource>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientAuthentication {
    /// By its id and secret, in the scheme Basic (RFC 6749, 2.3.1: `client_secret_basic`).
    Basic(SecretSource),
    /// Not at all: a public client, which only has an id.
    None,
    /// By its id and secret, in the form (`client_secret_post`).
    Post(SecretSource),
    /// By a JWT that it signs (RFC 7523, 2.2: `private_key_jwt`). Issuer and subject are its id, unless the
    /// signer has others.
    PrivateKeyJwt(AssertionSigner),
}

/// The grant that is exchanged for access tokens.
#[derive(Clone, Debug)]
pub(super) enum Grant {
    ClientCredentials,
    JwtBearer(AssertionSigner),
    RefreshToken(SecretSource),
}

impl OAuthCredential {
    const fn new(grant: Grant, token_url: TokenUrl) -> Self {
        Self {
            authentication: ClientAuthentication::None,
            cache: None,
            client_id: None,
            grant,
            scope: None,
            token_url,
        }
    }

    /// Tokens for the client itself (RFC 6749, 4.4).
    ///
    /// ```
    /// use fetch_auth::OAuthCredential;
    /// let oauth = OAuthCredential::client_credentials("https://id.example/token".parse()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn client_credentials(token_url: TokenUrl) -> Self {
        Self::new(Grant::ClientCredentials, token_url)
    }

    /// Tokens for a user who has granted a refresh token (RFC 6749, 6). If the server replaces the refresh
    /// token by each answer, the latest one is used; set a [`token_cache`](Self::token_cache) to keep it
    /// for the next run.
    ///
    /// ```
    /// use fetch_auth::OAuthCredential;
    /// let first = "file:/run/secrets/refresh-token".parse()?;
    /// let oauth = OAuthCredential::refresh_token("https://id.example/token".parse()?, first);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn refresh_token(token_url: TokenUrl, first: SecretSource) -> Self {
        Self::new(Grant::RefreshToken(first), token_url)
    }

    /// Tokens for what a signed JWT asserts (RFC 7523, 2.1), as for the service accounts of Google.
    ///
    /// ```
    /// use fetch_auth::{AssertionSigner, OAuthCredential};
    /// let signer = AssertionSigner::new("file:key.pem".parse()?).issuer("robot@project.example");
    /// let oauth = OAuthCredential::jwt_bearer("https://id.example/token".parse()?, signer);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn jwt_bearer(token_url: TokenUrl, signer: AssertionSigner) -> Self {
        Self::new(Grant::JwtBearer(signer), token_url)
    }

    /// Sets the id of the client, and how it is authenticated. Default: none.
    ///
    /// ```
    /// use fetch_auth::{ClientAuthentication, OAuthCredential};
    /// let oauth = OAuthCredential::client_credentials("https://id.example/token".parse()?)
    ///     .client("my-client", ClientAuthentication::Post("env:API_SECRET".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn client(mut self, id: &str, authentication: ClientAuthentication) -> Self {
        self.client_id = Some(id.to_owned());
        self.authentication = authentication;
        self
    }

    /// Sets what the token is for: names with spaces between them. Default: what the server chooses.
    ///
    /// ```
    /// use fetch_auth::OAuthCredential;
    /// let oauth = OAuthCredential::client_credentials("https://id.example/token".parse()?).scope("read write");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn scope(mut self, scope: &str) -> Self {
        self.scope = Some(scope.to_owned());
        self
    }

    /// Keeps the latest tokens in this file, so that later runs use them, and processes at the same time
    /// share them: one asks the server while the others wait for the lock beside the file. Only its owner
    /// can read it. Several credentials may have the same file. Default: in memory only.
    ///
    /// ```
    /// use fetch_auth::OAuthCredential;
    /// let oauth = OAuthCredential::client_credentials("https://id.example/token".parse()?)
    ///     .token_cache("/home/me/.cache/tokens.json");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn token_cache(mut self, path: impl Into<PathBuf>) -> Self {
        self.cache = Some(path.into());
        self
    }

    /// The source of its tokens, for [`Settings::add_credentials`] or
    /// [`Builder::auth`](fetch_driver::Builder::auth). Token requests are sent by the client of the adapter
    /// `A`, with the TLS, proxies and DNS of `settings`, and without its header fields, cookies, cache and
    /// limits. Redirects are not followed, and an answer over 64 KiB is refused.
    ///
    /// ```
    /// use fetch_auth::OAuthCredential;
    /// use fetch_smol::Smol;
    /// let oauth = OAuthCredential::client_credentials("https://id.example/token".parse()?);
    /// let source = oauth.source::<Smol>(&fetch_driver::Settings::default());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn source<A: Adapter + Default>(self, settings: &Settings) -> OAuthSource<A> {
        OAuthSource::new(Arc::new(self), settings.clone())
    }

    /// The name of its tokens in a cache: the same for credentials that get the same tokens.
    pub(super) fn cache_key(&self) -> String {
        let (grant, signer) = match &self.grant {
            Grant::ClientCredentials => ("client_credentials", None),
            Grant::JwtBearer(signer) => ("jwt_bearer", Some(signer)),
            Grant::RefreshToken(_) => ("refresh_token", None),
        };
        let parts = [
            Some(grant),
            Some(self.token_url.as_url().as_str()),
            self.client_id.as_deref(),
            self.scope.as_deref(),
            signer.and_then(|signer| signer.issuer.as_deref()),
            signer.and_then(|signer| signer.subject.as_deref()),
        ];
        let mut hash = Context::new(&SHA256);
        for part in parts {
            let text = part.unwrap_or_default();
            hash.update(&(text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        hex(hash.finish().as_ref())
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
