//! Policies of the core over real sockets: each works on every adapter.

use std::time::Duration;

use fetch_all::{
    AttemptEnd, Breaker, ChaosPolicy, FailureKind, Fallback, FallbackSource, FallbackValue, Hedge,
    HedgeDelay, InjectedFault, Policy, PolicyRules, Response, RetryBudget, Settings, StallGuard,
};
use fetch_testbed::Site;
use http::StatusCode;

use crate::behaviour::{Check, Group, behaviours};
use crate::bench::{Bench, collect, end, fine, get, gets, holds, millis, patient, policy, same};

pub(crate) const GROUP: Group = Group {
    name: "Policies",
    behaviours: behaviours![
        "a slow attempt is raced, and the loser's connection closed" => hedge,
        "an open breaker defers its host's URLs and loses none" => breaker,
        "a retry budget bounds the attempts that the server sees" => budget,
        "identical requests at once are one for the server" => share,
        "a fallback URL" => fallback_url,
        "a stale response, else a constant, as the last resort" => fallback_value,
        "RateLimit fields rest the host" => rate_limit,
        "a body that trickles is ended by the stall guard" => stall,
        "faults on purpose send nothing" => chaos,
    ],
};

async fn hedge(bench: &Bench) -> Check {
    let site = Site::start()?;
    let hedge = Hedge::default()
        .delay(HedgeDelay::Fixed(millis(100)))
        .max(1)
        .on_failure(false);
    let client = bench.with(policy().hedge(hedge))?;
    let outcome = client.fetch(get(site.url("/slow-once/30?key=a"))?).await;
    fine(&outcome)?;
    let ends: Vec<_> = outcome.attempts.iter().map(|one| one.end).collect();
    same(
        "ends",
        ends,
        vec![AttemptEnd::Abandoned, AttemptEnd::Responded],
    )?;
    crate::bench::until(&site, "the loser given up", |seen| seen.cut_by_peer == 1).await?;
    Ok(())
}

async fn breaker(bench: &Bench) -> Check {
    let site = Site::start()?;
    let breaker =
        Breaker::default()
            .failure_ratio(None)
            .consecutive(3)
            .open(millis(200), 1, millis(200));
    let client = bench.client(|settings| {
        settings.update_config(|config| config.concurrency(1));
        settings.update_config(|config| config.breaker(breaker));
        settings
            .update_config(|config| config.rules(PolicyRules::from_policy(policy().attempts(1))));
    })?;
    // The first three fail and open it; without a breaker that defers, the others would still be
    // fetched, so what counts is that the server saw each once, and the pause.
    let urls = (0..3).map(|n| site.url(&format!("/status/500?{n}")));
    let urls = urls.chain((0..10).map(|n| site.url(&format!("/get?{n}"))));
    let urls: Vec<_> = urls.collect();
    let outcomes = collect(client.fetch_all(gets(urls.into_iter()))).await;
    let good = outcomes.iter().filter(|one| one.is_success()).count();
    same("good", good, 10)?;
    let waited = outcomes[3].timings.queued;
    holds(
        "the fourth waited for the breaker",
        waited >= millis(150),
        format!("{waited:?}"),
    )?;
    same("requests", site.observed().requests, 13_u64)
}

async fn budget(bench: &Bench) -> Check {
    let site = Site::start()?;
    let budget = RetryBudget::Ratio {
        min_per_second: 0,
        per_mille: 100,
        ttl: Duration::from_secs(60),
    };
    let client = bench.client(|settings| {
        // On a slow machine the breaker would open before all have been sent.
        settings.update_config(|config| config.host_budget(budget).breaker(None));
        settings
            .update_config(|config| config.rules(PolicyRules::from_policy(policy().attempts(5))));
    })?;
    let urls: Vec<_> = (0..100).map(|_| site.url("/status/503")).collect();
    let outcomes = collect(client.fetch_all(gets(urls.into_iter()))).await;
    let seen = site.observed().requests;
    // Some that never came there would be of interest.
    let other = outcomes
        .iter()
        .filter(|one| one.status().is_none_or(|status| status != 503));
    let detail = format!("{seen}; {:?}", other.take(3).collect::<Vec<_>>());
    holds("at most a tenth more", (100..=110).contains(&seen), detail)
}

