//! Retry budgets and hedges.

use super::*;

#[test]
fn an_exhausted_budget_prevents_retries_but_ends_no_attempt() {
    let budget = RetryBudget::Ratio {
        min_per_second: 0,
        per_mille: 200,
        ttl: 10 * SECOND,
    };
    let mut engine = Engine::new(only(exact()).host_budget(budget), 7, at(0));
    for n in 0..10 {
        engine
            .submit(get(&format!("http://a.test/{n}")), at(0))
            .unwrap();
    }
    let polled = drain(&mut engine, at(0));
    polled.starts[..9]
        .iter()
        .for_each(|one| fail(&mut engine, one, at(1)));
    let later = drain(&mut engine, at(1));
    let broke = later
        .done
        .iter()
        .filter(|outcome| outcome.gave_up == Some(GiveUpReason::Budget));
    assert_eq!(broke.count(), 7, "2 of 10 may be tried again");
    assert_eq!(
        (later.aborts, engine.stats().in_flight),
        (0, 1),
        "the tenth is still in flight"
    );
}

#[test]
fn the_budget_over_all_hosts_counts_every_host() {
    let budget = RetryBudget::Ratio {
        min_per_second: 0,
        per_mille: 500,
        ttl: 10 * SECOND,
    };
    let mut engine = Engine::new(only(exact()).budget(budget), 7, at(0));
    submit(&mut engine, ["http://a.test/", "http://b.test/"]);
    let polled = drain(&mut engine, at(0));
    polled
        .starts
        .iter()
        .for_each(|one| fail(&mut engine, one, at(1)));
    let over = drain(&mut engine, at(1)).done;
    assert_eq!(over.len(), 1);
    assert_eq!(over[0].gave_up, Some(GiveUpReason::Budget));
}

fn hedged() -> Policy {
    exact().hedge(Hedge {
        delay: HedgeDelay::Fixed(SECOND),
        max: 1,
        on_failure: false,
    })
}

#[test]
fn a_hedge_takes_a_second_slot_and_both_are_released() {
    let mut engine = Engine::new(only(hedged()).concurrency(2), 7, at(0));
    submit(&mut engine, ["http://a.test/"]);
    let first = drain(&mut engine, at(0)).starts[0].clone();
    let hedge = drain(&mut engine, at(1000)).starts[0].clone();
    assert_eq!((engine.stats().in_flight, hedge.id.number()), (2, 2));
    answer(&mut engine, &hedge, 200, at(1100));
    let polled = drain(&mut engine, at(1100));
    assert_eq!(
        (polled.aborts, polled.done.len(), engine.stats().in_flight),
        (1, 1, 0)
    );
    assert_eq!(polled.done[0].attempts[0].end, AttemptEnd::Abandoned);
    answer(&mut engine, &first, 200, at(1200));
    assert_eq!(
        engine.stats().stale_inputs,
        2,
        "what the loser says is too late"
    );
}

#[test]
fn a_hedge_without_a_free_slot_is_dropped() {
    let mut engine = Engine::new(only(hedged()).concurrency(1), 7, at(0));
    submit(&mut engine, ["http://a.test/", "http://b.test/"]);
    let first = drain(&mut engine, at(0)).starts[0].clone();
    assert!(drain(&mut engine, at(1000)).starts.is_empty());
    answer(&mut engine, &first, 200, at(2000));
    assert_eq!(targets(&drain(&mut engine, at(2000))), ["http://b.test/"]);
}
