//! The units of a shared limit that no driver owns.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use event_listener::{Event, EventListener};

/// The units of a shared limit that no driver owns, and the number of drivers that lack some.
#[derive(Debug)]
pub(crate) struct SharedSurplus {
    /// Notified when units are added.
    changed: Event,
    starved: AtomicUsize,
    units: AtomicUsize,
}

impl SharedSurplus {
    pub(crate) fn new(units: usize) -> Self {
        Self {
            changed: Event::new(),
            starved: AtomicUsize::new(0),
            units: AtomicUsize::new(units),
        }
    }

    /// Takes up to `wanted` units and returns how many.
    pub(crate) fn take(&self, wanted: usize) -> usize {
        let rest = |units: usize| Some(units - units.min(wanted));
        let before = self
            .units
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, rest);
        before.unwrap_or_default().min(wanted)
    }

    pub(crate) fn take_all(&self) -> usize {
        self.units.swap(0, Ordering::AcqRel)
    }

    pub(crate) fn give(&self, units: usize) {
        if units > 0 {
            self.units.fetch_add(units, Ordering::AcqRel);
            self.changed.notify(usize::MAX);
        }
    }

    /// Sets whether a driver is counted among those that lack units. Returns true if that changed.
    pub(crate) fn set_starved(&self, was_starved: &mut bool, is_starved: bool) -> bool {
        update_count(&self.starved, was_starved, is_starved)
    }

    /// Whether another driver lacks units. `is_starved` is true if this one does.
    pub(crate) fn are_others_starved(&self, is_starved: bool) -> bool {
        self.starved.load(Ordering::Acquire) > usize::from(is_starved)
    }

    #[cfg(test)]
    pub(crate) fn units(&self) -> usize {
        self.units.load(Ordering::Acquire)
    }
}

/// Adds one to `count` if `is` and not `was`; subtracts one if `was` and not `is`. Sets `was` to
/// `is`. Returns true if that changed.
fn update_count(count: &AtomicUsize, was: &mut bool, is: bool) -> bool {
    let changes = *was != is;
    if changes {
        *was = is;
        match is {
            true => count.fetch_add(1, Ordering::AcqRel),
            false => count.fetch_sub(1, Ordering::AcqRel),
        };
    }
    changes
}

/// A subscription to units added to a [`SharedSurplus`]. Subscribe before looking at the surplus,
/// so that none are missed.
#[derive(Debug, Default)]
pub(crate) struct SurplusSubscription(Option<EventListener>);

impl SurplusSubscription {
    /// Subscribes, unless it already has. Returns true if the subscription is new.
    pub(crate) fn subscribe(&mut self, surplus: &SharedSurplus) -> bool {
        let is_new = self.0.is_none();
        if is_new {
            self.0 = Some(surplus.changed.listen());
        }
        is_new
    }

    pub(crate) fn unsubscribe(&mut self) {
        self.0 = None;
    }

    /// Ready once units were added, which ends the subscription. Pending without a subscription.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(listener) = &mut self.0 else {
            return Poll::Pending;
        };
        let changed = Pin::new(listener).poll(cx);
        if changed.is_ready() {
            self.0 = None;
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_subscriber_is_woken_once_by_new_units() {
        let (surplus, mut subscription) = (SharedSurplus::new(2), SurplusSubscription::default());
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(subscription.poll(cx).is_pending());
        assert!(subscription.subscribe(&surplus) && !subscription.subscribe(&surplus));
        assert_eq!((surplus.take(3), surplus.units()), (2, 0));
        assert!(subscription.poll(cx).is_pending());
        surplus.give(1);
        assert!(subscription.poll(cx).is_ready() && subscription.poll(cx).is_pending());
    }

    #[test]
    fn a_starved_driver_is_counted_once() {
        let (surplus, mut starved) = (SharedSurplus::new(0), false);
        assert!(surplus.set_starved(&mut starved, true));
        assert!(!surplus.set_starved(&mut starved, true));
        assert!(surplus.are_others_starved(false) && !surplus.are_others_starved(starved));
        assert!(surplus.set_starved(&mut starved, false));
        assert!(!surplus.are_others_starved(false));
    }
}
