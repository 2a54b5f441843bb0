//! Outputs that the driver has not polled yet.

use alloc::collections::VecDeque;

use crate::engine::output::EngineOutput;
use crate::model::event::DecisionEvent;

/// Outputs in order. The engine's own decision events come first.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct OutputQueue {
    events: VecDeque<DecisionEvent>,
    events_enabled: bool,
    outputs: VecDeque<EngineOutput>,
}

impl OutputQueue {
    pub(crate) fn new(events_enabled: bool) -> Self {
        Self {
            events_enabled,
            ..Self::default()
        }
    }

    pub(crate) fn set_events_enabled(&mut self, enabled: bool) {
        self.events_enabled = enabled;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.outputs.is_empty()
    }

    /// Adds a decision of the engine. `event` is called only if events are enabled.
    pub(crate) fn push_event(&mut self, event: impl FnOnce() -> DecisionEvent) {
        if self.events_enabled {
            self.events.push_back(event());
        }
    }

    /// Adds a decision that is reported even if events are not enabled.
    pub(crate) fn push_important_event(&mut self, event: DecisionEvent) {
        self.events.push_back(event);
    }

    pub(crate) fn push(&mut self, output: EngineOutput) {
        self.outputs.push_back(output);
    }

    pub(crate) fn pop(&mut self) -> Option<EngineOutput> {
        match self.events.pop_front() {
            Some(event) => Some(EngineOutput::Event(None, event)),
            None => self.outputs.pop_front(),
        }
    }

    /// Adds `last`, then removes and returns the first output. Events stay in the queue.
    pub(crate) fn push_and_pop(&mut self, last: EngineOutput) -> EngineOutput {
        match self.outputs.pop_front() {
            None => last,
            Some(first) => {
                self.outputs.push_back(last);
                first
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::{AttemptId, FetchId};

    fn abort(number: u16) -> EngineOutput {
        EngineOutput::Abort(AttemptId {
            fetch: FetchId::STANDALONE,
            number,
        })
    }

    fn event() -> DecisionEvent {
        DecisionEvent::ResourcesExhausted { concurrency: 1 }
    }

    #[test]
    fn events_come_first_and_only_where_enabled() {
        let mut queue = OutputQueue::new(false);
        queue.push_event(|| unreachable!("nobody wants it"));
        assert!(queue.is_empty());
        queue.set_events_enabled(true);
        queue.push(abort(1));
        queue.push_event(event);
        assert_eq!(queue.pop(), Some(EngineOutput::Event(None, event())));
        assert_eq!((queue.pop(), queue.pop()), (Some(abort(1)), None));
    }

    #[test]
    fn the_last_output_waits_for_those_before_it() {
        let mut queue = OutputQueue::new(false);
        assert_eq!(queue.push_and_pop(abort(1)), abort(1));
        queue.push(abort(2));
        assert_eq!(queue.push_and_pop(abort(3)), abort(2));
        assert_eq!((queue.pop(), queue.pop()), (Some(abort(3)), None));
    }
}
