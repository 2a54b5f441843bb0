//! Files and forms that are sent, and data in the URL.

use std::fs;

use fetch_testbed::RecordedRequest;

use crate::support::*;

fn body(seen: &RecordedRequest) -> String {
    String::from_utf8(seen.body.clone()).unwrap()
}

#[test]
fn a_file_is_put_and_completes_the_url_of_a_directory() {
    let (site, list) = (site(), List::new("content"));
    let file = list.path("list");
    let ran = fetch_all(&["-T", &file, &site.url("/anything/")]);
    assert_eq!(ran.record()["url"], site.url("/anything/list"), "{ran:?}");
    let seen = site.last_request("/anything/list").unwrap();
    assert_eq!((&*seen.method, &*body(&seen)), ("PUT", "content"));
    assert_eq!(seen.header("content-length"), Some("7"));
    assert_eq!(seen.header("content-type"), None);
    let other = ["-T", &file, "-X", "POST", &site.url("/anything")];
    assert_eq!(fetch_all(&other).code, 0);
    assert_eq!(site.last_request("/anything").unwrap().method, "POST");
}

#[test]
fn an_upload_is_sent_again_when_it_is_retried() {
    let (site, list) = (site(), List::new("x".repeat(300_000)));
    let url = site.url("/flaky/1?key=upload");
    let ran = fetch_all(&["-T", &list.path("list"), "--retry-delay", "0", &url]);
    assert_eq!(ran.record()["num_retries"], 1, "{ran:?}");
    let target = "/flaky/1?key=upload";
    let last = site.last_request(target).unwrap();
    assert_eq!((site.hits(target), last.method.as_str()), (2, "PUT"));
    assert_eq!(last.header("content-length"), Some("300000"));
    assert!(!last.body.is_empty() && last.body.iter().all(|byte| *byte == b'x'));
}

#[test]
fn stdin_is_sent_in_chunked_coding() {
    let site = site();
    let ran = fetch_all_stdin(&["-T", "-", &site.url("/anything/")], b"from stdin");
    assert_eq!(ran.code, 0, "{ran:?}");
    let seen = site.last_request("/anything/").unwrap();
    assert_eq!((&*seen.method, &*body(&seen)), ("PUT", "from stdin"));
    assert_eq!(seen.header("transfer-encoding"), Some("chunked"));
}

