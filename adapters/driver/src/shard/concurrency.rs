//! The attempts that several engines may have in flight together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use crate::shard::surplus::{Ear, Pot};

/// What engines on several threads have in common: how many attempts may be in flight over all.
///
/// Each engine owns a part, and what nobody owns is here. An engine gives back what it does not use
/// and takes what it needs; if another has less than an equal part and needs more, it keeps no more
/// than an equal part. The parts and the rest are always the whole: the limit is exact.
#[derive(Debug)]
pub(crate) struct Balance {
    /// How much more is owned than there is, since the whole was made smaller.
    debt: AtomicUsize,
    engines: usize,
    /// What nobody owns, and engines that have less than an equal part and need more.
    pot: Pot,
    whole: AtomicUsize,
}

/// One engine's part.
#[derive(Debug)]
pub(crate) struct Share {
    balance: Arc<Balance>,
    ear: Ear,
    is_hungry: bool,
    /// How many may be in flight.
    limit: usize,
    /// What it owns: its limit, or, while more are in flight than that, these.
    owned: usize,
}

impl Balance {
    /// Makes the whole larger, or smaller: that takes effect as attempts land.
    pub(crate) fn resize(&self, whole: usize) {
        let whole = whole.max(self.engines);
        let before = self.whole.swap(whole, Ordering::AcqRel);
        self.debt
            .fetch_add(before.saturating_sub(whole), Ordering::AcqRel);
        self.give(whole.saturating_sub(before));
        self.give(self.pot.take_all());
    }

    /// Pays what is owed, and lets the others have the rest.
    fn give(&self, given: usize) {
        let less = |debt: usize| Some(debt.saturating_sub(given));
        let debt = self
            .debt
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        self.pot.give(given.saturating_sub(debt.unwrap_or(0)));
    }

    fn equal(&self) -> usize {
        (self.whole.load(Ordering::Acquire) / self.engines).max(1)
    }

    /// Whether an engine, besides one that is hungry itself, has to keep to an equal part.
    fn is_tight(&self, is_hungry: bool) -> bool {
        self.pot.others_lack(is_hungry) || self.debt.load(Ordering::Acquire) > 0
    }
}

impl Share {
    /// Parts of `whole` for so many engines, of which none may be without any.
    pub(crate) fn divide(whole: usize, engines: usize) -> Vec<Self> {
        let balance = Arc::new(Balance {
            debt: AtomicUsize::new(0),
            engines,
            pot: Pot::new(0),
            whole: AtomicUsize::new(whole),
        });
        let part = |i: usize| {
            let equal = whole / engines + usize::from(i < whole % engines);
            Self {
                balance: balance.clone(),
                ear: Ear::default(),
                is_hungry: false,
                limit: equal,
                owned: equal,
            }
        };
        (0..engines).map(part).collect()
    }

    /// What it has in common with the others.
    pub(crate) fn balance(&self) -> Arc<Balance> {
        self.balance.clone()
    }

    /// How many may be in flight.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Gives back what is not used, with `flying` attempts in flight, and takes more if the engine
    /// `wants` it. Tells whether the limit changed.
    pub(crate) fn settle(&mut self, flying: usize, wants: bool) -> bool {
        let before = self.limit;
        let (is_tight, equal) = (self.balance.is_tight(self.is_hungry), self.balance.equal());
        if is_tight {
            self.limit = self.limit.min(equal);
        }
        if !wants {
            self.limit = self.limit.min(flying);
        }
        self.give_back(flying);
        if wants && flying >= self.limit {
            self.take(flying, if is_tight { equal } else { usize::MAX });
        } else {
            self.ear.close();
        }
        let lacks = wants && self.limit < equal;
        self.balance.pot.set_hungry(&mut self.is_hungry, lacks);
        self.limit != before
    }

    fn give_back(&mut self, flying: usize) {
        let kept = self.limit.max(flying).min(self.owned);
        let given = self.owned - kept;
        if given > 0 {
            self.owned = kept;
            self.balance.give(given);
        }
    }

