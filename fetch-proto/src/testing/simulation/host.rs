//! The state of a simulated host, which decides the result of each request.

use alloc::collections::{BinaryHeap, VecDeque};
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::time::Duration;

use super::host_summary::RequestResult;
use super::server::{Outage, OutageKind, ServerCapacity, ServerModel};
use crate::guards::rate::RateLimiter;
use crate::model::time::{Timestamp, nanos};
use crate::random::{between, mix};

/// The state of a simulated host.
#[derive(Clone, Debug)]
pub(super) struct SimulatedHost {
    /// Attempts in flight, as the client counts them.
    pub(super) in_flight: u32,
    outages: Vec<Outage>,
    pool: Option<WorkerPool>,
    pub(super) server: ServerModel,
    throttle: Option<RateLimiter>,
    /// The number of the current window of the quota, and the requests accepted in it.
    window: (u64, u32),
}

/// The result of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct HostReply {
    pub(super) result: RequestResult,
    pub(super) retry_after: Option<Duration>,
    /// When the answer arrives; `None` if never.
    pub(super) at: Option<Timestamp>,
}

impl SimulatedHost {
    pub(super) fn new(server: ServerModel, outages: Vec<Outage>) -> Self {
        Self {
            in_flight: 0,
            outages,
            pool: server.capacity.map(WorkerPool::new),
            server,
            throttle: server.throttle.map(RateLimiter::new),
            window: (0, 0),
        }
    }

    /// Accepts a request at `now`. `draw` is the random word that decides its result.
    pub(super) fn accept(&mut self, now: Timestamp, draw: u64) -> HostReply {
        let server = self.server;
        let rejected = |result, retry_after| HostReply {
            result,
            retry_after,
            at: Some(now + server.rejection),
        };
        if let Some(outage) = self.outages.iter().find(|outage| outage.is_on(now)) {
            return match outage.kind {
                OutageKind::Refuse => rejected(RequestResult::Refused, None),
                OutageKind::Stall => HostReply::never(),
                OutageKind::Unavailable(wait) => rejected(RequestResult::Unavailable, wait),
            };
        }
        if self.is_over_limit(now) {
            return rejected(RequestResult::Throttled, server.retry_after);
        }
        let result = random_result(&server, draw);
        if result == RequestResult::Stalled {
            return HostReply::never();
        }
        let service = server.latency.draw(mix(draw, 1));
        let at = match &mut self.pool {
            None => Some(now + service),
            Some(pool) => pool.schedule(now, service),
        };
        match at {
            Some(at) => HostReply {
                result,
                retry_after: server
                    .retry_after
                    .filter(|_| result == RequestResult::Unavailable),
                at: Some(at),
            },
            None => rejected(RequestResult::Overloaded, server.retry_after),
        }
    }

    /// Counts a request against the throttle and the quota. Returns whether it is over one of them.
    fn is_over_limit(&mut self, now: Timestamp) -> bool {
        if let Some((from, rate)) = self.server.throttle_later
            && now.since_start() >= from
        {
            self.server.throttle_later = None;
            self.throttle = Some(RateLimiter::new(rate));
        }
        let throttle = self.throttle.as_mut();
        if throttle.is_some_and(|throttle| throttle.try_acquire(now).is_err()) {
            return true;
        }
        let Some(quota) = self.server.quota else {
            return false;
        };
        let number = now.as_nanos() / nanos(quota.period()).max(1);
        if number != self.window.0 {
            self.window = (number, 0);
        }
        let is_over = self.window.1 >= quota.count().get();
        self.window.1 += u32::from(!is_over);
        is_over
    }

    /// Whether the host is in its initial state, so that it can be removed.
    pub(super) fn is_idle(&self, now: Timestamp) -> bool {
        self.in_flight == 0
            && self.throttle.is_none_or(|throttle| throttle.is_idle(now))
            && self.window.1 == 0
            && self.server.throttle_later.is_none()
            && self.pool.as_ref().is_none_or(|pool| pool.is_idle(now))
    }
}

impl HostReply {
    const fn never() -> Self {
        Self {
            result: RequestResult::Stalled,
            retry_after: None,
            at: None,
        }
    }
}

