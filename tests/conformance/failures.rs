//! Each class of failure: what it is called, whether it is tried again, and that it harms no other.

use fetch_all::Policy;
use fetch_testbed::Site;

use crate::behaviour::{Check, Group, behaviours};
use crate::bench::{Bench, ends, fine, get, holds, policy, refusing, same};

pub(crate) const GROUP: Group = Group {
    name: "Failures",
    behaviours: behaviours![
        "a name without an address" => unknown_name,
        "a refused connection" => refused,
        "a reset before the head" => reset,
        "a reset inside the body" => reset_body,
        "a truncated body" => truncated,
        "an empty reply" => empty_reply,
        "garbage" => garbage,
        "a flood of header fields" => flood,
        "a body over the limit, announced" => too_large_announced,
        "a body over the limit, unannounced" => too_large_unannounced,
        "a server that does not speak TLS" => not_tls,
    ],
};

/// The URL fails in this way, at each of two attempts or at the only one.
async fn fails(bench: &Bench, url: String, policy: Policy, expected: &str) -> Check {
    let site = Site::start()?;
    let client = bench.with(policy.attempts(2))?;
    let outcome = client.fetch(get(url.clone())?).await;
    same(&format!("attempts of {outcome}"), ends(&outcome), expected)?;
    let Some(error) = outcome.error() else {
        return same("end", outcome.to_string(), "an error");
    };
    holds(
        "the error names the URL",
        error.to_string().contains(&url),
        error,
    )?;
    fine(&client.fetch(get(site.url("/get"))?).await)
}

async fn fails_at(bench: &Bench, path: &str, expected: &str) -> Check {
    let site = Site::start()?;
    fails(bench, site.url(path), policy(), expected).await
}

async fn unknown_name(bench: &Bench) -> Check {
    fails(
        bench,
        "http://nonexistent.invalid/".into(),
        policy(),
        "dns, dns",
    )
    .await
}

async fn refused(bench: &Bench) -> Check {
    let (_taken, url) = refusing()?;
    fails(bench, url, policy(), "connect, connect").await
}

async fn reset(bench: &Bench) -> Check {
    fails_at(bench, "/reset", "io, io").await
}

async fn reset_body(bench: &Bench) -> Check {
    fails_at(bench, "/reset-body", "io, io").await
}

async fn truncated(bench: &Bench) -> Check {
    fails_at(bench, "/truncate", "io, io").await
}

async fn empty_reply(bench: &Bench) -> Check {
    fails_at(bench, "/empty-reply", "empty_reply, empty_reply").await
}

async fn garbage(bench: &Bench) -> Check {
    fails_at(bench, "/garbage", "protocol").await
}

async fn flood(bench: &Bench) -> Check {
    fails_at(bench, "/head-flood", "protocol").await
}

async fn too_large_announced(bench: &Bench) -> Check {
    let site = Site::start()?;
    let url = site.url("/bytes/100000");
    fails(bench, url, policy().max_body(50_000), "BodyTooLarge").await
}

async fn too_large_unannounced(bench: &Bench) -> Check {
    let site = Site::start()?;
    fails(
        bench,
        site.url("/endless"),
        policy().max_body(1_000_000),
        "BodyTooLarge",
    )
    .await
}

async fn not_tls(bench: &Bench) -> Check {
    let site = Site::start()?;
    let url = site.url("/get").replacen("http://", "https://", 1);
    fails(bench, url, policy(), "tls").await
}
