//! How long a new connection rests before a request that must not be lost goes out on it.
//!
//! A server that shuts down resets the connections that it has not accepted yet, and a request that
//! was sent on one is lost, as far as its client can know. Nothing shows a client of plain HTTP that
//! its connection was accepted, but an unaccepted connection is reset within the time in which the
//! server gets round to accepting. A server that lately answered whole requests within a millisecond
//! accepts in less than that.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use fetch_transport_util::lock;
use hashbrown::HashMap;

/// How long a server usually takes at most to accept a connection: the rest at a server of which
/// nothing is known, and the longest one unless a connection failed.
const ACCEPT_TIME: Duration = Duration::from_millis(10);

/// The rest after a connection failed, because the server may be restarting: its processes may then be
/// slow to accept, and more of them may end.
const CAUTIOUS_REST: Duration = Duration::from_millis(25);

/// The rest in multiples of the longest recent answer time.
const ANSWER_TIMES: u32 = 4;

/// How long [`CAUTIOUS_REST`] applies after a connection failed.
const CAUTION: Duration = Duration::from_secs(2);

/// The most servers that are remembered.
const MAX_SERVERS: usize = 4096;

/// The answer times of servers.
#[derive(Debug, Default)]
pub(crate) struct AnswerTimes(Mutex<HashMap<SocketAddr, AnswerTime>>);

#[derive(Clone, Copy, Debug, Default)]
struct AnswerTime {
    failed_at: Option<Instant>,
    /// The longest recent time from a request on a new connection to the head of its response: it
    /// includes the time to accept. It shrinks slowly.
    longest: Option<Duration>,
}

impl AnswerTimes {
    /// How long a connection to `server` rests that took `connect_time` to open: longer than a round
    /// trip, so that a reset has arrived.
    pub(crate) fn rest(
        &self,
        server: SocketAddr,
        connect_time: Duration,
        now: Instant,
    ) -> Duration {
        let times = lock(&self.0);
        let time = times.get(&server).copied().unwrap_or_default();
        let accept = match (time.failed_at, time.longest) {
            (Some(at), _) if now.saturating_duration_since(at) < CAUTION => CAUTIOUS_REST,
            (_, Some(longest)) => (longest * ANSWER_TIMES).min(ACCEPT_TIME),
            (_, None) => ACCEPT_TIME,
        };
        connect_time + accept
    }

    /// Whether a connection to `server` failed at `since` or later.
    pub(crate) fn has_failed_since(&self, server: SocketAddr, since: Instant) -> bool {
        let times = lock(&self.0);
        let failed_at = times.get(&server).and_then(|time| time.failed_at);
        failed_at.is_some_and(|at| at >= since)
    }

    /// Records how long a server took to answer a request on a new connection.
    pub(crate) fn record(&self, server: SocketAddr, took: Duration) {
        self.update(server, |time| {
            let faded = time
                .longest
                .map_or(Duration::ZERO, |longest| longest - longest / 16);
            time.longest = Some(faded.max(took));
        });
    }

    /// Records that a connection ended without an answer, or could not be opened.
    pub(crate) fn record_failure(&self, server: SocketAddr, now: Instant) {
        self.update(server, |time| time.failed_at = Some(now));
    }

    fn update(&self, server: SocketAddr, update: impl FnOnce(&mut AnswerTime)) {
        let mut times = lock(&self.0);
        if times.len() >= MAX_SERVERS && !times.contains_key(&server) {
            times.clear();
        }
        update(times.entry(server).or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn server(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    #[test]
    fn a_connection_rests_as_long_as_answers_took_lately_and_10_ms_at_an_unknown_server() {
        let (times, now) = (AnswerTimes::default(), Instant::now());
        let rest = || times.rest(server(1), 3 * MS, now);
        assert_eq!(rest(), 13 * MS);
        times.record(server(1), MS);
        assert_eq!(rest(), 7 * MS);
        times.record(server(1), 100 * MS);
        assert_eq!(rest(), 13 * MS, "a slow answer says little about accepting");
        for _ in 0..200 {
            times.record(server(1), MS / 10);
        }
        assert_eq!(rest(), 3 * MS + MS * 4 / 10);
        assert_eq!(times.rest(server(2), MS, now), 11 * MS);
    }

    #[test]
    fn after_a_failure_a_connection_rests_longer_for_a_while() {
        let (times, now) = (AnswerTimes::default(), Instant::now());
        times.record(server(1), MS);
        times.record_failure(server(1), now);
        assert_eq!(times.rest(server(1), MS, now), 26 * MS);
        assert_eq!(times.rest(server(1), MS, now + CAUTION), 5 * MS);
    }

    #[test]
    fn a_failure_is_held_against_connections_that_rested_meanwhile() {
        let (times, now) = (AnswerTimes::default(), Instant::now());
        assert!(!times.has_failed_since(server(1), now));
        times.record_failure(server(1), now);
        assert!(times.has_failed_since(server(1), now));
        assert!(!times.has_failed_since(server(1), now + MS));
        assert!(!times.has_failed_since(server(2), now));
    }

    #[test]
    fn the_memory_is_bounded() {
        let times = AnswerTimes::default();
        for port in 0..=u16::try_from(MAX_SERVERS).unwrap() {
            times.record(server(port), MS);
        }
        assert!(lock(&times.0).len() <= MAX_SERVERS);
    }
}
