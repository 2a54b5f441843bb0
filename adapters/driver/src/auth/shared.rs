//! One token for all drivers of a fetcher.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_lock::Mutex;
use fetch_proto::AuthProfile;

use crate::auth::source::{CredentialError, CredentialSource, TokenSecret};

/// A profile and the source of its tokens, whose latest token the drivers of a fetcher share. Clones
/// share it, too.
#[derive(Clone)]
pub(crate) struct SharedCredential {
    latest: Arc<Mutex<Option<SharedToken>>>,
    pub(crate) profile: AuthProfile,
    source: Arc<dyn CredentialSource>,
}

/// A token that was acquired.
#[derive(Clone)]
pub(crate) struct SharedToken {
    ends: Option<Instant>,
    pub(crate) secret: TokenSecret,
    /// From 1, and growing.
    pub(crate) serial: u64,
}

impl SharedCredential {
    pub(crate) fn new(profile: AuthProfile, source: impl CredentialSource) -> Self {
        Self {
            latest: Arc::default(),
            profile,
            source: Arc::new(source),
        }
    }

    /// Identifies the user of its tokens.
    #[cfg(feature = "cache")]
    pub(crate) fn identity(&self) -> Vec<u8> {
        self.source.identity()
    }

    /// The latest token if it is newer than the one with the serial number `known`; if it is not, a new
    /// token from the source. Of several callers, one acquires it and the others wait for it.
    pub(crate) async fn newer_than(&self, known: u64) -> Result<SharedToken, CredentialError> {
        let mut latest = self.latest.lock().await;
        let is_newer = |token: &&SharedToken| token.serial > known && token.is_alive();
        if let Some(token) = latest.as_ref().filter(is_newer) {
            return Ok(token.clone());
        }
        let start = Instant::now();
        let token = self.source.acquire().await?;
        let acquired = SharedToken {
            secret: token.secret().clone(),
            ends: token.life().and_then(|life| start.checked_add(life)),
            serial: latest.as_ref().map_or(0, |token| token.serial) + 1,
        };
        *latest = Some(acquired.clone());
        Ok(acquired)
    }
}

impl SharedToken {
    fn is_alive(&self) -> bool {
        self.remaining().is_none_or(|rest| !rest.is_zero())
    }

    /// The rest of its life, if that is known.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        let ends = self.ends?;
        Some(ends.saturating_duration_since(Instant::now()))
    }
}

impl fmt::Debug for SharedCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SharedCredential");
        shown
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_lite::future::{block_on, zip};

    use super::*;
    use crate::auth::source::AccessToken;

    fn counting(lifetime: Duration) -> (SharedCredential, Arc<AtomicU32>) {
        let count = Arc::new(AtomicU32::new(0));
        let counted = count.clone();
        let source = move || {
            let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
            async move {
                futures_lite::future::yield_now().await;
                let token = AccessToken::bearer(&number.to_string()).unwrap();
                Ok(token.lifetime(lifetime))
            }
        };
        (
            SharedCredential::new(AuthProfile::new("api"), source),
            count,
        )
    }

    fn value(token: &SharedToken) -> &str {
        match &token.secret {
            TokenSecret::Value(value) => value.to_str().unwrap(),
            TokenSecret::Signer(_) => "",
        }
    }

    #[test]
    fn drivers_that_need_a_token_at_once_share_one_acquisition() {
        let (credential, count) = counting(Duration::from_secs(60));
        let (one, other) = block_on(zip(credential.newer_than(0), credential.newer_than(0)));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!((one.serial, other.serial), (1, 1));
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_driver_whose_token_was_refused_gets_the_next_one() {
        let (credential, count) = counting(Duration::from_secs(60));
        let first = block_on(credential.newer_than(0)).unwrap();
        let next = block_on(credential.newer_than(first.serial)).unwrap();
        assert_eq!(value(&next), "Bearer 2");
        let other_driver = block_on(credential.newer_than(first.serial)).unwrap();
        assert_eq!(value(&other_driver), "Bearer 2");
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_token_that_has_ended_is_not_shared() {
        let (credential, count) = counting(Duration::ZERO);
        for expected in [1, 2] {
            block_on(credential.newer_than(0)).unwrap();
            assert_eq!(count.load(Ordering::SeqCst), expected);
        }
    }

    #[test]
    fn debug_shows_no_token() {
        let (credential, _) = counting(Duration::from_secs(60));
        block_on(credential.newer_than(0)).unwrap();
        assert!(!format!("{credential:?}").contains("Bearer"));
    }
}
