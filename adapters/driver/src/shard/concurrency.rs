//! The limit on attempts in flight over all drivers of a fetcher.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use crate::shard::surplus::{SharedSurplus, SurplusSubscription};

/// The limit on attempts in flight over all engines of a fetcher.
///
/// Each engine owns a share; the surplus is what no engine owns. An engine gives back what it does not
/// use and takes what it needs. While another engine has less than an equal share and needs more, it
/// keeps no more than an equal share. Shares and surplus always add up to the limit (plus the
/// excess, after it was lowered), so it is exact.
#[derive(Debug)]
pub(crate) struct SharedConcurrencyLimit {
    /// How far the shares exceed the limit, since it was lowered.
    excess: AtomicUsize,
    engines: usize,
    limit: AtomicUsize,
    /// What no engine owns, and how many engines have less than an equal share and need more.
    surplus: SharedSurplus,
}

/// One engine's share of the limit.
#[derive(Debug)]
pub(crate) struct ConcurrencyShare {
    shared: Arc<SharedConcurrencyLimit>,
    subscription: SurplusSubscription,
    is_starved: bool,
    /// How many attempts the engine may have in flight.
    limit: usize,
    /// The limit or, while more attempts are in flight, their number.
    owned: usize,
}

impl SharedConcurrencyLimit {
    /// How many attempts all drivers together may have in flight.
    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Ordering::Acquire)
    }

    /// Changes the limit. A lower one takes effect as attempts end.
    pub(crate) fn set_limit(&self, limit: usize) {
        let limit = limit.max(self.engines);
        let before = self.limit.swap(limit, Ordering::AcqRel);
        self.excess
            .fetch_add(before.saturating_sub(limit), Ordering::AcqRel);
        self.give(limit.saturating_sub(before));
        self.give(self.surplus.take_all());
    }

    /// Reduces the excess by what is given back, and adds the rest to the surplus.
    fn give(&self, given: usize) {
        let less = |excess: usize| Some(excess.saturating_sub(given));
        let excess = self
            .excess
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        self.surplus.give(given.saturating_sub(excess.unwrap_or(0)));
    }

    fn equal_share(&self) -> usize {
        (self.limit.load(Ordering::Acquire) / self.engines).max(1)
    }

    /// Whether an engine must keep to an equal share. `is_starved` is true if it needs more itself.
    fn is_tight(&self, is_starved: bool) -> bool {
        self.surplus.are_others_starved(is_starved) || self.excess.load(Ordering::Acquire) > 0
    }
}

impl ConcurrencyShare {
    /// Equal shares of `limit` for `engines`, which must be no more than `limit`.
    pub(crate) fn divide(limit: usize, engines: usize) -> Vec<Self> {
        let shared = Arc::new(SharedConcurrencyLimit {
            excess: AtomicUsize::new(0),
            engines,
            limit: AtomicUsize::new(limit),
            surplus: SharedSurplus::new(0),
        });
        let share = |i: usize| {
            let equal = limit / engines + usize::from(i < limit % engines);
            Self {
                shared: shared.clone(),
                subscription: SurplusSubscription::default(),
                is_starved: false,
                limit: equal,
                owned: equal,
            }
        };
        (0..engines).map(share).collect()
    }

    /// The limit that it is a share of.
    pub(crate) fn shared_limit(&self) -> Arc<SharedConcurrencyLimit> {
        self.shared.clone()
    }

    /// How many attempts the engine may have in flight.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Gives back what is not used, with `in_flight` attempts in flight, and takes more if the engine
    /// `is_limited_by_ceiling`. Returns true if the limit changed.
    pub(crate) fn settle(&mut self, in_flight: usize, is_limited_by_ceiling: bool) -> bool {
        let before = self.limit;
        let (is_tight, equal) = (
            self.shared.is_tight(self.is_starved),
            self.shared.equal_share(),
        );
        if is_tight {
            self.limit = self.limit.min(equal);
        }
        if !is_limited_by_ceiling {
            self.limit = self.limit.min(in_flight);
        }
        self.give_back(in_flight);
        if is_limited_by_ceiling && in_flight >= self.limit {
            self.take(in_flight, if is_tight { equal } else { usize::MAX });
        } else {
            self.subscription.unsubscribe();
        }
        let lacks = is_limited_by_ceiling && self.limit < equal;
        self.shared.surplus.set_starved(&mut self.is_starved, lacks);
        self.limit != before
    }

    fn give_back(&mut self, in_flight: usize) {
        let kept = self.limit.max(in_flight).min(self.owned);
        let given = self.owned - kept;
        if given > 0 {
            self.owned = kept;
            self.shared.give(given);
        }
    }

