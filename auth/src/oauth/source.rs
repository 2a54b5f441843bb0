//! Acquires tokens from a token server.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use fetch_driver::{
    AccessToken, Adapter, CredentialError, CredentialSource, Fetcher, Settings, TokenFuture,
};
use futures_lite::future::block_on;
use log::warn;
use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

use super::answer::{IssuedToken, read_answer};
use super::cache::{CachedToken, LockedCache};
use super::credential::{Grant, OAuthCredential, hex};
use super::endpoint::build_fetcher;
use super::form::{FormError, TokenRequest, read_line};
use crate::secret::{Secret, identity, known_secret};
use crate::stored::credential_error;

/// The tokens of an [`OAuthCredential`]. Its clients are those of the adapter `A`.
///
/// ```
/// use fetch_auth::{OAuthCredential, OAuthSource};
/// use fetch_smol::Smol;
/// let oauth = OAuthCredential::client_credentials("https://id.example/token".parse()?);
/// let source: OAuthSource<Smol> = oauth.source(&fetch_driver::Settings::default());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct OAuthSource<A> {
    /// Built when the first token is acquired: in the adapter's runtime.
    fetcher: OnceLock<Result<Fetcher<A>, String>>,
    oauth: Arc<OAuthCredential>,
    settings: Settings,
    state: Arc<Mutex<SourceState>>,
}

/// What is known from earlier acquisitions.
#[derive(Default)]
struct SourceState {
    /// The latest access token that was returned.
    returned: Option<Secret>,
    rotated: Option<RotatedToken>,
}

/// A refresh token that has replaced the first one.
#[derive(Clone)]
struct RotatedToken {
    /// Whether it could not be written into the cache, whose refresh token is older then.
    is_unsaved: bool,
    latest: Secret,
    /// The hash of the first one.
    origin: String,
}

impl<A: Adapter + Default> OAuthSource<A> {
    pub(super) fn new(oauth: Arc<OAuthCredential>, settings: Settings) -> Self {
        Self {
            fetcher: OnceLock::new(),
            oauth,
            settings,
            state: Arc::default(),
        }
    }

    fn fetcher(&self) -> Result<Fetcher<A>, CredentialError> {
        let build = || {
            let built = build_fetcher(&self.settings, &self.oauth.token_url);
            built.map_err(|error| error.to_string())
        };
        let built = self.fetcher.get_or_init(build).clone();
        built.map_err(CredentialError::refused)
    }
}

impl<A: Adapter + Default> CredentialSource for OAuthSource<A> {
    fn acquire(&self) -> TokenFuture {
        let fetcher = self.fetcher();
        let (oauth, state) = (self.oauth.clone(), self.state.clone());
        Box::pin(async move {
            let fetcher = fetcher?;
            // It runs to its end even if the future is dropped, because the answer may have a refresh
            // token that replaces the one before.
            let acquire = move || Acquisition::new(&oauth, &state).run(&fetcher);
            blocking::unblock(acquire).await
        })
    }

    fn identity(&self) -> Vec<u8> {
        let first = match &self.oauth.grant {
            Grant::RefreshToken(first) => known_secret(first),
            Grant::ClientCredentials | Grant::JwtBearer(_) => Zeroizing::default(),
        };
        identity([self.oauth.cache_key().as_bytes(), &first])
    }
}

impl<A> fmt::Debug for OAuthSource<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("OAuthSource");
        debug.field("oauth", &self.oauth).finish_non_exhaustive()
    }
}

/// One acquisition at a time.
struct Acquisition<'a> {
    oauth: &'a OAuthCredential,
    state: MutexGuard<'a, SourceState>,
}

/// The refresh token to send.
struct RefreshToken {
    latest: Secret,
    origin: String,
}

