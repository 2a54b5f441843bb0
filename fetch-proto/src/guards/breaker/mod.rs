//! Circuit breaker: stops sending to a failing host.

mod call;
mod call_window;
mod circuit;
#[cfg(test)]
mod exhaustive;
mod half_open;
mod mode;
#[cfg(test)]
mod tests;

use core::time::Duration;

use crate::model::time::nanos;
use crate::random::{between, mix};

pub use call::{BreakerCall, CallCounts, CallNotPermitted, CallResult, CircuitState};
pub use circuit::CircuitBreaker;
pub use mode::{BreakerMode, OnOpen};

/// Configuration of a [`CircuitBreaker`]: when it opens, for how long, and what closes it.
///
/// The defaults suit bulk jobs, which meet many hosts with few URLs each:
///
/// - 8 calls are the minimum to judge a host: two URLs of three attempts each cannot open a
///   circuit, three can.
/// - The 30 s window is more than twice the longest attempt
///   ([`Timeouts::attempt`](crate::Timeouts::attempt) is 6 s), so that even a host whose address does
///   not respond fills it with two attempts at a time.
/// - 20 failures in a row open the circuit of a busy host that was healthy before, without filling
///   half of its window. With half of all calls failing, 20 in a row have a probability of 10^-6.
/// - The first break of 5 s is about as long as a restart. It doubles up to a minute, so that a dead
///   host costs about two attempts per minute.
/// - Two successes of three probes close it: one lucky answer does not close it, and one unlucky
///   answer does not reopen it.
///
/// Only refused and unreachable connections, connections that are closed before the response, and the
/// statuses 502, 503 and 504 are failures, and not all of them: [`HostEvidence`](crate::HostEvidence).
///
/// Every value is valid; out-of-range values are clamped as documented.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{Breaker, CircuitBreaker, Timestamp, CallResult};
///
/// let mut circuit = CircuitBreaker::new(Breaker::default().consecutive(2), 7);
/// let (now, took) = (Timestamp::START, Duration::from_millis(5));
/// for _ in 0..2 {
///     let call = circuit.admit(now).unwrap();
///     circuit.record(call, CallResult::Failure, took, now);
/// }
/// let until = circuit.admit(now).unwrap_err().until.unwrap();
/// assert!(circuit.admit(until).unwrap().is_probe());
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Breaker {
    /// How many failures in a row open it.
    pub consecutive: Option<u32>,
    /// The failure ratio in the window that opens it, in thousandths.
    pub failure_ratio: Option<u16>,
    /// How many calls the window must contain before a ratio is evaluated.
    pub minimum_calls: u32,
    /// The operating mode.
    pub mode: BreakerMode,
    /// How fetches of a host with an open circuit are handled.
    pub on_open: OnOpen,
    /// The part of the outage so far that a break lasts, in thousandths, within
    /// [`open_base`](field@Self::open_base) and [`open_cap`](field@Self::open_cap); 0 for exponential
    /// growth.
    pub open_age_ratio: u16,
    /// The duration of the first break: [`open`](Self::open).
    pub open_base: Duration,
    /// The duration of the longest break, without jitter.
    pub open_cap: Duration,
    /// By how much each break is longer than the one before.
    pub open_factor: u32,
    /// By how much a break may be longer, in thousandths.
    pub open_jitter: u16,
    /// How long a probe occupies its slot.
    pub probe_lease: Duration,
    /// How many probes must succeed to close it.
    pub probe_successes: u32,
    /// How many probes are made.
    pub probes: u32,
    /// How many probes may be in flight at once.
    pub probes_at_once: u32,
    /// From which duration on a call is slow.
    pub slow_after: Duration,
    /// The ratio of slow calls in the window that opens it, in thousandths.
    pub slow_ratio: Option<u16>,
    /// How far back calls are counted.
    pub window: Duration,
}

