//! One host while it is simulated: what becomes of a request that reaches it.

use alloc::collections::{BinaryHeap, VecDeque};
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::time::Duration;

use super::load::RequestResult;
use super::server::{Capacity, Outage, OutageKind, ServerModel};
use crate::guards::rate::RateLimiter;
use crate::model::time::Timestamp;
use crate::random::{between, mix};

/// The state of a host's servers.
#[derive(Clone, Debug)]
pub(super) struct Host {
    /// Attempts in flight at it, as the client sees them.
    pub(super) flying: u32,
    outages: Vec<Outage>,
    pool: Option<Pool>,
    pub(super) server: ServerModel,
    throttle: Option<RateLimiter>,
}

/// What a request comes to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Reply {
    pub(super) fate: RequestResult,
    pub(super) retry_after: Option<Duration>,
    /// When it comes; `None` if never.
    pub(super) at: Option<Timestamp>,
}

impl Host {
    pub(super) fn new(server: ServerModel, outages: Vec<Outage>) -> Self {
        Self {
            flying: 0,
            outages,
            pool: server.capacity.map(Pool::new),
            server,
            throttle: server.throttle.map(RateLimiter::new),
        }
    }

    /// Takes a request at `now`; all chance is in `draw`.
    pub(super) fn take(&mut self, now: Timestamp, draw: u64) -> Reply {
        let server = self.server;
        let rejected = |fate, retry_after| Reply {
            fate,
            retry_after,
            at: Some(now + server.rejection),
        };
        if let Some(outage) = self.outages.iter().find(|outage| outage.is_on(now)) {
            return match outage.how {
                OutageKind::Refuse => rejected(RequestResult::Refused, None),
                OutageKind::Stall => Reply::never(),
                OutageKind::Unavailable(wait) => rejected(RequestResult::Unavailable, wait),
            };
        }
        let throttle = self.throttle.as_mut();
        if throttle.is_some_and(|throttle| throttle.try_acquire(now).is_err()) {
            return rejected(RequestResult::Throttled, server.retry_after);
        }
        let fate = chance(&server, draw);
        if fate == RequestResult::Stalled {
            return Reply::never();
        }
        let service = server.latency.draw(mix(draw, 1));
        let at = match &mut self.pool {
            None => Some(now + service),
            Some(pool) => pool.work(now, service),
        };
        match at {
            Some(at) => Reply {
                fate,
                retry_after: server
                    .retry_after
                    .filter(|_| fate == RequestResult::Unavailable),
                at: Some(at),
            },
            None => rejected(RequestResult::Overloaded, server.retry_after),
        }
    }

    /// Whether it can be forgotten: a new one in its place would behave alike.
    pub(super) fn is_idle(&self, now: Timestamp) -> bool {
        self.flying == 0
            && self.throttle.is_none_or(|throttle| throttle.is_idle(now))
            && self.pool.as_ref().is_none_or(|pool| pool.is_idle(now))
    }
}

impl Reply {
    const fn never() -> Self {
        Self {
            fate: RequestResult::Stalled,
            retry_after: None,
            at: None,
        }
    }
}

fn chance(server: &ServerModel, draw: u64) -> RequestResult {
    let place = between(draw, 0, 999);
    let mut bound = 0;
    for (share, fate) in [
        (server.resets, RequestResult::Reset),
        (server.stalls, RequestResult::Stalled),
        (server.unavailable, RequestResult::Unavailable),
        (server.errors, RequestResult::Error),
    ] {
        bound += u64::from(share);
        if place < bound {
            return fate;
        }
    }
    RequestResult::Ok
}

/// Workers and those who wait for one. As the order is kept and the work is known when it comes, its
/// end is known then too.
#[derive(Clone, Debug)]
struct Pool {
    capacity: Capacity,
    /// When each worker that has had work is free.
    free: BinaryHeap<Reverse<Timestamp>>,
    /// When each request that waits will be begun, in order.
    waiting: VecDeque<Timestamp>,
}

impl Pool {
    fn new(capacity: Capacity) -> Self {
        Self {
            capacity,
            free: BinaryHeap::new(),
            waiting: VecDeque::new(),
        }
    }

