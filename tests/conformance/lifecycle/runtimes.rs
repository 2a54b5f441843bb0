//! Adapters inside and outside their runtime.

use fetch_testbed::Site;
use futures::StreamExt;

use crate::harness::behaviour::{BehaviourGroup, CheckResult, behaviours};
use crate::harness::context::{
    Mismatch, TestContext, check_eq, check_ok, collect_outcomes, get_request, outcome_label,
};

pub(crate) const GROUP: BehaviourGroup = BehaviourGroup {
    name: "Runtimes",
    behaviours: behaviours![
        "`fetch_all` with defaults" => fetch_all_with_defaults,
        "works outside the adapter's runtime" => works_outside_runtime,
        "many fetchers at once" => many_fetchers_coexist,
    ],
};

async fn fetch_all_with_defaults(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let urls = vec![site.url("/get"), site.url("/status/404")];
    let outcomes = collect_outcomes((context.adapter.fetch_all)(urls)).await;
    let ends: Vec<_> = outcomes.iter().map(outcome_label).collect();
    check_eq("ends", ends, ["200", "404"])
}

/// On a thread without a runtime, a built fetcher and `fetch_all` both work, or both report the same
/// error.
async fn works_outside_runtime(context: &TestContext) -> CheckResult {
    let adapter = context.adapter;
    let thread = std::thread::spawn(move || {
        let site = Site::start()?;
        let context = TestContext::new(adapter);
        let built = context.fetcher(|_| {}).map(|fetcher| {
            let request = get_request(site.url("/get"));
            request.map(|request| smol::block_on(fetcher.fetch(request)))
        });
        let short = smol::block_on((adapter.fetch_all)(vec![site.url("/get")]).next());
        let short = short.ok_or_else(|| Mismatch("no outcome".into()))?;
        match built {
            Ok(outcome) => check_ok(&outcome?).and_then(|()| check_ok(&short)),
            Err(difference) if short.to_string().contains(&difference.0) => Err(difference),
            Err(difference) => check_eq("`fetch_all`", short.to_string(), difference.0),
        }
    });
    thread
        .join()
        .unwrap_or_else(|_| Err(Mismatch("the thread panicked".into())))
}

async fn many_fetchers_coexist(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let clients: Vec<_> = (0..10)
        .map(|_| context.fetcher(|_| {}))
        .collect::<Result<_, _>>()?;
    for fetcher in &clients {
        check_ok(&fetcher.fetch(get_request(site.url("/get"))?).await)?;
    }
    check_eq("connections", site.observed().connections, 10_u64)
}