impl Breaker {
    /// Opens when half of at least 8 calls within 30 s failed, or 20 in a row; stays open for 5 s,
    /// 10 s, 20 s … 60 s.
    pub const DEFAULT: Self = Self {
        consecutive: Some(20),
        failure_ratio: Some(500),
        minimum_calls: 8,
        mode: BreakerMode::Normal,
        on_open: OnOpen::Defer,
        open_age_ratio: 0,
        open_base: Duration::from_secs(5),
        open_cap: Duration::from_secs(60),
        open_factor: 2,
        open_jitter: 500,
        probe_lease: Duration::from_secs(30),
        probe_successes: 2,
        probes: 3,
        probes_at_once: 1,
        slow_after: Duration::from_secs(5),
        slow_ratio: None,
        window: Duration::from_secs(30),
    };

    /// For hosts that are waited for: [`OutageWait`](crate::OutageWait). Opens after 20 failures in a
    /// row, whatever their ratio. A break lasts about a seventh of the outage so far, from 500 ms to 5
    /// s, and one successful probe closes it: a host that is back is found soon, whether it was away for
    /// seconds or minutes.
    pub const FOR_OUTAGES: Self = Self {
        failure_ratio: None,
        open_age_ratio: 150,
        open_base: Duration::from_millis(500),
        open_cap: Duration::from_secs(5),
        open_jitter: 200,
        probe_successes: 1,
        probes: 1,
        ..Self::DEFAULT
    };

    /// Sets how many failures in a row open it; `None` disables this criterion. Default 20; 0
    /// counts as 1. Calls at least one [window](Self::window) apart are not in a row.
    ///
    /// ```
    /// let breaker = fetch_proto::Breaker::default().consecutive(5);
    /// ```
    #[must_use]
    pub fn consecutive(mut self, failures: impl Into<Option<u32>>) -> Self {
        self.consecutive = failures.into();
        self
    }

    /// Sets the failure ratio of the calls in the window that opens it, in thousandths; `None`
    /// disables this criterion. Default 500, which is half; above 1000 counts as 1000.
    ///
    /// ```
    /// let at_one_tenth = fetch_proto::Breaker::default().failure_ratio(100);
    /// let five_in_a_row = fetch_proto::Breaker::default().failure_ratio(None).consecutive(5);
    /// ```
    #[must_use]
    pub fn failure_ratio(mut self, per_mille: impl Into<Option<u16>>) -> Self {
        self.failure_ratio = per_mille.into();
        self
    }

    /// Sets how many calls the window must contain before a ratio is evaluated. Default 8; 0
    /// counts as 1.
    ///
    /// ```
    /// let breaker = fetch_proto::Breaker::default().minimum_calls(20);
    /// ```
    #[must_use]
    pub const fn minimum_calls(mut self, calls: u32) -> Self {
        self.minimum_calls = calls;
        self
    }

