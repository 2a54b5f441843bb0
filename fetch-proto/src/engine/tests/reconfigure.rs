//! New configurations, checkpoints, clock jumps and freed memory.

use super::*;

#[test]
fn an_injected_clock_jump_reaches_time_limits_early() {
    let chaos = ChaosPolicy::default().fault(1000, InjectedFault::ClockJump(10 * SECOND));
    let mut engine = Engine::new(only(exact().attempts(1).chaos(chaos)), 7, at(0));
    submit(&mut engine, ["http://a.test/"]);
    let polled = drain(&mut engine, at(0));
    assert_eq!(polled.starts.len(), 1);
    assert!(matches!(
        polled.done[0].result,
        Err(FetchError::TimedOut(_))
    ));
}

#[test]
fn new_limits_apply_to_a_running_engine_and_rates_still_owe() {
    let rate = |text: &str| text.parse::<crate::Rate>().unwrap();
    let mut engine = Engine::new(only(exact()).host_rate(rate("1/h")), 7, at(0));
    submit(&mut engine, ["http://a.test/1", "http://a.test/2"]);
    assert_eq!(drain(&mut engine, at(0)).starts.len(), 1);
    engine.set_config(only(exact()).host_rate(rate("1/s")), at(0));
    assert!(
        drain(&mut engine, at(0)).starts.is_empty(),
        "the hour is still owed"
    );
    engine.set_config(only(exact()), at(1));
    assert_eq!(
        drain(&mut engine, at(1)).starts.len(),
        1,
        "without a rate there is no debt"
    );
}

#[test]
fn a_new_configuration_preserves_an_open_breaker() {
    let (mut engine, _, now) = with_open_breaker(OnOpen::Defer);
    let config = only(exact().attempts(1)).breaker(breaker()).per_host(5);
    engine.set_config(config, now);
    assert!(drain(&mut engine, now).starts.is_empty());
    let stats = engine.host_stats("http://a.test").unwrap();
    assert_eq!(stats.circuit, Some(crate::CircuitState::Open));
}

#[test]
fn a_checkpoint_continues_on_another_clock() {
    let (engine, polled, _) = with_open_breaker(OnOpen::Defer);
    let pause = polled.wake.unwrap().saturating_since(at(2));
    // As in another process, whose clock has just started.
    let mut later = Engine::restore(engine.checkpoint(), at(0));
    let polled = drain(&mut later, at(0));
    assert!(polled.starts.is_empty());
    assert_eq!(
        polled.wake,
        Some(Timestamp::START + pause),
        "the pause has what was left of it"
    );
    assert_eq!(drain(&mut later, polled.wake.unwrap()).starts.len(), 1);
}

#[test]
fn attempts_lost_with_their_process_do_not_count() {
    let mut engine = Engine::new(only(exact().attempts(1)), 7, at(0));
    submit(&mut engine, ["http://a.test/"]);
    let post = FetchRequest {
        method: crate::Method::Post,
        ..get("http://a.test/")
    };
    engine.submit(post, at(0)).unwrap();
    assert_eq!(drain(&mut engine, at(0)).starts.len(), 2);
    let mut later = Engine::restore(engine.checkpoint(), at(0));
    let polled = drain(&mut later, at(0));
    assert_eq!(targets(&polled), ["http://a.test/"]);
    assert_eq!(
        polled.done[0].result,
        Err(FetchError::Failed(FailureKind::Dropped)),
        "a POST may have arrived"
    );
    answer(&mut later, &polled.starts[0], 200, at(1));
    assert!(drain(&mut later, at(1)).done[0].is_success());
}

#[cfg(feature = "serde")]
#[test]
fn a_checkpoint_is_plain_data() {
    let (engine, ..) = with_open_breaker(OnOpen::Defer);
    let stored = serde_json::to_string(&engine.checkpoint()).unwrap();
    let restored = serde_json::from_str(&stored).unwrap();
    let mut a = Engine::restore(engine.checkpoint(), at(0));
    let mut b = Engine::restore(restored, at(0));
    for millis in (0..60_000).step_by(500) {
        let (x, y) = (drain(&mut a, at(millis)), drain(&mut b, at(millis)));
        assert_eq!((x.starts, x.done, x.wake), (y.starts, y.done, y.wake));
    }
}

#[test]
fn the_memory_of_idle_hosts_is_freed() {
    let config = only(exact().attempts(1))
        .breaker(Breaker::default())
        .host_budget(RetryBudget::default());
    let mut engine = Engine::new(config, 7, at(0));
    for n in 0..1000 {
        engine
            .submit(get(&format!("http://{n}.test/")), at(0))
            .unwrap();
    }
    let mut left = 1000;
    let mut now = at(0);
    while left > 0 {
        let polled = drain(&mut engine, now);
        left -= polled.starts.len();
        polled
            .starts
            .iter()
            .for_each(|one| answer(&mut engine, one, 200, now));
    }
    while let Some(wake) = drain(&mut engine, now).wake {
        now = wake;
    }
    assert_eq!(engine.stats().hosts, 0);
}
