//! Credentials that are stored somewhere, and are sent as they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fetch_driver::{AccessToken, CredentialError, CredentialSource, TokenFuture};
use fetch_proto::SecretSource;
use http::HeaderValue;
use zeroize::Zeroizing;

use crate::secret::{ReadSecret, SecretError, SecretKind, identity, known_secret, read_secret};

/// A token, or a user name and a password, from a [`SecretSource`]. It is read when the first request
/// needs it, before it ends, and after a server has refused it.
///
/// ```
/// use fetch_auth::StoredCredential;
/// use fetch_driver::{AuthProfile, Settings};
///
/// let profile = AuthProfile::new("api").scope("https://api.example/".parse()?);
/// let token = StoredCredential::bearer("file:/run/secrets/token".parse()?);
/// Settings::default().add_credentials(profile, token);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct StoredCredential {
    secret: SecretSource,
    /// The user name, by the scheme Basic; without, the scheme is Bearer.
    username: Option<String>,
}

impl StoredCredential {
    /// A token that is sent by the scheme Bearer (RFC 6750).
    ///
    /// ```
    /// let token = fetch_auth::StoredCredential::bearer("env:TOKEN".parse()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn bearer(token: SecretSource) -> Self {
        Self {
            secret: token,
            username: None,
        }
    }

    /// A user name and a password that are sent by the scheme Basic (RFC 7617).
    ///
    /// ```
    /// let login = fetch_auth::StoredCredential::basic("alice", "env:PASSWORD".parse()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn basic(username: &str, password: SecretSource) -> Self {
        Self {
            secret: password,
            username: Some(username.to_owned()),
        }
    }

    /// Reads it. Blocks.
    fn read(&self) -> Result<AccessToken, CredentialError> {
        let ReadSecret { lifetime, secret } =
            read_secret(&self.secret, SecretKind::Line).map_err(credential_error)?;
        let value = match &self.username {
            None => Zeroizing::new(format!("Bearer {}", secret.expose())),
            Some(name) => {
                let login = Zeroizing::new(format!("{name}:{}", secret.expose()));
                let encoded = Zeroizing::new(STANDARD.encode(login.as_bytes()));
                Zeroizing::new(format!("Basic {}", *encoded))
            }
        };
        let value = HeaderValue::from_str(&value).map_err(|_| {
            let why = "has characters that a header field cannot have";
            CredentialError::refused(format!("{}: {why}", self.secret))
        })?;
        let token = AccessToken::new(value);
        Ok(match lifetime {
            Some(lifetime) => token.lifetime(lifetime),
            None => token,
        })
    }
}

impl CredentialSource for StoredCredential {
    fn acquire(&self) -> TokenFuture {
        let stored = self.clone();
        Box::pin(blocking::unblock(move || stored.read()))
    }

    fn identity(&self) -> Vec<u8> {
        let user = self.username.as_deref().unwrap_or_default();
        identity([user.as_bytes(), &known_secret(&self.secret)])
    }
}

/// The failure of an acquisition for want of a secret.
pub(crate) fn credential_error(error: SecretError) -> CredentialError {
    match error.is_final() {
        true => CredentialError::refused(error),
        false => CredentialError::unavailable(error),
    }
}
