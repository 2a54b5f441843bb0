//! What is dropped ends at once, on this machine and at the server.

use fetch_all::Backoff;
use fetch_testbed::Site;
use smol::stream::StreamExt;

use crate::behaviour::{Check, Group, behaviours};
use crate::bench::{
    Bench, Difference, collect, drop_after, fine, get, gets, holds, millis, policy, same, until,
};

pub(crate) const GROUP: Group = Group {
    name: "Cancelling",
    behaviours: behaviours![
        "a dropped fetch frees its slot and closes its connection" => fetch,
        "a dropped batch closes all its connections" => batch,
        "a dropped batch leaves others alone" => others,
        "nothing is sent for a fetch dropped before its retry" => before_retry,
        "a fetcher dropped with a batch running lets it end" => outlived,
    ],
};

async fn fetch(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.client(|settings| settings.update_config(|config| config.concurrency(1)))?;
    for path in ["/stall", "/stall-body"] {
        let doomed = client.fetch(get(site.url(path))?);
        drop_after(
            doomed,
            until(&site, "the request", |seen| seen.in_flight == 1),
        )
        .await?;
        fine(&client.fetch(get(site.url("/get"))?).await)?;
        until(&site, "the end of the request", |seen| seen.in_flight == 0).await?;
    }
    let open = until(&site, "the connections closed", |seen| seen.open <= 1).await?;
    same("cut by the client", open.cut_by_peer, 2_u64)
}

async fn batch(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.client(|_| {})?;
    let urls: Vec<_> = (0..20).map(|_| site.url("/stall")).collect();
    let mut outcomes = client.fetch_all(gets(urls.into_iter()));
    drop_after(
        outcomes.next(),
        until(&site, "all requests", |seen| seen.in_flight == 20),
    )
    .await?;
    drop(outcomes);
    let gone = |seen: &fetch_testbed::Observed| seen.in_flight == 0 && seen.open == 0;
    until(&site, "all connections closed", gone).await?;
    fine(&client.fetch(get(site.url("/get"))?).await)
}

async fn others(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client =
        bench.client(|settings| settings.update_config(|config| config.concurrency(10)))?;
    let stalls: Vec<_> = (0..30).map(|_| site.url("/stall")).collect();
    let mut doomed = client.fetch_all(gets(stalls.into_iter()));
    drop_after(
        doomed.next(),
        until(&site, "its share", |seen| seen.in_flight == 10),
    )
    .await?;
    let urls: Vec<_> = (0..30).map(|_| site.url("/get")).collect();
    let others = client.fetch_all(gets(urls.into_iter()));
    drop(doomed);
    let outcomes = collect(others).await;
    same("outcomes", outcomes.len(), 30_usize)?;
    outcomes.iter().try_for_each(fine)
}

async fn before_retry(bench: &Bench) -> Check {
    let site = Site::start()?;
    let wait = Backoff::default().base(millis(400)).jitter(None);
    let client = bench.with(policy().backoff(wait))?;
    let doomed = client.fetch(get(site.url("/status/503"))?);
    let answered = async {
        until(&site, "the first attempt", |seen| seen.requests == 1).await?;
        smol::Timer::after(millis(100)).await;
        Ok::<_, Difference>(site.observed())
    };
    drop_after(doomed, answered).await?;
    smol::Timer::after(millis(800)).await;
    same("requests", site.observed().requests, 1_u64)
}

async fn outlived(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.client(|settings| settings.update_config(|config| config.concurrency(5)))?;
    let urls: Vec<_> = (0..50).map(|_| site.url("/get")).collect();
    let outcomes = client.fetch_all(gets(urls.into_iter()));
    drop(client);
    let outcomes = collect(outcomes).await;
    same("outcomes", outcomes.len(), 50_usize)?;
    outcomes.iter().try_for_each(fine)?;
    let open = until(&site, "all connections closed", |seen| seen.open == 0).await?;
    holds(
        "it kept its limit",
        open.max_in_flight <= 5,
        open.max_in_flight,
    )
}
