//! The futures of attempts in flight, each at an index by which it can be polled and dropped.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use atomic_waker::AtomicWaker;

/// A set of futures of which only those that were woken are polled.
///
/// Unlike in `FuturesUnordered`, a future can be dropped by its index, which is how an attempt is
/// aborted, and the next future reuses the allocation.
///
/// A future that wakes itself while it is polled has used up its turn and could go on at once. It is
/// busy from then on, until it has not done so for a while. One busy future is polled whenever no other is
/// woken, and after every [`OTHERS_PER_BUSY`] polls of others. So servers that always have more to send
/// use the time that is left, and a bounded part of the rest, however many they are.
pub(crate) struct AttemptSet<F> {
    free: Vec<usize>,
    slots: Vec<AttemptSlot<F>>,
    wake_list: Arc<WakeList>,
    /// Memory for the list of woken indices.
    woken: Vec<usize>,
    /// Busy futures that were woken, in order.
    busy: VecDeque<usize>,
    /// How many others were woken since a busy one had its turn.
    others: usize,
}

struct AttemptSlot<F> {
    /// How many more polls it is busy.
    busy_for: u8,
    future: Pin<Box<Option<F>>>,
    signal: Arc<WakeSignal>,
    waker: Waker,
}

/// The slots that were woken, as a linked list that wakers on any thread push to. The owner takes it
/// only as a whole, so a slot is in it at most once and no thread waits for another.
#[derive(Default)]
struct WakeList {
    /// Link to the slot that was woken last.
    last: AtomicUsize,
    owner: AtomicWaker,
}

/// The waker of one slot.
struct WakeSignal {
    index: usize,
    /// [`IDLE`], [`LISTED`], [`POLLED`] or [`YIELDED`].
    state: AtomicU8,
    /// Link to the slot that was woken before this one, while this one is in the list.
    previous: AtomicUsize,
    wake_list: Arc<WakeList>,
}

/// The link to no slot. Other links are a slot's index plus one.
const END: usize = 0;

/// The slot is not to be polled.
const IDLE: u8 = 0;
/// The slot is in the list. Any thread may put an idle slot there; only the owner takes it out.
const LISTED: u8 = 1;
/// The slot is being polled.
const POLLED: u8 = 2;
/// The slot was woken while it was polled, or waits among the busy ones. Only the owner ends this state.
const YIELDED: u8 = 3;

/// How many polls of others a busy future waits for at most. A turn of reading takes about as long as
/// thirty exchanges of small responses.
const OTHERS_PER_BUSY: usize = 64;

/// How many polls in a row that use up no turn end a future's time among the busy ones.
const BUSY_POLLS: u8 = 16;

impl WakeSignal {
    /// Adds the slot to the list, unless it is polled now. Returns true if the list was empty.
    fn push(&self) -> bool {
        let woken = |state| match state {
            IDLE => Some(LISTED),
            POLLED => Some(YIELDED),
            // Written again, so that the owner sees what was written before this wake.
            state => Some(state),
        };
        let (set, fetch) = (Ordering::AcqRel, Ordering::Acquire);
        if self.state.fetch_update(set, fetch, woken) != Ok(IDLE) {
            return false;
        }
        let link = |last: usize| {
            self.previous.store(last, Ordering::Relaxed);
            Some(self.index + 1)
        };
        let last = &self.wake_list.last;
        last.fetch_update(Ordering::AcqRel, Ordering::Relaxed, link) == Ok(END)
    }
}

impl WakeSignal {
    /// Ends a poll. Returns true if the slot was woken meanwhile.
    fn end_poll(&self) -> bool {
        let (set, fetch) = (Ordering::AcqRel, Ordering::Acquire);
        let ended = self.state.compare_exchange(POLLED, IDLE, set, fetch);
        ended == Err(YIELDED)
    }

    /// Forgets a poll and a wake during it. A slot in the list stays there.
    fn reset(&self) {
        // No other thread ends these states.
        if matches!(self.state.load(Ordering::Acquire), POLLED | YIELDED) {
            self.state.store(IDLE, Ordering::Release);
        }
    }
}

impl Wake for WakeSignal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Only the first wake after the list was taken has to wake the owner.
        if self.push() {
            self.wake_list.owner.wake();
        }
    }
}

/// A future that reports updates besides its end. It writes them to a value that the owner passes
/// in, so nothing is shared between threads.
pub(crate) trait PollAttempt {
    type Update;

    fn poll(self: Pin<&mut Self>, update: &mut Self::Update, cx: &mut Context<'_>) -> Poll<()>;
}

/// The result of polling one attempt.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum AttemptPoll {
    /// It panicked with this message, and was dropped.
    Panicked(String),
    Pending,
    /// It is done, and was dropped.
    Ready,
}

impl<F: PollAttempt> AttemptSet<F> {
    pub(crate) fn new() -> Self {
        Self {
            free: Vec::new(),
            slots: Vec::new(),
            wake_list: Arc::default(),
            woken: Vec::new(),
            busy: VecDeque::new(),
            others: 0,
        }
    }