    /// Takes as much again as it has, so that it soon has what it needs: the rest goes back.
    fn take(&mut self, flying: usize, most: usize) {
        let wanted = (flying + self.limit.max(1)).min(most);
        if wanted > self.owned
            && !self.take_spare(wanted - self.owned)
            && self.ear.listen(&self.balance.pot)
        {
            // It listens only now: something may have come before.
            let _ = self.take_spare(wanted - self.owned);
        }
        self.limit = self.limit.max(wanted.min(self.owned));
    }

    fn take_spare(&mut self, wanted: usize) -> bool {
        let taken = self.balance.pot.take(wanted);
        self.owned += taken;
        taken > 0
    }

    /// Waits until there may be more to take, if this engine needs it.
    pub(crate) fn poll_freed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.ear.poll(cx)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.balance.pot.set_hungry(&mut self.is_hungry, false);
        self.limit = 0;
        self.give_back(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole, with nothing lost.
    fn whole(shares: &[Share]) -> usize {
        let owned: usize = shares.iter().map(|share| share.owned).sum();
        owned + shares[0].balance.pot.spare()
    }

    #[test]
    fn what_one_does_not_use_another_takes() {
        let mut shares = Share::divide(10, 2);
        assert!(shares[0].settle(0, false));
        assert_eq!(shares[0].limit(), 0);
        assert!(shares[1].settle(5, true));
        assert_eq!(shares[1].limit(), 10);
        assert_eq!(whole(&shares), 10);
    }

    #[test]
    fn who_needs_an_equal_part_gets_it_as_attempts_land() {
        let mut shares = Share::divide(10, 2);
        shares[0].settle(0, false);
        shares[1].settle(5, true);
        // Now the first has work, too.
        shares[0].settle(0, true);
        assert_eq!(shares[0].limit(), 0);
        // The second has ten in flight, and gives as they land.
        for flying in (5..=10).rev() {
            shares[1].settle(flying, true);
            let own = shares[0].limit();
            shares[0].settle(own, true);
            assert!(shares[0].limit() + flying <= 10);
        }
        assert_eq!((shares[0].limit(), shares[1].limit()), (5, 5));
        assert_eq!(whole(&shares), 10);
    }

    #[test]
    fn the_whole_is_never_exceeded_and_nothing_is_lost() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let (whole_, engines) = (random.usize(1..20), random.usize(1..5));
            let engines = engines.min(whole_);
            let mut shares = Share::divide(whole_, engines);
            let mut flying = vec![0; engines];
            for _ in 0..200 {
                let i = random.usize(..engines);
                let queued = random.usize(0..30);
                // What the engine does between two turns: some land, others begin.
                flying[i] -= random.usize(0..=flying[i]);
                let begun = queued.min(shares[i].limit().saturating_sub(flying[i]));
                flying[i] += begun;
                let wants = queued > begun && flying[i] >= shares[i].limit();
                shares[i].settle(flying[i], wants);
                assert!(flying.iter().sum::<usize>() <= whole_);
                assert_eq!(whole(&shares), whole_);
            }
        }
    }

    #[test]
    fn a_smaller_whole_holds_once_attempts_have_landed_and_a_larger_one_at_once() {
        let mut shares = Share::divide(10, 2);
        shares[0].balance().resize(4);
        shares[0].settle(5, true);
        assert_eq!((shares[0].limit(), shares[0].owned), (2, 5));
        for share in &mut shares {
            share.settle(2, true);
        }
        assert_eq!(whole(&shares), 4);
        shares[0].balance().resize(12);
        for share in &mut shares {
            share.settle(2, true);
        }
        assert_eq!(whole(&shares), 12);
        assert!(shares[0].limit() > 2);
    }

    #[test]
    fn one_that_waits_is_told() {
        let mut shares = Share::divide(2, 2);
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