async fn share(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.client(|settings| settings.share = true)?;
    let urls: Vec<_> = (0..20).map(|_| site.url("/delay/0.3")).collect();
    let outcomes = collect(client.fetch_all(gets(urls.into_iter()))).await;
    let bodies: Vec<_> = outcomes
        .iter()
        .filter_map(|one| one.response().map(|response| response.body.clone()))
        .collect();
    same("responses", bodies.len(), 20)?;
    holds(
        "all bodies are whole",
        bodies
            .iter()
            .all(|body| body == &bodies[0] && !body.is_empty()),
        bodies[0].len(),
    )?;
    let shared = outcomes.iter().filter(|one| one.shared).count();
    same(
        "shared, and requests",
        (shared, site.observed().requests),
        (19, 1_u64),
    )
}

async fn fallback_url(bench: &Bench) -> Check {
    let site = Site::start()?;
    let mirror = Fallback::to(site.url("/bytes/7").parse()?);
    let client = bench.with(policy().attempts(2).fallback(mirror))?;
    for path in ["/status/503", "/reset"] {
        let outcome = client.fetch(get(site.url(path))?).await;
        fine(&outcome)?;
        let size = outcome.response().map(|response| response.body.len());
        same(
            path,
            (size, outcome.fallback),
            (Some(7), Some(FallbackSource::Url)),
        )?;
    }
    Ok(())
}

async fn fallback_value(bench: &Bench) -> Check {
    let site = Site::start()?;
    let policy = policy().attempts(1).fallback(Fallback::value());
    let client = bench.client(|settings: &mut Settings| {
        settings.update_config(|config| config.rules(PolicyRules::from_policy(policy)));
        settings.fallback.stale = 10;
        let constant = |_: &fetch_all::Outcome| Some(Response::new(StatusCode::OK, "constant"));
        settings.fallback.value = Some(FallbackValue::new(constant));
    })?;
    // Good once per key in two: the flaky one's turn comes after it answered.
    let never = client.fetch(get(site.url("/reset"))?).await;
    same(
        "without an earlier response",
        never.fallback,
        Some(FallbackSource::Value),
    )?;
    let url = site.url("/get");
    fine(&client.fetch(get(url.clone())?).await)?;
    drop(site);
    let later = client.fetch(get(url)?).await;
    same(
        "with one",
        (end(&later), later.fallback),
        ("200".to_owned(), Some(FallbackSource::Stale)),
    )
}

async fn rate_limit(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.client(|settings| settings.update_config(|config| config.concurrency(1)))?;
    let urls = [site.url("/rate-limit/1?key=a"), site.url("/get")];
    let outcomes = collect(client.fetch_all(gets(urls.into_iter()))).await;
    let waited = outcomes[1].timings.queued;
    holds(
        "the second waited",
        waited >= millis(900),
        format!("{waited:?}"),
    )
}

async fn stall(bench: &Bench) -> Check {
    let site = Site::start()?;
    let guard = StallGuard::default()
        .grace(millis(300))
        .min_bytes_per_second(1000)
        .window(millis(500));
    let limits = patient().attempt(None);
    let client = bench.with(policy().attempts(1).stall(guard).timeouts(limits))?;
    let outcome = client
        .fetch(get(site.url("/slow-body?chunks=1000&interval=0.1"))?)
        .await;
    same("end", end(&outcome), "throughput timeout")
}

async fn chaos(bench: &Bench) -> Check {
    let site = Site::start()?;
    let faults = ChaosPolicy::default().fault(1000, InjectedFault::Error(FailureKind::Resolve));
    let client = bench.with(Policy::chaos(policy().attempts(2), faults))?;
    let outcome = client.fetch(get(site.url("/get"))?).await;
    same(
        "end, and requests",
        (end(&outcome), site.observed().requests),
        ("dns".to_owned(), 0_u64),
    )
}
