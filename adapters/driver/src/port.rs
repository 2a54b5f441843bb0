//! What passes between an attempt's future and the loop.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use fetch_proto::{Phase, Timestamp};
use http::{HeaderMap, StatusCode, Version};
use smallvec::SmallVec;

use crate::clock::Clock;
use crate::save::{Saved, Saving};
use crate::transport::{Connection, TransportError};

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
#[derive(Clone, Debug)]
pub struct Marks(Port);

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

/// The loop's side, and the attempt's own: one lock, taken for a few instructions at a time.
#[derive(Clone, Debug)]
pub(crate) struct Port {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    news: News,
    connection: Option<Connection>,
    wire_bytes: u64,
    /// Body bytes that were told of before the loop got them.
    ahead: usize,
    wanted: Wanted,
    verdict: Option<Verdict>,
    waiting: Option<Waker>,
}

/// What an attempt has reported since it was last asked.
#[derive(Debug, Default)]
pub(crate) struct News {
    pub(crate) marks: Phases,
    pub(crate) head: Option<Parts>,
    pub(crate) body: u64,
    /// Whether the consumer began (true) or ceased to be waited for.
    pub(crate) paused: Vec<bool>,
    pub(crate) end: Option<Result<Read, TransportError>>,
}

/// A response's head.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) headers: HeaderMap,
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
}

/// A body's chunks: mostly just one.
pub(crate) type Chunks = SmallVec<[Bytes; 1]>;

/// Phases that were reported: of a reused connection two, of a new one four.
pub(crate) type Phases = SmallVec<[(Phase, Timestamp); 4]>;

/// A body that was read to its end.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// It, if it was collected.
    pub(crate) chunks: Chunks,
    /// What it was saved as.
    pub(crate) saved: Option<Saved>,
}

/// What to do with a response's body.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Collect it.
    Collect,
    /// Read and drop it.
    Drop,
    /// Save it.
    Save(Box<dyn Saving>),
    /// Hand it on.
    Stream(async_channel::Sender<Bytes>),
}