    /// When the work will be done that comes now; `None` if there is no room to wait.
    fn work(&mut self, now: Timestamp, service: Duration) -> Option<Timestamp> {
        while self.waiting.front().is_some_and(|begin| *begin <= now) {
            self.waiting.pop_front();
        }
        let idle = self.free.len() < self.capacity.workers.get() as usize;
        let first = self.free.peek().map(|Reverse(at)| *at);
        let begin = match first {
            Some(at) if !idle || at <= now => at.max(now),
            _ => now,
        };
        if begin > now {
            if self.waiting.len() >= self.capacity.queue as usize {
                return None;
            }
            self.waiting.push_back(begin);
        }
        if first.is_some_and(|at| !idle || at <= now) {
            self.free.pop();
        }
        let end = begin + service;
        self.free.push(Reverse(end));
        Some(end)
    }

    fn is_idle(&self, now: Timestamp) -> bool {
        self.free.iter().all(|Reverse(at)| *at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::LatencyModel;

    fn at(ms: u64) -> Timestamp {
        Timestamp::START + Duration::from_millis(ms)
    }

    fn host(server: ServerModel, outages: &[Outage]) -> Host {
        let latency = LatencyModel::constant(Duration::from_millis(10));
        Host::new(server.latency(latency), outages.into())
    }

    #[test]
    fn work_waits_for_a_worker_and_what_finds_the_queue_full_is_turned_away() {
        let mut host = host(ServerModel::default().capacity(2, 1), &[]);
        let mut take = |ms| {
            let reply = host.take(at(ms), 0);
            (reply.fate, reply.at)
        };
        assert_eq!(take(0), (RequestResult::Ok, Some(at(10))));
        assert_eq!(take(0), (RequestResult::Ok, Some(at(10))));
        assert_eq!(take(0), (RequestResult::Ok, Some(at(20))));
        assert_eq!(take(0), (RequestResult::Overloaded, Some(at(1))));
        // At 10 ms the one that waited is begun; the other worker is free.
        assert_eq!(take(10), (RequestResult::Ok, Some(at(20))));
        assert_eq!(take(11), (RequestResult::Ok, Some(at(30))));
    }

    #[test]
    fn a_throttle_answers_429_to_what_comes_too_fast() {
        let server = ServerModel::default().throttle("10/s".parse().unwrap());
        let mut host = host(server.retry_after(Duration::from_secs(1)), &[]);
        assert_eq!(host.take(at(0), 0).fate, RequestResult::Ok);
        let second = host.take(at(50), 0);
        assert_eq!(second.fate, RequestResult::Throttled);
        assert_eq!(second.retry_after, Some(Duration::from_secs(1)));
        assert_eq!(host.take(at(100), 0).fate, RequestResult::Ok);
    }

    #[test]
    fn an_outage_begins_and_ends_when_it_says() {
        let down = |how| {
            let (from, until) = (Duration::from_millis(100), Duration::from_millis(200));
            host(ServerModel::default(), &[Outage { from, until, how }])
        };
        let mut refusing = down(OutageKind::Refuse);
        for (ms, fate) in [
            (99, RequestResult::Ok),
            (100, RequestResult::Refused),
            (199, RequestResult::Refused),
            (200, RequestResult::Ok),
        ] {
            assert_eq!(refusing.take(at(ms), 0).fate, fate, "{ms}");
        }
        assert_eq!(down(OutageKind::Stall).take(at(150), 0).at, None);
        let wait = Some(Duration::from_secs(9));
        let busy = down(OutageKind::Unavailable(wait)).take(at(150), 0);
        assert_eq!(
            (busy.fate, busy.retry_after),
            (RequestResult::Unavailable, wait)
        );
    }

    #[test]
    fn a_host_is_idle_when_nothing_is_left_of_what_it_did() {
        let mut host = host(ServerModel::default().capacity(1, 9), &[]);
        assert!(host.is_idle(at(0)));
        let _ = host.take(at(0), 0);
        assert!(!host.is_idle(at(9)));
        assert!(host.is_idle(at(10)));
    }
}
