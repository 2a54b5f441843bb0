//! Decisions, bit for bit: every adapter takes those of one golden trace, delays included.
//!
//! Delays are drawn from the seed, the fetch and the attempt, so they are equal to the nanosecond.
//! Where the policy is changed on purpose, the failure prints the new trace for `golden.txt`.

use fetch_all::{
    Backoff, Jitter, Outcome, Policy, PolicyRules, RedactedUrl, Request, RetryAfterPolicy,
};
use fetch_testbed::Site;

use crate::behaviour::{Check, Group, behaviours};
use crate::bench::{Bench, ends, get, millis, patient, policy, refusing, request, same};
use crate::trace;

pub(crate) const GROUP: Group = Group {
    name: "Retries, with equal delays",
    behaviours: behaviours![
        "503 twice, then 200" => flaky,
        "503 until no attempt is left" => exhausted,
        "resets" => resets,
        "refused connections" => refused,
        "truncated bodies" => truncated,
        "attempt timeouts" => timeouts,
        "404 is an answer" => not_found,
        "garbage is not asked for again" => garbage,
        "a POST is sent once" => post,
        "a POST that the caller vouches for" => vouched,
        "a POST that never left" => unsent,
        "a redirect, then a retry" => redirected,
        "Retry-After is waited for" => retry_after,
        "Retry-After over its cap" => over_cap,
        "no time left before the total limit" => no_time,
    ],
};

const GOLDEN: &str = include_str!("golden.txt");

/// Waits of 20 ms, 40 ms … with full jitter.
fn jittered() -> Policy {
    let backoff = Backoff::default().base(millis(20)).jitter(Jitter::Full);
    policy().backoff(backoff)
}

/// Sends a request from a fetcher of its own, always with the same seed, and compares what was
/// decided with the golden trace.
async fn decides(bench: &Bench, name: &str, request: Request, policy: Policy) -> Check {
    let shown = RedactedUrl(request.url()).to_string();
    let client = bench.client(|settings| {
        settings.update_config(|config| config.events(true));
        settings.seed = Some(7);
        settings.update_config(|config| config.rules(PolicyRules::from_policy(policy)));
    })?;
    let outcome = client.fetch(request).await;
    let found = trace_of(&shown, &outcome);
    let golden = golden(name).unwrap_or_default();
    for (index, line) in found.lines().enumerate() {
        let wanted = golden.lines().nth(index).unwrap_or("nothing");
        same(
            &format!("line {} of\n## {name}\n{found}\n", index + 1),
            line,
            wanted,
        )?;
    }
    same(
        &format!("lines of\n## {name}\n{found}\n"),
        found.lines().count(),
        golden.lines().count(),
    )
}

fn trace_of(url: &str, outcome: &Outcome) -> String {
    let mut lines = trace::of(url);
    let end = crate::bench::end(outcome);
    let retries = outcome.retries;
    let gave_up = outcome
        .gave_up
        .map_or_else(|| "no reason to give up".into(), |why| why.to_string());
    lines.push(format!(
        "{end} after [{}], {retries} retries, {gave_up}",
        ends(outcome)
    ));
    lines.join("\n")
}

/// The section of the golden traces with this name.
fn golden(name: &str) -> Option<&'static str> {
    let mut sections = GOLDEN
        .split("## ")
        .filter_map(|section| section.split_once('\n'));
    sections
        .find(|(title, _)| *title == name)
        .map(|(_, body)| body.trim_end())
}

async fn on_site(bench: &Bench, name: &str, path: &str, policy: Policy) -> Check {
    let site = Site::start()?;
    decides(bench, name, get(site.url(path))?, policy).await
}

async fn flaky(bench: &Bench) -> Check {
    on_site(bench, "flaky", "/flaky/2?key=a", jittered()).await
}

async fn exhausted(bench: &Bench) -> Check {
    let equal = Backoff::default().base(millis(20)).jitter(Jitter::Equal);
    on_site(
        bench,
        "exhausted",
        "/status/503",
        policy().attempts(5).backoff(equal),
    )
    .await
}

async fn resets(bench: &Bench) -> Check {
    let wide = Backoff::default()
        .base(millis(20))
        .jitter(Jitter::Decorrelated);
    on_site(
        bench,
        "resets",
        "/reset",
        policy().attempts(4).backoff(wide),
    )
    .await
}

async fn refused(bench: &Bench) -> Check {
    let (_taken, url) = refusing()?;
    decides(bench, "refused", get(url)?, jittered()).await
}

async fn truncated(bench: &Bench) -> Check {
    on_site(bench, "truncated", "/truncate", jittered()).await
}

async fn timeouts(bench: &Bench) -> Check {
    on_site(
        bench,
        "timeouts",
        "/stall",
        jittered().attempt_timeout(millis(150)),
    )
    .await
}

async fn not_found(bench: &Bench) -> Check {
    on_site(bench, "not found", "/status/404", jittered()).await
}

async fn garbage(bench: &Bench) -> Check {
    on_site(bench, "garbage", "/garbage", jittered()).await
}

async fn post(bench: &Bench) -> Check {
    let site = Site::start()?;
    let request = request("POST", site.url("/flaky/1?key=a"))?.body("a=b");
    decides(bench, "post", request, jittered()).await?;
    same("requests", site.observed().requests, 1_u64)
}

async fn vouched(bench: &Bench) -> Check {
    let site = Site::start()?;
    let request = request("POST", site.url("/flaky/1?key=a"))?.body("a=b");
    decides(bench, "vouched", request.idempotent(true), jittered()).await?;
    same("requests", site.observed().requests, 2_u64)
}

async fn unsent(bench: &Bench) -> Check {
    let (_taken, url) = refusing()?;
    decides(
        bench,
        "unsent",
        request("POST", url)?.body("a=b"),
        jittered(),
    )
    .await
}

async fn redirected(bench: &Bench) -> Check {
    let path = "/redirect-to?url=%2Fflaky%2F1%3Fkey%3Da";
    on_site(bench, "redirected", path, jittered()).await
}

async fn retry_after(bench: &Bench) -> Check {
    on_site(
        bench,
        "Retry-After",
        "/retry-after/1?key=a&status=429",
        jittered(),
    )
    .await
}

async fn over_cap(bench: &Bench) -> Check {
    let cap = RetryAfterPolicy {
        cap: millis(500),
        ..RetryAfterPolicy::DEFAULT
    };
    on_site(
        bench,
        "over cap",
        "/retry-after/1?key=a",
        jittered().retry_after(cap),
    )
    .await
}

async fn no_time(bench: &Bench) -> Check {
    let exact = Backoff::default()
        .base(millis(60_000))
        .cap(millis(60_000))
        .jitter(None);
    let limits = patient().total(millis(50_000));
    let policy = policy().backoff(exact).timeouts(limits);
    on_site(bench, "no time", "/status/503", policy).await
}
