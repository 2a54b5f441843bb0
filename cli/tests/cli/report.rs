//! The page that tells of a run.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::support::*;

/// The tags of a page that is well-formed, as XML is, but for its first line.
fn tags(page: &str) -> Vec<String> {
    let mut open: Vec<String> = Vec::new();
    let mut all = Vec::new();
    let mut rest = page.strip_prefix("<!DOCTYPE html>").unwrap();
    while let Some(at) = rest.find('<') {
        let end = rest[at..].find('>').unwrap() + at;
        let tag = &rest[at + 1..end];
        let name: String = tag
            .trim_start_matches('/')
            .chars()
            .take_while(|c| c.is_alphanumeric())
            .collect();
        assert!(!name.is_empty(), "{tag}");
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(closed), "{tag}");
        } else if !tag.ends_with('/') && name != "br" {
            open.push(name.clone());
        }
        all.push(tag.to_owned());
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty(), "{open:?}");
    all
}

#[test]
fn a_page_tells_what_happened_and_needs_nothing_else() {
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
        "What to do: check these URLs",
        "Why requests were sent again",
        "1 URL ended well only because of them",
        "503",
        "prefers-color-scheme:dark",
        "half at most",
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
    let tags = tags(&page);
    assert!(
        !tags
            .iter()
            .any(|tag| tag.contains("src=") || tag.contains("href=")),
        "it needs nothing else"
    );
    let count = |begin: &str| tags.iter().filter(|tag| tag.starts_with(begin)).count();
    assert_eq!(
        (
            count("svg role=\"img\" aria-labelledby"),
            count("title id"),
            count("desc id")
        ),
        (2, 2, 2),
        "pictures are told in words"
    );
}

#[test]
#[cfg(unix)]
fn a_page_is_written_after_a_signal_too_and_tells_of_it() {
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
    tags(&page);
    for part in [
        "stopped early: by a signal",
        "<b>1</b>URLs",
        "<b>0</b>failed",
        "1 URL that was read has no record",
        "Exit code 130",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn a_page_that_cannot_be_written_is_told_before_anything_is_sent() {
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
