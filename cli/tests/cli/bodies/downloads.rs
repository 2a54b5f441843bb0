//! curl's options for what becomes of responses: names, dates, heads, error bodies.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;

use crate::support::*;

/// Serves these responses by path: the lines of the head, then the body.
fn serve(responses: &'static [(&str, &str, &str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let first = lines.next().unwrap_or_else(|| Ok(String::new())).unwrap();
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            let path = first.split(' ').nth(1).unwrap_or_default();
            let found = responses.iter().find(|(known, ..)| *known == path);
            let (_, head, body) = found.unwrap_or(&("", "404 Not Found", ""));
            let length = body.len();
            let text = format!(
                "HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            let _ = stream.write_all(text.as_bytes());
        }
    });
    origin
}

const FILES: &[(&str, &str, &str)] = &[
    (
        "/a",
        "200 OK\r\nContent-Disposition: attachment; filename=\"../sub/one.txt\"",
        "one",
    ),
    (
        "/b",
        "200 OK\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT",
        "two",
    ),
    ("/c", "404 Not Found", "why"),
    ("/d", "302 Found\r\nLocation: /b\r\nX-Hop: 1", "moved"),
];

#[test]
fn files_have_the_name_and_the_date_of_the_response() {
    let (origin, list) = (serve(FILES), List::new(""));
    let dir = list.path("out");
    let urls = [format!("{origin}/a"), format!("{origin}/b")];
    let options = ["-O", "-J", "-R", "--output-dir", &dir];
    let ran = fetch_all(&[&options[..], &[&urls[0], &urls[1]]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let read = |name: &str| fs::read_to_string(list.file("out").join(name)).unwrap();
    assert_eq!(
        (read("one.txt"), read("b")),
        ("one".to_owned(), "two".to_owned())
    );
    let modified = fs::metadata(list.file("out/b"))
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(modified, UNIX_EPOCH + Duration::from_secs(784_111_777));
    let again = fetch_all(&["-OJ", "--output-dir", &dir, &urls[0]]);
    assert_eq!(
        again.record()["filename_effective"],
        "one.txt.1",
        "{again:?}"
    );
}

#[test]
fn bodies_of_errors_are_saved_if_asked_for() {
    let (origin, list) = (serve(FILES), List::new(""));
    let (dir, url) = (list.path("out"), format!("{origin}/c"));
    let ran = fetch_all(&["-O", "--output-dir", &dir, "-f", &url]);
    assert_eq!((ran.code, list.file("out/c").exists()), (8, false));
    let ran = fetch_all(&["-O", "--output-dir", &dir, "--fail-with-body", &url]);
    let record = ran.record();
    assert_eq!((ran.code, &record["exitcode"]), (8, &json!(22)), "{ran:?}");
    assert_eq!(fs::read_to_string(list.file("out/c")).unwrap(), "why");
    assert_eq!(record["filename_effective"], "c");
}

#[test]
fn the_heads_of_one_url_are_written_to_a_file() {
    let (origin, list) = (serve(FILES), List::new(""));
    let (file, url) = (list.path("heads"), format!("{origin}/d"));
    let ran = fetch_all(&["-D", &file, &url]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let text = fs::read_to_string(&file).unwrap();
    let heads: Vec<_> = text.split("\r\n\r\n").collect();
    assert!(heads[0].starts_with("HTTP/1.1 302 Found\r\n"), "{text}");
    assert!(heads[0].contains("\r\nX-Hop: 1"), "{text}");
    assert!(heads[1].starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(heads[1].contains("\r\nLast-Modified: Sun, 06"), "{text}");
    assert_eq!(heads.len(), 3, "{text}");
}

#[test]
fn credentials_follow_redirects_if_the_target_is_trusted() {
    let (site, other) = (site(), site());
    let target = format!("{}/get", other.url("").trim_end_matches('/'));
    let url = site.url(&format!("/redirect-to?url={target}"));
    let sent = |options: &[&str]| {
        fetch_all(&[&["-u", "a:b"][..], options, &[&*url]].concat());
        let seen = other.last_request("/get").unwrap();
        seen.header("authorization").map(str::to_owned)
    };
    assert_eq!(sent(&[]), None);
    assert_eq!(sent(&["--location-trusted"]).as_deref(), Some("Basic YTpi"));
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let (origin, list) = (serve(FILES), List::new(""));
    let (file, a, b) = (list.path("x"), format!("{origin}/a"), format!("{origin}/b"));
    for (options, part) in [
        (&["-D", &*file, &a, &b][..], "--record-headers"),
        (&["-D", "-", &a], "--record-headers"),
        (&["-J", &a], "--remote-name"),
        (&["-OJ", "-C", "-", &a], "exclude each other"),
        (
            &["-O", "--remove-on-error", "-C", "-", &a],
            "exclude each other",
        ),
        (&["-f", "--fail-with-body", &a], "exclude each other"),
    ] {
        let ran = fetch_all(options);
        assert_eq!(ran.code, 2, "{options:?}: {ran:?}");
        assert!(ran.stderr.contains(part), "{options:?}: {}", ran.stderr);
    }
}
