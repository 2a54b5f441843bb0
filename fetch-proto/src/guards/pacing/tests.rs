use alloc::collections::BinaryHeap;
use core::cmp::Reverse;

use super::*;
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

/// A server that limits the rate, in requests per second.
struct Server {
    limit: Limit,
    /// Rates, each from a time in seconds on.
    rates: Vec<(u64, u64)>,
    retry_after: Option<Duration>,
    status: u16,
    /// Latency of an answer, and the largest random delay of a request on its way.
    latency: Duration,
    jitter: Duration,
    excess: u64,
    last: u64,
    used: u64,
}

use alloc::vec;
use alloc::vec::Vec;

impl Server {
    fn new(limit: Limit, rate: u64) -> Self {
        Self {
            limit,
            rates: vec![(0, rate)],
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
        let second = now / 1_000_000_000;
        let rate = self.rates.iter().rev().find(|(from, _)| *from <= second);
        let rate = rate.map_or(1, |(_, rate)| *rate);
        match self.limit {
            Limit::Leaky { burst } => {
                let passed = (now / MILLISECOND).saturating_sub(self.last / MILLISECOND);
                let excess = if self.used == 0 { 0 } else { (self.excess + 1000).saturating_sub(rate * passed) };
                if excess > burst * 1000 {
                    return false;
                }
                (self.excess, self.last, self.used) = (excess, now, 1);
                true
            }
            Limit::Tokens { burst } => {
                // In billionths of a token, used up.
                let used = self.excess.saturating_sub((now - self.last) * rate);
                (self.excess, self.last) = (used, now);
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

fn nanos(d: Duration) -> u64 {
    crate::model::time::nanos(d)
}

#[derive(Debug)]
struct Run {
    took: Duration,
    requests: u64,
    /// When each request was accepted, in nanoseconds.
    accepted: Vec<u64>,
    final_interval: Option<Duration>,
}

/// Sends `count` requests with at most `concurrency` in flight; refused ones again, until all are
/// accepted.
fn run(server: &mut Server, count: u64, concurrency: usize) -> Run {
    let mut pacer = HostPacer::new(Pacing::default());
    let mut in_flight: BinaryHeap<Reverse<(u64, u64, bool)>> = BinaryHeap::new();
    let (mut now, mut left, mut requests, mut paused) = (0_u64, count, 0_u64, 0_u64);
    let mut accepted = Vec::new();
    while left > 0 || !in_flight.is_empty() {
        let at = |nanos| Timestamp::from_nanos(nanos);
        let next = pacer.next_start().map_or(0, Timestamp::as_nanos).max(paused);
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
            let (status, pause) = if accepts { (200, None) } else { (server.status, server.retry_after) };
            pacer.record_status(status, at(sent), pause, at(now));
            if accepts {
                accepted.push(now);
            } else {
                left += 1;
                paused = paused.max(now + nanos(pause.unwrap_or_default()));
            }
        }
        assert!(now < 20_000_000_000_000, "does not finish");
    }
    Run {
        took: Duration::from_nanos(now),
        requests,
        accepted,
        final_interval: pacer.interval(),
    }
}

#[test]
fn explore() {
    for (name, limit) in [
        ("leaky", Limit::Leaky { burst: 0 }),
        ("leaky20", Limit::Leaky { burst: 20 }),
        ("tokens1", Limit::Tokens { burst: 1 }),
        ("tokens100", Limit::Tokens { burst: 100 }),
        ("window", Limit::Window(SECOND)),
    ] {
        for rate in [5, 20, 50, 200, 500, 1000, 2000] {
            for count in [rate * 5, 10_000] {
                for (concurrency, latency) in [(16, 1), (16, 20), (100, 1), (100, 100)] {
                    for pause in [None, Some(SECOND)] {
                    let mut server = Server::new(limit, rate);
                    server.latency = Duration::from_millis(latency);
                    server.retry_after = pause;
                    let real = match limit {
                        Limit::Leaky { burst: 0 } => 1000.0 / (1000.0 / rate as f64).ceil(),
                        Limit::Tokens { burst: 1 } => rate as f64,
                        _ => rate as f64,
                    };
                    let capacity = concurrency as f64 / (latency as f64 / 1000.0);
                    let ideal = count as f64 / real.min(capacity);
                    let run = run(&mut server, count, concurrency);
                    let factor = run.took.as_secs_f64() / ideal;
                    std::println!(
                        "{}{name:10} {rate:5}/s n={count:6} j={concurrency:3} rtt={latency:3} ra={} x{factor:.2} requests x{:.2} {:?}",
                        if factor > 1.3 { "!! " } else { "   " },
                        u8::from(pause.is_some()),
                        run.requests as f64 / count as f64,
                        run.final_interval,
                    );
                    }
                }
            }
        }
    }
}

#[test]
fn trace_one() {
    for limit in [Limit::Leaky { burst: 0 }, Limit::Leaky { burst: 20 }] {
        let mut server = Server::new(limit, 200);
        server.retry_after = Some(SECOND);
        std::println!("TRACE {limit:?}");
        run(&mut server, 10_000, 16);
    }
}
