use std::time::Duration;

use fetch_proto::{
    AttemptId, Backoff, Engine, EngineConfig, EngineOutput, FailureKind, FetchRequest, Input,
    Policy, PolicyRules, Rate,
};

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

/// Whether its part changes, with nothing owed from `rests_at` on.
fn settles(driver: &mut Divided, is_busy: bool, rests_at: Timestamp, now: Timestamp) -> bool {
    driver
        .settle(is_busy, Held::at_rest(rests_at), now)
        .is_some()
}

#[test]
fn the_only_one_with_something_to_do_has_all() {
    let mut drivers = drivers(3);
    assert!(settles(&mut drivers[1], true, NOW, NOW));
    assert!(!settles(&mut drivers[0], false, NOW, NOW));
    assert_eq!(parts(&drivers), [0, WHOLE, 0]);
    // Idle, it has them until another wants them.
    settles(&mut drivers[1], false, NOW, NOW);
    assert_eq!(parts(&drivers), [0, WHOLE, 0]);
    settles(&mut drivers[2], true, NOW, NOW);
    settles(&mut drivers[1], false, NOW, NOW);
    settles(&mut drivers[2], true, NOW, NOW);
    assert_eq!(parts(&drivers), [0, 0, WHOLE]);
}

#[test]
fn a_part_changes_hands_once_nothing_is_owed_for_it() {
    let rested = NOW + Duration::from_secs(1);
    let mut drivers = drivers(2);
    settles(&mut drivers[0], true, NOW, NOW);
    settles(&mut drivers[1], true, NOW, NOW);
    // It uses no more than its part from now on; what it owes it owes for both.
    settles(&mut drivers[0], true, rested, NOW);
    settles(&mut drivers[1], true, NOW, NOW);
    assert_eq!(parts(&drivers), [WHOLE / 2, 0]);
    assert_eq!(drivers[0].settles_at(), Some(rested));
    settles(
        &mut drivers[0],
        true,
        rested + Duration::from_secs(9),
        rested,
    );
    settles(&mut drivers[1], true, NOW, rested);
    assert_eq!(parts(&drivers), [WHOLE / 2, WHOLE / 2]);
    assert_eq!(drivers[0].settles_at(), None);
}

#[test]
fn what_was_owed_for_another_limit_holds_nothing_back() {
    let mut drivers = drivers(2);
    settles(&mut drivers[0], true, NOW, NOW);
    settles(&mut drivers[1], true, NOW, NOW);
    let late = NOW + Duration::from_secs(3600);
    settles(&mut drivers[0], true, late, NOW);
    assert_eq!(drivers[0].settles_at(), Some(late));
    settles(&mut drivers[0], true, NOW, NOW);
    settles(&mut drivers[1], true, NOW, NOW);
    assert_eq!(parts(&drivers), [WHOLE / 2, WHOLE / 2]);
}

#[test]
fn who_is_busy_is_told_that_another_is_no_longer() {
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let mut drivers = drivers(2);
    for _ in 0..2 {
        settles(&mut drivers[0], true, NOW, NOW);
        settles(&mut drivers[1], true, NOW, NOW);
    }
    while drivers[0].poll_changed(&mut cx).is_ready() {
        settles(&mut drivers[0], true, NOW, NOW);
    }
    settles(&mut drivers[1], false, NOW, NOW);
    assert!(drivers[0].poll_changed(&mut cx).is_ready());
}

#[test]
fn both_who_has_and_who_lacks_are_told() {
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let mut drivers = drivers(2);
    settles(&mut drivers[0], true, NOW, NOW);
    assert!(drivers[0].poll_changed(&mut cx).is_pending());
    settles(&mut drivers[1], true, NOW, NOW);
    assert!(drivers[0].poll_changed(&mut cx).is_ready());
    // Its own doing.
    assert!(drivers[1].poll_changed(&mut cx).is_ready());
    settles(&mut drivers[1], true, NOW, NOW);
    settles(&mut drivers[0], true, NOW, NOW);
    assert!(drivers[1].poll_changed(&mut cx).is_ready());
}

