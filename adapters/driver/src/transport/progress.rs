//! What a transport tells of an attempt while it is under way.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};

use fetch_proto::{Phase, Timestamp};
use smallvec::SmallVec;

use crate::transport::clock::Clock;
use crate::transport::connection::Connection;
use crate::transport::peer::Peer;

/// All phases, in the order in which they happen. Each has its place in [`State::phases`].
const PHASES: [Phase; 5] = [
    Phase::Resolved,
    Phase::Connected,
    Phase::Reused,
    Phase::TlsDone,
    Phase::Sent,
];

/// Reports an attempt's phases: when the name was resolved, the connection made, TLS done, the
/// request sent; and how many bytes came over the wire.
///
/// Cheap to clone. Marks are for timings and for the connect and first-byte limits; a transport that
/// cannot see a phase leaves it out.
///
/// ```
/// use fetch_driver::{Clock, Connection, Marks, Phase};
///
/// let marks = Marks::new(Clock::start());
/// marks.mark(Phase::Resolved);
/// marks.connected(Connection { remote: None, reused: false });
/// marks.received(1024);
/// assert_eq!(marks.wire_bytes(), 1024);
/// ```
#[derive(Clone)]
pub struct Marks {
    clock: Clock,
    state: Arc<State>,
}

/// What of a response's body is wanted: see [`Marks::wanted`].
///
/// A transport may always hand on all that comes, as it comes. If it does not, it tells of what came
/// by [`Marks::gathered`] at once.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Wanted {
    /// Only how long it is.
    Nothing,
    /// What has come, at once.
    #[default]
    Pieces,
    /// All of it: a chunk may be handed on when it is full.
    Whole,
}

// What `Wanted` is as a number.
const PIECES: u8 = 0;
const NOTHING: u8 = 1;
const WHOLE: u8 = 2;

/// Numbers only, so that nobody waits for a lock: a transport may be on a thread of its own.
#[derive(Default)]
struct State {
    /// Body bytes that were told of before the loop got them.
    ahead: AtomicUsize,
    connection: Peer,
    /// Body bytes that were told of since the loop last asked.
    gathered: AtomicU64,
    /// When each phase was done first; 0 is never.
    phases: [AtomicU64; PHASES.len()],
    wanted: AtomicU8,
    wire_bytes: AtomicU64,
}

/// Phases that were reported: of a reused connection two, of a new one four.
pub(crate) type Phases = SmallVec<[(Phase, Timestamp); 4]>;

/// Which phases the loop knows of already.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known(u8);

