//! Cookies, as the server sees them.

use fetch_testbed::Site;

use crate::harness::adapter::DynFetcher;
use crate::harness::behaviour::{BehaviourGroup, CheckResult, behaviours};
use crate::harness::context::{Mismatch, TestContext, check_eq, check_ok, get_request};

pub(crate) const GROUP: BehaviourGroup = BehaviourGroup {
    name: "Cookies",
    behaviours: behaviours![
        "no cookies are stored by default" => no_cookies_by_default,
        "a stored cookie is sent back" => cookie_is_sent_back,
        "a cookie set by a redirect is sent to its target" => redirect_cookie_is_sent,
        "a cookie is not sent to another host" => cookie_stays_with_host,
        "a cookie is sent below its path only" => cookie_stays_below_path,
    ],
};

const SET: &str = "/set-cookie?c=a%3D1%3B%20Path%3D/";

fn fetcher_with_cookie_jar(context: &TestContext) -> Result<Box<dyn DynFetcher>, Mismatch> {
    context.fetcher(|settings| settings.cookie_jar = Some(fetch_all::driver::CookieJar::new()))
}

/// The `Cookie` field of a request for `path` at host number `host`.
async fn sent_cookie(
    fetcher: &dyn DynFetcher,
    site: &Site,
    (host, path): (usize, &str),
) -> Result<Option<String>, Mismatch> {
    check_ok(&fetcher.fetch(get_request(site.url_at(host, path))?).await)?;
    let seen = site.last_request(path).expect("the request was recorded");
    Ok(seen.header("cookie").map(str::to_owned))
}

fn start_site() -> std::io::Result<Site> {
    Site::builder().record(true).addresses(2).start()
}

async fn no_cookies_by_default(context: &TestContext) -> CheckResult {
    let (site, fetcher) = (start_site()?, context.fetcher(|_| {})?);
    check_ok(&fetcher.fetch(get_request(site.url(SET))?).await)?;
    check_eq(
        "cookie",
        sent_cookie(&*fetcher, &site, (0, "/get")).await?,
        None::<String>,
    )
}

async fn cookie_is_sent_back(context: &TestContext) -> CheckResult {
    let (site, fetcher) = (start_site()?, fetcher_with_cookie_jar(context)?);
    check_eq(
        "before",
        sent_cookie(&*fetcher, &site, (0, "/get")).await?,
        None::<String>,
    )?;
    check_ok(&fetcher.fetch(get_request(site.url(SET))?).await)?;
    let cookie = sent_cookie(&*fetcher, &site, (0, "/get")).await?;
    check_eq("cookie", cookie.as_deref(), Some("a=1"))
}

async fn redirect_cookie_is_sent(context: &TestContext) -> CheckResult {
    let (site, fetcher) = (start_site()?, fetcher_with_cookie_jar(context)?);
    let cookie = cookie_after_redirect(&*fetcher, &site).await?;
    check_eq("cookie", cookie.as_deref(), Some("a=1"))
}

async fn cookie_after_redirect(
    fetcher: &dyn DynFetcher,
    site: &Site,
) -> Result<Option<String>, Mismatch> {
    check_ok(
        &fetcher
            .fetch(get_request(site.url(&format!("{SET}&to=/anything")))?)
            .await,
    )?;
    let seen = site
        .last_request("/anything")
        .expect("the request was recorded");
    Ok(seen.header("cookie").map(str::to_owned))
}

async fn cookie_stays_with_host(context: &TestContext) -> CheckResult {
    let (site, fetcher) = (start_site()?, fetcher_with_cookie_jar(context)?);
    check_ok(&fetcher.fetch(get_request(site.url_at(0, SET))?).await)?;
    let cookie = sent_cookie(&*fetcher, &site, (1, "/get")).await?;
    check_eq("at the other host", cookie, None::<String>)?;
    let cookie = sent_cookie(&*fetcher, &site, (0, "/headers")).await?;
    check_eq("at its own host", cookie.as_deref(), Some("a=1"))
}

async fn cookie_stays_below_path(context: &TestContext) -> CheckResult {
    let (site, fetcher) = (start_site()?, fetcher_with_cookie_jar(context)?);
    let set = "/set-cookie?c=a%3D1%3B%20Path%3D/anything/below";
    check_ok(&fetcher.fetch(get_request(site.url(set))?).await)?;
    let above = sent_cookie(&*fetcher, &site, (0, "/anything")).await?;
    check_eq("above", above, None::<String>)?;
    let below = sent_cookie(&*fetcher, &site, (0, "/anything/below/it")).await?;
    check_eq("below", below.as_deref(), Some("a=1"))
}