impl Port {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            state: Arc::default(),
        }
    }

    /// The same, for another attempt, if nobody else has it any more.
    pub(crate) fn recycled(mut self) -> Option<Self> {
        let state = Arc::get_mut(&mut self.state)?;
        *state.get_mut().unwrap_or_else(PoisonError::into_inner) = State::default();
        Some(self)
    }

    pub(crate) fn marks(&self) -> Marks {
        Marks(self.clone())
    }

    /// Takes what was reported since the last call.
    pub(crate) fn take(&self) -> News {
        self.with(|state| core::mem::take(&mut state.news))
    }

    pub(crate) fn connection(&self) -> (Option<Connection>, u64) {
        self.with(|state| (state.connection, state.wire_bytes))
    }

    /// Tells the attempt what to do with the body.
    pub(crate) fn decide(&self, verdict: Verdict) {
        let waker = self.with(|state| {
            state.wanted = match verdict {
                Verdict::Collect => Wanted::Whole,
                Verdict::Drop => Wanted::Nothing,
                Verdict::Save(_) | Verdict::Stream(_) => Wanted::Pieces,
            };
            state.verdict = Some(verdict);
            state.waiting.take()
        });
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn head(&self, parts: Parts) {
        self.with(|state| state.news.head = Some(parts));
    }

    /// Waits for the loop's word on the body.
    pub(crate) fn poll_verdict(&self, cx: &Context<'_>) -> Poll<Verdict> {
        self.with(|state| match state.verdict.take() {
            Some(verdict) => Poll::Ready(verdict),
            None => {
                state.waiting = Some(cx.waker().clone());
                Poll::Pending
            }
        })
    }

    pub(crate) fn body(&self, bytes: usize) {
        self.with(|state| {
            let known = state.ahead.min(bytes);
            state.ahead -= known;
            state.news.body += (bytes - known) as u64;
        });
    }

    pub(crate) fn pause(&self, paused: bool) {
        self.with(|state| state.news.paused.push(paused));
    }

    pub(crate) fn end(&self, result: Result<Read, TransportError>) {
        self.with(|state| state.news.end = Some(result));
    }

    fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Marks {
    /// Marks for one attempt; only a driver, or a transport's test, needs to make them.
    ///
    /// ```
    /// let marks = fetch_driver::Marks::new(fetch_driver::Clock::start());
    /// ```
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self(Port::new(clock))
    }

    /// The clock that [`Marks::mark_at`] wants its times from.
    ///
    /// ```
    /// # let marks = fetch_driver::Marks::new(fetch_driver::Clock::start());
    /// let now = marks.clock().now();
    /// ```
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.0.clock
    }

    /// Says that `phase` is done now.
    ///
    /// ```
    /// # use fetch_driver::Phase;
    /// # let marks = fetch_driver::Marks::new(fetch_driver::Clock::start());
    /// marks.mark(Phase::TlsDone);
    /// ```
    pub fn mark(&self, phase: Phase) {
        self.mark_at(phase, self.0.clock.now());
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
        self.0.with(|state| state.news.marks.push((phase, at)));
    }

    /// Says which connection serves the attempt, and marks [`Phase::Connected`] or
    /// [`Phase::Reused`].
    ///
    /// ```
    /// # let marks = fetch_driver::Marks::new(fetch_driver::Clock::start());
    /// marks.connected(fetch_driver::Connection { remote: None, reused: true });
    /// ```
    pub fn connected(&self, connection: Connection) {
        let at = self.0.clock.now();
        self.0.with(|state| {
            state.connection = Some(connection);
            let phase = if connection.reused {
                Phase::Reused
            } else {
                Phase::Connected
            };
            state.news.marks.push((phase, at));
        });
    }

    /// Adds to the count of body bytes received over the wire, before decoding.
    ///
    /// ```
    /// # let marks = fetch_driver::Marks::new(fetch_driver::Clock::start());
    /// marks.received(512);
    /// ```
    pub fn received(&self, bytes: u64) {
        self.0.with(|state| state.wire_bytes += bytes);
    }

    /// What of the body is wanted, which is known once it is asked for.
    ///
    /// ```
    /// # let marks = fetch_driver::Marks::new(fetch_driver::Clock::start());
    /// assert_eq!(marks.wanted(), fetch_driver::Wanted::Pieces);
    /// ```
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        self.0.with(|state| state.wanted)
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
        self.0.with(|state| {
            state.ahead += bytes;
            state.news.body += bytes as u64;
            state.wire_bytes += bytes as u64;
        });
    }

    /// The body bytes received so far, before decoding.
    ///
    /// ```
    /// # let marks = fetch_driver::Marks::new(fetch_driver::Clock::start());
    /// assert_eq!(marks.wire_bytes(), 0);
    /// ```
    #[must_use]
    pub fn wire_bytes(&self) -> u64 {
        self.0.connection().1
    }

    /// The connection that serves the attempt, once it is known.
    ///
    /// ```
    /// # let marks = fetch_driver::Marks::new(fetch_driver::Clock::start());
    /// assert_eq!(marks.connection(), None);
    /// ```
    #[must_use]
    pub fn connection(&self) -> Option<Connection> {
        self.0.connection().0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_of_before_its_chunk_came_counts_once() {
        let port = Port::new(Clock::start());
        port.marks().gathered(300);
        assert_eq!(port.take().body, 300);
        port.marks().gathered(200);
        port.body(510);
        assert_eq!(port.take().body, 210);
        port.body(7);
        assert_eq!(port.take().body, 7);
        assert_eq!(port.connection().1, 500);
    }

    #[test]
    fn a_port_serves_again_once_nobody_else_has_it() {
        let port = Port::new(Clock::start());
        let marks = port.marks();
        marks.received(7);
        assert!(port.clone().recycled().is_none());
        drop(marks);
        assert_eq!(port.recycled().unwrap().connection().1, 0);
    }

    #[test]
    fn a_transport_is_told_what_is_wanted() {
        let port = Port::new(Clock::start());
        assert_eq!(port.marks().wanted(), Wanted::Pieces);
        port.decide(Verdict::Drop);
        assert_eq!(port.marks().wanted(), Wanted::Nothing);
        port.decide(Verdict::Collect);
        assert_eq!(port.marks().wanted(), Wanted::Whole);
    }
}
