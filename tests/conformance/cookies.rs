//! Cookies, as the server sees them.

use fetch_testbed::Site;

use crate::backend::Client;
use crate::behaviour::{Check, Group, behaviours};
use crate::bench::{Bench, Difference, fine, get, same};

pub(crate) const GROUP: Group = Group {
    name: "Cookies",
    behaviours: behaviours![
        "none is kept unless asked for" => off,
        "one that is set is sent back" => sent_back,
        "one that a redirect sets is sent to its target" => redirect,
        "it does not go to another host" => elsewhere,
        "it is sent below its path only" => path,
    ],
};

const SET: &str = "/set-cookie?c=a%3D1%3B%20Path%3D/";

fn jar(bench: &Bench) -> Result<Box<dyn Client>, Difference> {
    bench.client(|settings| settings.cookie_jar = Some(fetch_all::driver::CookieJar::new()))
}

/// What a request for `path` at host number `host` brings along.
async fn sent(
    client: &dyn Client,
    site: &Site,
    (host, path): (usize, &str),
) -> Result<Option<String>, Difference> {
    fine(&client.fetch(get(site.url_at(host, path))?).await)?;
    let seen = site.last_request(path).expect("it was answered");
    Ok(seen.header("cookie").map(str::to_owned))
}

fn site() -> std::io::Result<Site> {
    Site::builder().record(true).addresses(2).start()
}

async fn off(bench: &Bench) -> Check {
    let (site, client) = (site()?, bench.client(|_| {})?);
    fine(&client.fetch(get(site.url(SET))?).await)?;
    same(
        "cookie",
        sent(&*client, &site, (0, "/get")).await?,
        None::<String>,
    )
}

async fn sent_back(bench: &Bench) -> Check {
    let (site, client) = (site()?, jar(bench)?);
    same(
        "before",
        sent(&*client, &site, (0, "/get")).await?,
        None::<String>,
    )?;
    fine(&client.fetch(get(site.url(SET))?).await)?;
    let cookie = sent(&*client, &site, (0, "/get")).await?;
    same("cookie", cookie.as_deref(), Some("a=1"))
}

async fn redirect(bench: &Bench) -> Check {
    let (site, client) = (site()?, jar(bench)?);
    let cookie = sent_after_redirect(&*client, &site).await?;
    same("cookie", cookie.as_deref(), Some("a=1"))
}

async fn sent_after_redirect(
    client: &dyn Client,
    site: &Site,
) -> Result<Option<String>, Difference> {
    fine(
        &client
            .fetch(get(site.url(&format!("{SET}&to=/anything")))?)
            .await,
    )?;
    let seen = site.last_request("/anything").expect("it was answered");
    Ok(seen.header("cookie").map(str::to_owned))
}

async fn elsewhere(bench: &Bench) -> Check {
    let (site, client) = (site()?, jar(bench)?);
    fine(&client.fetch(get(site.url_at(0, SET))?).await)?;
    let cookie = sent(&*client, &site, (1, "/get")).await?;
    same("at the other host", cookie, None::<String>)?;
    let cookie = sent(&*client, &site, (0, "/headers")).await?;
    same("at its own", cookie.as_deref(), Some("a=1"))
}

async fn path(bench: &Bench) -> Check {
    let (site, client) = (site()?, jar(bench)?);
    let set = "/set-cookie?c=a%3D1%3B%20Path%3D/anything/below";
    fine(&client.fetch(get(site.url(set))?).await)?;
    let above = sent(&*client, &site, (0, "/anything")).await?;
    same("above", above, None::<String>)?;
    let below = sent(&*client, &site, (0, "/anything/below/it")).await?;
    same("below", below.as_deref(), Some("a=1"))
}
