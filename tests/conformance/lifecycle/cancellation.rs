//! Dropped fetches, batches and fetchers, as the server sees them.

use fetch_all::Backoff;
use fetch_testbed::Site;
use futures::StreamExt;

use crate::harness::behaviour::{BehaviourGroup, CheckResult, behaviours};
use crate::harness::context::{
    Mismatch, TestContext, check, check_eq, check_ok, collect_outcomes, drop_after, get_request,
    get_requests, millis, test_policy, wait_until,
};

pub(crate) const GROUP: BehaviourGroup = BehaviourGroup {
    name: "Cancellation",
    behaviours: behaviours![
        "a dropped fetch frees its slot and closes its connection" => dropped_fetch_frees_slot,
        "a dropped batch closes all its connections" => dropped_batch_closes_connections,
        "a dropped batch does not affect another batch" => other_batches_continue,
        "a fetch dropped before its retry sends nothing more" => dropped_fetch_is_not_retried,
        "a batch outlives its fetcher" => batch_outlives_fetcher,
    ],
};

async fn dropped_fetch_frees_slot(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher =
        context.fetcher(|settings| settings.update_config(|config| config.concurrency(1)))?;
    for path in ["/stall", "/stall-body"] {
        let dropped = fetcher.fetch(get_request(site.url(path))?);
        drop_after(
            dropped,
            wait_until(&site, "the request", |seen| seen.in_flight == 1),
        )
        .await?;
        check_ok(&fetcher.fetch(get_request(site.url("/get"))?).await)?;
        wait_until(&site, "the end of the request", |seen| seen.in_flight == 0).await?;
    }
    let open = wait_until(&site, "the connections closed", |seen| seen.open <= 1).await?;
    check_eq("connections closed by the client", open.cut_by_peer, 2_u64)
}

async fn dropped_batch_closes_connections(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher(|_| {})?;
    let urls: Vec<_> = (0..20).map(|_| site.url("/stall")).collect();
    let mut outcomes = fetcher.fetch_all(get_requests(urls.into_iter()));
    drop_after(
        outcomes.next(),
        wait_until(&site, "all requests", |seen| seen.in_flight == 20),
    )
    .await?;
    drop(outcomes);
    let gone = |seen: &fetch_testbed::Observed| seen.in_flight == 0 && seen.open == 0;
    wait_until(&site, "all connections closed", gone).await?;
    check_ok(&fetcher.fetch(get_request(site.url("/get"))?).await)
}

async fn other_batches_continue(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher =
        context.fetcher(|settings| settings.update_config(|config| config.concurrency(10)))?;
    let stalls: Vec<_> = (0..30).map(|_| site.url("/stall")).collect();
    let mut dropped = fetcher.fetch_all(get_requests(stalls.into_iter()));
    drop_after(
        dropped.next(),
        wait_until(&site, "all slots used", |seen| seen.in_flight == 10),
    )
    .await?;
    let urls: Vec<_> = (0..30).map(|_| site.url("/get")).collect();
    let others = fetcher.fetch_all(get_requests(urls.into_iter()));
    drop(dropped);
    let outcomes = collect_outcomes(others).await;
    check_eq("outcomes", outcomes.len(), 30_usize)?;
    outcomes.iter().try_for_each(check_ok)
}

async fn dropped_fetch_is_not_retried(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let wait = Backoff::default().base(millis(400)).jitter(None);
    let fetcher = context.fetcher_with_policy(test_policy().backoff(wait))?;
    let dropped = fetcher.fetch(get_request(site.url("/status/503"))?);
    let answered = async {
        wait_until(&site, "the first attempt", |seen| seen.requests == 1).await?;
        smol::Timer::after(millis(100)).await;
        Ok::<_, Mismatch>(site.observed())
    };
    drop_after(dropped, answered).await?;
    smol::Timer::after(millis(800)).await;
    check_eq("requests", site.observed().requests, 1_u64)
}

async fn batch_outlives_fetcher(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher =
        context.fetcher(|settings| settings.update_config(|config| config.concurrency(5)))?;
    let urls: Vec<_> = (0..50).map(|_| site.url("/get")).collect();
    let outcomes = fetcher.fetch_all(get_requests(urls.into_iter()));
    drop(fetcher);
    let outcomes = collect_outcomes(outcomes).await;
    check_eq("outcomes", outcomes.len(), 50_usize)?;
    outcomes.iter().try_for_each(check_ok)?;
    let open = wait_until(&site, "all connections closed", |seen| seen.open == 0).await?;
    check(
        "the concurrency limit held",
        open.max_in_flight <= 5,
        open.max_in_flight,
    )
}
