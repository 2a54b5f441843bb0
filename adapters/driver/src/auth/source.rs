//! Where tokens come from.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use fetch_proto::TokenFailure;
use http::HeaderValue;
use http::header::InvalidHeaderValue;

use crate::auth::signer::RequestSigner;

/// What authenticates requests for a while: the value of their `Authorization` field. Its text is
/// shown nowhere.
///
/// ```
/// use std::time::Duration;
/// use fetch_driver::AccessToken;
///
/// let token = AccessToken::bearer("t0k3n")?.lifetime(Duration::from_secs(3600));
/// assert_eq!(format!("{token:?}"), "AccessToken { lifetime: Some(3600s), .. }");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AccessToken {
    lifetime: Option<Duration>,
    secret: TokenSecret,
}

/// What a token sends.
#[derive(Clone)]
pub(crate) enum TokenSecret {
    /// What this computes for each request.
    Signer(Arc<dyn RequestSigner>),
    /// This value of `Authorization`.
    Value(HeaderValue),
}

impl AccessToken {
    /// A token that is sent as `Authorization: Bearer TOKEN` (RFC 6750, 2.1) until a server refuses it.
    ///
    /// # Errors
    ///
    /// If the text has characters that no field value can have.
    ///
    /// ```
    /// assert!(fetch_driver::AccessToken::bearer("a\nb").is_err());
    /// ```
    pub fn bearer(token: &str) -> Result<Self, InvalidHeaderValue> {
        Ok(Self::new(HeaderValue::try_from(format!("Bearer {token}"))?))
    }

    /// A token that is sent as this value of `Authorization` until a server refuses it.
    ///
    /// ```
    /// use fetch_driver::AccessToken;
    /// use fetch_driver::http::HeaderValue;
    /// let token = AccessToken::new(HeaderValue::from_static("Token 1234"));
    /// ```
    #[must_use]
    pub fn new(mut authorization: HeaderValue) -> Self {
        authorization.set_sensitive(true);
        Self {
            lifetime: None,
            secret: TokenSecret::Value(authorization),
        }
    }

    /// A token that is sent as what `signer` computes for each request, until a server refuses it.
    ///
    /// ```
    /// use fetch_driver::http::{HeaderName, HeaderValue, header};
    /// use fetch_driver::{AccessToken, RequestSigner, RequestToSign};
    /// # struct Nothing;
    /// # impl RequestSigner for Nothing {
    /// #     fn sign(&self, _: &RequestToSign<'_>) -> Vec<(HeaderName, HeaderValue)> { Vec::new() }
    /// # }
    /// let token = AccessToken::signer(Nothing);
    /// ```
    #[must_use]
    pub fn signer(signer: impl RequestSigner) -> Self {
        Self {
            lifetime: None,
            secret: TokenSecret::Signer(Arc::new(signer)),
        }
    }

    /// Sets how long it is valid, from the start of its acquisition. It is refreshed before its end.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fetch_driver::AccessToken;
    /// let token = AccessToken::bearer("t0k3n")?.lifetime(Duration::from_secs(60));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    pub(crate) fn secret(&self) -> &TokenSecret {
        &self.secret
    }

    pub(crate) fn life(&self) -> Option<Duration> {
        self.lifetime
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("AccessToken");
        shown.field("lifetime", &self.lifetime);
        shown.finish_non_exhaustive()
    }
}

/// The future of a [`CredentialSource`].
pub type TokenFuture = Pin<Box<dyn Future<Output = Result<AccessToken, CredentialError>> + Send>>;

/// Acquires tokens: asks a token server, reads a file, runs a program. Functions that return such a
/// future are sources.
///
/// The fetcher calls it when requests need a token, never twice at once, and again before the token
/// ends or after a server has refused it.
///
/// ```
/// use std::time::Duration;
/// use fetch_driver::{AccessToken, CredentialError, CredentialSource};
///
/// async fn from_file() -> Result<AccessToken, CredentialError> {
///     let text = std::fs::read_to_string("/run/secrets/token").map_err(CredentialError::unavailable)?;
///     let token = AccessToken::bearer(text.trim()).map_err(CredentialError::refused)?;
///     Ok(token.lifetime(Duration::from_secs(300))) // it is read again before
/// }
///
/// fn accepts(_: impl CredentialSource) {}
/// accepts(from_file);
/// ```
pub trait CredentialSource: Send + Sync + 'static {
    /// Acquires a token.
    fn acquire(&self) -> TokenFuture;

    /// Identifies the user of the tokens, for example by a user name, if profiles of the same name have
    /// different users. A cache uses no response for another identity. Each driver calls it once, and it
    /// may read a file. Default: empty, so that the name of the profile stands for one user.
    fn identity(&self) -> Vec<u8> {
        Vec::new()
    }
}

impl<F, T> CredentialSource for F
where
    F: Fn() -> T + Send + Sync + 'static,
    T: Future<Output = Result<AccessToken, CredentialError>> + Send + 'static,
{
    fn acquire(&self) -> TokenFuture {
        Box::pin(self())
    }
}

/// Why a token could not be acquired.
///
/// ```
/// use fetch_driver::CredentialError;
/// let error = CredentialError::refused("invalid_client");
/// assert_eq!(error.to_string(), "invalid_client");
/// ```
#[derive(Clone, Debug)]
pub struct CredentialError {
    failure: TokenFailure,
    retry_after: Option<Duration>,
    source: Arc<dyn Error + Send + Sync>,
}

impl CredentialError {
    /// A failure that may pass: the fetcher asks again after a pause.
    ///
    /// ```
    /// use std::io;
    /// use fetch_driver::CredentialError;
    /// let error = CredentialError::unavailable(io::Error::from(io::ErrorKind::TimedOut));
    /// assert_eq!(error.to_string(), "timed out");
    /// ```
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(TokenFailure::Unavailable, source.into())
    }

    /// A final failure: the same request would be refused again. All requests that need the token fail.
    ///
    /// ```
    /// let error = fetch_driver::CredentialError::refused("invalid_grant");
    /// assert_eq!(error.to_string(), "invalid_grant");
    /// ```
    pub fn refused(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(TokenFailure::Refused, source.into())
    }

    fn new(failure: TokenFailure, source: Box<dyn Error + Send + Sync>) -> Self {
        Self {
            failure,
            retry_after: None,
            source: source.into(),
        }
    }

    /// Sets the shortest pause before the next acquisition.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fetch_driver::CredentialError;
    /// let busy = CredentialError::unavailable("429").retry_after(Duration::from_secs(30));
    /// ```
    #[must_use]
    pub fn retry_after(mut self, pause: Duration) -> Self {
        self.retry_after = Some(pause);
        self
    }

    pub(crate) fn failure(&self) -> TokenFailure {
        self.failure
    }

    pub(crate) fn pause(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for CredentialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl Error for CredentialError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.source()
    }
}
