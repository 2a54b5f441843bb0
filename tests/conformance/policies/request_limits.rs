//! Limits on concurrency and rates, as the server sees them.

use std::time::Duration;

use fetch_all::Outcome;
use fetch_testbed::Site;
use futures::StreamExt;

use crate::harness::behaviour::{BehaviourGroup, CheckResult, behaviours};
use crate::harness::context::{
    TestContext, check, check_eq, check_ok, collect_outcomes, get_request, get_requests, millis,
    outcome_label,
};

pub(crate) const GROUP: BehaviourGroup = BehaviourGroup {
    name: "Request limits",
    behaviours: behaviours![
        "concurrency" => concurrency_limit_holds,
        "`fetch_all_with_concurrency`" => concurrency_argument_holds,
        "per host" => per_host_limit_holds,
        "a stalled host does not hold up others" => stalled_host_does_not_block_others,
        "total rate" => total_rate_holds,
        "rate per host" => host_rate_holds,
        "Retry-After pauses the whole host, and no other" => retry_after_pauses_host,
        "Retry-After as a date" => retry_after_date_is_obeyed,
    ],
};

async fn concurrency_limit_holds(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher =
        context.fetcher(|settings| settings.update_config(|config| config.concurrency(8)))?;
    let urls: Vec<_> = (0..64).map(|_| site.url("/delay/0.05")).collect();
    for outcome in collect_outcomes(fetcher.fetch_all(get_requests(urls.into_iter()))).await {
        check_ok(&outcome)?;
    }
    check_eq("at once", site.observed().max_in_flight, 8_u64)
}

async fn concurrency_argument_holds(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let urls = (0..24).map(|_| site.url("/delay/0.05")).collect();
    let outcomes = (context.adapter.fetch_all_with_concurrency)(urls, 3);
    for outcome in collect_outcomes(outcomes).await {
        check_ok(&outcome)?;
    }
    check_eq("at once", site.observed().max_in_flight, 3_u64)?;
    let urls = vec![site.url("/get")];
    let outcomes = (context.adapter.fetch_all_with_concurrency)(urls, 0);
    let outcomes = collect_outcomes(outcomes).await;
    let error = outcomes[0].error().map(ToString::to_string);
    let error = error.unwrap_or_default();
    check("0 is refused", error.contains("concurrency"), error)
}

async fn per_host_limit_holds(context: &TestContext) -> CheckResult {
    let site = Site::builder().addresses(3).start()?;
    let fetcher =
        context.fetcher(|settings| settings.update_config(|config| config.per_host(2)))?;
    let urls: Vec<_> = (0..60).map(|n| site.url_at(n, "/delay/0.05")).collect();
    for outcome in collect_outcomes(fetcher.fetch_all(get_requests(urls.into_iter()))).await {
        check_ok(&outcome)?;
    }
    let seen = site.observed();
    for (host, seen) in &seen.hosts {
        check_eq(
            &format!("at once at {host}"),
            (seen.requests, seen.max_in_flight),
            (20, 2),
        )?;
    }
    check(
        "hosts are fetched from concurrently",
        seen.max_in_flight > 2,
        seen.max_in_flight,
    )
}

async fn stalled_host_does_not_block_others(context: &TestContext) -> CheckResult {
    let site = Site::builder().addresses(2).start()?;
    let fetcher = context.fetcher(|settings| {
        settings.update_config(|config| config.concurrency(4).per_host(2));
    })?;
    let stalls = (0..10).map(|_| site.url_at(0, "/stall"));
    let urls: Vec<_> = stalls
        .chain((0..10).map(|_| site.url_at(1, "/get")))
        .collect();
    let outcomes = fetcher.fetch_all(get_requests(urls.into_iter()));
    let first: Vec<Outcome> = outcomes.take(10).collect().await;
    first.iter().try_for_each(check_ok)
}

async fn total_rate_holds(context: &TestContext) -> CheckResult {
    let site = Site::builder().addresses(5).start()?;
    let rate = "20/s".parse()?;
    let fetcher = context.fetcher(|settings| settings.update_config(|config| config.rate(rate)))?;
    let urls: Vec<_> = (0..11).map(|n| site.url_at(n, "/get")).collect();
    let outcomes = collect_outcomes(fetcher.fetch_all(get_requests(urls.into_iter()))).await;
    check_spread(&outcomes, millis(500))
}

async fn host_rate_holds(context: &TestContext) -> CheckResult {
    let site = Site::builder().addresses(2).start()?;
    let rate = "20/s".parse()?;
    let fetcher =
        context.fetcher(|settings| settings.update_config(|config| config.host_rate(rate)))?;
    let urls: Vec<_> = (0..22).map(|n| site.url_at(n, "/get")).collect();
    let outcomes = collect_outcomes(fetcher.fetch_all(get_requests(urls.into_iter()))).await;
    let (even, odd): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(|o| o.tag % 2 == 0);
    check_spread(&even, millis(500))?;
    check_spread(&odd, millis(500))
}

/// Checks that all fetches succeeded and the last attempt started at least `least` after the first.
fn check_spread(outcomes: &[Outcome], least: Duration) -> CheckResult {
    outcomes.iter().try_for_each(check_ok)?;
    let starts = outcomes
        .iter()
        .map(|outcome| outcome.attempts[0].timings.started);
    let (first, last) = (starts.clone().min(), starts.max());
    let span = last
        .zip(first)
        .map(|(last, first)| last.saturating_since(first));
    let span = span.unwrap_or_default();
    check(
        &format!("the attempts started over at least {least:?}"),
        span >= least,
        format_args!("{span:?}"),
    )
}

async fn retry_after_pauses_host(context: &TestContext) -> CheckResult {
    let site = Site::builder().addresses(2).start()?;
    let fetcher =
        context.fetcher(|settings| settings.update_config(|config| config.concurrency(1)))?;
    let urls = [
        (0, "/retry-after/1?status=429&key=a"),
        (0, "/get"),
        (1, "/get"),
    ];
    let urls = urls.map(|(host, path)| site.url_at(host, path));
    let outcomes = collect_outcomes(fetcher.fetch_all(get_requests(urls.into_iter()))).await;
    let found: Vec<_> = outcomes.iter().map(outcome_label).collect();
    check_eq("ends", found, ["200", "200", "200"])?;
    let asked = outcomes[0].attempts[0].timings.started;
    let began = |n: usize| {
        outcomes[n]
            .attempts
            .last()
            .map(|attempt| attempt.timings.started)
    };
    let rest = |n| began(n).map_or(Duration::ZERO, |at| at.saturating_since(asked));
    for n in [0, 1] {
        let rest = rest(n);
        check(
            "its host paused",
            rest >= millis(1_000),
            format_args!("{n}: {rest:?}"),
        )?;
    }
    let order = began(2) < began(0) && began(2) < began(1);
    check(
        "the other host did not wait",
        order,
        format_args!("{:?}", rest(2)),
    )
}

async fn retry_after_date_is_obeyed(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher(|_| {})?;
    let url = site.url("/retry-after/2?form=date&key=a");
    let outcome = fetcher.fetch(get_request(url)?).await;
    check_ok(&outcome)?;
    // Dates have whole seconds, so more than one of the two seconds is left.
    let asked = outcome.attempts[0].retry_after.unwrap_or_default();
    let waited = outcome.duration();
    let text = format!("asked {asked:?}, waited {waited:?}");
    check("the server asked for a wait", asked > Duration::ZERO, &text)?;
    check("the fetch waited as asked", waited >= asked, &text)
}
