//! Limits on time: which one ends a fetch, and that none does so too early.

use std::time::Duration;

use fetch_all::{Pattern, Rules, Timeouts};
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
    let mut rules = Rules::builder().default(once.clone().attempt_timeout(millis(200)));
    for (pattern, limit) in &limits[..2] {
        let policy = once.clone().attempt_timeout(millis(*limit));
        rules = rules.rule(Pattern::parse(pattern)?, policy);
    }
    let rules = rules.build()?;
    // One at a time: the second and the third wait in the queue for longer than their limits.
    let client = bench.client(|settings| {
        (settings.rules, settings.concurrency, settings.per_host) = (rules, 1, Some(1));
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
    let limits = Timeouts {
        attempt: Some(millis(5_000)),
        connect: Some(millis(200)),
        ..patient()
    };
    let client = bench.with(policy().attempts(1).timeouts(limits))?;
    let outcome = client.fetch(get(format!("https://{address}/"))?).await;
    same("attempts", ends(&outcome), "connect timeout")
}

async fn first_byte(bench: &Bench) -> Check {
    let limits = Timeouts {
        first_byte: Some(millis(200)),
        ..patient()
    };
    ends_with(bench, "/stall", limits, "first byte timeout").await
}

async fn stalled_body(bench: &Bench) -> Check {
    let limits = Timeouts {
        idle_read: Some(millis(200)),
        ..patient()
    };
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
    let limits = Timeouts {
        idle_read: Some(millis(400)),
        ..patient()
    };
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
    let limits = Timeouts {
        attempt: Some(millis(150)),
        total: Some(millis(400)),
        ..patient()
    };
    // Even the shortest attempt is of use here, so that one is in flight when the total ends.
    let policy = policy().attempts(100).useful(Duration::ZERO);
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
    let first = Timeouts {
        attempt: Some(millis(600)),
        ..patient()
    };
    let second = Timeouts {
        queue: Some(millis(100)),
        ..patient()
    };
    let client = bench.client(|settings| settings.concurrency = 1)?;
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
