//! Redirects to other origins, into files and archives.

use std::fs;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use fetch_testbed::{Certificate, Site};
use serde_json::json;

use crate::bodies::saved::warc;
use crate::support::*;

/// Two sites, and a URL of the first that redirects to `/anything` of the second.
fn two_sites() -> (Site, Site, String) {
    let (first, second) = (site(), site());
    let url = first.url(&format!("/redirect-to?url={}", second.url("/anything")));
    (first, second, url)
}

#[test]
fn a_field_that_may_carry_a_secret_goes_only_to_the_origin_it_was_given_for() {
    let (_first, second, url) = two_sites();
    let fields = [
        "-H",
        "X-Api-Key: secret",
        "-H",
        "Accept-Language: de",
        "-b",
        "a=b",
        "-u",
        "me:pw",
        "-A",
        "bot",
    ];
    let ran = fetch_all(&[&fields[..], &[&url, &url]].concat());
    let seen = second.last_request("/anything").unwrap();
    for (name, value) in [
        ("x-api-key", None),
        ("cookie", None),
        ("authorization", None),
        ("accept-language", Some("de")),
        ("user-agent", Some("bot")),
    ] {
        assert_eq!(seen.header(name), value, "{name}");
    }
    for record in ran.records() {
        let mut names: Vec<_> = record["withheld_fields"].as_array().unwrap().clone();
        names.sort_by_key(ToString::to_string);
        assert_eq!(
            json!(names),
            json!(["authorization", "cookie", "x-api-key"])
        );
    }
    assert_eq!(ran.stderr.matches("warning: ").count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("x-api-key"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
}

#[test]
fn fields_stay_with_redirects_within_an_origin_and_with_trusted_ones() {
    let (first, second, elsewhere) = two_sites();
    let here = first.url("/redirect-to?url=/anything");
    let ran = fetch_all(&["-H", "X-Api-Key: secret", &here]);
    let sent = |site: &Site| {
        let seen = site.last_request("/anything").unwrap();
        seen.header("x-api-key") == Some("secret")
    };
    assert!(sent(&first));
    assert_eq!(ran.record().get("withheld_fields"), None);
    let list = List::new("default.redirects.trusted = true");
    let ran = fetch_all(&[
        "--policy",
        &list.path("list"),
        "-H",
        "X-Api-Key: secret",
        &elsewhere,
    ]);
    assert!(sent(&second));
    assert_eq!(ran.record().get("withheld_fields"), None);
}

#[test]
fn a_redirect_from_https_to_http_is_refused_and_says_so() {
    let (plain, secure) = (
        site(),
        Site::builder().tls(Certificate::Good).start().unwrap(),
    );
    let url = secure.url(&format!("/redirect-to?url={}", plain.url("/get")));
    let ran = fetch_all(&["-k", &url]);
    let text = ran.record()["errormsg"].to_string();
    assert!(text.contains("https to http"), "{text}");
    assert_eq!((ran.code, plain.observed().requests), (7, 0));
}

#[test]
fn the_error_of_a_redirect_names_no_step_of_an_attempt() {
    let site = site();
    for (path, text) in [
        ("/redirect/12", "too many redirects, after 11 attempts; "),
        (
            "/redirect-to?url=ftp://a.test/",
            "a scheme other than http and https, after 1 attempt; ",
        ),
    ] {
        let found = fetch_all(&[&site.url(path)]).record()["errormsg"].to_string();
        assert!(found.contains(text), "{found}");
    }
}

/// The body of the first answer never ends by itself.
#[test]
fn the_end_of_a_redirects_body_without_a_length_is_not_waited_for() {
    let answered = AtomicBool::new(false);
    let address = serve(move |socket| {
        let _ = socket.read(&mut [0; 4096]);
        if answered.swap(true, Ordering::Relaxed) {
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            return;
        }
        let _ = socket.write_all(b"HTTP/1.1 302 Found\r\nLocation: /b\r\n\r\nmoved");
        let _ = std::io::copy(socket, &mut std::io::sink());
    });
    let limits = ["-m", "60", "--deadline", "30"];
    let ran = fetch_all(&[&limits[..], &[&format!("http://{address}/a")]].concat());
    assert_eq!(
        (ran.code, ran.record()["size_delivered"].as_u64()),
        (0, Some(2))
    );
}

#[test]
fn a_redirect_that_is_not_followed_into_a_file_is_reported() {
    let site = site();
    let list = List::new("");
    let urls = [site.url("/redirect/1"), site.url("/redirect/2")];
    let bodies = list.path("bodies");
    for destination in ["--output-dir", "--tar"] {
        let ran = fetch_all(&["--no-location", destination, &bodies, &urls[0], &urls[1]]);
        assert_eq!(ran.stderr.matches("warning: ").count(), 1, "{}", ran.stderr);
        for part in [
            "302 redirects to ",
            "no file is saved",
            "2 redirects not followed",
        ] {
            assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
        }
    }
    let ran = fetch_all(&["--no-location", &urls[0]]);
    assert!(
        !ran.stderr.contains("warning"),
        "no file was asked for: {}",
        ran.stderr
    );
}

#[test]
fn a_warc_file_has_every_hop() {
    let (first, _second, url) = two_sites();
    let list = List::new("");
    let path = list.path("a.warc");
    let lost = first.url("/redirect-to?url=http://127.0.0.1:1/");
    let fields = [
        "-H",
        "X-Api-Key: secret",
        "-H",
        "X-B: c",
        "-d",
        "x=y",
        "--retry",
        "0",
    ];
    let destination = ["--host-max-wait", "0", "--warc", &path, &url, &lost];
    fetch_all(&[&fields[..], &destination].concat());
    let bytes = fs::read(&path).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("secret"));
    let records = warc(&bytes);
    let of = |kind: &str, uri: &str| {
        let mut found = records
            .iter()
            .filter(|(fields, _)| fields["WARC-Type"] == kind && fields["WARC-Target-URI"] == uri);
        let (_, block) = found.next().unwrap_or_else(|| panic!("no {kind} of {uri}"));
        assert!(found.next().is_none());
        String::from_utf8_lossy(block).into_owned()
    };
    let target = url.split_once('=').unwrap().1;
    assert!(of("response", &url).starts_with("HTTP/1.1 302 "));
    assert!(of("response", target).starts_with("HTTP/1.1 200 "));
    assert!(of("response", &lost).starts_with("HTTP/1.1 302 "));
    let request = of("request", &url);
    assert!(
        request.starts_with("POST ") && request.contains("x-b: c\r\n"),
        "{request}"
    );
    let request = of("request", target);
    assert!(
        request.starts_with("GET ") && !request.contains("x-b") && !request.contains("content-"),
        "{request}"
    );
}

#[test]
fn a_post_stays_a_post_where_that_is_asked_for() {
    let site = site();
    for status in [301, 302, 303] {
        let target = format!("/redirect-to?status={status}&url=/anything");
        let hop = site.url(&target);
        for (option, method) in [(format!("--post{status}"), "POST"), ("-L".into(), "GET")] {
            let ran = fetch_all(&["-d", "a=1", &option, &hop]);
            assert_eq!(ran.code, 0, "{ran:?}");
            let seen = site.last_request("/anything").unwrap();
            let body = if method == "POST" { &b"a=1"[..] } else { b"" };
            assert_eq!(
                (seen.method.as_str(), &seen.body[..]),
                (method, body),
                "{status}"
            );
        }
    }
}
