//! Pacing against servers that limit the rate in the usual ways.

use alloc::collections::BinaryHeap;
use core::cmp::Reverse;

use super::*;
use crate::model::time::nanos;
use crate::random::{between, mix};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: u64 = 1_000_000;

/// How a server limits the rate.
#[derive(Clone, Copy, Debug)]
enum Limit {
    /// nginx's `limit_req` with a burst, `nodelay`: a leaky bucket with a clock of milliseconds.
    Leaky { burst: u64 },
    /// A token bucket with an exact clock.
    Tokens { burst: u64 },
    /// A fixed window.
    Window(Duration),
}

/// A server that limits the rate, in requests per second. Requests arrive a little late.
struct Server {
    limit: Limit,
    rate: u64,
    retry_after: Option<Duration>,
    status: u16,
    /// Latency of an answer, and the largest random delay of a request on its way.
    latency: Duration,
    jitter: Duration,
    excess: u64,
    last: u64,
    used: u64,
}

impl Server {
    fn new(limit: Limit, rate: u64) -> Self {
        Self {
            limit,
            rate,
            retry_after: None,
            status: 429,
            latency: Duration::from_millis(1),
            jitter: Duration::from_micros(200),
            excess: 0,
            last: 0,
            used: 0,
        }
    }

    fn accepts(&mut self, now: u64) -> bool {
        let rate = self.rate;
        match self.limit {
            Limit::Leaky { burst } => {
                let passed = (now / MILLISECOND).saturating_sub(self.last / MILLISECOND);
                let excess = if self.used == 0 {
                    0
                } else {
                    (self.excess + 1000).saturating_sub(rate * passed)
                };
                if excess > burst * 1000 {
                    return false;
                }
                (self.excess, self.last, self.used) = (excess, now, 1);
                true
            }
            Limit::Tokens { burst } => {
                // In billionths of a token, used up.
                let used = self
                    .excess
                    .saturating_sub(now.saturating_sub(self.last) * rate);
                (self.excess, self.last) = (used, now.max(self.last));
                let accepts = used + 1_000_000_000 <= burst * 1_000_000_000;
                self.excess += u64::from(accepts) * 1_000_000_000;
                accepts
            }
            Limit::Window(window) => {
                let number = now / nanos(window);
                if number != self.last {
                    (self.last, self.used) = (number, 0);
                }
                self.used += 1;
                self.used <= rate * nanos(window) / 1_000_000_000
            }
        }
    }
}

#[derive(Debug)]
struct Run {
    took: Duration,
    requests: u64,
}

/// Sends `count` requests with at most `concurrency` in flight; refused ones again, until all are
/// accepted.
fn run(server: &mut Server, count: u64, concurrency: usize) -> Run {
    let mut pacer = HostPacer::new(Pacing::default());
    let mut in_flight: BinaryHeap<Reverse<(u64, u64, bool)>> = BinaryHeap::new();
    let (mut now, mut left, mut requests, mut paused) = (0_u64, count, 0_u64, 0_u64);
    while left > 0 || !in_flight.is_empty() {
        let at = |nanos| Timestamp::from_nanos(nanos);
        let next = pacer
            .next_start()
            .map_or(0, Timestamp::as_nanos)
            .max(paused);
        if left > 0 && in_flight.len() < concurrency && next <= now {
            pacer.record_start(at(now));
            requests += 1;
            left -= 1;
            let delay = between(mix(7, requests), 0, nanos(server.jitter).max(1));
            let accepts = server.accepts(now + delay);
            in_flight.push(Reverse((now + delay + nanos(server.latency), now, accepts)));
            continue;
        }
        let answer = in_flight.peek().map(|Reverse((at, ..))| *at);
        // A timer is a little late.
        let late = between(mix(9, requests), 0, 100_000);
        let start = (left > 0 && in_flight.len() < concurrency).then_some(next + late);
        now = now.max(answer.into_iter().chain(start).min().unwrap());
        while let Some(Reverse((when, sent, accepts))) = in_flight.peek().copied() {
            if when > now {
                break;
            }
            in_flight.pop();
            let (status, pause) = if accepts {
                (200, None)
            } else {
                (server.status, server.retry_after)
            };
            let answer = PacedAnswer {
                is_first: true,
                retry_after: pause,
                sent: at(sent),
                status,
            };
            pacer.record(&answer, at(now));
            if !accepts {
                left += 1;
                paused = paused.max(now + nanos(pause.unwrap_or_default()));
            }
        }
        assert!(now < 20_000_000_000_000, "does not finish");
    }
    Run {
        took: Duration::from_nanos(now),
        requests,
    }
}

#[test]
fn requests_are_accepted_at_the_limit_of_a_real_server_with_its_inexact_clock() {
    let kinds = [
        Limit::Leaky { burst: 0 },
        Limit::Leaky { burst: 20 },
        Limit::Tokens { burst: 100 },
        Limit::Window(SECOND),
    ];
    for limit in kinds {
        for rate in [5, 50, 200, 1000] {
            for (concurrency, latency) in [(16, 1), (100, 100)] {
                let mut server = Server::new(limit, rate);
                server.latency = Duration::from_millis(latency);
                let count = rate * 10;
                let run = run(&mut server, count, concurrency);
                let percent = run.took.as_millis() as u64 * rate / (count * 10);
                assert!(percent <= 130, "{limit:?} {rate}/s: {percent} %, {run:?}");
                assert!(
                    run.requests <= 2 * count + 100,
                    "{limit:?} {rate}/s: {run:?}"
                );
            }
        }
    }
}

#[test]
fn a_pause_that_the_host_asks_for_costs_no_more_than_a_third() {
    for limit in [Limit::Leaky { burst: 0 }, Limit::Leaky { burst: 20 }] {
        let mut server = Server::new(limit, 200);
        (server.retry_after, server.status) = (Some(SECOND), 503);
        let run = run(&mut server, 10_000, 16);
        assert!(run.took <= SECOND * 66, "{limit:?}: {run:?}");
    }
}

#[test]
fn pacing_ends_when_the_host_accepts_everything_for_long() {
    let mut pacer = HostPacer::new(Pacing::default());
    let answer = |status, sent| PacedAnswer {
        is_first: true,
        retry_after: None,
        sent,
        status,
    };
    (0..3).for_each(|_| pacer.record(&answer(429, Timestamp::START), Timestamp::START));
    assert!(pacer.interval().is_some());
    // One request per second is less than the pace allows.
    for second in 1..60 {
        let now = Timestamp::START + SECOND * second;
        pacer.record_start(now);
        pacer.record(&answer(200, now), now);
    }
    assert_eq!(pacer.interval(), None);
}