fn random_result(server: &ServerModel, draw: u64) -> RequestResult {
    let place = between(draw, 0, 999);
    let mut bound = 0;
    for (share, result) in [
        (server.resets, RequestResult::Reset),
        (server.stalls, RequestResult::Stalled),
        (server.unavailable, RequestResult::Unavailable),
        (server.errors, RequestResult::Error),
    ] {
        bound += u64::from(share);
        if place < bound {
            return result;
        }
    }
    RequestResult::Ok
}

/// Workers and their queue. The queue is FIFO and service times are known on arrival, so the end of
/// each request is known on arrival.
#[derive(Clone, Debug)]
struct WorkerPool {
    capacity: ServerCapacity,
    /// When each worker that has been busy is free.
    free: BinaryHeap<Reverse<Timestamp>>,
    /// When each queued request will start, in order.
    waiting: VecDeque<Timestamp>,
}

impl WorkerPool {
    fn new(capacity: ServerCapacity) -> Self {
        Self {
            capacity,
            free: BinaryHeap::new(),
            waiting: VecDeque::new(),
        }
    }

    /// When a request that arrives now will be complete; `None` if the queue is full.
    fn schedule(&mut self, now: Timestamp, service: Duration) -> Option<Timestamp> {
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

    fn host(server: ServerModel, outages: &[Outage]) -> SimulatedHost {
        let latency = LatencyModel::constant(Duration::from_millis(10));
        SimulatedHost::new(server.latency(latency), outages.into())
    }

    #[test]
    fn requests_wait_for_a_worker_and_a_full_queue_rejects_them() {
        let mut host = host(ServerModel::default().capacity(2, 1), &[]);
        let mut accept = |ms| {
            let reply = host.accept(at(ms), 0);
            (reply.result, reply.at)
        };
        assert_eq!(accept(0), (RequestResult::Ok, Some(at(10))));
        assert_eq!(accept(0), (RequestResult::Ok, Some(at(10))));
        assert_eq!(accept(0), (RequestResult::Ok, Some(at(20))));
        assert_eq!(accept(0), (RequestResult::Overloaded, Some(at(1))));
        // At 10 ms the queued request starts, and the other worker is free.
        assert_eq!(accept(10), (RequestResult::Ok, Some(at(20))));
        assert_eq!(accept(11), (RequestResult::Ok, Some(at(30))));
    }

    #[test]
    fn a_throttle_answers_429_above_its_rate() {
        let server = ServerModel::default().throttle("10/s".parse().unwrap());
        let mut host = host(server.retry_after(Duration::from_secs(1)), &[]);
        assert_eq!(host.accept(at(0), 0).result, RequestResult::Ok);
        let second = host.accept(at(50), 0);
        assert_eq!(second.result, RequestResult::Throttled);
        assert_eq!(second.retry_after, Some(Duration::from_secs(1)));
        assert_eq!(host.accept(at(100), 0).result, RequestResult::Ok);
    }

    #[test]
    fn an_outage_has_its_bounds() {
        let down = |kind| {
            let (from, until) = (Duration::from_millis(100), Duration::from_millis(200));
            host(ServerModel::default(), &[Outage { from, until, kind }])
        };
        let mut refusing = down(OutageKind::Refuse);
        for (ms, result) in [
            (99, RequestResult::Ok),
            (100, RequestResult::Refused),
            (199, RequestResult::Refused),
            (200, RequestResult::Ok),
        ] {
            assert_eq!(refusing.accept(at(ms), 0).result, result, "{ms}");
        }
        assert_eq!(down(OutageKind::Stall).accept(at(150), 0).at, None);
        let wait = Some(Duration::from_secs(9));
        let busy = down(OutageKind::Unavailable(wait)).accept(at(150), 0);
        assert_eq!(
            (busy.result, busy.retry_after),
            (RequestResult::Unavailable, wait)
        );
    }

    #[test]
    fn a_host_is_idle_in_its_initial_state() {
        let mut host = host(ServerModel::default().capacity(1, 9), &[]);
        assert!(host.is_idle(at(0)));
        let _ = host.accept(at(0), 0);
        assert!(!host.is_idle(at(9)));
        assert!(host.is_idle(at(10)));
    }
}
