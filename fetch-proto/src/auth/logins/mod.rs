//! Logins that servers ask for: what each origin has asked, and what answers it.

#[cfg(test)]
mod tests;

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::num::NonZeroU16;

use url::Url;

use crate::challenge::answer::{ChallengeAnswer, LoginSchemes};
use crate::challenge::digest::{DigestChallenge, DigestSession};
use crate::challenge::parse::AuthChallenge;
use crate::model::id::FetchId;

/// The most origins of which one profile remembers challenges. The others are asked again.
const MAX_ORIGINS: usize = 4096;
/// The most protection spaces of an origin. A new one replaces the last.
const MAX_SPACES: usize = 1 << SPACE_BITS;
const SPACE_BITS: u32 = 4;
/// The serial numbers of a space's nonces are 1 to this, and again. They are small, because each attempt
/// in flight keeps one.
const MAX_SERIAL: u16 = u16::MAX >> SPACE_BITS;
/// The most folders that are known to belong to one protection space.
const MAX_FOLDERS: usize = 16;

/// The logins of one profile, by origin.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct Logins {
    origins: BTreeMap<Box<str>, OriginLogin>,
}

/// What is known of one origin.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct OriginLogin {
    /// Whether any request was answered.
    is_known: bool,
    /// The fetch whose first request finds out what the origin asks for.
    probe: Option<FetchId>,
    spaces: Vec<ProtectionSpace>,
    /// Fetches that wait for the probe. Some may have ended since.
    waiting: Vec<FetchId>,
}

/// What a user name and a password are valid for (RFC 9110, 11.5): a realm of an origin.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
struct ProtectionSpace {
    /// Paths that belong to it, with all below them.
    folders: Vec<Box<str>>,
    /// Whether paths that belong to no other space are taken for its own.
    is_default: bool,
    /// Whether a request with its latest challenge was accepted.
    is_proven: bool,
    realm: Box<str>,
    scheme: SpaceScheme,
    /// Another one with each nonce.
    serial: u16,
}

#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
enum SpaceScheme {
    Basic,
    Digest(DigestSession),
}

/// The login that an attempt was sent with: the space among those of its origin, and its nonce.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct LoginUse(NonZeroU16);

impl LoginUse {
    fn new(space: usize, serial: u16) -> Option<Self> {
        let space = u16::try_from(space % MAX_SPACES).ok()?;
        NonZeroU16::new(serial << SPACE_BITS | space).map(Self)
    }

    fn serial(self) -> u16 {
        self.0.get() >> SPACE_BITS
    }

    fn space(self) -> usize {
        usize::from(self.0.get()) % MAX_SPACES
    }
}

/// A challenge that can be answered.
enum Answerable {
    Basic { realm: Box<str> },
    Digest(DigestChallenge),
}

impl Logins {
    /// Whether a request to this origin waits until the first one is answered. If so, the fetch is noted.
    pub(crate) fn wait(&mut self, origin: &str, id: FetchId) -> bool {
        let login = self.origins.get_mut(origin);
        let waits = |login: &&mut OriginLogin| login.probe.is_some_and(|probe| probe != id);
        let Some(login) = login.filter(waits) else {
            return false;
        };
        login.waiting.push(id);
        true
    }

    /// What the next request to this origin and path is sent with. The first request is the probe.
    pub(crate) fn next_answer(
        &mut self,
        origin: &str,
        path: &str,
        id: FetchId,
    ) -> Option<(LoginUse, ChallengeAnswer)> {
        if !self.origins.contains_key(origin) {
            self.make_room();
            self.origins.insert(origin.into(), OriginLogin::default());
        }
        let login = self.origins.get_mut(origin)?;
        if !login.is_known && login.probe.is_none() {
            login.probe = Some(id);
        }
        login.next_answer(path)
    }

    /// Takes note of a response's head, and returns whether its request may be sent again with an answer
    /// to its challenges.
    pub(crate) fn take_challenges(
        &mut self,
        (origin, url): (&str, &Url),
        sent: Option<LoginUse>,
        challenges: &[AuthChallenge],
        schemes: LoginSchemes,
    ) -> bool {
        let best = strongest(challenges, schemes);
        let login = self.origins.get_mut(origin);
        login
            .zip(best)
            .is_some_and(|(login, best)| login.take_challenge(url, sent, best))
    }

    /// Takes note that a server accepted this login, with its field `Authentication-Info`.
    pub(crate) fn accept(&mut self, origin: &str, sent: LoginUse, info: Option<&str>) {
        let login = self.origins.get_mut(origin);
        let space = login.and_then(|login| login.spaces.get_mut(sent.space()));
        let Some(space) = space.filter(|space| space.serial == sent.serial()) else {
            return;
        };
        space.is_proven = true;
        if let (Some(info), SpaceScheme::Digest(session)) = (info, &mut space.scheme)
            && session.use_next_nonce(info)
        {
            space.serial = next_serial(space.serial);
        }
    }

    /// Takes note that a request of the fetch was answered, or has ended. Returns the fetches that waited
    /// for it.
    pub(crate) fn end_probe(
        &mut self,
        origin: &str,
        id: FetchId,
        is_answered: bool,
    ) -> Vec<FetchId> {
        let Some(login) = self.origins.get_mut(origin) else {
            return Vec::new();
        };
        login.is_known |= is_answered;
        if login.probe != Some(id) {
            return Vec::new();
        }
        login.probe = None;
        core::mem::take(&mut login.waiting)
    }

