//! One socket's readiness, as the reactor has told it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use atomic_waker::AtomicWaker;
use rustix::event::epoll::EventFlags;

const READ: usize = 1;
const WRITE: usize = 2;
/// The other side sends no more: there is something to read for ever, the end.
const ENDED: usize = 4;
/// Counts the events, above the three bits, so that one which comes while a socket is found empty is
/// not wiped out.
const EVENT: usize = 8;

/// What is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Direction {
    Read,
    Write,
}

/// A socket's readiness and who waits for it: one task for each direction.
#[derive(Debug)]
pub(super) struct Source {
    reader: AtomicWaker,
    state: AtomicUsize,
    writer: AtomicWaker,
}

/// What was known before a system call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Snapshot(usize);

impl Source {
    /// That of a socket of which nothing is known yet: an event tells once it is connected.
    pub(super) fn new() -> Self {
        Self {
            reader: AtomicWaker::new(),
            state: AtomicUsize::new(0),
            writer: AtomicWaker::new(),
        }
    }

    /// Takes an event over; gives those to wake.
    pub(super) fn tell(&self, flags: EventFlags) -> [Option<Waker>; 2] {
        let failed = flags.intersects(EventFlags::ERR | EventFlags::HUP);
        let ended = failed || flags.contains(EventFlags::RDHUP);
        let mut ready = 0;
        if ended {
            ready |= READ | ENDED;
        }
        if flags.contains(EventFlags::IN) {
            ready |= READ;
        }
        if failed || flags.contains(EventFlags::OUT) {
            ready |= WRITE;
        }
        let more = |state: usize| Some(state.wrapping_add(EVENT) | ready);
        let _ = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        let wake = |bit: usize, waker: &AtomicWaker| (ready & bit != 0).then(|| waker.take());
        [
            wake(READ, &self.reader).flatten(),
            wake(WRITE, &self.writer).flatten(),
        ]
    }

    /// Waits until the socket is ready.
    pub(super) fn poll_ready(&self, direction: Direction, cx: &Context<'_>) -> Poll<Snapshot> {
        let (bit, waker) = self.of(direction);
        let ready = |state: usize| (state & bit != 0).then_some(Snapshot(state));
        if let Some(snapshot) = ready(self.state.load(Ordering::Acquire)) {
            return Poll::Ready(snapshot);
        }
        waker.register(cx.waker());
        // An event may have come between the look and the registration.
        match ready(self.state.load(Ordering::Acquire)) {
            Some(snapshot) => Poll::Ready(snapshot),
            None => Poll::Pending,
        }
    }

    /// Notes that the socket was found empty, or full, unless an event came since `snapshot`.
    pub(super) fn exhausted(&self, direction: Direction, snapshot: Snapshot) {
        let (bit, _) = self.of(direction);
        let Snapshot(state) = snapshot;
        if matches!(direction, Direction::Read) && state & ENDED != 0 {
            return;
        }
        let _ =
            self.state
                .compare_exchange(state, state & !bit, Ordering::AcqRel, Ordering::Acquire);
    }

    fn of(&self, direction: Direction) -> (usize, &AtomicWaker) {
        match direction {
            Direction::Read => (READ, &self.reader),
            Direction::Write => (WRITE, &self.writer),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::task::Wake;

    use super::*;

    struct Flag(AtomicBool);

    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    fn poll(source: &Source, direction: Direction) -> Option<Snapshot> {
        match source.poll_ready(direction, &Context::from_waker(Waker::noop())) {
            Poll::Ready(snapshot) => Some(snapshot),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_socket_is_ready_for_nothing_before_it_is_connected() {
        let source = Source::new();
        assert!(poll(&source, Direction::Write).is_none());
        let _ = source.tell(EventFlags::OUT);
        assert!(poll(&source, Direction::Write).is_some());
        assert!(poll(&source, Direction::Read).is_none());
    }

    #[test]
    fn an_event_wakes_who_waits_for_it_and_nobody_else() {
        let source = Source::new();
        let flag = Arc::new(Flag(AtomicBool::new(false)));
        let waker = Waker::from(flag.clone());
        let waits = source.poll_ready(Direction::Read, &Context::from_waker(&waker));
        assert!(waits.is_pending());
        let wake = |flags| {
            let wakers = source.tell(flags).into_iter().flatten();
            wakers.for_each(Waker::wake);
        };
        wake(EventFlags::OUT);
        assert!(!flag.0.load(Ordering::SeqCst));
        wake(EventFlags::IN);
        assert!(flag.0.load(Ordering::SeqCst));
        assert!(poll(&source, Direction::Read).is_some());
    }

    #[test]
    fn an_event_during_a_read_is_not_lost() {
        let source = Source::new();
        let _ = source.tell(EventFlags::IN);
        let before = poll(&source, Direction::Read).unwrap();
        let _ = source.tell(EventFlags::IN);
        source.exhausted(Direction::Read, before);
        let again = poll(&source, Direction::Read).unwrap();
        source.exhausted(Direction::Read, again);
        assert!(poll(&source, Direction::Read).is_none());
    }

    #[test]
    fn the_end_can_be_read_for_ever() {
        for flags in [EventFlags::RDHUP, EventFlags::HUP, EventFlags::ERR] {
            let source = Source::new();
            let _ = source.tell(EventFlags::IN | flags);
            let read = poll(&source, Direction::Read).unwrap();
            source.exhausted(Direction::Read, read);
            assert!(poll(&source, Direction::Read).is_some(), "{flags:?}");
        }
    }
}
