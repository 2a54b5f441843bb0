//! How a transport tells the driver what it sees while an attempt runs.

use std::sync::{Arc, Mutex, PoisonError};

use fetch_proto::{Phase, Timestamp};

use crate::clock::Clock;
use crate::transport::Connection;

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
pub struct Marks {
    clock: Clock,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    marks: Vec<(Phase, Timestamp)>,
    connection: Option<Connection>,
    wire_bytes: u64,
}

impl Marks {
    /// Marks for one attempt; only a driver, or a transport's test, needs to make them.
    ///
    /// ```
    /// let marks = fetch_driver::Marks::new(fetch_driver::Clock::start());
    /// ```
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, seen: Arc::default() }
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
        self.with(|seen| seen.marks.push((phase, at)));
    }

    /// Says which connection serves the attempt, and marks [`Phase::Connected`].
    ///
    /// ```
    /// # let marks = fetch_driver::Marks::new(fetch_driver::Clock::start());
    /// marks.connected(fetch_driver::Connection { remote: None, reused: true });
    /// ```
    pub fn connected(&self, connection: Connection) {
        let at = self.clock.now();
        self.with(|seen| {
            seen.connection = Some(connection);
            seen.marks.push((Phase::Connected, at));
        });
    }

    /// Adds to the count of body bytes received over the wire, before decoding.
    ///
    /// ```
    /// # let marks = fetch_driver::Marks::new(fetch_driver::Clock::start());
    /// marks.received(512);
    /// ```
    pub fn received(&self, bytes: u64) {
        self.with(|seen| seen.wire_bytes += bytes);
    }

    /// The body bytes received so far, before decoding.
    ///
    /// ```
    /// # let marks = fetch_driver::Marks::new(fetch_driver::Clock::start());
    /// assert_eq!(marks.wire_bytes(), 0);
    /// ```
    #[must_use]
    pub fn wire_bytes(&self) -> u64 {
        self.with(|seen| seen.wire_bytes)
    }

    /// The connection that serves the attempt, once it is known.
    ///
    /// ```
    /// # let marks = fetch_driver::Marks::new(fetch_driver::Clock::start());
    /// assert_eq!(marks.connection(), None);
    /// ```
    #[must_use]
    pub fn connection(&self) -> Option<Connection> {
        self.with(|seen| seen.connection)
    }

    /// Moves the marks made since the last call into `out`.
    pub(crate) fn take(&self, out: &mut Vec<(Phase, Timestamp)>) {
        self.with(|seen| out.append(&mut seen.marks));
    }

    fn with<R>(&self, f: impl FnOnce(&mut Seen) -> R) -> R {
        f(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