    /// Adds a future and returns its index. The next [`AttemptSet::poll_woken`] returns it; the owner
    /// is not woken, since it is running now.
    pub(crate) fn insert(&mut self, future: F) -> usize {
        let index = self.free.pop().unwrap_or_else(|| self.add_slot());
        self.slots[index].future.as_mut().set(Some(future));
        self.wake(index);
        index
    }

    fn add_slot(&mut self) -> usize {
        let index = self.slots.len();
        let signal = Arc::new(WakeSignal {
            index,
            state: AtomicU8::new(IDLE),
            previous: AtomicUsize::new(END),
            wake_list: self.wake_list.clone(),
        });
        let waker = Waker::from(signal.clone());
        self.slots.push(AttemptSlot {
            busy_for: 0,
            future: Box::pin(None),
            signal,
            waker,
        });
        index
    }

    /// Drops the future at `index`, if there is one.
    pub(crate) fn remove(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        if slot.future.is_some() {
            // A panic in the future's destructor must not end the driver.
            let future = &mut slot.future;
            let _ = catch_unwind(AssertUnwindSafe(|| future.as_mut().set(None)));
            slot.signal.reset();
            if std::mem::take(&mut slot.busy_for) > 0 {
                self.busy.retain(|busy| *busy != index);
            }
            self.free.push(index);
        }
    }

    /// The future at `index`.
    pub(crate) fn get(&mut self, index: usize) -> Option<Pin<&mut F>> {
        self.slots[index].future.as_mut().as_pin_mut()
    }

    /// Puts the future at `index` on the list of woken ones, as [`AttemptSet::insert`] does.
    pub(crate) fn wake(&self, index: usize) {
        self.slots[index].signal.push();
    }

    /// Whether a busy future waits for its turn.
    pub(crate) fn is_busy(&self) -> bool {
        !self.busy.is_empty()
    }

    /// The indices to poll, in order. If there are none, wakes `cx` when another than a busy one is woken.
    /// With `includes_busy`, a busy one is returned if no other is woken: the owner has looked whether
    /// there is any.
    pub(crate) fn poll_woken(&mut self, cx: &Context<'_>, includes_busy: bool) -> Poll<Vec<usize>> {
        let mut list = core::mem::take(&mut self.woken);
        self.take_woken(&mut list);
        if list.is_empty() && !(includes_busy && self.is_busy()) {
            self.wake_list.owner.register(cx.waker());
            // A wake may have come between the check and the registration.
            self.take_woken(&mut list);
        }
        self.others += list.len();
        if self.others >= OTHERS_PER_BUSY || list.is_empty() && includes_busy {
            list.extend(self.busy.pop_front());
            self.others = 0;
        }
        if list.is_empty() {
            self.woken = list;
            return Poll::Pending;
        }
        Poll::Ready(list)
    }

    fn take_woken(&mut self, list: &mut Vec<usize>) {
        let mut link = self.wake_list.last.swap(END, Ordering::AcqRel);
        while link != END {
            list.push(link - 1);
            // It cannot be pushed again before it is polled.
            link = self.slots[link - 1].signal.previous.load(Ordering::Relaxed);
        }
        list.reverse();
        let (slots, busy) = (&self.slots, &mut self.busy);
        list.retain(|index| {
            let slot = &slots[*index];
            if slot.busy_for > 0 {
                slot.signal.state.store(YIELDED, Ordering::Release);
                busy.push_back(*index);
            }
            slot.busy_for == 0
        });
    }

    /// Takes back the list that [`AttemptSet::poll_woken`] returned, to reuse its memory.
    pub(crate) fn recycle(&mut self, mut list: Vec<usize>) {
        list.clear();
        self.woken = list;
    }

    /// Polls the future at `index`.
    pub(crate) fn poll(&mut self, index: usize, update: &mut F::Update) -> AttemptPoll {
        let slot = &mut self.slots[index];
        // A swap, not a store: it makes visible what was written before wakes that found it set.
        slot.signal.state.swap(POLLED, Ordering::AcqRel);
        let Some(future) = slot.future.as_mut().as_pin_mut() else {
            slot.signal.reset();
            return AttemptPoll::Pending;
        };
        let mut cx = Context::from_waker(&slot.waker);
        let polled = catch_unwind(AssertUnwindSafe(|| future.poll(update, &mut cx)));
        let polled = match polled {
            Ok(Poll::Pending) => {
                slot.busy_for = slot.busy_for.saturating_sub(1);
                if slot.signal.end_poll() {
                    slot.busy_for = BUSY_POLLS;
                    self.busy.push_back(index);
                }
                return AttemptPoll::Pending;
            }
            Ok(Poll::Ready(())) => AttemptPoll::Ready,
            Err(panic) => AttemptPoll::Panicked(panic_message(&*panic)),
        };
        self.remove(index);
        polled
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests;