impl Marks {
    /// Marks for one attempt; only a driver, or a transport's test, needs to make them.
    ///
    /// ```
    /// let marks = fetch_driver::Marks::new(fetch_driver::Clock::start());
    /// ```
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            state: Arc::default(),
        }
    }

    /// The clock that [`Marks::mark_at`] wants its times from.
    ///
    /// ```
    /// # let marks = fetch_driver::Marks::new(fetch_driver::Clock::start());
    /// let now = marks.clock().now();
    /// ```
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Says that `phase` is done now.
    ///
    /// ```
    /// # use fetch_driver::Phase;
    /// # let marks = fetch_driver::Marks::new(fetch_driver::Clock::start());
    /// marks.mark(Phase::TlsDone);
    /// ```
    pub fn mark(&self, phase: Phase) {
        self.mark_at(phase, self.clock.now());
    }

    /// Says that `phase` was done at `at`, a little earlier than now.
    ///
    /// ```
    /// # use fetch_driver::Phase;
    /// # let marks = fetch_driver::Marks::new(fetch_driver::Clock::start());
    /// let at = marks.clock().now();
    /// marks.mark_at(Phase::Sent, at);
    /// ```
    pub fn mark_at(&self, phase: Phase, at: Timestamp) {
        let index = PHASES.iter().position(|known| *known == phase);
        if let Some(first) = index.map(|index| &self.state.phases[index]) {
            let at = at.as_nanos().max(1);
            let _ = first.compare_exchange(0, at, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// Says which connection serves the attempt, and marks [`Phase::Connected`] or
    /// [`Phase::Reused`].
    ///
    /// ```
    /// # let marks = fetch_driver::Marks::new(fetch_driver::Clock::start());
    /// marks.connected(fetch_driver::Connection { remote: None, reused: true });
    /// ```
    pub fn connected(&self, connection: Connection) {
        let at = self.clock.now();
        self.state.connection.set(connection);
        let phase = if connection.reused {
            Phase::Reused
        } else {
            Phase::Connected
        };
        self.mark_at(phase, at);
    }

    /// Adds to the count of body bytes received over the wire, before decoding.
    ///
    /// ```
    /// # let marks = fetch_driver::Marks::new(fetch_driver::Clock::start());
    /// marks.received(512);
    /// ```
    pub fn received(&self, bytes: u64) {
        self.state.wire_bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    /// What of the body is wanted, which is known once it is asked for.
    ///
    /// ```
    /// # let marks = fetch_driver::Marks::new(fetch_driver::Clock::start());
    /// assert_eq!(marks.wanted(), fetch_driver::Wanted::Pieces);
    /// ```
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        match self.state.wanted.load(Ordering::Acquire) {
            NOTHING => Wanted::Nothing,
            WHOLE => Wanted::Whole,
            _ => Wanted::Pieces,
        }
    }

    /// Tells of body bytes that came and are not handed on yet, or never: limits on time and size see
    /// them now. They are not to be told of by [`Marks::received`] again.
    ///
    /// ```
    /// # let marks = fetch_driver::Marks::new(fetch_driver::Clock::start());
    /// marks.gathered(512);
    /// assert_eq!(marks.wire_bytes(), 512);
    /// ```
    pub fn gathered(&self, bytes: usize) {
        let state = &self.state;
        state.ahead.fetch_add(bytes, Ordering::AcqRel);
        state.gathered.fetch_add(bytes as u64, Ordering::AcqRel);
        state.wire_bytes.fetch_add(bytes as u64, Ordering::AcqRel);
    }

    /// The body bytes received so far, before decoding.
    ///
    /// ```
    /// # let marks = fetch_driver::Marks::new(fetch_driver::Clock::start());
    /// assert_eq!(marks.wire_bytes(), 0);
    /// ```
    #[must_use]
    pub fn wire_bytes(&self) -> u64 {
        self.state.wire_bytes.load(Ordering::Acquire)
    }

    /// The connection that serves the attempt, once it is known.
    ///
    /// ```
    /// # let marks = fetch_driver::Marks::new(fetch_driver::Clock::start());
    /// assert_eq!(marks.connection(), None);
    /// ```
    #[must_use]
    pub fn connection(&self) -> Option<Connection> {
        self.state.connection.get()
    }
}

/// The loop's side.
impl Marks {
    /// The same, for another attempt, if nobody else has it any more.
    pub(crate) fn recycled(mut self) -> Option<Self> {
        *Arc::get_mut(&mut self.state)? = State::default();
        Some(self)
    }

    /// Says what of the body is wanted.
    pub(crate) fn want(&self, wanted: Wanted) {
        let number = match wanted {
            Wanted::Nothing => NOTHING,
            Wanted::Pieces => PIECES,
            Wanted::Whole => WHOLE,
        };
        self.state.wanted.store(number, Ordering::Release);
    }

    /// The phases that are done and that were not told before, the earliest first.
    pub(crate) fn phases(&self, known: &mut Known) -> Phases {
        let mut news = Phases::new();
        for (i, phase) in PHASES.into_iter().enumerate() {
            let at = self.state.phases[i].load(Ordering::Acquire);
            if at != 0 && known.0 & (1 << i) == 0 {
                known.0 |= 1 << i;
                news.push((phase, Timestamp::from_nanos(at)));
            }
        }
        news.sort_by_key(|(_, at)| *at);
        news
    }

    /// How many body bytes came that were not told before, when so many were handed on since the last
    /// call.
    pub(crate) fn came(&self, handed_on: u64) -> u64 {
        let state = &self.state;
        // On most attempts nothing is told of before it is handed on.
        if state.gathered.load(Ordering::Acquire) == 0 && state.ahead.load(Ordering::Acquire) == 0 {
            return handed_on;
        }
        let told = state.gathered.swap(0, Ordering::AcqRel);
        let handed = usize::try_from(handed_on).unwrap_or(usize::MAX);
        let rest = |ahead: usize| Some(ahead.saturating_sub(handed));
        let ahead = state
            .ahead
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, rest);
        let known = ahead.unwrap_or_default().min(handed);
        told + (handed - known) as u64
    }
}

impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Marks")
            .field("connection", &self.connection())
            .field("phases", &self.phases(&mut Known::default()))
            .field("wire_bytes", &self.wire_bytes())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks() -> Marks {
        Marks::new(Clock::start())
    }

    #[test]
    fn what_was_told_of_before_its_chunk_came_counts_once() {
        let marks = marks();
        marks.gathered(300);
        assert_eq!(marks.came(0), 300);
        marks.gathered(200);
        assert_eq!(marks.came(510), 210);
        assert_eq!(marks.came(7), 7);
        assert_eq!(marks.wire_bytes(), 500);
    }

    #[test]
    fn marks_serve_again_once_nobody_else_has_them() {
        let marks = marks();
        let other = marks.clone();
        other.received(7);
        other.mark(Phase::Sent);
        assert!(marks.clone().recycled().is_none());
        drop(other);
        let again = marks.recycled().unwrap();
        assert_eq!(again.wire_bytes(), 0);
        assert!(again.phases(&mut Known::default()).is_empty());
    }

    #[test]
    fn a_phase_is_told_once_and_as_it_was_first() {
        let (marks, mut known) = (marks(), Known::default());
        let at = Timestamp::from_nanos;
        marks.mark_at(Phase::Connected, at(7));
        marks.mark_at(Phase::Reused, at(5));
        marks.mark_at(Phase::Connected, at(9));
        let told = marks.phases(&mut known);
        let expected = [(Phase::Reused, at(5)), (Phase::Connected, at(7))];
        assert_eq!(told.as_slice(), expected);
        marks.mark_at(Phase::Sent, at(11));
        assert_eq!(marks.phases(&mut known).as_slice(), [(Phase::Sent, at(11))]);
    }

    #[test]
    fn the_connection_is_the_latest() {
        let marks = marks();
        for reused in [true, false, false] {
            let remote = None;
            marks.connected(Connection { remote, reused });
            assert_eq!(marks.connection(), Some(Connection { remote, reused }));
        }
    }

    #[test]
    fn a_transport_is_told_what_is_wanted() {
        let marks = marks();
        assert_eq!(marks.wanted(), Wanted::Pieces);
        for wanted in [Wanted::Nothing, Wanted::Whole, Wanted::Pieces] {
            marks.want(wanted);
            assert_eq!(marks.clone().wanted(), wanted);
        }
    }
}
