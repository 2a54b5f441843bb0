//! The tokens of one driver: acquires what its engine asks for, and keeps the latest of each profile.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use fetch_proto::{EngineConfig, TokenUse};
use http::{HeaderMap, header};
use log::warn;

use crate::auth::shared::{SharedCredential, SharedToken};
use crate::auth::source::{CredentialError, TokenSecret};

type Acquisition = Pin<Box<dyn Future<Output = Result<SharedToken, CredentialError>> + Send>>;

/// The latest token of each profile, in the order of the engine's configuration.
pub(super) struct TokenKeeper {
    /// Profile and acquisition; at most one for each profile.
    acquisitions: Vec<(u16, Acquisition)>,
    /// The header fields of all requests.
    common: Arc<HeaderMap>,
    profiles: Vec<KeptToken>,
}

struct KeptToken {
    credential: SharedCredential,
    /// The header fields of all requests with the latest token, if that is a value.
    headers: Option<Arc<HeaderMap>>,
    latest: Option<SharedToken>,
    /// Of the profile, for outcomes.
    name: Arc<str>,
}

/// What authenticates an attempt.
#[derive(Clone, Copy)]
pub(super) struct AttemptToken<'a> {
    /// The header fields of a request that has no others than the common ones.
    pub(super) headers: Option<&'a Arc<HeaderMap>>,
    pub(super) secret: &'a TokenSecret,
}

/// The end of an acquisition: the rest of the token's life, if that is known.
pub(super) type AcquisitionEnd = Result<Option<Duration>, CredentialError>;

impl TokenKeeper {
    /// `common`: the header fields of all requests.
    pub(super) fn new(credentials: &[SharedCredential], common: Arc<HeaderMap>) -> Self {
        let kept = credentials.iter().map(|credential| KeptToken {
            credential: credential.clone(),
            headers: None,
            latest: None,
            name: credential.profile.name().into(),
        });
        Self {
            acquisitions: Vec::new(),
            common,
            profiles: kept.collect(),
        }
    }

    /// The configuration, with these profiles and no others.
    pub(super) fn with_profiles(&self, config: EngineConfig) -> EngineConfig {
        let profiles = self.profiles.iter().map(|kept| &kept.credential.profile);
        config.auth_profiles(profiles.cloned())
    }

    /// Starts to acquire a token of this profile. An earlier acquisition took too long, and is dropped.
    pub(super) fn acquire(&mut self, token: TokenUse) {
        let Some(kept) = self.profiles.get(usize::from(token.profile)) else {
            return;
        };
        let credential = kept.credential.clone();
        let known = kept.latest.as_ref().map_or(0, |latest| latest.serial);
        let acquisition = async move { credential.newer_than(known).await };
        let before = self.acquisitions.len();
        self.acquisitions
            .retain(|(profile, _)| *profile != token.profile);
        if self.acquisitions.len() < before {
            let name = self.name(token.profile);
            warn!(target: crate::HOST_LOG_TARGET, "{name}: a token took too long: it is acquired again");
        }
        self.acquisitions
            .push((token.profile, Box::pin(acquisition)));
    }

    /// Waits for the end of an acquisition, and returns it with its profile.
    pub(super) fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<(u16, AcquisitionEnd)> {
        for index in 0..self.acquisitions.len() {
            let (profile, acquisition) = &mut self.acquisitions[index];
            // A panic in a source must not end the driver.
            let poll = AssertUnwindSafe(|| acquisition.as_mut().poll(cx));
            let polled = catch_unwind(poll).unwrap_or_else(|_| {
                Poll::Ready(Err(CredentialError::refused("its source panicked")))
            });
            let Poll::Ready(ended) = polled else {
                continue;
            };
            let profile = *profile;
            drop(self.acquisitions.swap_remove(index));
            let ended = ended.map(|token| {
                let remaining = token.remaining();
                if let Some(kept) = self.profiles.get_mut(usize::from(profile)) {
                    kept.headers = with_authorization(&self.common, &token.secret);
                    kept.latest = Some(token);
                }
                remaining
            });
            return Poll::Ready((profile, ended));
        }
        Poll::Pending
    }

    /// What authenticates an attempt with this token.
    pub(super) fn attempt_token(&self, token: TokenUse) -> Option<AttemptToken<'_>> {
        let kept = self.profiles.get(usize::from(token.profile))?;
        Some(AttemptToken {
            headers: kept.headers.as_ref(),
            secret: &kept.latest.as_ref()?.secret,
        })
    }

    /// The name of the profile, if there is such a profile.
    pub(super) fn shared_name(&self, profile: u16) -> Option<Arc<str>> {
        let kept = self.profiles.get(usize::from(profile))?;
        Some(kept.name.clone())
    }

    /// The name of the profile.
    pub(super) fn name(&self, profile: u16) -> &str {
        let kept = self.profiles.get(usize::from(profile));
        kept.map_or("", |kept| kept.credential.profile.name())
    }
}

/// The fields with this token, so that requests need not copy them; `None` if it is no value, or if
/// they have credentials.
fn with_authorization(common: &Arc<HeaderMap>, token: &TokenSecret) -> Option<Arc<HeaderMap>> {
    let TokenSecret::Value(value) = token else {
        return None;
    };
    if common.contains_key(header::AUTHORIZATION) {
        return None;
    }
    let mut headers = HeaderMap::clone(common);
    headers.insert(header::AUTHORIZATION, value.clone());
    Some(Arc::new(headers))
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use fetch_proto::AuthProfile;
    use futures_lite::future::block_on;

    use super::*;
    use crate::auth::source::AccessToken;

    #[test]
    fn a_source_that_panics_ends_in_a_final_failure() {
        async fn panics() -> Result<AccessToken, CredentialError> {
            panic!("no luck")
        }
        let credential = SharedCredential::new(AuthProfile::new("api"), panics);
        let mut tokens = TokenKeeper::new(&[credential], Arc::default());
        let token = TokenUse {
            generation: 1,
            profile: 0,
        };
        tokens.acquire(token);
        let (profile, ended) = block_on(poll_fn(|cx| tokens.poll_ended(cx)));
        assert_eq!(profile, 0);
        assert!(ended.unwrap_err().failure().is_final());
        assert!(tokens.attempt_token(token).is_none());
    }
}
