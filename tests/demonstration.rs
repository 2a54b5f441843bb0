//! What the examples `breaker_defers` and `retry_storm` show, and that the docs quote it.
#![allow(
    clippy::duplicate_mod,
    reason = "each example brings its own copy of the plot module"
)]

#[allow(dead_code, reason = "it is the example's own")]
#[path = "../examples/breaker_defers.rs"]
mod breaker_defers;
#[allow(dead_code, reason = "it is the example's own")]
#[path = "../examples/retry_storm.rs"]
mod retry_storm;

const POLICIES: &str = include_str!("../docs/policies.md");

#[test]
fn a_breaker_that_defers_fetches_every_url_and_one_that_fails_fast_loses_what_waited() {
    for seed in 1..=5 {
        let [none, fail_fast, defer] = &breaker_defers::run(seed)[..] else {
            panic!("three settings");
        };
        assert_eq!((defer.fetched, defer.lost), (4000, 0), "seed {seed}");
        assert!(fail_fast.lost > 1000, "seed {seed}: {}", fail_fast.lost);
        assert!(none.lost > 1000, "seed {seed}: {}", none.lost);
        assert!(none.refused > 5 * defer.refused, "seed {seed}");
    }
}

#[test]
fn retries_keep_a_storm_going_that_a_budget_or_a_learned_limit_ends() {
    // The docs have the figures of seed 1.
    let rows = retry_storm::run(2);
    let row = |name| rows.iter().find(|row| row.name == name).expect(name);
    let storm = row("4 attempts");
    assert!(storm.amplification > 3000 && storm.goodput < 30);
    assert_eq!(storm.recovered, None);
    for cure in [row("with a budget"), row("with Vegas")] {
        let (name, more) = (cure.name, cure.amplification);
        assert!(more <= 1200, "{name}: {more}");
        assert!(cure.goodput >= 140, "{name}: {}", cure.goodput);
        assert!(cure.recovered.is_some(), "{name}");
    }
    for no_cure in [row("with a breaker"), row("with Retry-After")] {
        assert_eq!(no_cure.recovered, None, "{}", no_cure.name);
    }
    assert!(row("a queue of 100").recovered.is_some());
    assert!(row("with Vegas").fetched > row("with a budget").fetched);
    assert_eq!(row("with Vegas").fetched, 9000);
}

#[test]
fn the_same_seed_gives_the_same_figures_and_another_seed_others() {
    let digests = |seed| {
        let rows = breaker_defers::run(seed);
        let digests = rows.iter().map(|row| row.summary.digest);
        digests.collect::<Vec<_>>()
    };
    assert_eq!(digests(3), digests(3));
    assert_ne!(digests(3), digests(4));
}

/// The figures of the docs come from another run, on another machine perhaps.
#[test]
fn the_docs_quote_what_the_examples_print() {
    let breaker = breaker_defers::Table(&breaker_defers::run(1)).to_string();
    let storm = retry_storm::Table(&retry_storm::run(1)).to_string();
    for table in [breaker, storm] {
        assert!(
            POLICIES.contains(&table),
            "docs/policies.md should have:\n{table}"
        );
    }
}
