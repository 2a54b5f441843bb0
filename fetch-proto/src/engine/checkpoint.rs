//! The whole engine as plain data, to go on later.

use super::Engine;
use crate::model::time::Timestamp;

/// An engine at rest: everything it knows, to be stored with the feature `serde`.
///
/// ```
/// use fetch_proto::{Config, Engine, Output, FetchRequest, Timestamp};
///
/// let now = Timestamp::START;
/// let mut engine = Engine::new(Config::default(), 7, now);
/// engine.submit(FetchRequest::get("http://a.test/".parse()?), now).unwrap();
/// let mut later = Engine::restore(engine.checkpoint(), now);
/// assert!(matches!(later.poll(now), Output::Start(_)));
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Checkpoint {
    engine: Engine,
}

impl Engine {
    /// Everything the engine knows: queues, waits, breakers, budgets, rates, limits.
    ///
    /// ```
    /// # use fetch_proto::{Config, Engine, Timestamp};
    /// let engine = Engine::new(Config::default(), 7, Timestamp::START);
    /// let checkpoint = engine.checkpoint();
    /// ```
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            engine: self.clone(),
        }
    }

    /// Goes on from a checkpoint, on a clock that now shows `now`: every wait has what was left of
    /// it. Attempts that were in flight are lost with their connections; they cost no try, and what
    /// may be repeated is queued again, the rest ends with [`FailureKind::Dropped`].
    ///
    /// Ids stay what they were.
    ///
    /// ```
    /// # use fetch_proto::{Config, Engine, Timestamp};
    /// let engine = Engine::new(Config::default(), 7, Timestamp::START);
    /// let restored = Engine::restore(engine.checkpoint(), Timestamp::START);
    /// assert_eq!(restored.stats().live, 0);
    /// ```
    ///
    /// [`FailureKind::Dropped`]: crate::FailureKind::Dropped
    #[must_use]
    pub fn restore(checkpoint: Checkpoint, now: Timestamp) -> Self {
        let Checkpoint { mut engine } = checkpoint;
        let (then, now) = (engine.now.as_nanos(), now.as_nanos());
        engine.offset = then.wrapping_sub(now).cast_signed();
        engine.find_leaders();
        for index in engine.slots.indices() {
            if let Some(slot) = engine.slots.get_mut(index) {
                slot.fetch.lose(engine.now);
            }
            engine.touch(index);
        }
        engine
    }
}
