//! Limits over all hosts that several drivers keep together: rates, and budgets of retries.
//!
//! A fetcher that is built with such limits has one driver, which keeps them exactly. Those that are set
//! while several drivers run are divided among the drivers that have something to do.

use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use event_listener::{Event, EventListener};
use fetch_proto::{Config, Rate, RetryBudget};

/// So many parts there are. Most numbers of drivers divide it.
const WHOLE: usize = 5040;

/// What drivers have in common: parts that nobody has.
#[derive(Debug)]
struct Pot {
    /// Drivers that have something to do.
    busy: AtomicUsize,
    /// Told when parts are given back, and when a driver begins or ceases to be busy.
    changed: Event,
    spare: AtomicUsize,
}

/// A driver's parts of each limit. Those of all drivers and the spare ones are always the whole.
#[derive(Debug)]
pub(crate) struct Divided {
    /// The limits to divide, if there are.
    all: Option<Config>,
    is_busy: bool,
    listener: Option<EventListener>,
    owned: usize,
    pot: Arc<Pot>,
}

impl Divided {
    /// For so many drivers, without limits.
    pub(crate) fn new(drivers: usize) -> Vec<Self> {
        let pot = Arc::new(Pot {
            busy: AtomicUsize::new(0),
            changed: Event::new(),
            spare: AtomicUsize::new(WHOLE),
        });
        let one = || Self {
            all: None,
            is_busy: false,
            listener: None,
            owned: 0,
            pot: pot.clone(),
        };
        std::iter::repeat_with(one).take(drivers).collect()
    }

    /// Takes over other limits.
    pub(crate) fn configure(&mut self, all: &Config) {
        self.all = has_limits(all).then(|| all.clone());
    }

    /// Whether nothing may begin for now: the others have all parts, and have been told.
    pub(crate) fn is_denied(&self) -> bool {
        self.all.is_some() && self.owned == 0
    }

    /// What this driver keeps, if there is anything to divide.
    pub(crate) fn limits(&self) -> Option<Config> {
        let all = self.all.clone()?;
        Some(part(all, self.owned.max(1)))
    }

    /// Gives back what this driver should not have, and takes what it should: an equal part if it has
    /// something to do. Tells whether its part changed.
    pub(crate) fn settle(&mut self, is_busy: bool) -> bool {
        if self.all.is_none() && !self.is_busy && !is_busy {
            return self.keep(0);
        }
        if self.all.is_some() && self.listener.is_none() {
            // Listening before looking, so that nothing is missed.
            self.listener = Some(self.pot.changed.listen());
        }
        self.set_busy(is_busy);
        let busy = self.pot.busy.load(Ordering::Acquire).max(1);
        let is_needed = is_busy && self.all.is_some();
        self.keep(if is_needed { WHOLE / busy } else { 0 })
    }

    /// Has so many parts from now on, or as many of them as there are.
    fn keep(&mut self, parts: usize) -> bool {
        let before = self.owned;
        if before > parts {
            self.owned = parts;
            self.pot.spare.fetch_add(before - parts, Ordering::AcqRel);
            self.pot.changed.notify(usize::MAX);
        } else if before < parts {
            let wanted = parts - before;
            let rest = |spare: usize| Some(spare - spare.min(wanted));
            let spare = &self.pot.spare;
            let spare = spare.fetch_update(Ordering::AcqRel, Ordering::Acquire, rest);
            self.owned += spare.unwrap_or_default().min(wanted);
        }
        self.owned != before
    }

    fn set_busy(&mut self, is_busy: bool) {
        if is_busy == self.is_busy {
            return;
        }
        self.is_busy = is_busy;
        match is_busy {
            true => self.pot.busy.fetch_add(1, Ordering::AcqRel),
            false => self.pot.busy.fetch_sub(1, Ordering::AcqRel),
        };
        self.pot.changed.notify(usize::MAX);
    }

    /// Waits until another driver's part changed, or is to change.
    pub(crate) fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(listener) = &mut self.listener else {
            return Poll::Pending;
        };
        let changed = Pin::new(listener).poll(cx);
        if changed.is_ready() {
            self.listener = None;
        }
        changed
    }
}

impl Drop for Divided {
    fn drop(&mut self) {
        self.set_busy(false);
        self.keep(0);
    }
}

/// Whether there are limits over all hosts that drivers would have to divide.
pub(crate) fn has_limits(config: &Config) -> bool {
    let rules = config.rules_ref();
    let policies = rules.iter().map(|(_, policy)| policy);
    let mut policies = policies.chain([rules.default_policy()]);
    config.rate_limit().is_some()
        || config.budget_ref().is_some()
        || policies.any(|policy| policy.rate_limit().is_some())
}

/// So many parts of the whole of each limit over all hosts. No burst is less than one.
fn part(mut config: Config, parts: usize) -> Config {
    if let Some(all) = config.rate_limit() {
        config = config.rate(rate(all, parts));
    }
    if let Some(all) = config.budget_ref() {
        let part = budget(all, parts);
        config = config.budget(part);
    }
    let rules = config.rules_ref().map(|policy| {
        let part = policy.rate_limit().map(|all| rate(all, parts));
        policy.clone().rate(part)
    });
    config.rules(rules)
}

