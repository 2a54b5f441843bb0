//! What a transport reports about an attempt in flight.

use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use fetch_proto::{AttemptPhase, Timestamp};
use smallvec::SmallVec;

use crate::transport::clock::Clock;
use crate::transport::connection::ConnectionInfo;
use crate::transport::message_sizes::MessageSizes;

/// All phases, in the order in which they happen. The index of each is that in
/// [`ProgressState::phases`].
const PHASES: [AttemptPhase; 5] = [
    AttemptPhase::Resolved,
    AttemptPhase::Connected,
    AttemptPhase::Reused,
    AttemptPhase::TlsDone,
    AttemptPhase::Sent,
];

/// Reports the progress of one attempt: its phases (name resolved, connected, TLS done, request sent),
/// its connection, and the bytes received.
///
/// Cheap to clone. Phases are needed for timings and for the connect and first-byte timeouts; a
/// transport that cannot see a phase omits it.
///
/// ```
/// use fetch_driver::{AttemptProgress, Clock, ConnectionInfo, AttemptPhase};
///
/// let progress = AttemptProgress::new(Clock::start());
/// progress.mark(AttemptPhase::Resolved);
/// progress.mark_connected(ConnectionInfo::new(None, false));
/// progress.add_received(1024);
/// assert_eq!(progress.wire_bytes(), 1024);
/// ```
#[derive(Clone)]
pub struct AttemptProgress {
    clock: Clock,
    state: Arc<ProgressState>,
}

/// How much of a response body the driver needs: see [`AttemptProgress::demand`].
///
/// A transport may always pass on each chunk as it arrives. If it does not, it must report received
/// bytes at once by [`AttemptProgress::add_received_ahead`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum BodyDemand {
    /// Only its length.
    Nothing,
    /// Each chunk, as soon as it arrives.
    #[default]
    Pieces,
    /// All of it: chunks may be collected until a buffer is full.
    Whole,
}

// `BodyDemand` as a number.
const PIECES: u8 = 0;
const NOTHING: u8 = 1;
const WHOLE: u8 = 2;

/// Shared with the transport, which may run on another thread, without a lock.
#[derive(Default)]
struct ProgressState {
    /// Body bytes that were reported ahead and have not arrived in chunks yet.
    ahead: AtomicUsize,
    /// The certificates of a new connection, which are known after the connection is.
    certificates: OnceLock<Arc<[Vec<u8>]>>,
    connection: OnceLock<ConnectionInfo>,
    demand: AtomicU8,
    /// When each phase first happened, in nanoseconds; 0 if it has not.
    phases: [AtomicU64; PHASES.len()],
    /// The size of the request's head.
    request_head: AtomicU64,
    /// The bytes of the request that were sent, with its head.
    request_bytes: AtomicU64,
    /// The size of the response's head.
    response_head: AtomicU64,
    /// Body bytes received ahead since the driver last took the count.
    received_ahead: AtomicU64,
    wire_bytes: AtomicU64,
}

/// Reported phases: two for a reused connection, up to four for a new one.
pub(crate) type PhaseTimes = SmallVec<[(AttemptPhase, Timestamp); 4]>;

/// The phases that were already passed on to the engine, as bits.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReportedPhases(u8);

