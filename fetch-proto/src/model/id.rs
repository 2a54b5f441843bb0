//! Identifiers of fetches and attempts.

use core::fmt;

/// The low bits of a generation, which count the fetches of a slot. The others are the number of the engine.
const COUNT_BITS: u32 = 22;
const COUNT_MASK: u32 = (1 << COUNT_BITS) - 1;

/// Identifies a fetch in an [`Engine`](crate::Engine).
///
/// A slot is reused after its fetch ends; the generation distinguishes its fetches, so a stale id
/// matches nothing. The generation contains the [number of the engine](crate::Engine::number), so the
/// id of another engine matches nothing either. A [`Fetch`](crate::Fetch) without an engine has
/// [`FetchId::STANDALONE`].
///
/// ```
/// use fetch_proto::FetchId;
/// assert_eq!(FetchId::STANDALONE.to_string(), "0.0");
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct FetchId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl FetchId {
    /// The id of a [`Fetch`](crate::Fetch) that no engine owns.
    pub const STANDALONE: Self = Self {
        slot: 0,
        generation: 0,
    };

    /// The number of the engine that gave the id: [`Engine::number`](crate::Engine::number).
    ///
    /// ```
    /// use fetch_proto::{Engine, EngineConfig, FetchRequest, Timestamp};
    ///
    /// let now = Timestamp::START;
    /// let [mut one, mut other] = [1, 2].map(|seed| Engine::new(EngineConfig::default(), seed, now));
    /// let id = one.submit(FetchRequest::get("http://a.test/".parse()?), now)?;
    /// assert_eq!(id.engine(), one.number());
    /// assert_ne!(id.engine(), other.number());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn engine(self) -> u16 {
        (self.generation >> COUNT_BITS) as u16
    }

    /// The index of the fetch's slot, which a driver may use to index a table: dense, below the
    /// engine's window, and reused.
    ///
    /// ```
    /// assert_eq!(fetch_proto::FetchId::STANDALONE.slot(), 0);
    /// ```
    #[must_use]
    pub const fn slot(self) -> usize {
        self.slot as usize
    }
}

/// The largest number of an engine.
pub(crate) const MAX_ENGINE: u16 = (u32::MAX >> COUNT_BITS) as u16;

/// The generation of the first fetch in a slot of this engine. None equals that of
/// [`FetchId::STANDALONE`], whose count of fetches is 0.
pub(crate) const fn first_generation(engine: u16) -> u32 {
    ((engine as u32) << COUNT_BITS) | 1
}

/// The generation of the fetch that follows one with this generation in its slot, in this engine.
pub(crate) const fn next_generation(generation: u32, engine: u16) -> u32 {
    match generation.wrapping_add(1) & COUNT_MASK {
        0 => first_generation(engine),
        count => ((engine as u32) << COUNT_BITS) | count,
    }
}

/// The slot and the count of its fetches, without the engine's number.
impl fmt::Display for FetchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.slot, self.generation & COUNT_MASK)
    }
}

/// Identifies one attempt of a fetch: the first request, a retry, a redirect or a hedge.
///
/// ```
/// # use fetch_proto::{Fetch, FetchRequest, Policy, Timestamp};
/// # let request = FetchRequest::get("http://a.test/".parse()?);
/// # let mut fetch = Fetch::new(request, Policy::default().into(), 0, Timestamp::START);
/// # let _ = fetch.poll(Timestamp::START);
/// let attempt = fetch.start(Timestamp::START).expect("the fetch is ready");
/// assert_eq!(attempt.id.to_string(), "0.0#1");
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct AttemptId {
    /// The fetch it belongs to.
    pub fetch: FetchId,
    pub(crate) number: u16,
}

impl AttemptId {
    /// The number of the attempt within its fetch, from 1. Redirects and free retries count.
    ///
    /// ```
    /// # use fetch_proto::{Fetch, Policy, FetchRequest, FetchStep, Timestamp};
    /// # let mut fetch = Fetch::new(FetchRequest::get("http://a.test/".parse()?), Policy::default().into(), 0, Timestamp::START);
    /// # let _ = fetch.poll(Timestamp::START);
    /// let attempt = fetch.start(Timestamp::START).expect("it was ready");
    /// assert_eq!(attempt.id.number(), 1);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub const fn number(self) -> u16 {
        self.number
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.fetch, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_of_a_slot_differ_and_keep_the_engines_number() {
        let mut generation = first_generation(MAX_ENGINE);
        for _ in 0..3 {
            let next = next_generation(generation, MAX_ENGINE);
            assert_ne!(next, generation);
            let id = FetchId {
                slot: 0,
                generation: next,
            };
            assert_eq!(id.engine(), MAX_ENGINE);
            generation = next;
        }
        // After the last one, the first is used again, and never that of `STANDALONE`.
        assert_eq!(next_generation(u32::MAX, 7), first_generation(7));
        assert_ne!(first_generation(0), FetchId::STANDALONE.generation);
    }
}