/// So many parts of `n`, rounded down.
fn of(n: u32, parts: usize) -> u32 {
    let part = u128::from(n) * parts as u128 / WHOLE as u128;
    u32::try_from(part).unwrap_or(u32::MAX)
}

fn rate(all: Rate, parts: usize) -> Rate {
    let burst = NonZeroU32::new(of(all.burst_size().get(), parts));
    let nanos = (all.period().as_nanos() * WHOLE as u128).div_ceil(parts as u128);
    let period = u64::try_from(nanos).unwrap_or(u64::MAX);
    let part = Rate::new(all.count(), std::time::Duration::from_nanos(period));
    part.unwrap_or(all).burst(burst.unwrap_or(NonZeroU32::MIN))
}

fn budget(all: &RetryBudget, parts: usize) -> RetryBudget {
    let mut part = *all;
    match &mut part {
        RetryBudget::Capacity { capacity: n, .. }
        | RetryBudget::Ratio {
            min_per_second: n, ..
        }
        | RetryBudget::Tokens { max: n, .. } => *n = of(*n, parts),
    }
    part
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn limits() -> Config {
        let rate: Rate = "50/s".parse().unwrap();
        let rate = rate.burst(NonZeroU32::new(9).unwrap());
        Config::default().rate(rate).budget(RetryBudget::Ratio {
            min_per_second: 10,
            per_mille: 200,
            ttl: std::time::Duration::from_secs(10),
        })
    }

    fn drivers(n: usize) -> Vec<Divided> {
        let mut drivers = Divided::new(n);
        let configure = |driver: &mut Divided| driver.configure(&limits());
        drivers.iter_mut().for_each(configure);
        drivers
    }

    fn owned(drivers: &[Divided]) -> Vec<usize> {
        drivers.iter().map(|driver| driver.owned).collect()
    }

    #[test]
    fn the_only_one_with_something_to_do_has_all() {
        let mut drivers = drivers(3);
        assert!(drivers[1].settle(true));
        assert!(!drivers[0].settle(false));
        let part = drivers[1].limits().unwrap();
        assert_eq!(part.rate_limit(), limits().rate_limit());
        assert_eq!(part.budget_ref(), limits().budget_ref());
    }

    #[test]
    fn who_begins_waits_until_the_others_have_given_it_its_part() {
        let mut drivers = drivers(2);
        drivers[0].settle(true);
        drivers[1].settle(true);
        assert!(drivers[1].is_denied());
        assert!(drivers[0].settle(true));
        assert!(drivers[1].settle(true));
        assert_eq!(owned(&drivers), [WHOLE / 2, WHOLE / 2]);
        assert!(!drivers[1].is_denied());
        drivers[0].settle(false);
        drivers[1].settle(true);
        assert_eq!(owned(&drivers), [0, WHOLE]);
    }

    #[test]
    fn both_who_has_and_who_wants_are_told() {
        let mut cx = Context::from_waker(Waker::noop());
        let mut drivers = drivers(2);
        drivers[0].settle(true);
        // Its own doing.
        assert!(drivers[0].poll_changed(&mut cx).is_ready());
        drivers[0].settle(true);
        assert!(drivers[0].poll_changed(&mut cx).is_pending());
        drivers[1].settle(true);
        assert!(drivers[0].poll_changed(&mut cx).is_ready());
        assert!(drivers[1].poll_changed(&mut cx).is_ready());
        drivers[1].settle(true);
        drivers[0].settle(true);
        assert!(drivers[1].poll_changed(&mut cx).is_ready());
    }

    #[test]
    fn the_whole_is_never_exceeded_and_nothing_is_lost() {
        let mut random = fastrand::Rng::with_seed(3);
        for n in 1..6 {
            let mut drivers = drivers(n);
            for _ in 0..300 {
                let i = random.usize(..n);
                match random.u8(..10) {
                    0 => drivers[i].configure(&Config::default()),
                    1 => drivers[i].configure(&limits()),
                    _ => {}
                }
                drivers[i].settle(random.bool());
                let owned: usize = owned(&drivers).iter().sum();
                let spare = drivers[0].pot.spare.load(Ordering::SeqCst);
                assert_eq!(owned + spare, WHOLE);
            }
            // At rest each has its equal part, once all are known to be busy and have given the rest.
            for _ in 0..3 {
                for driver in &mut drivers {
                    driver.configure(&limits());
                    driver.settle(true);
                }
            }
            assert_eq!(owned(&drivers), vec![WHOLE / n; n]);
        }
    }

    #[test]
    fn the_parts_of_a_limit_are_no_more_than_the_whole() {
        let part = part(limits(), WHOLE / 4);
        let rate = part.rate_limit().unwrap();
        assert_eq!((rate.count().get(), rate.period().as_secs()), (50, 4));
        assert_eq!(rate.burst_size().get(), 2);
        let budget = part.budget_ref().copied();
        assert!(matches!(
            budget,
            Some(RetryBudget::Ratio {
                min_per_second: 2,
                per_mille: 200,
                ..
            })
        ));
    }
}
