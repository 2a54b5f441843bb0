//! Responses from the cache, as the server sees them.

use fetch_all::driver::Cache;
use fetch_testbed::Site;

use crate::harness::adapter::DynFetcher;
use crate::harness::behaviour::{BehaviourGroup, CheckResult, behaviours};
use crate::harness::context::{Mismatch, TestContext, check_eq, check_ok, get_request};

pub(crate) const GROUP: BehaviourGroup = BehaviourGroup {
    name: "Cache",
    behaviours: behaviours![
        "no response is stored by default" => nothing_is_stored_by_default,
        "a fresh response is served without a request" => fresh_response_is_served,
        "a stale response is validated, and served after a 304" => stale_response_is_validated,
    ],
};

fn fetcher_with_cache(context: &TestContext) -> Result<Box<dyn DynFetcher>, Mismatch> {
    context.fetcher(|settings| settings.cache = Some(Cache::memory(1 << 20)))
}

/// How many requests the server sees of three, and whether they have the same body.
async fn requests_of_three(fetcher: &dyn DynFetcher, path: &str) -> Result<(u64, bool), Mismatch> {
    let site = Site::builder().record(true).start()?;
    let mut bodies = Vec::new();
    for _ in 0..3 {
        let outcome = fetcher.fetch(get_request(site.url(path))?).await;
        check_ok(&outcome)?;
        bodies.push(outcome.response().map(|response| response.body.clone()));
    }
    bodies.dedup();
    Ok((site.hits(path), bodies.len() == 1))
}

async fn nothing_is_stored_by_default(context: &TestContext) -> CheckResult {
    let fetcher = context.fetcher(|_| {})?;
    let (requests, _) = requests_of_three(&*fetcher, "/cache/60").await?;
    check_eq("requests", requests, 3)
}

async fn fresh_response_is_served(context: &TestContext) -> CheckResult {
    let fetcher = fetcher_with_cache(context)?;
    let seen = requests_of_three(&*fetcher, "/cache/60").await?;
    check_eq("requests, one body", seen, (1, true))
}

async fn stale_response_is_validated(context: &TestContext) -> CheckResult {
    let fetcher = fetcher_with_cache(context)?;
    let seen = requests_of_three(&*fetcher, "/cache/0").await?;
    check_eq("requests, one body", seen, (3, true))
}