impl<'a> Acquisition<'a> {
    fn new(oauth: &'a OAuthCredential, state: &'a Mutex<SourceState>) -> Self {
        Self {
            oauth,
            state: state.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Blocks until there is a token.
    fn run<A>(mut self, fetcher: &Fetcher<A>) -> Result<AccessToken, CredentialError> {
        let path = self.oauth.cache.as_deref();
        let failed = |error: std::io::Error| {
            let path = path.unwrap_or_else(|| "".as_ref()).display();
            CredentialError::unavailable(format!("token cache {path}: {error}"))
        };
        let cache = path.map(LockedCache::lock).transpose().map_err(failed)?;
        let key = cache.as_ref().map(|_| self.oauth.cache_key());
        let cached = match (&cache, &key) {
            (Some(cache), Some(key)) => cache.read(key).map_err(failed)?,
            _ => None,
        };
        let refresh = self.refresh_token(cached.as_ref())?;
        if let Some((token, rest)) = self.usable(cached.as_ref(), refresh.as_ref()) {
            return self.returned(token, rest);
        }
        let issued = self.request(fetcher, refresh.as_ref())?;
        let IssuedToken {
            access_token,
            lifetime,
            refresh_token,
        } = issued;
        let mut record = CachedToken::new(&access_token, lifetime);
        if let Some(refresh) = refresh {
            let latest = refresh_token.unwrap_or_else(|| refresh.latest.clone());
            record = record.refreshed_by(&latest, &refresh.origin);
            let is_new = latest.expose() != refresh.latest.expose();
            if is_new && cache.is_none() && self.state.rotated.is_none() {
                let url = &self.oauth.token_url;
                warn!(
                    "{url} replaces the refresh token: set token_cache, or it is lost after this run"
                );
            }
            self.state.rotated = Some(RotatedToken {
                is_unsaved: false,
                latest,
                origin: refresh.origin,
            });
        }
        if let (Some(cache), Some(key)) = (&cache, &key)
            && let Err(error) = cache.write(key, record)
        {
            warn!("{}", failed(error));
            if let Some(rotated) = &mut self.state.rotated {
                rotated.is_unsaved = true;
            }
        }
        self.returned(access_token, lifetime)
    }

    /// The refresh token to send: the latest that descends from the one at its place. If that one was
    /// replaced, it is used.
    fn refresh_token(
        &self,
        cached: Option<&CachedToken>,
    ) -> Result<Option<RefreshToken>, CredentialError> {
        let Grant::RefreshToken(source) = &self.oauth.grant else {
            return Ok(None);
        };
        let first = read_line(source).map_err(credential_error)?;
        let origin = hex(digest(&SHA256, first.expose().as_bytes()).as_ref());
        let rotated = self.state.rotated.as_ref();
        let rotated = rotated.filter(|rotated| rotated.origin == origin);
        let unsaved = rotated.filter(|rotated| rotated.is_unsaved);
        let unsaved = unsaved.map(|rotated| rotated.latest.clone());
        let cached = cached.filter(|cached| cached.origin.as_ref() == Some(&origin));
        let latest = unsaved
            .or_else(|| cached.and_then(CachedToken::refresh_token))
            .or_else(|| rotated.map(|rotated| rotated.latest.clone()))
            .unwrap_or(first);
        Ok(Some(RefreshToken { latest, origin }))
    }

    /// The token in the cache, if it is not the one that was returned before: that one ends, or was
    /// refused.
    fn usable(
        &self,
        cached: Option<&CachedToken>,
        refresh: Option<&RefreshToken>,
    ) -> Option<(Secret, Option<Duration>)> {
        let cached = cached?;
        if refresh.is_some_and(|refresh| cached.origin.as_ref() != Some(&refresh.origin)) {
            return None;
        }
        let rest = cached.remaining().ok()?;
        let token = cached.access_token();
        let returned = self.state.returned.as_ref();
        let is_other = returned.is_none_or(|before| before.expose() != token.expose());
        is_other.then_some((token, rest))
    }

    fn request<A>(
        &self,
        fetcher: &Fetcher<A>,
        refresh: Option<&RefreshToken>,
    ) -> Result<IssuedToken, CredentialError> {
        let latest = refresh.map(|refresh| &refresh.latest);
        let TokenRequest { request, secrets } =
            TokenRequest::new(self.oauth, latest).map_err(|error| match error {
                FormError::Request(error) => CredentialError::refused(error),
                FormError::Secret(error) => credential_error(error),
            })?;
        let url = &self.oauth.token_url;
        let outcome = block_on(fetcher.fetch(request));
        match outcome.result {
            Ok(response) => read_answer(&response, url, &secrets),
            Err(error) => Err(CredentialError::unavailable(format!("{url}: {error}"))),
        }
    }

    fn returned(
        mut self,
        token: Secret,
        lifetime: Option<Duration>,
    ) -> Result<AccessToken, CredentialError> {
        let made = AccessToken::bearer(token.expose());
        self.state.returned = Some(token);
        let made = made.map_err(|_| {
            let url = &self.oauth.token_url;
            CredentialError::refused(format!(
                "{url}: the token has characters that a header field cannot have"
            ))
        })?;
        Ok(match lifetime {
            Some(lifetime) => made.lifetime(lifetime),
            None => made,
        })
    }
}
