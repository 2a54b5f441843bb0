//! What drivers have together, of which each owns a part.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use event_listener::{Event, EventListener};

/// Parts that nobody owns, and how many drivers lack some.
#[derive(Debug)]
pub(crate) struct Pot {
    /// Told when there is something to take, or someone lacks something.
    changed: Event,
    hungry: AtomicUsize,
    spare: AtomicUsize,
}

impl Pot {
    pub(crate) fn new(spare: usize) -> Self {
        Self {
            changed: Event::new(),
            hungry: AtomicUsize::new(0),
            spare: AtomicUsize::new(spare),
        }
    }

    /// Takes so many, or as many as there are.
    pub(crate) fn take(&self, wanted: usize) -> usize {
        let rest = |spare: usize| Some(spare - spare.min(wanted));
        let before = self
            .spare
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, rest);
        before.unwrap_or_default().min(wanted)
    }

    pub(crate) fn take_all(&self) -> usize {
        self.spare.swap(0, Ordering::AcqRel)
    }

    pub(crate) fn give(&self, parts: usize) {
        if parts > 0 {
            self.spare.fetch_add(parts, Ordering::AcqRel);
            self.tell();
        }
    }

    /// Tells all who listen.
    pub(crate) fn tell(&self) {
        self.changed.notify(usize::MAX);
    }

    /// Counts a driver among those who lack something, or no longer. Tells whether that changed.
    pub(crate) fn set_hungry(&self, was: &mut bool, is: bool) -> bool {
        count(&self.hungry, was, is)
    }

    /// Whether a driver, besides one that is hungry itself, lacks something.
    pub(crate) fn others_lack(&self, is_hungry: bool) -> bool {
        self.hungry.load(Ordering::Acquire) > usize::from(is_hungry)
    }

    pub(crate) fn spare(&self) -> usize {
        self.spare.load(Ordering::Acquire)
    }
}

/// Counts oneself among those who are so, or no longer. Tells whether that changed.
pub(crate) fn count(among: &AtomicUsize, was: &mut bool, is: bool) -> bool {
    let changes = *was != is;
    if changes {
        *was = is;
        match is {
            true => among.fetch_add(1, Ordering::AcqRel),
            false => among.fetch_sub(1, Ordering::AcqRel),
        };
    }
    changes
}

/// Listens to a [`Pot`], from before one looks into it, so that nothing is missed.
#[derive(Debug, Default)]
pub(crate) struct Ear(Option<EventListener>);

impl Ear {
    /// Listens, if it does not yet; tells whether it only now began.
    pub(crate) fn listen(&mut self, pot: &Pot) -> bool {
        let begins = self.0.is_none();
        if begins {
            self.0 = Some(pot.changed.listen());
        }
        begins
    }

    pub(crate) fn close(&mut self) {
        self.0 = None;
    }

    /// Waits until there was something to hear; never, if it does not listen.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(listener) = &mut self.0 else {
            return Poll::Pending;
        };
        let heard = Pin::new(listener).poll(cx);
        if heard.is_ready() {
            self.0 = None;
        }
        heard
    }
}
