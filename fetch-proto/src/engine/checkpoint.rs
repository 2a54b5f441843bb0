//! The whole engine as plain data, to continue later.

use super::Engine;
use crate::model::time::Timestamp;

/// The complete state of an engine, serialisable with the feature `serde`.
///
/// ```
/// use fetch_proto::{Engine, EngineConfig, EngineOutput, FetchRequest, Timestamp};
///
/// let now = Timestamp::START;
/// let mut engine = Engine::new(EngineConfig::default(), 7, now);
/// engine.submit(FetchRequest::get("http://a.test/".parse()?), now).unwrap();
/// let mut later = Engine::restore(engine.checkpoint(), now);
/// assert!(matches!(later.poll(now), EngineOutput::Start(_)));
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct EngineCheckpoint {
    engine: Engine,
}

impl Engine {
    /// A copy of the engine's state: queues, waits, breakers, budgets, rates, limits.
    ///
    /// ```
    /// # use fetch_proto::{Engine, EngineConfig, Timestamp};
    /// let engine = Engine::new(EngineConfig::default(), 7, Timestamp::START);
    /// let checkpoint = engine.checkpoint();
    /// ```
    #[must_use]
    pub fn checkpoint(&self) -> EngineCheckpoint {
        EngineCheckpoint {
            engine: self.clone(),
        }
    }

    /// Continues from a checkpoint, on a clock that shows `now`: each wait continues with the time that
    /// was left. Attempts in flight are lost with their connections. They do not count as attempts of
    /// the retry policy: fetches that may be repeated are queued again, the others end with
    /// [`FailureKind::Dropped`](crate::FailureKind::Dropped). Ids stay valid.
    ///
    /// ```
    /// # use fetch_proto::{Engine, EngineConfig, Timestamp};
    /// let engine = Engine::new(EngineConfig::default(), 7, Timestamp::START);
    /// let restored = Engine::restore(engine.checkpoint(), Timestamp::START);
    /// assert_eq!(restored.stats().live, 0);
    /// ```
    #[must_use]
    pub fn restore(checkpoint: EngineCheckpoint, now: Timestamp) -> Self {
        let EngineCheckpoint { mut engine } = checkpoint;
        engine.clock.rebase(now);
        engine.single_flight.rebuild(&engine.fetches);
        let now = engine.clock.now();
        // The driver that had the tokens has ended.
        engine.restart_grants(now);
        engine.withdraw_start_request(now);
        for index in engine.fetches.indices() {
            if let Some(slot) = engine.fetches.get_mut(index) {
                slot.fetch.drop_attempts(now);
            }
            engine.mark_for_poll(index);
        }
        engine
    }
}
