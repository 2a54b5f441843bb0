//! Which connections are opened, used again and closed, as the server sees it.

use fetch_testbed::Site;

use crate::behaviour::{Check, Group, behaviours};
use crate::bench::{Bench, collect, fine, get, gets, holds, millis, policy, same, until};

pub(crate) const GROUP: Group = Group {
    name: "Connections",
    behaviours: behaviours![
        "one serves requests one after the other" => reuse,
        "outcomes tell whether one was used again" => told,
        "every request at the server is an attempt of the core" => no_hidden_retry,
        "no more than needed" => few,
        "the bound on all connections" => bound,
        "retries and redirects use it again" => drained,
        "stale ones cost neither an attempt nor a failure" => stale,
        "`Connection: close` is obeyed" => close,
        "idle ones are closed in time" => idle,
        "they close with the fetcher" => end_with_fetcher,
        "names can be given addresses" => resolve,
        "another address can be connected to" => connect_to,
        "another name can be connected to" => connect_to_name,
        "a Unix socket takes all requests" => unix_socket,
    ],
};

async fn reuse(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.client(|_| {})?;
    for _ in 0..50 {
        fine(&client.fetch(get(site.url("/bytes/3000"))?).await)?;
    }
    same("connections", site.observed().connections, 1_u64)
}

async fn told(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.client(|_| {})?;
    for expected in [false, true, true] {
        let outcome = client.fetch(get(site.url("/get"))?).await;
        fine(&outcome)?;
        let reused = outcome.connection.map(|connection| connection.reused);
        same("used again", reused, Some(expected))?;
        let remote = outcome.connection.and_then(|connection| connection.remote);
        same("the peer", remote, Some(site.address()))?;
    }
    Ok(())
}

async fn no_hidden_retry(bench: &Bench) -> Check {
    let site = Site::builder().record(true).start()?;
    let client = bench.with(policy().attempts(1))?;
    fine(&client.fetch(get(site.url("/get"))?).await)?;
    // The kept connection is reset: the free retry of a stale one is the core's to give.
    let outcome = client.fetch(get(site.url("/reset"))?).await;
    let requests = usize::try_from(site.hits("/reset"))?;
    same("requests at the server", requests, outcome.attempts.len())
}

async fn few(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.client(|settings| settings.update_config(|config| config.concurrency(4)))?;
    let urls: Vec<_> = (0..200).map(|_| site.url("/bytes/2000")).collect();
    for outcome in collect(client.fetch_all(gets(urls.into_iter()))).await {
        fine(&outcome)?;
    }
    let connections = site.observed().connections;
    holds(
        "four are enough for four at once",
        connections <= 4,
        connections,
    )
}

async fn bound(bench: &Bench) -> Check {
    let site = Site::builder().addresses(4).start()?;
    let client = bench.client(|settings| {
        settings.update_config(|config| config.concurrency(8));
        settings.pool.max_connections = Some(3);
    })?;
    let urls: Vec<_> = (0..40).map(|n| site.url_at(n, "/delay/0.01")).collect();
    for outcome in collect(client.fetch_all(gets(urls.into_iter()))).await {
        fine(&outcome)?;
    }
    let in_flight = site.observed().max_in_flight;
    holds(
        "three carry no more than three requests",
        in_flight <= 3,
        in_flight,
    )
}

async fn drained(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.client(|_| {})?;
    for key in 0..5 {
        fine(
            &client
                .fetch(get(site.url(&format!("/flaky/2?key={key}")))?)
                .await,
        )?;
        fine(&client.fetch(get(site.url("/redirect/3"))?).await)?;
    }
    same("connections", site.observed().connections, 1_u64)
}

async fn stale(bench: &Bench) -> Check {
    let site = Site::builder().keep_alive_requests(3).start()?;
    let client = bench.client(|settings| {
        settings.update_config(|config| config.concurrency(4));
        settings.update_config(|config| {
            config.rules(fetch_all::PolicyRules::from_policy(policy().attempts(1)))
        });
    })?;
    let urls: Vec<_> = (0..200).map(|_| site.url("/get")).collect();
    for outcome in collect(client.fetch_all(gets(urls.into_iter()))).await {
        fine(&outcome)?;
    }
    for _ in 0..12 {
        // One by one, so that the server closes while the connection is idle.
        fine(&client.fetch(get(site.url("/get"))?).await)?;
        smol::Timer::after(millis(5)).await;
    }
    Ok(())
}

async fn close(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.with(policy().attempts(1))?;
    for _ in 0..5 {
        fine(&client.fetch(get(site.url("/close"))?).await)?;
    }
    same("connections", site.observed().connections, 5_u64)
}

async fn idle(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.client(|settings| settings.pool.idle_timeout = millis(1_000))?;
    fine(&client.fetch(get(site.url("/get"))?).await)?;
    until(&site, "the idle connection closed", |seen| seen.open == 0).await?;
    fine(&client.fetch(get(site.url("/get"))?).await)?;
    same("connections", site.observed().connections, 2_u64)
}

async fn end_with_fetcher(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.client(|_| {})?;
    fine(&client.fetch(get(site.url("/get"))?).await)?;
    same("open", site.observed().open, 1_u64)?;
    drop(client);
    until(&site, "the connection closed", |seen| seen.open == 0).await?;
    Ok(())
}

async fn resolve(bench: &Bench) -> Check {
    let site = Site::builder().record(true).start()?;
    let address = site.address();
    let client = bench.client(|settings| {
        let known = ("site.invalid".into(), address.port(), vec![address.ip()]);
        settings.route.resolve.push(known);
    })?;
    let url = format!("http://site.invalid:{}/get", address.port());
    fine(&client.fetch(get(url)?).await)?;
    let seen = site.last_request("/get").expect("it was answered");
    same(
        "host",
        seen.header("host"),
        Some(format!("site.invalid:{}", address.port()).as_str()),
    )
}

async fn connect_to(bench: &Bench) -> Check {
    connects_to(bench, "127.0.0.1").await
}

async fn connect_to_name(bench: &Bench) -> Check {
    connects_to(bench, "localhost").await
}

/// A request to a name that has no address goes to `host`, and keeps its own in its header.
async fn connects_to(bench: &Bench, host: &str) -> Check {
    let site = Site::builder().record(true).start()?;
    let rule = format!("site.invalid:80:{host}:{}", site.address().port());
    let rule = rule.parse()?;
    let client = bench.client(|settings| settings.route.connect_to.push(rule))?;
    for _ in 0..2 {
        fine(&client.fetch(get("http://site.invalid/get")?).await)?;
    }
    fine(&client.fetch(get(site.url("/headers"))?).await)?;
    let seen = site.last_request("/get").expect("it was answered");
    same("host", seen.header("host"), Some("site.invalid"))?;
    same("connections", site.observed().connections, 2_u64)
}

async fn unix_socket(bench: &Bench) -> Check {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("socket");
    let site = Site::builder().record(true).unix_socket(&path).start()?;
    let client = bench.client(|settings| settings.route.unix_socket = Some(path))?;
    for _ in 0..3 {
        fine(&client.fetch(get("http://site.invalid/get")?).await)?;
    }
    let seen = site.last_request("/get").expect("it was answered");
    same("host", seen.header("host"), Some("site.invalid"))?;
    same("connections", site.observed().connections, 1_u64)
}