    /// Doubles the limit, up to `most`, so that the engine soon has what it needs. It gives back the rest.
    fn take(&mut self, in_flight: usize, most: usize) {
        let wanted = (in_flight + self.limit.max(1)).min(most);
        if wanted > self.owned
            && !self.take_surplus(wanted - self.owned)
            && self.subscription.subscribe(&self.shared.surplus)
        {
            // Units may have been added before it subscribed.
            let _ = self.take_surplus(wanted - self.owned);
        }
        self.limit = self.limit.max(wanted.min(self.owned));
    }

    fn take_surplus(&mut self, wanted: usize) -> bool {
        let taken = self.shared.surplus.take(wanted);
        self.owned += taken;
        taken > 0
    }

    /// Ready when there may be more to take, if the engine needs more.
    pub(crate) fn poll_freed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.subscription.poll(cx)
    }
}

impl Drop for ConcurrencyShare {
    fn drop(&mut self) {
        self.shared.surplus.set_starved(&mut self.is_starved, false);
        self.limit = 0;
        self.give_back(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sum of all shares and the surplus.
    fn total(shares: &[ConcurrencyShare]) -> usize {
        let owned: usize = shares.iter().map(|share| share.owned).sum();
        owned + shares[0].shared.surplus.units()
    }

    #[test]
    fn an_engine_takes_what_another_does_not_use() {
        let mut shares = ConcurrencyShare::divide(10, 2);
        assert!(shares[0].settle(0, false));
        assert_eq!(shares[0].limit(), 0);
        assert!(shares[1].settle(5, true));
        assert_eq!(shares[1].limit(), 10);
        assert_eq!(total(&shares), 10);
    }

    #[test]
    fn an_engine_gets_an_equal_share_as_attempts_of_others_end() {
        let mut shares = ConcurrencyShare::divide(10, 2);
        shares[0].settle(0, false);
        shares[1].settle(5, true);
        // Now the first engine has work, too.
        shares[0].settle(0, true);
        assert_eq!(shares[0].limit(), 0);
        // The second engine has ten attempts in flight, and gives back as they end.
        for in_flight in (5..=10).rev() {
            shares[1].settle(in_flight, true);
            let own = shares[0].limit();
            shares[0].settle(own, true);
            assert!(shares[0].limit() + in_flight <= 10);
        }
        assert_eq!((shares[0].limit(), shares[1].limit()), (5, 5));
        assert_eq!(total(&shares), 10);
    }

    #[test]
    fn the_limit_is_never_exceeded_and_nothing_is_lost() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let (limit, engines) = (random.usize(1..20), random.usize(1..5));
            let engines = engines.min(limit);
            let mut shares = ConcurrencyShare::divide(limit, engines);
            let mut in_flight = vec![0; engines];
            for _ in 0..200 {
                let i = random.usize(..engines);
                let queued = random.usize(0..30);
                // What an engine does between two turns: some attempts end, others start.
                in_flight[i] -= random.usize(0..=in_flight[i]);
                let started = queued.min(shares[i].limit().saturating_sub(in_flight[i]));
                in_flight[i] += started;
                let is_limited_by_ceiling = queued > started && in_flight[i] >= shares[i].limit();
                shares[i].settle(in_flight[i], is_limited_by_ceiling);
                assert!(in_flight.iter().sum::<usize>() <= limit);
                assert_eq!(total(&shares), limit);
            }
        }
    }

    #[test]
    fn a_lower_limit_applies_once_attempts_have_ended_and_a_higher_one_at_once() {
        let mut shares = ConcurrencyShare::divide(10, 2);
        shares[0].shared_limit().set_limit(4);
        shares[0].settle(5, true);
        assert_eq!((shares[0].limit(), shares[0].owned), (2, 5));
        for share in &mut shares {
            share.settle(2, true);
        }
        assert_eq!(total(&shares), 4);
        shares[0].shared_limit().set_limit(12);
        for share in &mut shares {
            share.settle(2, true);
        }
        assert_eq!(total(&shares), 12);
        assert!(shares[0].limit() > 2);
    }

    #[test]
    fn a_waiting_engine_is_woken() {
        let mut shares = ConcurrencyShare::divide(2, 2);
        shares[0].settle(1, false);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        shares[1].settle(1, true);
        assert!(shares[1].poll_freed(&mut cx).is_pending());
        drop(shares.remove(0));
        assert!(shares[0].poll_freed(&mut cx).is_ready());
        assert!(shares[0].settle(1, true));
        assert_eq!(shares[0].limit(), 2);
    }
}