impl AttemptProgress {
    /// The progress of one attempt. Only the driver, and tests of transports, need to create it.
    ///
    /// ```
    /// use fetch_driver::{AttemptProgress, Clock};
    /// let progress = AttemptProgress::new(Clock::start());
    /// ```
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            state: Arc::default(),
        }
    }

    /// The clock for the times passed to [`AttemptProgress::mark_at`].
    ///
    /// ```
    /// # use fetch_driver::{AttemptProgress, Clock};
    /// # let progress = AttemptProgress::new(Clock::start());
    /// let now = progress.clock().now();
    /// ```
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Reports that `phase` is done now.
    ///
    /// ```
    /// # use fetch_driver::{AttemptProgress, Clock, AttemptPhase};
    /// # let progress = AttemptProgress::new(Clock::start());
    /// progress.mark(AttemptPhase::TlsDone);
    /// ```
    pub fn mark(&self, phase: AttemptPhase) {
        self.mark_at(phase, self.clock.now());
    }

    /// Reports that `phase` was done at `at`, a little earlier than now. Of several reports of a
    /// phase, the first counts.
    ///
    /// ```
    /// # use fetch_driver::{AttemptProgress, Clock, AttemptPhase};
    /// # let progress = AttemptProgress::new(Clock::start());
    /// let at = progress.clock().now();
    /// progress.mark_at(AttemptPhase::Sent, at);
    /// ```
    pub fn mark_at(&self, phase: AttemptPhase, at: Timestamp) {
        let index = PHASES.iter().position(|known| *known == phase);
        if let Some(first) = index.map(|index| &self.state.phases[index]) {
            let at = at.as_nanos().max(1);
            let _ = first.compare_exchange(0, at, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// Reports the server's certificates as DER, its own first, after the TLS handshake of a new connection.
    /// Of several reports, the first counts.
    ///
    /// ```
    /// # use fetch_driver::{AttemptProgress, Clock, ConnectionInfo};
    /// # let progress = AttemptProgress::new(Clock::start());
    /// progress.mark_connected(ConnectionInfo::default());
    /// progress.mark_certificates([vec![48, 130]].into());
    /// assert!(progress.connection().is_some_and(|seen| seen.certificates.len() == 1));
    /// ```
    pub fn mark_certificates(&self, certificates: Arc<[Vec<u8>]>) {
        let _ = self.state.certificates.set(certificates);
    }

    /// Reports the connection that serves the attempt, and marks [`AttemptPhase::Connected`] or
    /// [`AttemptPhase::Reused`]. Of several reports, the first counts.
    ///
    /// ```
    /// # use fetch_driver::{AttemptProgress, Clock, ConnectionInfo};
    /// # let progress = AttemptProgress::new(Clock::start());
    /// progress.mark_connected(ConnectionInfo::new(None, true));
    /// ```
    pub fn mark_connected(&self, connection: ConnectionInfo) {
        let at = self.clock.now();
        let reused = connection.reused;
        let _ = self.state.connection.set(connection);
        let phase = if reused {
            AttemptPhase::Reused
        } else {
            AttemptPhase::Connected
        };
        self.mark_at(phase, at);
    }

    /// Adds to the count of body bytes received over the wire, before decoding.
    ///
    /// ```
    /// # use fetch_driver::{AttemptProgress, Clock};
    /// # let progress = AttemptProgress::new(Clock::start());
    /// progress.add_received(512);
    /// ```
    pub fn add_received(&self, bytes: u64) {
        self.state.wire_bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    /// Adds body bytes that were received and will be passed on later, or never. Timeouts and size
    /// limits count them now. Do not report them by [`AttemptProgress::add_received`] as well.
    ///
    /// ```
    /// # use fetch_driver::{AttemptProgress, Clock};
    /// # let progress = AttemptProgress::new(Clock::start());
    /// progress.add_received_ahead(512);
    /// assert_eq!(progress.wire_bytes(), 512);
    /// ```
    pub fn add_received_ahead(&self, bytes: usize) {
        let state = &self.state;
        state.ahead.fetch_add(bytes, Ordering::AcqRel);
        state
            .received_ahead
            .fetch_add(bytes as u64, Ordering::AcqRel);
        state.wire_bytes.fetch_add(bytes as u64, Ordering::AcqRel);
    }

    /// Reports the size of the request's head, in bytes. Default: 0, it is not known.
    ///
    /// ```
    /// # use fetch_driver::{AttemptProgress, Clock};
    /// # let progress = AttemptProgress::new(Clock::start());
    /// progress.set_request_head(120);
    /// ```
    pub fn set_request_head(&self, bytes: usize) {
        self.state
            .request_head
            .store(bytes as u64, Ordering::Release);
    }

    /// Adds to the count of bytes of the request that were sent: those of its head, its body and the
    /// body's framing.
    ///
    /// ```
    /// # use fetch_driver::{AttemptProgress, Clock};
    /// # let progress = AttemptProgress::new(Clock::start());
    /// progress.add_sent(120);
    /// ```
    pub fn add_sent(&self, bytes: usize) {
        self.state
            .request_bytes
            .fetch_add(bytes as u64, Ordering::AcqRel);
    }

    /// Reports the size of the response's head, in bytes, together with informational ones before it.
    ///
    /// ```
    /// # use fetch_driver::{AttemptProgress, Clock};
    /// # let progress = AttemptProgress::new(Clock::start());
    /// progress.set_response_head(300);
    /// ```
    pub fn set_response_head(&self, bytes: usize) {
        self.state
            .response_head
            .store(bytes as u64, Ordering::Release);
    }

    /// How much of the body the driver needs. Set before the body is first polled.
    ///
    /// ```
    /// # use fetch_driver::{AttemptProgress, BodyDemand, Clock};
    /// # let progress = AttemptProgress::new(Clock::start());
    /// assert_eq!(progress.demand(), BodyDemand::Pieces);
    /// ```
    #[must_use]
    pub fn demand(&self) -> BodyDemand {
        match self.state.demand.load(Ordering::Acquire) {
            NOTHING => BodyDemand::Nothing,
            WHOLE => BodyDemand::Whole,
            _ => BodyDemand::Pieces,
        }
    }

    /// The body bytes received so far, before decoding.
    ///
    /// ```
    /// # use fetch_driver::{AttemptProgress, Clock};
    /// # let progress = AttemptProgress::new(Clock::start());
    /// assert_eq!(progress.wire_bytes(), 0);
    /// ```
    #[must_use]
    pub fn wire_bytes(&self) -> u64 {
        self.state.wire_bytes.load(Ordering::Acquire)
    }

    /// The connection that serves the attempt, once it is known.
    ///
    /// ```
    /// # use fetch_driver::{AttemptProgress, Clock};
    /// # let progress = AttemptProgress::new(Clock::start());
    /// assert_eq!(progress.connection(), None);
    /// ```
    #[must_use]
    pub fn connection(&self) -> Option<ConnectionInfo> {
        let connection = self.state.connection.get()?.clone();
        Some(match self.state.certificates.get() {
            Some(certificates) => connection.with_certificates(certificates.clone()),
            None => connection,
        })
    }
}

/// For the driver.
impl AttemptProgress {
    /// Resets it for another attempt, unless a transport still holds a clone.
    pub(crate) fn recycle(mut self) -> Option<Self> {
        *Arc::get_mut(&mut self.state)? = ProgressState::default();
        Some(self)
    }

    pub(crate) fn message_sizes(&self) -> MessageSizes {
        let requests = self.state.request_bytes.load(Ordering::Acquire);
        let head = self.state.request_head.load(Ordering::Acquire);
        MessageSizes {
            requests,
            response_heads: self.state.response_head.load(Ordering::Acquire),
            upload: requests.saturating_sub(head),
        }
    }

    pub(crate) fn set_demand(&self, demand: BodyDemand) {
        let number = match demand {
            BodyDemand::Nothing => NOTHING,
            BodyDemand::Pieces => PIECES,
            BodyDemand::Whole => WHOLE,
        };
        self.state.demand.store(number, Ordering::Release);
    }

    /// The phases that are done and not in `reported` yet, the earliest first. Adds them to `reported`.
    pub(crate) fn take_phases(&self, reported: &mut ReportedPhases) -> PhaseTimes {
        let mut new = PhaseTimes::new();
        for (i, phase) in PHASES.into_iter().enumerate() {
            let at = self.state.phases[i].load(Ordering::Acquire);
            if at != 0 && reported.0 & (1 << i) == 0 {
                reported.0 |= 1 << i;
                new.push((phase, Timestamp::from_nanos(at)));
            }
        }
        new.sort_by_key(|(_, at)| *at);
        new
    }

    /// The number of body bytes received since the last call: those reported ahead, and those of
    /// the `chunk_bytes` that arrived in chunks and were not reported ahead.
    pub(crate) fn take_received(&self, chunk_bytes: u64) -> u64 {
        let state = &self.state;
        // Most attempts report nothing ahead.
        if state.received_ahead.load(Ordering::Acquire) == 0
            && state.ahead.load(Ordering::Acquire) == 0
        {
            return chunk_bytes;
        }
        let reported = state.received_ahead.swap(0, Ordering::AcqRel);
        let chunks = usize::try_from(chunk_bytes).unwrap_or(usize::MAX);
        let rest = |ahead: usize| Some(ahead.saturating_sub(chunks));
        let ahead = state
            .ahead
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, rest);
        let counted_before = ahead.unwrap_or_default().min(chunks);
        reported + (chunks - counted_before) as u64
    }
}

impl fmt::Debug for AttemptProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttemptProgress")
            .field("connection", &self.connection())
            .field("phases", &self.take_phases(&mut ReportedPhases::default()))
            .field("wire_bytes", &self.wire_bytes())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn progress() -> AttemptProgress {
        AttemptProgress::new(Clock::start())
    }

    #[test]
    fn bytes_reported_ahead_of_their_chunk_count_once() {
        let progress = progress();
        progress.add_received_ahead(300);
        assert_eq!(progress.take_received(0), 300);
        progress.add_received_ahead(200);
        assert_eq!(progress.take_received(510), 210);
        assert_eq!(progress.take_received(7), 7);
        assert_eq!(progress.wire_bytes(), 500);
    }

    #[test]
    fn progress_is_recycled_only_without_other_clones() {
        let progress = progress();
        let other = progress.clone();
        other.add_received(7);
        other.mark(AttemptPhase::Sent);
        other.mark_connected(ConnectionInfo::default());
        assert!(progress.clone().recycle().is_none());
        drop(other);
        let recycled = progress.recycle().unwrap();
        assert_eq!((recycled.wire_bytes(), recycled.connection()), (0, None));
        let mut reported = ReportedPhases::default();
        assert!(recycled.take_phases(&mut reported).is_empty());
    }

    #[test]
    fn a_phase_is_reported_once_with_its_first_time() {
        let (progress, mut reported) = (progress(), ReportedPhases::default());
        let at = Timestamp::from_nanos;
        progress.mark_at(AttemptPhase::Connected, at(7));
        progress.mark_at(AttemptPhase::Reused, at(5));
        progress.mark_at(AttemptPhase::Connected, at(9));
        let new = progress.take_phases(&mut reported);
        let expected = [
            (AttemptPhase::Reused, at(5)),
            (AttemptPhase::Connected, at(7)),
        ];
        assert_eq!(new.as_slice(), expected);
        progress.mark_at(AttemptPhase::Sent, at(11));
        let new = progress.take_phases(&mut reported);
        assert_eq!(new.as_slice(), [(AttemptPhase::Sent, at(11))]);
    }

    #[test]
    fn the_first_reported_connection_counts() {
        let remotes: [Option<SocketAddr>; 3] = [
            Some("255.0.0.1:8080".parse().unwrap()),
            Some("[fe80::1:2]:65535".parse().unwrap()),
            None,
        ];
        for remote in remotes {
            for reused in [true, false] {
                let (progress, first) = (progress(), ConnectionInfo::new(remote, reused));
                assert_eq!(progress.connection(), None);
                progress.mark_connected(first.clone());
                progress.mark_connected(ConnectionInfo::default());
                assert_eq!(progress.connection(), Some(first.clone()));
                progress.mark_certificates([vec![48]].into());
                let complete = first.with_certificates([vec![48]].into());
                assert_eq!(progress.connection(), Some(complete));
            }
        }
    }

    #[test]
    fn a_transport_sees_the_demand_for_the_body() {
        let progress = progress();
        assert_eq!(progress.demand(), BodyDemand::Pieces);
        for demand in [BodyDemand::Nothing, BodyDemand::Whole, BodyDemand::Pieces] {
            progress.set_demand(demand);
            assert_eq!(progress.clone().demand(), demand);
        }
    }
}
