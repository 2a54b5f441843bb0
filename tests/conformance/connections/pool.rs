//! Which connections are opened, reused and closed, as the server sees it.

use fetch_testbed::Site;

use crate::harness::behaviour::{BehaviourGroup, CheckResult, behaviours};
use crate::harness::context::{
    TestContext, check, check_eq, check_ok, collect_outcomes, get_request, get_requests, millis,
    outcome_label, test_policy, wait_until,
};

pub(crate) const GROUP: BehaviourGroup = BehaviourGroup {
    name: "Connections",
    behaviours: behaviours![
        "sequential requests reuse one connection" => connection_is_reused,
        "outcomes report connection reuse" => outcome_reports_reuse,
        "every request at the server is an attempt of the core" => client_sends_no_hidden_retries,
        "no more connections than requests in flight" => connections_match_concurrency,
        "limit on all connections" => connection_limit_holds,
        "retries and redirects reuse the connection" => retries_reuse_connection,
        "a stale connection costs neither an attempt nor a failure" => stale_connection_is_replaced,
        "`Connection: close` is obeyed" => connection_close_is_obeyed,
        "idle connections are closed after the idle timeout" => idle_connection_is_closed,
        "connections close with the fetcher" => connections_close_with_fetcher,
        "private addresses can be refused" => private_addresses_are_refused,
        "`resolve` maps a name to addresses" => resolve_override_is_used,
        "`connect_to` another address" => connect_to_address,
        "`connect_to` another name" => connect_to_name,
        "a Unix socket carries all requests" => unix_socket_is_used,
    ],
};

async fn connection_is_reused(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher(|_| {})?;
    for _ in 0..50 {
        check_ok(&fetcher.fetch(get_request(site.url("/bytes/3000"))?).await)?;
    }
    check_eq("connections", site.observed().connections, 1_u64)
}

async fn outcome_reports_reuse(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher(|_| {})?;
    for expected in [false, true, true] {
        let outcome = fetcher.fetch(get_request(site.url("/get"))?).await;
        check_ok(&outcome)?;
        let reused = outcome
            .connection
            .as_ref()
            .map(|connection| connection.reused);
        check_eq("reused", reused, Some(expected))?;
        let remote = outcome.connection.and_then(|connection| connection.remote);
        check_eq("peer address", remote, Some(site.address()))?;
    }
    Ok(())
}

async fn client_sends_no_hidden_retries(context: &TestContext) -> CheckResult {
    let site = Site::builder().record(true).start()?;
    let fetcher = context.fetcher_with_policy(test_policy().attempts(1))?;
    check_ok(&fetcher.fetch(get_request(site.url("/get"))?).await)?;
    // The reused connection is reset. Only the core may retry on a stale connection.
    let outcome = fetcher.fetch(get_request(site.url("/reset"))?).await;
    let requests = usize::try_from(site.hits("/reset"))?;
    check_eq("requests at the server", requests, outcome.attempts.len())
}

async fn connections_match_concurrency(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher =
        context.fetcher(|settings| settings.update_config(|config| config.concurrency(4)))?;
    let urls: Vec<_> = (0..200).map(|_| site.url("/bytes/2000")).collect();
    for outcome in collect_outcomes(fetcher.fetch_all(get_requests(urls.into_iter()))).await {
        check_ok(&outcome)?;
    }
    let connections = site.observed().connections;
    check(
        "at most four connections for four requests at once",
        connections <= 4,
        connections,
    )
}

async fn connection_limit_holds(context: &TestContext) -> CheckResult {
    let site = Site::builder().addresses(4).start()?;
    let fetcher = context.fetcher(|settings| {
        settings.update_config(|config| config.concurrency(8));
        settings.pool.max_connections = Some(3);
    })?;
    let urls: Vec<_> = (0..40).map(|n| site.url_at(n, "/delay/0.01")).collect();
    for outcome in collect_outcomes(fetcher.fetch_all(get_requests(urls.into_iter()))).await {
        check_ok(&outcome)?;
    }
    let in_flight = site.observed().max_in_flight;
    check(
        "at most three requests on three connections",
        in_flight <= 3,
        in_flight,
    )
}

async fn retries_reuse_connection(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher(|_| {})?;
    for key in 0..5 {
        check_ok(
            &fetcher
                .fetch(get_request(site.url(&format!("/flaky/2?key={key}")))?)
                .await,
        )?;
        check_ok(&fetcher.fetch(get_request(site.url("/redirect/3"))?).await)?;
    }
    check_eq("connections", site.observed().connections, 1_u64)
}

