//! Limits on numbers and rates, as the server sees them.

use std::time::Duration;

use fetch_all::Outcome;
use fetch_testbed::Site;
use smol::stream::StreamExt;

use crate::behaviour::{Check, Group, behaviours};
use crate::bench::{Bench, collect, end, fine, get, gets, holds, millis, same};

pub(crate) const GROUP: Group = Group {
    name: "Limits on requests",
    behaviours: behaviours![
        "concurrency" => concurrency,
        "per host" => per_host,
        "a broken host does not hold up the others" => fairness,
        "a rate over all" => rate,
        "a rate per host" => host_rate,
        "Retry-After rests the whole host, and no other" => retry_after,
        "Retry-After as a date" => retry_date,
    ],
};

async fn concurrency(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.client(|settings| settings.update_config(|config| config.concurrency(8)))?;
    let urls: Vec<_> = (0..64).map(|_| site.url("/delay/0.05")).collect();
    for outcome in collect(client.fetch_all(gets(urls.into_iter()))).await {
        fine(&outcome)?;
    }
    same("at once", site.observed().max_in_flight, 8_u64)
}

async fn per_host(bench: &Bench) -> Check {
    let site = Site::builder().addresses(3).start()?;
    let client = bench.client(|settings| settings.update_config(|config| config.per_host(2)))?;
    let urls: Vec<_> = (0..60).map(|n| site.url_at(n, "/delay/0.05")).collect();
    for outcome in collect(client.fetch_all(gets(urls.into_iter()))).await {
        fine(&outcome)?;
    }
    let seen = site.observed();
    for (host, seen) in &seen.hosts {
        same(
            &format!("at once at {host}"),
            (seen.requests, seen.max_in_flight),
            (20, 2),
        )?;
    }
    holds(
        "hosts are served at once",
        seen.max_in_flight > 2,
        seen.max_in_flight,
    )
}

async fn fairness(bench: &Bench) -> Check {
    let site = Site::builder().addresses(2).start()?;
    let client = bench.client(|settings| {
        settings.update_config(|config| config.concurrency(4).per_host(2));
    })?;
    let stalls = (0..10).map(|_| site.url_at(0, "/stall"));
    let urls: Vec<_> = stalls
        .chain((0..10).map(|_| site.url_at(1, "/get")))
        .collect();
    let outcomes = client.fetch_all(gets(urls.into_iter()));
    let first: Vec<Outcome> = outcomes.take(10).collect().await;
    first.iter().try_for_each(fine)
}

async fn rate(bench: &Bench) -> Check {
    let site = Site::builder().addresses(5).start()?;
    let rate = "20/s".parse()?;
    let client = bench.client(|settings| settings.update_config(|config| config.rate(rate)))?;
    let urls: Vec<_> = (0..11).map(|n| site.url_at(n, "/get")).collect();
    let outcomes = collect(client.fetch_all(gets(urls.into_iter()))).await;
    spread(&outcomes, millis(500))
}

async fn host_rate(bench: &Bench) -> Check {
    let site = Site::builder().addresses(2).start()?;
    let rate = "20/s".parse()?;
    let client =
        bench.client(|settings| settings.update_config(|config| config.host_rate(rate)))?;
    let urls: Vec<_> = (0..22).map(|n| site.url_at(n, "/get")).collect();
    let outcomes = collect(client.fetch_all(gets(urls.into_iter()))).await;
    let (even, odd): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(|o| o.tag % 2 == 0);
    spread(&even, millis(500))?;
    spread(&odd, millis(500))
}

/// All are fine, and the last attempt began no sooner than so long after the first.
fn spread(outcomes: &[Outcome], least: Duration) -> Check {
    outcomes.iter().try_for_each(fine)?;
    let starts = outcomes
        .iter()
        .map(|outcome| outcome.attempts[0].timings.started);
    let (first, last) = (starts.clone().min(), starts.max());
    let span = last
        .zip(first)
        .map(|(last, first)| last.saturating_since(first));
    let span = span.unwrap_or_default();
    holds(
        &format!("they took {least:?} to begin"),
        span >= least,
        format_args!("{span:?}"),
    )
}

async fn retry_after(bench: &Bench) -> Check {
    let site = Site::builder().addresses(2).start()?;
    let client = bench.client(|settings| settings.update_config(|config| config.concurrency(1)))?;
    let urls = [
        (0, "/retry-after/1?status=429&key=a"),
        (0, "/get"),
        (1, "/get"),
    ];
    let urls = urls.map(|(host, path)| site.url_at(host, path));
    let outcomes = collect(client.fetch_all(gets(urls.into_iter()))).await;
    let found: Vec<_> = outcomes.iter().map(end).collect();
    same("ends", found, ["200", "200", "200"])?;
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
        holds(
            "its host rested",
            rest >= millis(1_000),
            format_args!("{n}: {rest:?}"),
        )?;
    }
    let order = began(2) < began(0) && began(2) < began(1);
    holds(
        "the other host did not wait",
        order,
        format_args!("{:?}", rest(2)),
    )
}

async fn retry_date(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.client(|_| {})?;
    let url = site.url("/retry-after/2?form=date&key=a");
    let outcome = client.fetch(get(url)?).await;
    fine(&outcome)?;
    // Dates are in whole seconds: of the two, more than one is left.
    let asked = outcome.attempts[0].retry_after.unwrap_or_default();
    let waited = outcome.duration();
    let text = format!("asked {asked:?}, waited {waited:?}");
    holds("the wait was asked for", asked > Duration::ZERO, &text)?;
    holds("it was waited for", waited >= asked, &text)
}