    /// All fetches that wait for a probe.
    pub(crate) fn take_waiting(&mut self) -> impl Iterator<Item = FetchId> {
        let all = self.origins.values_mut();
        all.flat_map(|login| core::mem::take(&mut login.waiting))
    }

    /// Forgets origins for which nothing waits, if there are too many.
    fn make_room(&mut self) {
        if self.origins.len() >= MAX_ORIGINS {
            self.origins.retain(|_, login| login.probe.is_some());
        }
    }
}

impl OriginLogin {
    fn next_answer(&mut self, path: &str) -> Option<(LoginUse, ChallengeAnswer)> {
        let index = self.space_of(path)?;
        let space = &mut self.spaces[index];
        let answer = match &mut space.scheme {
            SpaceScheme::Basic => ChallengeAnswer::Basic,
            SpaceScheme::Digest(session) => ChallengeAnswer::Digest(session.next_answer()),
        };
        Some((LoginUse::new(index, space.serial)?, answer))
    }

    /// The space with the longest folder that has this path; without one, the latest that may have all.
    fn space_of(&self, path: &str) -> Option<usize> {
        let fits = self.spaces.iter().enumerate().filter_map(|(index, space)| {
            let lengths = space.folders.iter().filter(|folder| is_below(path, folder));
            let longest = lengths.map(|folder| folder.len()).max();
            let fit = longest.or_else(|| space.is_default.then_some(0));
            Some((fit?, index))
        });
        fits.max().map(|(_, index)| index)
    }

    fn take_challenge(&mut self, url: &Url, sent: Option<LoginUse>, best: Answerable) -> bool {
        let realm = best.realm();
        let is_same = |space: &ProtectionSpace| *space.realm == *realm && space.is_answer_to(&best);
        let known = self.spaces.iter().position(is_same);
        let Some(index) = known else {
            self.add_space(url, best);
            return true;
        };
        let sent = sent.filter(|sent| sent.space() == index);
        let space = &mut self.spaces[index];
        // Otherwise the request was sent for another space, or for none.
        let Some(sent) = sent else {
            space.add_folder(folder_of(url.path()));
            return true;
        };
        match best {
            Answerable::Basic { .. } => sent.serial() != space.serial,
            Answerable::Digest(challenge) => {
                let (is_stale, was_proven) = (challenge.is_stale(), space.is_proven);
                if sent.serial() != space.serial {
                    // Another request has brought a newer nonce.
                    return is_stale || was_proven;
                }
                // Some servers do not say that only the nonce is refused.
                space.scheme = SpaceScheme::Digest(DigestSession::new(challenge));
                space.serial = next_serial(space.serial);
                space.is_proven = false;
                is_stale || was_proven
            }
        }
    }

    fn add_space(&mut self, url: &Url, best: Answerable) {
        let realm = best.realm().into();
        let mut space = ProtectionSpace {
            folders: Vec::new(),
            is_default: true,
            is_proven: false,
            realm,
            scheme: SpaceScheme::Basic,
            serial: 1,
        };
        if let Answerable::Digest(challenge) = best {
            if let Some(domain) = challenge.domain() {
                space.is_default = false;
                for folder in domain.split_ascii_whitespace() {
                    let target = url.join(folder).ok();
                    let target = target.filter(|target| target.origin() == url.origin());
                    target.inspect(|target| space.add_folder(target.path().trim_end_matches('/')));
                }
            }
            space.scheme = SpaceScheme::Digest(DigestSession::new(challenge));
        }
        if !space
            .folders
            .iter()
            .any(|folder| is_below(url.path(), folder))
        {
            space.add_folder(folder_of(url.path()));
        }
        if self.spaces.len() >= MAX_SPACES
            && let Some(last) = self.spaces.pop()
        {
            space.serial = next_serial(last.serial);
        }
        self.spaces.push(space);
    }
}

impl ProtectionSpace {
    fn is_answer_to(&self, challenge: &Answerable) -> bool {
        let is_basic = matches!(self.scheme, SpaceScheme::Basic);
        is_basic == matches!(challenge, Answerable::Basic { .. })
    }

    fn add_folder(&mut self, folder: &str) {
        if self.folders.len() < MAX_FOLDERS && !self.folders.iter().any(|one| **one == *folder) {
            self.folders.push(folder.to_owned().into());
        }
    }
}

impl Answerable {
    fn realm(&self) -> &str {
        match self {
            Self::Basic { realm } => realm,
            Self::Digest(challenge) => challenge.realm(),
        }
    }
}

/// The strongest challenge that can be answered: Digest by its hash function, then Basic.
fn strongest(challenges: &[AuthChallenge], schemes: LoginSchemes) -> Option<Answerable> {
    let digests = challenges.iter().filter(|_| schemes.digest);
    let digests = digests.filter_map(DigestChallenge::parse);
    // Of equals, the first.
    let digest = digests.reduce(|best, next| {
        if next.hash() > best.hash() {
            next
        } else {
            best
        }
    });
    let basic = || {
        let mut basic = challenges
            .iter()
            .filter(|one| one.is_scheme("Basic") && schemes.basic);
        let realm = basic.next()?.parameter("realm").unwrap_or_default().into();
        Some(Answerable::Basic { realm })
    };
    digest.map(Answerable::Digest).or_else(basic)
}

const fn next_serial(serial: u16) -> u16 {
    serial % MAX_SERIAL + 1
}

/// The path up to its last slash, without it.
fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn is_below(path: &str, folder: &str) -> bool {
    let rest = path.strip_prefix(folder);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