#[test]
fn several_files_go_to_as_many_urls() {
    let (site, list) = (site(), List::new("one"));
    fs::write(list.file("two"), "two").unwrap();
    let (one, two) = (list.path("list"), list.path("two"));
    let ran = fetch_all(&[
        "-T",
        &one,
        &site.url("/anything/1"),
        "-T",
        &two,
        &site.url("/anything/2"),
    ]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for (path, expected) in [("/anything/1", "one"), ("/anything/2", "two")] {
        assert_eq!(body(&site.last_request(path).unwrap()), expected);
    }
    let ids: Vec<_> = ran
        .records()
        .iter()
        .map(|record| record["id"].clone())
        .collect();
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn a_form_has_fields_and_files() {
    let (site, list) = (site(), List::new("content"));
    let file = format!("f=@{};type=text/csv;filename=x.csv", list.path("list"));
    let url = site.url("/anything");
    let ran = fetch_all(&["-F", "a=b", "--form-string", "s=@x;y", "-F", &file, &url]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let seen = site.last_request("/anything").unwrap();
    let media_type = seen.header("content-type").unwrap();
    let boundary = media_type
        .strip_prefix("multipart/form-data; boundary=")
        .unwrap();
    let expected = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"s\"\r\n\r\n@x;y\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x.csv\"\r\n\
         Content-Type: text/csv\r\n\r\ncontent\r\n--{boundary}--\r\n"
    );
    assert_eq!((&*seen.method, body(&seen)), ("POST", expected));
    // A form that is sent to another run's URL is the same request.
    let again = fetch_all(&["-F", "a=b", "--form-string", "s=@x;y", "-F", &file, &url]);
    assert_eq!(ran.record()["id"], again.record()["id"]);
}

#[test]
fn rows_send_files_below_the_body_directory() {
    let site = site();
    let list = List::new("");
    fs::create_dir(list.file("bodies")).unwrap();
    fs::write(list.file("bodies/b.json"), "{}").unwrap();
    let row = |name: &str| {
        format!(
            "{{\"url\": \"{}\", \"body_file\": \"{name}\"}}\n",
            site.url("/anything")
        )
    };
    fs::write(list.file("rows.jsonl"), row("b.json") + &row("../list")).unwrap();
    let (rows, bodies) = (list.path("rows.jsonl"), list.path("bodies"));
    let ran = fetch_all(&["-i", &rows, "--body-dir", &bodies]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(
        ran.stderr.contains("no file below --body-dir"),
        "{}",
        ran.stderr
    );
    let seen = site.last_request("/anything").unwrap();
    assert_eq!((&*seen.method, &*body(&seen)), ("POST", "{}"));
    let without = fetch_all(&["-i", &rows]);
    assert!(
        without.stderr.contains("write --body-dir DIR"),
        "{}",
        without.stderr
    );
    assert_eq!(site.hits("/anything"), 1);
}

#[test]
fn data_goes_into_the_url() {
    let site = site();
    let url = site.url("/get?z=1#f");
    fetch_all(&["-G", "-d", "a=1", "--data-urlencode", "b=x y", &url]);
    let seen = site.last_request("/get?z=1&a=1&b=x+y").unwrap();
    assert_eq!((&*seen.method, seen.header("content-type")), ("GET", None));
    fetch_all(&["-G", "-I", "--data-ascii", "head", &url]);
    assert_eq!(site.last_request("/get?z=1&head").unwrap().method, "HEAD");
    fetch_all(&[
        "--url-query",
        "q=x y",
        "--url-query",
        "+%20",
        &site.url("/get"),
    ]);
    assert_eq!(site.hits("/get?q=x+y&%20"), 1);
}

#[test]
fn another_request_target_is_sent() {
    let site = site();
    fetch_all(&["--request-target", "/bytes/3", &site.url("/get")]);
    assert_eq!((site.hits("/bytes/3"), site.hits("/get")), (1, 0));
}

#[test]
fn contradictions_are_reported_before_anything_is_sent() {
    let (site, list) = (site(), List::new("x"));
    let (file, url) = (list.path("list"), site.url("/anything"));
    let (f, u) = (&*file, &*url);
    for (options, part) in [
        (&["-T", f, u, u][..], "write -T for each URL"),
        (&["-T", f, "-T", f, u], "write as many URLs"),
        (&["-T", "/none", u], "check the name of the file"),
        (&["-T", f, "-d", "x", u], "exclude each other"),
        (&["-T", f, "-I", u], "exclude each other"),
        (&["-F", "a", u], "NAME=CONTENT"),
        (&["-F", "a=b;c", u], "--form-string"),
        (&["-F", "a=@/none", u], "/none: cannot be read"),
        (&["-F", "a=(", u], "not closed"),
        (&["-I", "-d", "x", u], "exclude each other"),
        (&["-G", "-d", "a b", u], "--data-urlencode"),
        (&["--request-target", "x", u], "write a path"),
        (&["--body-dir", "/none", u], "--body-dir /none"),
    ] {
        let ran = fetch_all(options);
        assert!([2, 3].contains(&ran.code), "{options:?}: {ran:?}");
        assert!(ran.stderr.contains(part), "{options:?}: {}", ran.stderr);
    }
    assert_eq!(site.hits("/anything"), 0);
}

#[test]
fn servers_are_asked_before_files_are_sent() {
    let site = site();
    let list = List::new("content");
    let file = list.path("list");
    let url = site.url("/anything");
    let asks = |options: &[&str]| {
        let ran = fetch_all(&[&["--expect100-timeout", "0"], options, &[&url]].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        let seen = site.last_request("/anything").unwrap();
        seen.header("expect").map(str::to_owned)
    };
    let asked = Some("100-continue".to_owned());
    assert_eq!(asks(&["-T", &file]), asked);
    assert_eq!(asks(&["-d", "small"]), None);
    assert_eq!(asks(&["-d", "small", "-H", "Expect: 100-continue"]), asked);
    assert_eq!(asks(&["-T", &file, "-H", "Expect:"]), None);
}

#[test]
fn a_pattern_of_files_is_expanded_and_each_file_is_sent() {
    let (site, list) = (site(), List::new("one"));
    fs::write(list.file("two"), "two").unwrap();
    let pattern = list.path("{list,two}");
    let urls = site.url("/anything/{a,b}/");
    let ran = fetch_all(&["-T", &pattern, &urls]);
    assert_eq!((ran.code, ran.records().len()), (0, 4), "{ran:?}");
    for (name, content) in [("list", "one"), ("two", "two")] {
        for directory in ["a", "b"] {
            let path = format!("/anything/{directory}/{name}");
            assert_eq!(body(&site.last_request(&path).unwrap()), content, "{path}");
        }
    }
    let ran = fetch_all(&["-g", "-T", &pattern, &site.url("/anything/")]);
    assert_eq!(ran.code, 3, "{ran:?}");
    let ran = fetch_all(&["-T", &list.path("{list,none}"), &site.url("/anything/")]);
    assert!(
        ran.code == 3 && ran.stderr.contains("none: cannot be read"),
        "{ran:?}"
    );
}

#[test]
fn an_upload_with_an_offset_sends_the_rest_and_its_position() {
    let (site, list) = (site(), List::new("content"));
    let (file, url) = (list.path("list"), site.url("/anything"));
    for (offset, range, sent) in [
        ("3", "bytes 3-6/7", "tent"),
        ("0", "bytes 0-6/7", "content"),
        ("-", "bytes 0-6/7", "content"),
    ] {
        let ran = fetch_all(&["-T", &file, "-C", offset, &url]);
        assert_eq!(ran.code, 0, "{ran:?}");
        let seen = site.last_request("/anything").unwrap();
        assert_eq!(seen.header("content-range"), Some(range));
        assert_eq!(body(&seen), sent);
    }
    let ran = fetch_all(&["-T", &file, "-C", "7", &url]);
    assert!(
        ran.code == 3 && ran.stderr.contains("only 7 bytes"),
        "{ran:?}"
    );
}
