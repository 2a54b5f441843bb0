//! Checks at the end of a run: every fetch ends, and no state is left.

use std::time::Duration;

use fetch_proto::{CircuitState, Engine, EngineOutput};

use super::{EngineHarness, HOSTS, MAX_STEPS, Operation, RequestKind, ServerAnswer};

impl EngineHarness {
    /// Without attempts in flight, a restored engine behaves like the original.
    pub fn check_restart(&self) {
        if !self.model.in_flight().is_empty() || self.engine.stats().in_flight > 0 {
            return;
        }
        let (mut here, mut there) = (self.clone(), self.clone());
        there.engine = Engine::restore(there.engine.checkpoint(), there.clock);
        assert_eq!(
            here.run_to_completion(),
            there.run_to_completion(),
            "a restored engine behaves like the original"
        );
    }

    /// Answers everything successfully from now on, and checks that every fetch ends, every circuit
    /// closes, and every host is removed.
    pub fn finish(&mut self) {
        self.run_to_completion();
        let stats = self.engine.stats();
        let model = &self.model;
        assert_eq!(model.live(), [], "every fetch ends");
        assert_eq!((stats.live, stats.in_flight), (0, 0), "nothing is left");
        assert_eq!(stats.submitted, model.submitted, "each fetch is counted");
        assert_eq!(stats.submitted, model.done, "each fetch is done once");
        let counted = stats.responded + stats.failed + stats.cancelled;
        assert_eq!(stats.submitted, counted, "each end is counted once");
        if !self.closed {
            self.check_circuits_close();
        }
        self.check_hosts_removed();
    }

    /// Answers and waits until no fetch is left. Returns the outputs.
    fn run_to_completion(&mut self) -> Vec<EngineOutput> {
        self.hold(false);
        let mut outputs = self.drain_at(self.clock);
        for _ in 0..MAX_STEPS {
            let has_attempts = !self.model.in_flight().is_empty();
            if !has_attempts && self.engine.stats().live == 0 {
                return outputs;
            }
            if has_attempts {
                let answer = ServerAnswer::Ok;
                self.apply(Operation::Answer { attempt: 0, answer });
            } else {
                self.apply(Operation::Wait);
            }
            outputs.append(&mut self.drain_at(self.clock));
        }
        panic!("the run never ends: {:?}", self.engine);
    }

    /// No circuit stays open or half-open while the host is healthy.
    fn check_circuits_close(&mut self) {
        for (site, host) in HOSTS {
            let open = |harness: &Self| {
                let stats = harness.engine.host_stats(host);
                let circuit = stats.and_then(|stats| stats.circuit);
                circuit.is_some_and(|circuit| circuit != CircuitState::Closed)
            };
            let mut rounds = 0;
            while open(self) && !self.policies.has_chaos() {
                rounds += 1;
                assert!(rounds < 100, "the circuit of {host} is never closed");
                self.advance(Duration::from_secs(60));
                self.apply(Operation::Submit {
                    site,
                    kind: RequestKind::Get,
                });
                self.run_to_completion();
            }
        }
    }

    /// Hosts without state are removed.
    fn check_hosts_removed(&mut self) {
        for _ in 0..MAX_STEPS {
            self.drain();
            let Some(idle) = self.idle.filter(|idle| idle.wake.is_some()) else {
                let permanent = self.policies.targets();
                assert!(
                    self.engine.stats().hosts <= permanent,
                    "hosts are removed: {:?}",
                    self.engine
                );
                return;
            };
            assert_eq!(idle.live, 0);
            self.apply(Operation::Wait);
        }
        panic!("the engine is never at rest: {:?}", self.engine);
    }
}
