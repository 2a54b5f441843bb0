//! robots.txt and the contact address.

use fetch_testbed::Site;
use serde_json::json;

use crate::support::*;

fn with_robots(status: u16, text: &str) -> Site {
    Site::builder()
        .record(true)
        .robots(status, text)
        .start()
        .unwrap()
}

#[test]
fn urls_that_robots_txt_disallows_are_not_fetched() {
    let site = with_robots(
        200,
        "User-agent: *\nDisallow: /status/\n\nUser-agent: other\nDisallow: /\n",
    );
    let urls: String = (0..50)
        .map(|n| {
            format!(
                "{}\n{}\n",
                site.url(&format!("/get?{n}")),
                site.url(&format!("/status/200?{n}"))
            )
        })
        .collect();
    let list = List::new(urls);
    let ran = fetch_all(&["--robots", "-i", &list.path("list")]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let records = ran.records();
    let count = |outcome: &str| records.iter().filter(|r| r["outcome"] == outcome).count();
    assert_eq!((records.len(), count("ok"), count("robots")), (100, 50, 50));
    assert_eq!(site.hits("/robots.txt"), 1, "one for a site");
    assert_eq!(site.hits("/status/200?7"), 0);
    assert!(
        ran.stderr.contains("50 URLs: disallowed by robots.txt"),
        "{}",
        ran.stderr
    );
    let other = fetch_all(&["--robots", "-A", "other/1.0 (x)", &site.url("/get")]);
    assert_eq!(other.record()["outcome"], json!("robots"));
    assert_eq!(
        fetch_all(&[&site.url("/status/200")]).record()["outcome"],
        json!("ok")
    );
}

#[test]
fn a_missing_robots_txt_allows_all_and_an_unavailable_one_nothing() {
    let quick = ["--robots", "--retry", "0"];
    for (status, outcome) in [(404, "ok"), (403, "ok"), (503, "robots"), (429, "robots")] {
        let site = with_robots(status, "x");
        let record = fetch_all(&[&quick[..], &[&site.url("/get")]].concat()).record();
        assert_eq!(record["outcome"], json!(outcome), "{status}: {record}");
    }
    let nobody = fetch_all(&[&quick[..], &["http://127.0.0.1:1/"]].concat());
    assert_eq!(nobody.record()["outcome"], json!("robots"));
    assert_eq!(
        nobody.record()["errormsg"]
            .as_str()
            .map(|m| m.contains("connect")),
        Some(true),
        "{nobody:?}"
    );
}

#[test]
fn crawl_delay_spaces_requests() {
    let site = with_robots(200, "User-agent: *\nCrawl-delay: 0.2\n");
    let urls: String = (0..5).map(|n| site.url(&format!("/get?{n}\n"))).collect();
    let list = List::new(urls);
    let ran = fetch_all(&["--robots", "-i", &list.path("list")]);
    let mut starts: Vec<_> = ran
        .records()
        .iter()
        .map(|r| r["started_at"].as_str().unwrap().to_owned())
        .collect();
    starts.sort();
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let whole = at(&starts[4]).duration_since(at(&starts[0]));
    assert!(
        whole >= jiff::SignedDuration::from_millis(790),
        "{starts:?}"
    );
}

#[test]
fn the_contact_is_in_the_user_agent() {
    let site = site();
    fetch_all(&["--contact", "https://a.test/bot", &site.url("/get")]);
    let seen = site.last_request("/get").unwrap();
    let agent = seen.header("user-agent").unwrap();
    assert!(
        agent.starts_with("fetch-all/") && agent.ends_with(" (+https://a.test/bot)"),
        "{agent}"
    );
}

#[test]
fn disallowed_urls_are_retried_only_with_retry_failed() {
    let site = with_robots(200, "User-agent: *\nDisallow: /status/\n");
    let list = List::new(format!(
        "{}\n{}\n",
        site.url("/status/200"),
        site.url("/get")
    ));
    let (state, out) = (list.path("state"), list.path("out"));
    let line = ["--state", &state, "-o", &out, "-i", &list.path("list")];
    assert_eq!(fetch_all(&[&["--robots"], &line[..]].concat()).code, 0);
    let again = fetch_all(&[&["--robots"], &line[..]].concat());
    assert!(
        again
            .stderr
            .contains("2 URLs: completed by an earlier run, 1 with a failure"),
        "{}",
        again.stderr
    );
    assert_eq!(parse(&std::fs::read_to_string(&out).unwrap()).len(), 2);
    assert_eq!(
        fetch_all(&[&["--retry-failed"], &line[..]].concat()).code,
        0
    );
    let records = parse(&std::fs::read_to_string(&out).unwrap());
    assert_eq!((records.len(), &records[2]["outcome"]), (3, &json!("ok")));
    assert_eq!((site.hits("/status/200"), site.hits("/get")), (1, 1));
}

#[test]
fn targets_of_redirects_are_checked() {
    let site = with_robots(200, "User-agent: *\nDisallow: /status/\n");
    let other = with_robots(200, "User-agent: *\nDisallow: /get\n");
    let to = |target: &str| site.url(&format!("/redirect-to?url={target}"));
    let urls = [
        to("/status/200"),
        to("/get"),
        to(&other.url("/get")),
        to(&other.url("/bytes/1")),
    ];
    let urls: Vec<_> = urls.iter().map(String::as_str).collect();
    let ran = fetch_all(&[&["--robots"], &urls[..]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let mut records = ran.records();
    records.sort_by_key(|record| record["seq"].as_u64());
    let outcomes: Vec<_> = records
        .iter()
        .map(|record| record["outcome"].clone())
        .collect();
    assert_eq!(json!(outcomes), json!(["robots", "ok", "robots", "ok"]));
    assert_eq!(records[0]["error_type"], "robots");
    let host = records[0]["host_key"].as_str().unwrap();
    let why = format!(
        "robots.txt of {host} does not allow {}, to which it was redirected",
        site.url("/status/200")
    );
    assert_eq!(records[0]["errormsg"], why);
    assert_eq!((site.hits("/status/200"), other.hits("/get")), (0, 0));
    assert_eq!(
        (site.hits("/robots.txt"), other.hits("/robots.txt")),
        (1, 1)
    );
    assert_eq!(fetch_all(&[urls[0]]).record()["outcome"], "ok");
}

#[test]
fn urls_refused_after_a_redirect_are_skipped_like_those_refused_at_once() {
    let site = with_robots(200, "User-agent: *\nDisallow: /status/\n");
    let redirected = site.url("/redirect-to?url=/status/200");
    let urls = [&redirected, &site.url("/status/200"), &site.url("/get")];
    let files = List::new("");
    let report = files.path("report.html");
    let options = ["--robots", "--max-errors", "1", "--report", &report];
    let urls: Vec<_> = urls.iter().map(|url| url.as_str()).collect();
    let ran = fetch_all(&[&options[..], &urls].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let summary = &ran.stderr;
    assert!(summary.contains("fetch-all: 3 URLs in "), "{summary}");
    assert!(
        summary.contains("skipped   2 URLs: disallowed by robots.txt"),
        "{summary}"
    );
    assert!(!summary.contains("failed"), "{summary}");
    let html = std::fs::read_to_string(&report).unwrap();
    for part in [
        "<b>3</b>URLs<",
        "<b>0</b>failed<",
        "<b>2</b>disallowed by robots.txt<",
        "No failures.",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
    let text = fetch_all(&["--robots", "--format", "text", &redirected]).stdout;
    assert!(text.starts_with("robots "), "{text}");
    assert!(!text.contains("connecting"), "{text}");
}

#[test]
fn the_name_in_robots_txt_is_given_or_found_in_the_user_agent() {
    let site = with_robots(200, "User-agent: MyBot\nDisallow: /\n");
    let url = site.url("/get");
    let outcome = |options: &[&str]| {
        let ran = fetch_all(&[&["--robots"], options, &[&url]].concat());
        ran.record()["outcome"].clone()
    };
    assert_eq!(outcome(&[]), "ok");
    assert_eq!(
        outcome(&["-A", "Mozilla/5.0 (compatible; MyBot/2.1)"]),
        "robots"
    );
    assert_eq!(outcome(&["--user-agent-token", "mybot"]), "robots");
    assert_eq!(
        outcome(&["-A", "MyBot/1", "--user-agent-token", "Other"]),
        "ok"
    );
    let wrong = fetch_all(&["--robots", "--user-agent-token", "MyBot/2.1", &url]);
    assert_eq!(wrong.code, 2);
    assert!(
        wrong.stderr.contains("--user-agent-token"),
        "{}",
        wrong.stderr
    );
}
