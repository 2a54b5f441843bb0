//! The tokens of the engine's profiles, and the fetches that wait for them.

use alloc::vec::Vec;

use crate::auth::grant::TokenGrant;
use crate::auth::logins::Logins;
use crate::auth::profile::AuthProfile;
use crate::model::id::FetchId;
use crate::model::time::Timestamp;
use crate::random::mix;

/// One grant for each profile of the configuration, in its order.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct TokenGrants {
    profiles: Vec<ProfileTokens>,
}

/// The token of one profile.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct ProfileTokens {
    pub(crate) grant: TokenGrant,
    /// What servers have asked for, if the token is a login.
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) logins: Logins,
    /// Fetches that wait for the token. Some may have ended since.
    waiting: Vec<FetchId>,
}

impl TokenGrants {
    /// Grants without tokens, for these profiles.
    pub(crate) fn new(profiles: &[AuthProfile], seed: u64) -> Self {
        let grants = profiles.iter().zip(1..).map(|(profile, number)| {
            let grant = TokenGrant::new(profile.token_policy(), mix(seed, number));
            let waiting = Vec::new();
            ProfileTokens {
                grant,
                logins: Logins::default(),
                waiting,
            }
        });
        Self {
            profiles: grants.collect(),
        }
    }

    pub(crate) fn get(&self, profile: u16) -> Option<&ProfileTokens> {
        self.profiles.get(usize::from(profile))
    }

    pub(crate) fn get_mut(&mut self, profile: u16) -> Option<&mut ProfileTokens> {
        self.profiles.get_mut(usize::from(profile))
    }

    /// The numbers of the profiles.
    pub(crate) fn numbers(&self) -> core::ops::Range<u16> {
        0..u16::try_from(self.profiles.len()).unwrap_or(u16::MAX)
    }

    /// When the earliest pause after a failed acquisition ends, for which a fetch waits.
    pub(crate) fn wake(&self) -> Option<Timestamp> {
        let wakes = self.profiles.iter().filter_map(|one| one.grant.wake());
        wakes.min()
    }
}

impl ProfileTokens {
    pub(crate) fn wait(&mut self, id: FetchId) {
        self.waiting.push(id);
    }

    /// Removes and returns all fetches that wait, for the token or for the first answer to a login.
    pub(crate) fn take_waiting(&mut self) -> Vec<FetchId> {
        let mut all = core::mem::take(&mut self.waiting);
        all.extend(self.logins.take_waiting());
        all
    }
}
