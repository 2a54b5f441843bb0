//! The rates that hosts have together, those over all and those of rules, kept by several drivers.
//!
//! A fetcher that is built with such a rate has one driver, which keeps it exactly. Those that are set while
//! several drivers run are divided among those that have something to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use fetch_proto::Timestamp;

use crate::pot::{Ear, Pot, count};

/// So many parts there are. Most numbers of drivers divide it.
pub(crate) const WHOLE: u32 = 5040;

/// What drivers have in common.
#[derive(Debug)]
struct Common {
    /// Drivers that have something to do.
    busy: AtomicUsize,
    /// Parts that nobody owns, and drivers that are busy and have less than an equal part.
    pot: Pot,
}

/// A driver's parts of the rate. Those of all drivers and the spare ones are always the whole, and what
/// changes hands is rested: nothing is owed for it. So the rate holds, however often parts do.
#[derive(Debug)]
pub(crate) struct Divided {
    common: Arc<Common>,
    ear: Ear,
    /// When what is owned and not used is rested.
    gives_at: Timestamp,
    is_busy: bool,
    is_hungry: bool,
    /// Whether there is a rate.
    is_needed: bool,
    owned: u32,
    used: u32,
}

impl Divided {
    /// For so many drivers, without a rate.
    pub(crate) fn new(drivers: usize) -> Vec<Self> {
        let common = Arc::new(Common {
            busy: AtomicUsize::new(0),
            pot: Pot::new(WHOLE as usize),
        });
        let one = || Self {
            common: common.clone(),
            ear: Ear::default(),
            gives_at: Timestamp::START,
            is_busy: false,
            is_hungry: false,
            is_needed: false,
            owned: 0,
            used: 0,
        };
        std::iter::repeat_with(one).take(drivers).collect()
    }

    /// Says whether there is a rate to divide.
    pub(crate) fn need(&mut self, is_needed: bool) {
        self.is_needed = is_needed;
        if !is_needed {
            self.leave();
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
    /// Nothing is owed from `rests_at` on, if no other attempt begins. Tells whether its part changed.
    pub(crate) fn settle(&mut self, is_busy: bool, rests_at: Timestamp, now: Timestamp) -> bool {
        // Listening before looking, so that nothing is missed.
        let Common { busy, pot } = &*self.common;
        self.ear.listen(pot);
        count(busy, &mut self.is_busy, is_busy);
        let before = self.used;
        let equal = if is_busy { self.equal() } else { 0 };
        if self.used < equal {
            self.used = self.owned.min(equal);
            let taken = pot.take((equal - self.used) as usize) as u32;
            (self.owned, self.used) = (self.owned + taken, self.used + taken);
        } else if self.used > equal && pot.others_lack(self.is_hungry) {
            self.used = equal;
            self.gives_at = self.gives_at.max(rests_at);
        }
        let lacks = self.used < equal;
        if pot.set_hungry(&mut self.is_hungry, lacks) && lacks {
            pot.tell();
        }
        if now >= self.gives_at {
            self.give();
        }
        self.used != before
    }

    fn equal(&self) -> u32 {
        let busy = self.common.busy.load(Ordering::Acquire).max(1);
        WHOLE / u32::try_from(busy).unwrap_or(u32::MAX)
    }

    /// Gives back what is not used.
    fn give(&mut self) {
        let given = self.owned - self.used;
        self.owned = self.used;
        self.common.pot.give(given as usize);
    }

    /// Has no part in it any more.
    fn leave(&mut self) {
        count(&self.common.busy, &mut self.is_busy, false);
        self.common.pot.set_hungry(&mut self.is_hungry, false);
        self.ear.close();
        self.used = 0;
        self.give();
    }

    /// Waits until another driver's part changed, or is to change.
    pub(crate) fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.ear.poll(cx)
    }
}

impl Drop for Divided {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fetch_proto::{Config, Engine, Failure, Input, Output, Rate, Request, Rules};

    use super::*;

    const NOW: Timestamp = Timestamp::START;

    fn drivers(n: usize) -> Vec<Divided> {
        let mut drivers = Divided::new(n);
        drivers.iter_mut().for_each(|driver| driver.need(true));
        drivers
    }

    fn parts(drivers: &[Divided]) -> Vec<u32> {
        drivers.iter().map(Divided::parts).collect()
    }

    #[test]
    fn the_only_one_with_something_to_do_has_all() {
        let mut drivers = drivers(3);
        assert!(drivers[1].settle(true, NOW, NOW));
        assert!(!drivers[0].settle(false, NOW, NOW));
        assert_eq!(parts(&drivers), [0, WHOLE, 0]);
        // Idle, it has them until another wants them.
        drivers[1].settle(false, NOW, NOW);
        assert_eq!(parts(&drivers), [0, WHOLE, 0]);
        drivers[2].settle(true, NOW, NOW);
        drivers[1].settle(false, NOW, NOW);
        drivers[2].settle(true, NOW, NOW);
        assert_eq!(parts(&drivers), [0, 0, WHOLE]);
    }