#[test]
fn what_is_in_a_bucket_moves_with_its_parts() {
    let of_bucket = |fill| Held {
        fill,
        rests_at: NOW,
    };
    let mut drivers = drivers(2);
    assert_eq!(drivers[0].settle(true, of_bucket(0), NOW), Some(FULL));
    assert_eq!(drivers[1].settle(true, of_bucket(FULL), NOW), None);
    assert_eq!(parts(&drivers), [WHOLE, 0]);
    // A quarter is left: so full is what it keeps, and what the other has.
    let quarter = of_bucket(FULL / 4);
    assert_eq!(drivers[0].settle(true, quarter, NOW), Some(FULL / 4));
    assert_eq!(
        drivers[1].settle(true, of_bucket(FULL), NOW),
        Some(FULL / 4)
    );
    assert_eq!(parts(&drivers), [WHOLE / 2, WHOLE / 2]);
    // One has spent its own and is alone again: what the other left is for both halves.
    assert_eq!(drivers[1].settle(false, quarter, NOW), None);
    let empty = of_bucket(0);
    assert_eq!(drivers[0].settle(true, empty, NOW), None);
    assert_eq!(drivers[1].settle(false, quarter, NOW), Some(FULL / 4));
    assert_eq!(drivers[0].settle(true, empty, NOW), Some(FULL / 8));
    assert_eq!(parts(&drivers), [WHOLE, 0]);
}

#[test]
fn a_budget_that_was_gone_is_there_again_in_full() {
    let mut drivers = drivers(2);
    let empty = Held {
        fill: 0,
        rests_at: NOW,
    };
    drivers[0].settle(true, empty, NOW);
    // Half of it lies in the surplus, empty.
    drivers[1].settle(true, empty, NOW);
    drivers[0].settle(true, empty, NOW);
    drivers[0].need(false);
    drivers[0].need(true);
    drivers[1].settle(false, empty, NOW);
    assert_eq!(drivers[0].settle(true, empty, NOW), Some(FULL));
}

/// Engines that have the limits of `config` together, which are given fetches and asked by chance.
struct Run {
    /// When each attempt began, and which of its fetch it was.
    begun: Vec<(Timestamp, u16)>,
    budgets: Vec<Divided>,
    done: usize,
    engines: Vec<Engine>,
    /// Each engine's attempts in flight.
    flying: Vec<Vec<AttemptId>>,
    now: Timestamp,
    random: fastrand::Rng,
    rates: Vec<Divided>,
    submitted: usize,
}

impl Run {
    fn new(n: usize, config: &EngineConfig) -> Self {
        let engine = |seed| {
            let mut engine = Engine::new(config.clone(), seed as u64, NOW);
            engine.set_rate_share(0, WHOLE);
            engine.set_budget_share(0, WHOLE, FULL);
            engine
        };
        Self {
            begun: Vec::new(),
            budgets: drivers(n),
            done: 0,
            engines: (0..n).map(engine).collect(),
            flying: vec![Vec::new(); n],
            now: NOW,
            random: fastrand::Rng::with_seed(3),
            rates: drivers(n),
            submitted: 0,
        }
    }

    /// So many fetches, to one host each, of which few or many are on their way at once; requests fail
    /// by the next turn.
    fn fetch(&mut self, fetches: usize, often: usize, step: u64) {
        while self.submitted < fetches || self.done < fetches {
            let step = Duration::from_micros(self.random.u64(0..step));
            self.now = self.now + step;
            let i = self.random.usize(..self.engines.len());
            if self.submitted < fetches && self.random.usize(..20) < often {
                let url = format!("http://h{}.test/", self.submitted);
                let request = FetchRequest::get(url.parse().unwrap());
                self.engines[i].submit(request, self.now).unwrap();
                self.submitted += 1;
            }
            self.turn(i);
            let end = NOW + Duration::from_secs(600);
            assert!(self.now < end, "it stands still");
        }
    }

    /// A turn of that driver.
    fn turn(&mut self, i: usize) {
        for id in std::mem::take(&mut self.flying[i]) {
            let end = Input::End(Err(FailureKind::EmptyReply));
            self.engines[i].handle(id, end, self.now);
        }
        loop {
            let (engine, now) = (&mut self.engines[i], self.now);
            match engine.poll(now) {
                EngineOutput::Start(attempt) => {
                    self.begun.push((now, attempt.id.number()));
                    self.flying[i].push(attempt.id);
                }
                EngineOutput::Done(..) => self.done += 1,
                EngineOutput::Idle(idle) if !self.settle(i, idle.live > 0) => return,
                _ => {}
            }
        }
    }