    /// Sets the operating mode. Default [`BreakerMode::Normal`].
    ///
    /// ```
    /// use fetch_proto::{Breaker, BreakerMode};
    /// let watching = Breaker::default().mode(BreakerMode::MetricsOnly);
    /// ```
    #[must_use]
    pub const fn mode(mut self, mode: BreakerMode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets how fetches of a host with an open circuit are handled. Default [`OnOpen::Defer`].
    ///
    /// ```
    /// use fetch_proto::{Breaker, OnOpen};
    /// let breaker = Breaker::default().on_open(OnOpen::FailFast);
    /// ```
    #[must_use]
    pub const fn on_open(mut self, on_open: OnOpen) -> Self {
        self.on_open = on_open;
        self
    }

    /// Sets how long it stays open: `min(cap, base × factor^n)`, where `n` is the number of breaks
    /// since it was last closed. Default 5 s, 2 and 60 s.
    ///
    /// ```
    /// use core::time::Duration;
    /// let always_ten_seconds = fetch_proto::Breaker::default()
    ///     .open(Duration::from_secs(10), 1, Duration::from_secs(10))
    ///     .open_jitter(0);
    /// ```
    #[must_use]
    pub const fn open(mut self, base: Duration, factor: u32, cap: Duration) -> Self {
        (self.open_base, self.open_factor, self.open_cap) = (base, factor, cap);
        self
    }

    /// Sets by how much a break may be longer than [`open`](Self::open) says, even above the cap,
    /// in thousandths. Default 500, as Envoy's jitter for reset headers, so that hosts that failed
    /// together are not probed together. A break is never shorter.
    ///
    /// ```
    /// let exact = fetch_proto::Breaker::default().open_jitter(0);
    /// ```
    #[must_use]
    pub const fn open_jitter(mut self, per_mille: u16) -> Self {
        self.open_jitter = per_mille;
        self
    }

    /// Sets how many of how many probes must succeed to close it. Default 2 of 3; 0 counts as 1,
    /// and more successes than probes count as all of them. It reopens as soon as too many have
    /// failed.
    ///
    /// ```
    /// let strict = fetch_proto::Breaker::default().probes(3, 3);
    /// ```
    #[must_use]
    pub const fn probes(mut self, successes: u32, of: u32) -> Self {
        (self.probe_successes, self.probes) = (successes, of);
        self
    }

    /// Sets how many probes may be in flight at once. Default 1; 0 counts as 1.
    ///
    /// ```
    /// let breaker = fetch_proto::Breaker::default().probes_at_once(2);
    /// ```
    #[must_use]
    pub const fn probes_at_once(mut self, probes: u32) -> Self {
        self.probes_at_once = probes;
        self
    }

    /// Sets how long a probe occupies its slot. Default 30 s, several times the longest attempt.
    /// After that another probe may start, so that a probe whose end is never reported cannot block
    /// the host forever; a late result still counts. Zero counts as one nanosecond.
    ///
    /// ```
    /// use core::time::Duration;
    /// let breaker = fetch_proto::Breaker::default().probe_lease(Duration::from_secs(10));
    /// ```
    #[must_use]
    pub const fn probe_lease(mut self, lease: Duration) -> Self {
        self.probe_lease = lease;
        self
    }

    /// Sets the ratio of slow calls in the window that opens it, in thousandths; `None` disables
    /// this criterion. Default `None`; above 1000 counts as 1000. A call is slow if it took longer
    /// than `after` (default 5 s), whether it succeeded or failed. With a ratio, a slow probe counts
    /// as failed.
    ///
    /// ```
    /// use core::time::Duration;
    /// let breaker = fetch_proto::Breaker::default().slow(800, Duration::from_secs(2));
    /// ```
    #[must_use]
    pub fn slow(mut self, per_mille: impl Into<Option<u16>>, after: Duration) -> Self {
        (self.slow_ratio, self.slow_after) = (per_mille.into(), after);
        self
    }

    /// Sets how far back calls are counted. Default 30 s. The window has ten slots, or one if it is
    /// shorter than 200 ms; a slot expires as a whole. It should be at least twice the longest
    /// attempt, else timeouts expire before enough of them accumulate.
    ///
    /// ```
    /// use core::time::Duration;
    /// let breaker = fetch_proto::Breaker::default().window(Duration::from_secs(60));
    /// ```
    #[must_use]
    pub const fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Whether slow calls open it.
    pub(crate) fn counts_slow_calls(&self) -> bool {
        self.slow_ratio.is_some()
    }

    fn is_slow(&self, took: Duration) -> bool {
        took > self.slow_after
    }

    /// Successful probes that close the circuit.
    fn required_successes(&self) -> u32 {
        self.probe_successes.clamp(1, self.probe_count())
    }

    /// Probes per half-open phase.
    fn probe_count(&self) -> u32 {
        self.probes.max(1)
    }

    /// Duration of the break after `n` earlier ones, when the circuit was closed `age` ago;
    /// `generation` varies the jitter of each.
    fn break_duration(&self, n: u32, age: Duration, seed: u64, generation: u64) -> Duration {
        let growth = u64::from(self.open_factor).saturating_pow(n);
        let grown = match self.open_age_ratio {
            0 => nanos(self.open_base).saturating_mul(growth),
            ratio => (nanos(age) / 1000 * u64::from(ratio)).max(nanos(self.open_base)),
        };
        let low = grown.min(nanos(self.open_cap));
        let more = u128::from(low) * u128::from(self.open_jitter) / 1000;
        let high = u64::try_from(u128::from(low) + more).unwrap_or(u64::MAX);
        Duration::from_nanos(between(mix(seed, generation), low, high))
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self::DEFAULT
    }
}
