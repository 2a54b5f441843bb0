//! The readiness of one socket.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use atomic_waker::AtomicWaker;
use rustix::event::epoll::EventFlags;

const READ: usize = 1;
const WRITE: usize = 2;
/// The peer sends no more data: the end of the stream stays readable.
const ENDED: usize = 4;
/// The unit of the event counter above the three bits. Because of it, an event that arrives while a
/// read finds the socket empty is not lost.
const EVENT: usize = 8;

/// What to wait for.
#[derive(Clone, Copy, Debug)]
pub(super) enum IoDirection {
    Read,
    Write,
}

/// A socket's readiness and the tasks waiting for it: one per direction.
#[derive(Debug)]
pub(super) struct EventSource {
    reader: AtomicWaker,
    state: AtomicUsize,
    writer: AtomicWaker,
}

/// The readiness before a system call.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadinessSnapshot(usize);

impl EventSource {
    /// Not ready. An event follows when the socket is connected.
    pub(super) fn new() -> Self {
        Self {
            reader: AtomicWaker::new(),
            state: AtomicUsize::new(0),
            writer: AtomicWaker::new(),
        }
    }

    /// Adds an event to the readiness. Returns the tasks to wake.
    pub(super) fn add_event(&self, flags: EventFlags) -> [Option<Waker>; 2] {
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
    pub(super) fn poll_ready(
        &self,
        direction: IoDirection,
        cx: &Context<'_>,
    ) -> Poll<ReadinessSnapshot> {
        let (bit, waker) = self.bit_and_waker(direction);
        let ready = |state: usize| (state & bit != 0).then_some(ReadinessSnapshot(state));
        if let Some(snapshot) = ready(self.state.load(Ordering::Acquire)) {
            return Poll::Ready(snapshot);
        }
        waker.register(cx.waker());
        // An event may have arrived before the waker was registered.
        match ready(self.state.load(Ordering::Acquire)) {
            Some(snapshot) => Poll::Ready(snapshot),
            None => Poll::Pending,
        }
    }

    /// Records that the socket was found empty or full, unless an event arrived since `snapshot`.
    pub(super) fn clear_ready(&self, direction: IoDirection, snapshot: ReadinessSnapshot) {
        let (bit, _) = self.bit_and_waker(direction);
        let ReadinessSnapshot(state) = snapshot;
        if matches!(direction, IoDirection::Read) && state & ENDED != 0 {
            return;
        }
        let _ =
            self.state
                .compare_exchange(state, state & !bit, Ordering::AcqRel, Ordering::Acquire);
    }

    fn bit_and_waker(&self, direction: IoDirection) -> (usize, &AtomicWaker) {
        match direction {
            IoDirection::Read => (READ, &self.reader),
            IoDirection::Write => (WRITE, &self.writer),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::task::Wake;

    use super::*;

    struct WakeFlag(AtomicBool);

    impl Wake for WakeFlag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    fn poll(source: &EventSource, direction: IoDirection) -> Option<ReadinessSnapshot> {
        match source.poll_ready(direction, &Context::from_waker(Waker::noop())) {
            Poll::Ready(snapshot) => Some(snapshot),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_socket_is_not_ready_before_it_is_connected() {
        let source = EventSource::new();
        assert!(poll(&source, IoDirection::Write).is_none());
        let _ = source.add_event(EventFlags::OUT);
        assert!(poll(&source, IoDirection::Write).is_some());
        assert!(poll(&source, IoDirection::Read).is_none());
    }

    #[test]
    fn an_event_wakes_only_the_task_of_its_direction() {
        let source = EventSource::new();
        let flag = Arc::new(WakeFlag(AtomicBool::new(false)));
        let waker = Waker::from(flag.clone());
        let waits = source.poll_ready(IoDirection::Read, &Context::from_waker(&waker));
        assert!(waits.is_pending());
        let wake = |flags| {
            let wakers = source.add_event(flags).into_iter().flatten();
            wakers.for_each(Waker::wake);
        };
        wake(EventFlags::OUT);
        assert!(!flag.0.load(Ordering::SeqCst));
        wake(EventFlags::IN);
        assert!(flag.0.load(Ordering::SeqCst));
        assert!(poll(&source, IoDirection::Read).is_some());
    }

    #[test]
    fn an_event_during_a_read_is_not_lost() {
        let source = EventSource::new();
        let _ = source.add_event(EventFlags::IN);
        let before = poll(&source, IoDirection::Read).unwrap();
        let _ = source.add_event(EventFlags::IN);
        source.clear_ready(IoDirection::Read, before);
        let again = poll(&source, IoDirection::Read).unwrap();
        source.clear_ready(IoDirection::Read, again);
        assert!(poll(&source, IoDirection::Read).is_none());
    }

    #[test]
    fn the_end_stays_readable() {
        for flags in [EventFlags::RDHUP, EventFlags::HUP, EventFlags::ERR] {
            let source = EventSource::new();
            let _ = source.add_event(EventFlags::IN | flags);
            let read = poll(&source, IoDirection::Read).unwrap();
            source.clear_ready(IoDirection::Read, read);
            assert!(poll(&source, IoDirection::Read).is_some(), "{flags:?}");
        }
    }
}