    #[test]
    fn a_part_changes_hands_once_nothing_is_owed_for_it() {
        let rested = NOW + Duration::from_secs(1);
        let mut drivers = drivers(2);
        drivers[0].settle(true, NOW, NOW);
        drivers[1].settle(true, NOW, NOW);
        // It uses no more than its part from now on; what it owes it owes for both.
        drivers[0].settle(true, rested, NOW);
        drivers[1].settle(true, NOW, NOW);
        assert_eq!(parts(&drivers), [WHOLE / 2, 0]);
        assert_eq!(drivers[0].settles_at(), Some(rested));
        drivers[0].settle(true, rested + Duration::from_secs(9), rested);
        drivers[1].settle(true, NOW, rested);
        assert_eq!(parts(&drivers), [WHOLE / 2, WHOLE / 2]);
        assert_eq!(drivers[0].settles_at(), None);
    }

    #[test]
    fn both_who_has_and_who_lacks_are_told() {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut drivers = drivers(2);
        drivers[0].settle(true, NOW, NOW);
        assert!(drivers[0].poll_changed(&mut cx).is_pending());
        drivers[1].settle(true, NOW, NOW);
        assert!(drivers[0].poll_changed(&mut cx).is_ready());
        // Its own doing.
        assert!(drivers[1].poll_changed(&mut cx).is_ready());
        drivers[1].settle(true, NOW, NOW);
        drivers[0].settle(true, NOW, NOW);
        assert!(drivers[1].poll_changed(&mut cx).is_ready());
    }

    /// An engine for each driver, which are given fetches and asked by chance.
    struct Run {
        begun: Vec<Timestamp>,
        done: usize,
        drivers: Vec<Divided>,
        engines: Vec<Engine>,
        now: Timestamp,
    }

    impl Run {
        fn new(drivers: usize, config: &Config) -> Self {
            let drivers = self::drivers(drivers);
            let engine = |seed| {
                let mut engine = Engine::new(config.clone(), seed as u64, NOW);
                engine.set_rate_part(0, WHOLE);
                engine
            };
            Self {
                begun: Vec::new(),
                done: 0,
                engines: (0..drivers.len()).map(engine).collect(),
                drivers,
                now: NOW,
            }
        }

        /// A turn of that driver, all requests failing at once and for good.
        fn turn(&mut self, i: usize) {
            loop {
                let (engine, now) = (&mut self.engines[i], self.now);
                match engine.poll(now) {
                    Output::Start(attempt) => {
                        self.begun.push(now);
                        engine.handle(attempt.id, Input::End(Err(Failure::Tls)), now);
                    }
                    Output::Done(..) => self.done += 1,
                    Output::Idle(idle) => {
                        let divided = &mut self.drivers[i];
                        let rests_at = engine.rate_rests_at();
                        if !divided.settle(idle.live > 0, rests_at, now) {
                            return;
                        }
                        engine.set_rate_part(divided.parts(), WHOLE);
                    }
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn however_parts_change_hands_the_rate_holds_and_all_is_done() {
        let mut random = fastrand::Rng::with_seed(3);
        for round in 0..60 {
            let n = random.usize(2..5);
            let burst = random.u32(1..30);
            let rate: Rate = "50/s".parse().unwrap();
            let rate = rate.burst(burst.try_into().unwrap());
            // Over all hosts, or of a rule that all have.
            let config = match round % 2 {
                0 => Config::default().rate(rate),
                _ => Config::default().rules(Rules::default().map(|p| p.clone().rate(Some(rate)))),
            };
            let mut run = Run::new(n, &config);
            let mut asked = 0;
            while asked < 200 || run.done < asked {
                run.now = run.now + Duration::from_micros(random.u64(0..12_000));
                let i = random.usize(..n);
                // Now few have something to do, then many.
                if asked < 200 && random.usize(..20) < 1 + round % 20 {
                    let url = format!("http://h{asked}.test/").parse().unwrap();
                    run.engines[i].submit(Request::get(url), run.now).unwrap();
                    asked += 1;
                }
                run.turn(i);
                assert!(run.now < NOW + Duration::from_secs(120), "it stands still");
            }
            for (first, begun) in run.begun.iter().enumerate() {
                for (last, end) in run.begun.iter().enumerate().skip(first) {
                    let span = end.saturating_since(*begun).as_secs_f64();
                    let most = f64::from(burst) + n as f64 + 50.0 * span;
                    assert!(
                        (last - first) as f64 <= most,
                        "{first} to {last} in {span} s"
                    );
                }
            }
            let owned: u32 = run.drivers.iter().map(|one| one.owned).sum();
            let spare = run.drivers[0].common.pot.spare();
            assert_eq!(owned as usize + spare, WHOLE as usize);
        }
    }
}
