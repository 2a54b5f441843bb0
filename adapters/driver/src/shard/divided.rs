//! What hosts have together, kept by several drivers: rates, those over all and those of rules, and the
//! budget of retries over all.
//!
//! A fetcher that is built with such a limit has one driver, which keeps it exactly. Those that are set
//! while several drivers run are divided among those that have something to do.

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use fetch_proto::{RetryBudget, Timestamp};

use crate::lock::lock;
use crate::shard::surplus::{SharedSurplus, SurplusSubscription, update_count};

/// So many parts there are. Most numbers of drivers divide it.
pub(crate) const WHOLE: u32 = 5040;

/// A full part, if parts are of a bucket.
const FULL: u64 = RetryBudget::FULL;

/// What drivers have in common.
#[derive(Debug)]
struct Common {
    /// Drivers that have something to do.
    busy: AtomicUsize,
    /// What is in the parts that nobody owns, if they are of a bucket: so many [full](FULL) ones. Locked
    /// while parts change hands, so that each has its share of it.
    filling: Mutex<u64>,
    /// Parts that nobody owns, and drivers that are busy and have less than an equal part.
    surplus: SharedSurplus,
}

impl Common {
    /// Takes so many parts, or as many as there are, and what is in them.
    fn take(&self, wanted: u32) -> (u32, u64) {
        if self.surplus.units() == 0 {
            return (0, 0);
        }
        let mut filling = lock(&self.filling);
        let spare = self.surplus.units();
        let taken = self.surplus.take(wanted as usize);
        let all = u128::from(*filling) * taken as u128;
        let within = all.checked_div(spare as u128).unwrap_or(0) as u64;
        *filling -= within;
        (taken as u32, within)
    }

    /// Of what is new, all is there.
    fn refill(&self) {
        let mut filling = lock(&self.filling);
        *filling = self.surplus.units() as u64 * FULL;
    }

    /// Gives parts to whoever lacks some, with what is in them.
    fn give(&self, parts: u32, within: u64) {
        if parts > 0 {
            let mut filling = lock(&self.filling);
            *filling += within;
            self.surplus.give(parts as usize);
        }
    }
}

/// What a driver holds of what is divided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    /// How [full](FULL) its bucket is, if it is one.
    pub(crate) fill: u64,
    /// From when on nothing is owed, if nothing more is done.
    pub(crate) rests_at: Timestamp,
}

impl Held {
    /// Of something that is no bucket.
    pub(crate) fn at_rest(rests_at: Timestamp) -> Self {
        Self {
            fill: FULL,
            rests_at,
        }
    }
}

/// A driver's parts of a limit. Those of all drivers and the spare ones are always the whole, and what
/// changes hands is rested: nothing is owed for it. What is in a bucket moves with the parts. So the limit
/// holds, however often parts change hands.
#[derive(Debug)]
pub(crate) struct Divided {
    common: Arc<Common>,
    subscription: SurplusSubscription,
    /// What is in the parts that are owned and not used.
    filling: u64,
    /// When what is owned and not used is rested.
    gives_at: Timestamp,
    is_busy: bool,
    is_starved: bool,
    /// Whether there is such a limit.
    is_needed: bool,
    owned: u32,
    used: u32,
}

impl Divided {
    /// For so many drivers, without such a limit.
    pub(crate) fn new(drivers: usize) -> Vec<Self> {
        let common = Arc::new(Common {
            busy: AtomicUsize::new(0),
            filling: Mutex::new(u64::from(WHOLE) * FULL),
            surplus: SharedSurplus::new(WHOLE as usize),
        });
        let one = || Self {
            common: common.clone(),
            subscription: SurplusSubscription::default(),
            filling: 0,
            gives_at: Timestamp::START,
            is_busy: false,
            is_starved: false,
            is_needed: false,
            owned: 0,
            used: 0,
        };
        std::iter::repeat_with(one).take(drivers).collect()
    }

    /// Says whether there is something to divide. If not, what was held is given back, full.
    pub(crate) fn need(&mut self, is_needed: bool) {
        self.is_needed = is_needed;
        if !is_needed {
            self.leave(FULL);
            self.common.refill();
        }
    }

    pub(crate) fn is_needed(&self) -> bool {
        self.is_needed
    }

    /// How many of the [`WHOLE`] parts this driver may use.
    pub(crate) fn parts(&self) -> u32 {
        self.used
    }

    /// When to settle again at the latest.
    pub(crate) fn settles_at(&self) -> Option<Timestamp> {
        (self.owned > self.used).then_some(self.gives_at)
    }

    /// Takes an equal part, if the driver is busy and there is one, and gives away what others lack.
    /// Tells how full its parts are then, if they changed.
    pub(crate) fn settle(&mut self, is_busy: bool, held: Held, now: Timestamp) -> Option<u64> {
        // Listening before looking, so that nothing is missed.
        self.subscription.subscribe(&self.common.surplus);
        let surplus = &self.common.surplus;
        if update_count(&self.common.busy, &mut self.is_busy, is_busy) && !is_busy && self.used > 0
        {
            // Whoever has something to do may have more from now on: better before it lacks it.
            surplus.notify();
        }
        // Of another rate or budget, less may be owed.
        self.gives_at = self.gives_at.min(held.rests_at);
        let equal = if is_busy { self.equal() } else { 0 };
        let before = self.used;
        let mut fill = held.fill;
        if self.used < equal {
            fill = self.take(equal, fill);
        } else if self.used > equal && self.common.surplus.are_others_starved(self.is_starved) {
            self.filling += u64::from(self.used - equal) * fill;
            self.used = equal;
            self.gives_at = self.gives_at.max(held.rests_at);
        }
        let surplus = &self.common.surplus;
        let lacks = self.used < equal;
        if surplus.set_starved(&mut self.is_starved, lacks) && lacks {
            surplus.notify();
        }
        if now >= self.gives_at {
            self.give();
        }
        (self.used != before).then_some(fill)
    }

    /// Takes up to so many, those first that it still owns; tells how full all are then.
    fn take(&mut self, parts: u32, fill: u64) -> u64 {
        let aside = self.owned - self.used;
        let again = aside.min(parts - self.used);
        let mut filling = u64::from(self.used) * fill;
        if let Some(one) = self.filling.checked_div(aside.into()) {
            self.filling -= one * u64::from(again);
            filling += one * u64::from(again);
        }
        let (taken, within) = self.common.take(parts - self.used - again);
        self.owned += taken;
        self.used += again + taken;
        filling += within;
        filling.checked_div(self.used.into()).unwrap_or(fill)
    }

    fn equal(&self) -> u32 {
        let busy = self.common.busy.load(Ordering::Acquire).max(1);
        WHOLE / u32::try_from(busy).unwrap_or(u32::MAX)
    }

    /// Gives back what is not used.
    fn give(&mut self) {
        let given = self.owned - self.used;
        self.owned = self.used;
        self.common.give(given, std::mem::take(&mut self.filling));
    }

    /// Has no part in it any more: gives back all, so full.
    fn leave(&mut self, fill: u64) {
        update_count(&self.common.busy, &mut self.is_busy, false);
        self.common.surplus.set_starved(&mut self.is_starved, false);
        self.subscription.unsubscribe();
        self.used = 0;
        self.filling = u64::from(self.owned) * fill;
        self.give();
    }

    /// Waits until another driver's part changed, or is to change.
    pub(crate) fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.subscription.poll(cx)
    }
}

impl Drop for Divided {
    fn drop(&mut self) {
        // What it has left nobody knows any more.
        self.leave(0);
    }
}
