//! Costs of the engine: a fetch from submission to outcome, an idle poll, a retry's timer.
//! `cargo bench -p fetch-proto --bench engine`.

use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use fetch_proto::{
    AdaptiveConcurrency, Attempt, AttemptId, Backoff, Breaker, Engine, EngineConfig, EngineOutput,
    FailureKind, FetchRequest, HeadSummary, Hedge, IdleState, Input, LoadShedding, Policy,
    PolicyRules, Rate, RetryBudget, StallGuard, Throttle, Timestamp,
};
use url::Url;

fn main() {
    divan::main();
}

const SEED: u64 = 7;
const START: Timestamp = Timestamp::START;

/// A fetch that is answered 200 at once: submit, start, head, accept, end, done. Its host is
/// created and removed with it.
#[divan::bench(sample_size = 1_000)]
fn submit_to_done(bencher: Bencher<'_, '_>) {
    one_by_one(bencher, Engine::new(EngineConfig::default(), SEED, START));
}

/// The same with every policy enabled.
#[divan::bench(sample_size = 1_000)]
fn submit_to_done_with_all_policies(bencher: Bencher<'_, '_>) {
    let policy = Policy::default()
        .hedge(Hedge::default())
        .rate(rate())
        .stall(StallGuard::default());
    let config = EngineConfig::default()
        .adaptive(AdaptiveConcurrency::default())
        .breaker(Breaker::default())
        .budget(RetryBudget::default())
        .host_budget(RetryBudget::default())
        .host_rate(rate())
        .per_host(16)
        .rate(rate())
        .rules(PolicyRules::from_policy(policy))
        .shed(LoadShedding::default())
        .throttle(Throttle::default());
    one_by_one(bencher, Engine::new(config, SEED, START));
}

/// Submits, answers and drops one fetch after the other, a millisecond apart.
fn one_by_one(bencher: Bencher<'_, '_>, mut engine: Engine) {
    let request = request();
    let mut now = START;
    bencher.bench_local(|| {
        now = now + Duration::from_millis(1);
        let id = engine.submit(request.clone(), now);
        let id = id.expect("there is room");
        loop {
            match engine.poll(now) {
                EngineOutput::Start(attempt) => answer(&mut engine, attempt.id, now),
                EngineOutput::Done(done, outcome) => {
                    assert_eq!((done, outcome.attempts.len()), (id, 1));
                    break;
                }
                _ => {}
            }
        }
    });
}

fn rate() -> Rate {
    "1000000/s".parse().expect("a rate")
}

/// An idle poll while fetches are queued: independent of their number.
#[divan::bench(args = [1_000, 100_000, 1_000_000], sample_size = 1_000)]
fn idle_poll_with_queued_fetches(bencher: Bencher<'_, '_>, live: usize) {
    let mut engine = Engine::new(
        EngineConfig::default().concurrency(1).window(live),
        SEED,
        START,
    );
    let request = request();
    for _ in 0..live {
        engine
            .submit(request.clone(), START)
            .expect("there is room");
    }
    assert_eq!(drain(&mut engine, START, |_| {}).live, live);
    bencher.bench_local(|| engine.poll(black_box(START)));
}

/// The first attempt of each fetch fails, its backoff timer fires, and it starts again. The item
/// count is that of fetches.
#[divan::bench(args = [1_000, 100_000], sample_size = 1, sample_count = 20)]
fn fail_sleep_and_start_again(bencher: Bencher<'_, '_>, count: usize) {
    let flying = || {
        let policy = Policy::default().backoff(Backoff::default().base(Duration::from_secs(1)));
        let config = EngineConfig::default()
            .concurrency(count)
            .window(count)
            .rules(PolicyRules::from_policy(policy));
        let mut engine = Engine::new(config, SEED, START);
        let request = request();
        for _ in 0..count {
            engine
                .submit(request.clone(), START)
                .expect("there is room");
        }
        let mut ids = Vec::with_capacity(count);
        drain(&mut engine, START, |attempt| ids.push(attempt.id));
        assert_eq!(ids.len(), count);
        (engine, ids)
    };
    bencher
        .counter(ItemsCount::new(count))
        .with_inputs(flying)
        .bench_local_values(|(mut engine, ids)| {
            for id in ids {
                engine.handle(id, Input::End(Err(FailureKind::Connect)), START);
            }
            let mut started = 0;
            let mut idle = drain(&mut engine, START, |_| {});
            while started < count {
                let wake = idle.wake.expect("fetches sleep");
                idle = drain(&mut engine, wake.at, |_| started += 1);
            }
            engine
        });
}

fn request() -> FetchRequest {
    FetchRequest::get(Url::parse("http://site.test/bytes/1024").expect("a valid URL"))
}

fn answer(engine: &mut Engine, id: AttemptId, now: Timestamp) {
    engine.handle(id, Input::Head(HeadSummary::status(200)), now);
    engine.handle(id, Input::End(Ok(())), now);
}

/// Polls until the engine is idle, and passes on every start.
fn drain(engine: &mut Engine, now: Timestamp, mut start: impl FnMut(Attempt)) -> IdleState {
    loop {
        match engine.poll(now) {
            EngineOutput::Start(attempt) => start(attempt),
            EngineOutput::Idle(idle) => return idle,
            _ => {}
        }
    }
}
