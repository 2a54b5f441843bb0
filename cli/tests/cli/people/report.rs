//! The page of `--report`.

use std::fs;
use std::process::Command;
use std::time::Duration;

use roxmltree::{Attribute, Document, Node, ParsingOptions};

use crate::support::*;

/// Parses the page as XML: if it is well-formed, no text from outside has become markup.
fn parsed(page: &str) -> Document<'_> {
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    Document::parse_with_options(page, options).unwrap()
}

#[test]
fn a_page_is_complete_and_self_contained() {
    let site = site();
    let mut lines: String = (0..40).map(|n| site.url(&format!("/get?{n}\n"))).collect();
    for path in [
        "/status/404",
        "/flaky/1?key=a",
        "/reset",
        "/get?sig=hush&x=%3Cscript%3E",
    ] {
        lines += &format!("{}\n", site.url(path));
    }
    let list = List::new(lines);
    let page = list.path("report.html");
    let quick = ["--retry-delay", "0.01", "--no-jitter", "--report", &page];
    let ran = fetch_all(&[&quick[..], &["-i", &list.path("list")]].concat());
    assert_eq!(ran.code, 4, "{ran:?}");
    let page = fs::read_to_string(&page).unwrap();
    for part in [
        "<b>44</b>URLs",
        "404 Not Found",
        "Suggested fix: check these URLs",
        "Causes of retries",
        "1 URL succeeded after a retry",
        "503",
        "prefers-color-scheme:dark",
        "Histogram of the durations",
        "<caption>",
        "Exit code 4: network: DNS, connection, timeout.",
        "127.0.0.1:",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(
        !page.contains("hush") && !page.contains("<script"),
        "secrets and markup"
    );
    let page = parsed(&page);
    let all = |name: &'static str| {
        page.descendants()
            .filter(move |node| node.has_tag_name(name))
    };
    let is_outside = |attribute: Attribute<'_, '_>| ["href", "src"].contains(&attribute.name());
    assert!(
        !page
            .descendants()
            .any(|node| node.attributes().any(is_outside)),
        "the page is self-contained"
    );
    assert!(all("table").count() > 3, "numbers are in tables");
    for table in all("table") {
        let first = table.first_element_child().unwrap();
        assert!(first.has_tag_name("caption"), "a table has a caption");
    }
    let charts = all("svg");
    let described = charts.filter(|svg| {
        let name = |n: Node<'_, '_>| n.tag_name().name().to_owned();
        let words: Vec<_> = svg.children().take(2).map(name).collect();
        svg.attribute("role") == Some("img") && words == ["title", "desc"]
    });
    assert_eq!(described.count(), 2, "charts have a description");
}

#[test]
fn a_page_has_the_hosts_that_were_down() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", closed.local_addr().unwrap());
    drop(closed);
    let list = List::new((0..30).map(|n| format!("{url}{n}\n")).collect::<String>());
    let (page, urls) = (list.path("report.html"), list.path("list"));
    let ran = fetch_all(&["--host-max-wait", "1", "--report", &page, "-i", &urls]);
    assert_eq!(ran.code, 4, "{ran:?}");
    let page = fs::read_to_string(page).unwrap();
    parsed(&page);
    let (_, section) = page.split_once("<h2>Hosts that were down</h2>").unwrap();
    let (section, _) = section.split_once("</section>").unwrap();
    for part in [
        url.trim_end_matches('/'),
        "<td>given up</td>",
        "<td>30</td>",
    ] {
        assert!(section.contains(part), "{part}: {section}");
    }
}

#[test]
#[cfg(unix)]
fn a_page_after_a_signal_has_its_reason() {
    let site = site();
    let list = List::new([site.url("/delay/1"), site.url("/get")].join("\n"));
    let page = list.path("report.html");
    let arguments = ["-j", "1", "-i", &list.path("list"), "--report", &page];
    let child = command(&arguments).spawn().unwrap();
    let one = |seen: &fetch_testbed::Observed| seen.in_flight == 1;
    site.wait_for(Duration::from_secs(60), one).unwrap();
    let kill = format!("kill -INT {}", child.id());
    Command::new("sh").args(["-c", &kill]).status().unwrap();
    assert_eq!(ran(child.wait_with_output().unwrap()).code, 130);
    let page = fs::read_to_string(page).unwrap();
    parsed(&page);
    for part in [
        "Stopped early: interrupted by a signal",
        "<b>1</b>URLs",
        "<b>0</b>failed",
        "1 URL not finished",
        "Exit code 130",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn an_unwritable_page_is_reported_before_any_request() {
    let site = site();
    let ran = fetch_all(&["--report", "/none/x.html", &site.url("/get")]);
    assert_eq!((ran.code, site.hits("/get")), (2, 0), "{ran:?}");
    assert!(
        ran.stderr.contains("--report /none/x.html: "),
        "{}",
        ran.stderr
    );
    let list = List::new(site.url("/get"));
    let ran = fetch_all(&["-i", &list.path("list"), "--report", &list.path("list")]);
    assert_eq!(
        (ran.code, site.hits("/get")),
        (2, 0),
        "the list would be lost: {ran:?}"
    );
}