async fn stale_connection_is_replaced(context: &TestContext) -> CheckResult {
    let site = Site::builder().keep_alive_requests(3).start()?;
    let fetcher = context.fetcher(|settings| {
        settings.update_config(|config| config.concurrency(4));
        settings.update_config(|config| {
            config.rules(fetch_all::PolicyRules::from_policy(
                test_policy().attempts(1),
            ))
        });
    })?;
    let urls: Vec<_> = (0..200).map(|_| site.url("/get")).collect();
    for outcome in collect_outcomes(fetcher.fetch_all(get_requests(urls.into_iter()))).await {
        check_ok(&outcome)?;
    }
    for _ in 0..12 {
        // One at a time, so that the server closes the connection while it is idle.
        check_ok(&fetcher.fetch(get_request(site.url("/get"))?).await)?;
        smol::Timer::after(millis(5)).await;
    }
    Ok(())
}

async fn connection_close_is_obeyed(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher_with_policy(test_policy().attempts(1))?;
    for _ in 0..5 {
        check_ok(&fetcher.fetch(get_request(site.url("/close"))?).await)?;
    }
    check_eq("connections", site.observed().connections, 5_u64)
}

async fn idle_connection_is_closed(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher(|settings| settings.pool.idle_timeout = millis(1_000))?;
    check_ok(&fetcher.fetch(get_request(site.url("/get"))?).await)?;
    wait_until(&site, "the idle connection closed", |seen| seen.open == 0).await?;
    check_ok(&fetcher.fetch(get_request(site.url("/get"))?).await)?;
    check_eq("connections", site.observed().connections, 2_u64)
}

async fn connections_close_with_fetcher(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher(|_| {})?;
    check_ok(&fetcher.fetch(get_request(site.url("/get"))?).await)?;
    check_eq("open connections", site.observed().open, 1_u64)?;
    drop(fetcher);
    wait_until(&site, "the connection closed", |seen| seen.open == 0).await?;
    Ok(())
}

async fn resolve_override_is_used(context: &TestContext) -> CheckResult {
    let site = Site::builder().record(true).start()?;
    let address = site.address();
    let fetcher = context.fetcher(|settings| {
        let known = ("site.invalid".into(), address.port(), vec![address.ip()]);
        settings.route.resolve.push(known);
    })?;
    let url = format!("http://site.invalid:{}/get", address.port());
    check_ok(&fetcher.fetch(get_request(url)?).await)?;
    let seen = site.last_request("/get").expect("the request was recorded");
    check_eq(
        "host",
        seen.header("host"),
        Some(format!("site.invalid:{}", address.port()).as_str()),
    )
}

async fn private_addresses_are_refused(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher(|settings| settings.route.private_addresses = false)?;
    let outcome = fetcher.fetch(get_request(site.url("/get"))?).await;
    check_eq(
        "outcome",
        outcome_label(&outcome).as_str(),
        "private_address",
    )?;
    check_eq("connections", site.observed().connections, 0_u64)
}

async fn connect_to_address(context: &TestContext) -> CheckResult {
    check_connect_to(context, "127.0.0.1").await
}

async fn connect_to_name(context: &TestContext) -> CheckResult {
    check_connect_to(context, "localhost").await
}

/// Checks that a request to a name without an address goes to `host` and keeps the name in its
/// `Host` field.
async fn check_connect_to(context: &TestContext, host: &str) -> CheckResult {
    let site = Site::builder().record(true).start()?;
    let rule = format!("site.invalid:80:{host}:{}", site.address().port());
    let rule = rule.parse()?;
    let fetcher = context.fetcher(|settings| settings.route.connect_to.push(rule))?;
    for _ in 0..2 {
        check_ok(&fetcher.fetch(get_request("http://site.invalid/get")?).await)?;
    }
    check_ok(&fetcher.fetch(get_request(site.url("/headers"))?).await)?;
    let seen = site.last_request("/get").expect("the request was recorded");
    check_eq("host", seen.header("host"), Some("site.invalid"))?;
    check_eq("connections", site.observed().connections, 2_u64)
}

async fn unix_socket_is_used(context: &TestContext) -> CheckResult {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("socket");
    let site = Site::builder().record(true).unix_socket(&path).start()?;
    let fetcher = context.fetcher(|settings| settings.route.unix_socket = Some(path))?;
    for _ in 0..3 {
        check_ok(&fetcher.fetch(get_request("http://site.invalid/get")?).await)?;
    }
    let seen = site.last_request("/get").expect("the request was recorded");
    check_eq("host", seen.header("host"), Some("site.invalid"))?;
    check_eq("connections", site.observed().connections, 1_u64)
}