    fn settle(&mut self, i: usize, is_busy: bool) -> bool {
        let (engine, now) = (&mut self.engines[i], self.now);
        let (budget, rates) = (&mut self.budgets[i], &mut self.rates[i]);
        let held = Held {
            fill: engine.budget_fill(),
            rests_at: engine.budget_idle_at(),
        };
        let fill = budget.settle(is_busy, held, now);
        if let Some(fill) = fill {
            engine.set_budget_share(budget.parts(), WHOLE, fill);
        }
        let held = Held::at_rest(engine.rate_idle_at());
        let changed = rates.settle(is_busy, held, now).is_some();
        if changed {
            engine.set_rate_share(rates.parts(), WHOLE);
        }
        changed || fill.is_some()
    }

    fn retries(&self) -> Vec<Timestamp> {
        let retries = self.begun.iter().filter(|(_, number)| *number > 1);
        retries.map(|(at, _)| *at).collect()
    }

    fn assert_that_no_part_is_lost(&self) {
        for all in [&self.budgets, &self.rates] {
            let owned: u32 = all.iter().map(|one| one.owned).sum();
            let spare = all[0].common.surplus.units();
            assert_eq!(owned as usize + spare, WHOLE as usize);
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
        let once = Policy::default().attempts(1);
        let config = match round % 2 {
            0 => EngineConfig::default()
                .rules(PolicyRules::from_policy(once))
                .rate(rate),
            _ => EngineConfig::default().rules(PolicyRules::from_policy(once.rate(Some(rate)))),
        };
        let mut run = Run::new(n, &config);
        run.fetch(200, 1 + round % 20, 12_000);
        for (first, (begun, _)) in run.begun.iter().enumerate() {
            for (last, (end, _)) in run.begun.iter().enumerate().skip(first) {
                let span = end.saturating_since(*begun).as_secs_f64();
                let most = f64::from(burst) + n as f64 + 50.0 * span;
                assert!(
                    (last - first) as f64 <= most,
                    "{first} to {last} in {span} s"
                );
            }
        }
        run.assert_that_no_part_is_lost();
    }
}

/// Every request fails in a way that is worth a retry, which comes at once.
fn failing(budget: RetryBudget) -> EngineConfig {
    let at_once = Backoff::default().base(Duration::ZERO).jitter(None);
    let policy = Policy::default().attempts(30).backoff(at_once);
    EngineConfig::default()
        .rules(PolicyRules::from_policy(policy))
        .budget(budget)
}

#[test]
fn however_often_parts_change_hands_a_bucket_is_emptied_once() {
    for round in 0..40_usize {
        let n = 2 + round % 3;
        // A hundred retries either way.
        let config = failing(match round % 2 {
            0 => RetryBudget::CAPACITY,
            _ => RetryBudget::Tokens {
                max: 200,
                success_per_mille: 100,
            },
        });
        let mut run = Run::new(n, &config);
        run.fetch(400, 1 + round % 20, 4_000);
        let retries = run.retries().len();
        // In each driver's part less than one may be left over.
        assert!(retries <= 100 && retries + n >= 100, "{retries} of {n}");
        run.assert_that_no_part_is_lost();
    }
}

#[test]
fn however_parts_change_hands_a_reserve_is_not_exceeded() {
    let second = Duration::from_secs(1);
    for round in 0..40_usize {
        let config = failing(RetryBudget::Ratio {
            min_per_second: 20,
            per_mille: (round as u32 % 2) * 100,
            ttl: second,
        });
        let mut run = Run::new(2 + round % 3, &config);
        run.fetch(400, 1 + round % 20, 25_000);
        let retries = run.retries();
        assert!(retries.len() > 20, "{}", retries.len());
        for (i, end) in retries.iter().enumerate() {
            let within = |at: &Timestamp, span| end.saturating_since(*at) < span;
            // Nine slots are surely still counted; those of the engines begin at different times.
            let counted = second * 9 / 10;
            let retries = retries[..=i].iter().filter(|at| within(at, counted));
            let requests = run
                .begun
                .iter()
                .filter(|(at, number)| *number == 1 && at <= end && within(at, second + counted));
            let most = 20 + requests.count() * (round % 2) / 10;
            assert!(retries.count() <= most, "{most} until {end}");
        }
        run.assert_that_no_part_is_lost();
    }
}
