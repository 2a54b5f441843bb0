//! Tokens that many requests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fetch_all::{AccessToken, AuthProfile, CredentialError, Request, Settings};
use fetch_testbed::Site;

use crate::harness::behaviour::{BehaviourGroup, CheckResult, behaviours};
use crate::harness::context::{
    Mismatch, TestContext, check_eq, check_ok, get_request, outcome_label,
};

pub(crate) const GROUP: BehaviourGroup = BehaviourGroup {
    name: "Tokens",
    behaviours: behaviours![
        "requests share one token, acquired once" => requests_share_one_token,
        "a refused token is replaced, and the request sent again" => refused_token_is_replaced,
        "a token that is refused again ends in the answer" => useless_token_ends,
        "requests without a token fail with the reason" => requests_without_token_fail,
        "a token does not follow a redirect to another origin" => token_stays_at_its_origin,
    ],
};

/// Authenticates requests to the site with the tokens 1, 2, 3 … Returns the count of acquisitions.
fn count_tokens(settings: &mut Settings, site: &Site) -> Result<Arc<AtomicU32>, Mismatch> {
    let count = Arc::new(AtomicU32::new(0));
    let acquired = count.clone();
    let profile = AuthProfile::new("api").scope(site.url("/").parse()?);
    settings.add_credentials(profile, move || {
        let number = acquired.fetch_add(1, Ordering::SeqCst) + 1;
        async move {
            let token = AccessToken::bearer(&number.to_string());
            let token = token.map_err(CredentialError::refused)?;
            Ok(token.lifetime(Duration::from_secs(3600)))
        }
    });
    Ok(count)
}

async fn requests_share_one_token(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let mut count = Ok(Arc::default());
    let fetcher = context.fetcher(|settings| count = count_tokens(settings, &site))?;
    let requests =
        (0..20).map(|_| get_request(site.url("/bearer/1")).map(|request| fetcher.fetch(request)));
    let requests = requests.collect::<Result<Vec<_>, _>>()?;
    for outcome in futures::future::join_all(requests).await {
        check_ok(&outcome)?;
    }
    check_eq("acquisitions", count?.load(Ordering::SeqCst), 1)
}

async fn refused_token_is_replaced(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let mut count = Ok(Arc::default());
    let fetcher = context.fetcher(|settings| count = count_tokens(settings, &site))?;
    let request = Request::post(site.url("/bearer/2"))?.body("once more");
    let outcome = fetcher.fetch(request).await;
    check_ok(&outcome)?;
    check_eq("attempts", outcome.attempts.len(), 2)?;
    check_eq("retries", outcome.retries, 0)?;
    check_eq("acquisitions", count?.load(Ordering::SeqCst), 2)
}

async fn useless_token_ends(context: &TestContext) -> CheckResult {
    let site = Site::builder().record(true).start()?;
    let mut count = Ok(Arc::default());
    let fetcher = context.fetcher(|settings| count = count_tokens(settings, &site))?;
    let outcome = fetcher.fetch(Request::head(site.url("/bearer/9"))?).await;
    check_eq("outcome", &*outcome_label(&outcome), "401")?;
    check_eq("requests", site.hits("/bearer/9"), 2)?;
    check_eq("acquisitions", count?.load(Ordering::SeqCst), 2)
}

async fn requests_without_token_fail(context: &TestContext) -> CheckResult {
    let site = Site::builder().record(true).start()?;
    let scope = site.url("/bearer/").parse()?;
    let fetcher = context.fetcher(|settings| {
        let profile = AuthProfile::new("api").scope(scope);
        let refuse = || async { Err(CredentialError::refused("invalid_client")) };
        settings.add_credentials(profile, refuse);
    })?;
    let outcome = fetcher.fetch(Request::head(site.url("/bearer/1"))?).await;
    check_eq("outcome", &*outcome_label(&outcome), "no_token")?;
    check_eq("requests", site.hits("/bearer/1"), 0)?;
    let other = fetcher.fetch(Request::head(site.url("/bytes/1"))?).await;
    check_ok(&other)
}

async fn token_stays_at_its_origin(context: &TestContext) -> CheckResult {
    let (from, to) = (Site::start()?, Site::builder().record(true).start()?);
    let mut count = Ok(Arc::default());
    let fetcher = context.fetcher(|settings| count = count_tokens(settings, &from))?;
    let target = to.url("/anything/else");
    let outcome = fetcher
        .fetch(Request::head(
            from.url(&format!("/redirect-to?url={target}")),
        )?)
        .await;
    check_ok(&outcome)?;
    let seen = to
        .last_request("/anything/else")
        .expect("the request was recorded");
    check_eq("authorization", seen.header("authorization"), None)?;
    check_eq("acquisitions", count?.load(Ordering::SeqCst), 1)
}
