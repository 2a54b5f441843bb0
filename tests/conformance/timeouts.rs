//! Limits on time: which one ends a fetch, and that none does so too early.

use std::time::Duration;

use fetch_all::{PolicyRules, RulePattern, Timeouts};
use fetch_testbed::Site;
use smol::Timer;
use smol::stream::StreamExt;

use crate::behaviour::{Check, Group, behaviours};
use crate::bench::{
    Bench, collect, end, ends, fine, get, gets, holds, millis, patient, policy, same, silent,
};

pub(crate) const GROUP: Group = Group {
    name: "Limits on time",
    behaviours: behaviours![
        "each URL pattern has its own, from the attempt's start" => patterns,
        "the wait for a connection, TLS included" => connect,
        "the wait for the first byte" => first_byte,
        "a stalled body" => stalled_body,
        "a slow consumer is no stalled body" => slow_consumer,
        "the total, retries included" => total,
        "the wait in the queue" => queue,
    ],
};

async fn patterns(bench: &Bench) -> Check {
    let site = Site::start()?;
    let limits = [("/delay/", 500), ("/redirect/", 350), ("", 200)];
    let once = policy().attempts(1);
    let mut rules = PolicyRules::builder().default(once.clone().attempt_timeout(millis(200)));
    for (pattern, limit) in &limits[..2] {
        let policy = once.clone().attempt_timeout(millis(*limit));
        rules = rules.rule(RulePattern::parse(pattern)?, policy);
    }
    let rules = rules.build()?;
    // One at a time: the second and the third wait in the queue for longer than their limits.
    let client = bench.client(|settings| {
        settings.update_config(|config| config.rules(rules).concurrency(1).per_host(1));
    })?;
    let urls = ["/delay/30?", "/stall?as=/redirect/", "/stall"].map(|path| site.url(path));
    let outcomes = collect(client.fetch_all(gets(urls.into_iter()))).await;
    for (outcome, (_, limit)) in outcomes.iter().zip(limits) {
        same(&outcome.url, ends(outcome), "attempt timeout")?;
        let took = outcome.attempts[0].timings.total();
        let what = format!("{} had {limit} ms, not less and not much more", outcome.url);
        let in_time = millis(limit) <= took && took < millis(limit) + Duration::from_secs(20);
        holds(&what, in_time, format_args!("{took:?}"))?;
    }
    let queued = outcomes[2].timings.queued;
    holds(
        "the last waited for the others",
        queued >= millis(850),
        format_args!("{queued:?}"),
    )
}

async fn connect(bench: &Bench) -> Check {
    let (_listener, address) = silent()?;
    let limits = patient().attempt(millis(5_000)).connect(millis(200));
    let client = bench.with(policy().attempts(1).timeouts(limits))?;
    let outcome = client.fetch(get(format!("https://{address}/"))?).await;
    same("attempts", ends(&outcome), "connect timeout")
}

async fn first_byte(bench: &Bench) -> Check {
    let limits = patient().first_byte(millis(200));
    ends_with(bench, "/stall", limits, "first byte timeout").await
}

async fn stalled_body(bench: &Bench) -> Check {
    let limits = patient().idle_read(millis(200));
    ends_with(bench, "/stall-body", limits, "idle read timeout").await
}

async fn ends_with(bench: &Bench, path: &str, limits: Timeouts, expected: &str) -> Check {
    let site = Site::start()?;
    let client = bench.with(policy().attempts(1).timeouts(limits))?;
    let outcome = client.fetch(get(site.url(path))?).await;
    same(&outcome.to_string(), ends(&outcome), expected)?;
    let took = outcome.attempts[0].timings.total();
    holds(
        "it had its time",
        took >= millis(200),
        format_args!("{took:?}"),
    )?;
    crate::bench::until(&site, "the connection closed", |seen| seen.open == 0).await?;
    Ok(())
}

async fn slow_consumer(bench: &Bench) -> Check {
    let site = Site::start()?;
    let limits = patient().idle_read(millis(400));
    let client = bench.with(policy().timeouts(limits))?;
    let mut response = client.open(get(site.url("/bytes/20000000"))?).await?;
    let mut bytes = 0;
    for _ in 0..2 {
        bytes += response
            .body
            .next()
            .await
            .transpose()?
            .map_or(0, |chunk| chunk.len());
        Timer::after(millis(900)).await;
    }
    while let Some(chunk) = response.body.next().await {
        bytes += chunk?.len();
    }
    same("bytes", bytes, 20_000_000_usize)
}

async fn total(bench: &Bench) -> Check {
    let site = Site::start()?;
    let limits = patient().attempt(millis(150)).total(millis(400));
    // Even the shortest attempt is of use here, so that one is in flight when the total ends.
    let policy = policy().attempts(100).min_attempt_time(Duration::ZERO);
    let client = bench.with(policy.timeouts(limits))?;
    let outcome = client.fetch(get(site.url("/stall"))?).await;
    same("end", end(&outcome), "total timeout")?;
    let attempts = outcome.attempts.len();
    holds(
        "it was tried until then",
        (2..=3).contains(&attempts),
        attempts,
    )?;
    holds(
        "it had its time",
        outcome.duration() >= millis(400),
        &outcome,
    )
}

async fn queue(bench: &Bench) -> Check {
    let site = Site::start()?;
    let first = patient().attempt(millis(600));
    let second = patient().queue(millis(100));
    let client = bench.client(|settings| settings.update_config(|config| config.concurrency(1)))?;
    let with = |limits| policy().attempts(1).timeouts(limits);
    let slow = get(site.url("/stall"))?.policy(with(first));
    let queued = get(site.url("/get?queued"))?.policy(with(second));
    let outcomes = collect(client.fetch_all(Box::new([slow, queued].into_iter()))).await;
    let found: Vec<_> = outcomes.iter().map(end).collect();
    same("ends", found, ["attempt timeout", "queue timeout"])?;
    same("attempts", outcomes[1].attempts.len(), 0_usize)?;
    fine(&client.fetch(get(site.url("/get"))?).await)?;
    same("requests", site.observed().requests, 2_u64)
}
