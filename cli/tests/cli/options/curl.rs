//! curl's options for connections, cookies, credentials and retries.

use std::fs;

use fetch_testbed::{Certificate, Proxy, Site};
use serde_json::json;

use crate::support::*;

#[test]
fn body_parts_are_joined_in_the_order_of_options() {
    let (site, list) = (site(), List::new("a\nb"));
    let file = format!("@{}", list.path("list"));
    let urlencode = format!("q{file}");
    fetch_all(&[
        "--data-urlencode",
        &urlencode,
        "-d",
        &file,
        "--data-raw",
        "@x",
        "--data-binary",
        &file,
        &site.url("/anything"),
    ]);
    let seen = site.last_request("/anything").unwrap();
    assert_eq!(String::from_utf8(seen.body).unwrap(), "q=a%0Ab&ab&@x&a\nb");
}

#[test]
fn referer_range_and_bearer_token_are_sent() {
    let site = site();
    let (referer, range) = (["-e", "http://a.test/"], ["--range", "0-9"]);
    fetch_all(
        &[
            &referer[..],
            &range,
            &["--oauth2-bearer", "t", &site.url("/get")],
        ]
        .concat(),
    );
    let seen = site.last_request("/get").unwrap();
    assert_eq!(seen.header("referer"), Some("http://a.test/"));
    assert_eq!(seen.header("range"), Some("bytes=0-9"));
    assert_eq!(seen.header("authorization"), Some("Bearer t"));
}

#[test]
fn accept_encoding_can_be_removed_and_bodies_are_decoded_nevertheless() {
    let site = site();
    for option in ["Accept-Encoding:", "accept-encoding: "] {
        let ran = fetch_all(&["-H", option, "--record-body", "text", &site.url("/gzip")]);
        let seen = site.last_request("/gzip").unwrap();
        assert_eq!(seen.header("accept-encoding"), None);
        let record = ran.record();
        assert!(
            record["body"].as_str().unwrap().starts_with('{'),
            "{record}"
        );
    }
}

#[test]
fn path_as_is_sends_the_path_unchanged() {
    let site = site();
    let url = site.url("/anything/../get?a={b}");
    fetch_all(&["-g", &url]);
    let as_is = fetch_all(&["-g", "--path-as-is", &url]);
    assert_eq!(
        (
            as_is.code,
            site.hits("/get?a={b}"),
            site.hits("/anything/../get?a={b}")
        ),
        (0, 1, 1),
        "{as_is:?}"
    );
    let wrong = fetch_all(&["--path-as-is", &site.url("/ä")]);
    assert_eq!(wrong.code, 2);
    assert!(
        wrong.record()["errormsg"]
            .as_str()
            .unwrap()
            .contains("percent-encode"),
        "{wrong:?}"
    );
}

#[test]
fn cookies_given_as_text_are_sent_to_every_url() {
    let site = site();
    fetch_all(&["-b", "a=1", "-b", "b=2; c=3", &site.url("/get")]);
    let seen = site.last_request("/get").unwrap();
    assert_eq!(seen.header("cookie"), Some("a=1; b=2; c=3"));
}

#[test]
fn cookies_that_servers_set_are_in_the_jar_of_the_next_run() {
    let (site, list) = (site(), List::new(""));
    let jar = list.path("jar");
    let set = site.url("/set-cookie?c=a%3D1%3B%20Path%3D/");
    let ran = fetch_all(&["-b", &jar, "--cookie-jar", &jar, &set]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let text = fs::read_to_string(&jar).unwrap();
    assert!(
        text.ends_with("127.0.0.1\tFALSE\t/\tFALSE\t0\ta\t1\n"),
        "{text}"
    );
    fetch_all(&["-b", &jar, &site.url("/get")]);
    let seen = site.last_request("/get").unwrap();
    assert_eq!(seen.header("cookie"), Some("a=1"));
}

#[test]
fn netrc_credentials_are_sent_to_their_hosts() {
    let (site, list) = (
        site(),
        List::new("machine 127.0.0.1 login me password secret\n"),
    );
    let netrc = list.path("list");
    let url = site.url("/basic-auth/me/secret");
    assert_eq!(fetch_all(&["-f", "--netrc-file", &netrc, &url]).code, 0);
    let other = url.replace("127.0.0.1", "localhost");
    assert_eq!(fetch_all(&["-f", "--netrc-file", &netrc, &other]).code, 6);
    let own = fetch_all(&["-f", "--netrc-file", &netrc, "-u", "me:wrong", &url]);
    assert_eq!(own.code, 6, "-u comes first");
}

#[test]
fn netrc_logins_follow_redirects_and_never_replace_the_credentials_of_a_row() {
    let site = site();
    let netrc = "machine localhost login one password 1 machine localhost login two password 2\n\
                 machine 127.0.0.1 login me password secret\n";
    let list = List::new(netrc);
    let option = ["--netrc-file", &list.path("list")];
    let run = |arguments: &[&str]| fetch_all(&[&option[..], arguments].concat());
    let sent = |target: &str| {
        let seen = site.last_request(target).unwrap();
        seen.header("authorization").map(str::to_owned)
    };
    let local = site.url("/get").replace("127.0.0.1", "localhost");
    let away = format!("{}?url={local}%3Fhop", site.url("/redirect-to"));
    run(&["-L", &away]);
    assert_eq!(sent("/get?hop").as_deref(), Some("Basic b25lOjE="), "one:1");
    let two = local.replace("localhost", "two@localhost");
    run(&[&format!("{two}?user")]);
    assert_eq!(
        sent("/get?user").as_deref(),
        Some("Basic dHdvOjI="),
        "two:2"
    );
    let row = format!(r#"{{"url": "{local}?own", "headers": {{"Authorization": "Bearer own"}}}}"#);
    let rows = list.path("rows.jsonl");
    fs::write(&rows, row).unwrap();
    run(&["-i", &rows]);
    assert_eq!(sent("/get?own").as_deref(), Some("Bearer own"));
}

#[test]
fn odd_lines_of_cookie_and_netrc_files_are_skipped_and_reported() {
    let site = site();
    let list = List::new("secret nonsense\n127.0.0.1\tFALSE\t/\tFALSE\t\ta\t1\n");
    let ran = fetch_all(&["-b", &list.path("list"), &site.url("/get")]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.stderr.contains("line 1: skipped: not seven fields"),
        "{ran:?}"
    );
    let seen = site.last_request("/get").unwrap();
    assert_eq!(seen.header("cookie"), Some("a=1"));
    let ran = fetch_all(&["--netrc-file", &list.path("list"), &site.url("/get")]);
    assert!(
        ran.code == 0 && ran.stderr.contains("line 1: skipped a word"),
        "{ran:?}"
    );
    assert!(!ran.stderr.contains("secret"), "{ran:?}");
}

#[test]
fn a_proxy_is_used_except_for_noproxy_hosts() {
    let (site, proxy) = (
        site(),
        Proxy::builder().login("me", "p@ss").start().unwrap(),
    );
    let url = site.url("/get");
    let address = proxy.address().to_string();
    let through = ["-x", &address, "-U", "me:p@ss"];
    let record = fetch_all(&[&through[..], &[&url]].concat()).record();
    assert_eq!(
        (&record["response_code"], proxy.connections()),
        (&json!(200), 1),
        "{record}"
    );
    let around = fetch_all(&[&through[..], &["--noproxy", "127.0.0.0/8", &url]].concat());
    assert_eq!((around.code, proxy.connections()), (0, 1));
    let mut command = command(&[&url]);
    command.env("http_proxy", format!("http://me:p%40ss@{address}"));
    assert_eq!(ran(command.output().unwrap()).code, 0);
    assert_eq!(proxy.connections(), 2, "the environment names one");
}

#[test]
fn a_socks_proxy_is_used() {
    let (site, proxy) = (site(), Proxy::builder().start().unwrap());
    let ran = fetch_all(&["-x", &proxy.url("socks5h://"), &site.url("/get")]);
    assert_eq!((ran.code, proxy.connections()), (0, 1), "{ran:?}");
}

#[test]
fn connect_to_and_unix_socket_redirect_connections() {
    let list = List::new("");
    let socket = list.path("socket");
    let site = Site::builder()
        .record(true)
        .unix_socket(&socket)
        .start()
        .unwrap();
    assert_eq!(
        fetch_all(&["--unix-socket", &socket, "http://a.test/get"]).code,
        0
    );
    assert_eq!(
        site.last_request("/get").unwrap().header("host"),
        Some("a.test")
    );
    let to = format!(
        "a.test:80:127.0.0.1:{}",
        crate::support::site().address().port()
    );
    assert_eq!(
        fetch_all(&["--retry", "0", "--connect-to", &to, "http://a.test/get"]).code,
        4
    );
    let site = crate::support::site();
    let to = format!("a.test:80:127.0.0.1:{}", site.address().port());
    assert_eq!(
        fetch_all(&["--connect-to", &to, "http://a.test/get"]).code,
        0
    );
}

#[test]
fn http2_is_negotiated_unless_switched_off() {
    let site = Site::builder()
        .tls(Certificate::Good)
        .http2(true)
        .start()
        .unwrap();
    let url = site.url("/get");
    let version = |option: &[&str]| {
        let ran = fetch_all(&[&["-k"], option, &[&url[..]]].concat());
        ran.record()["http_version"].clone()
    };
    assert_eq!(version(&[]), json!("2"));
    assert_eq!(version(&["--http2"]), json!("2"));
    assert_eq!(version(&["--http1.1"]), json!("1.1"));
}

#[test]
fn a_client_certificate_is_sent() {
    let site = Site::builder()
        .tls(Certificate::Good)
        .client_certificates(true);
    let site = site.start().unwrap();
    let list = List::new("");
    let (cert, key) = site.client_pem().unwrap();
    fs::write(list.file("cert"), cert).unwrap();
    fs::write(list.file("key"), key).unwrap();
    fs::write(list.file("both"), format!("{cert}{key}")).unwrap();
    let url = site.url("/get");
    let (cert, key) = (list.path("cert"), list.path("key"));
    assert_eq!(
        fetch_all(&["-k", "--retry", "0", &url]).code,
        5,
        "it is asked for"
    );
    assert_eq!(fetch_all(&["-k", "-E", &cert, "--key", &key, &url]).code, 0);
    assert_eq!(fetch_all(&["-k", "-E", &list.path("both"), &url]).code, 0);
    assert_eq!(
        fetch_all(&["-k", "-E", &cert, &url]).code,
        2,
        "there is no key"
    );
}

#[test]
fn retry_conditions_can_be_chosen() {
    let site = site();
    let quick = ["--retry-delay", "0", "--no-jitter"];
    let hits = |options: &[&str], path: &str| {
        let url = site.url(path);
        fetch_all(&[&quick[..], options, &[&url]].concat());
        site.hits(path)
    };
    assert_eq!(hits(&["--retry-on", "404"], "/status/404"), 3);
    assert_eq!(hits(&["--retry-on", "404"], "/status/503"), 1);
    assert_eq!(hits(&["--retry-all-errors"], "/status/405"), 1);
    assert_eq!(hits(&["--retry-all-errors", "-f"], "/status/406"), 3);
    assert_eq!(hits(&["--retry-all-errors", "-d", "x"], "/reset?x"), 3);
}

#[test]
fn a_slow_transfer_is_aborted() {
    let site = site();
    let url = site.url("/drip?bytes=40&duration=20");
    let slow = ["-Y", "1000", "-y", "0.2", "--retry", "0", "-m", "0"];
    let record = fetch_all(&[&slow[..], &[&url]].concat()).record();
    assert_eq!(
        (&record["outcome"], &record["exitcode"]),
        (&json!("timeout"), &json!(28))
    );
}

#[test]
fn max_errors_stops_the_run() {
    let site = site();
    let lines: String = (0..50)
        .map(|n| format!("{}\n", site.url(&format!("/status/404?{n}"))))
        .collect();
    let list = List::new(lines);
    let ran = fetch_all(&[
        "-f",
        "-j",
        "1",
        "--max-errors",
        "3",
        "-i",
        &list.path("list"),
    ]);
    assert_eq!(ran.code, 8, "as a failure's code is lower than 20");
    assert!(ran.stderr.contains("--max-errors"), "{}", ran.stderr);
    let failed = ran
        .records()
        .iter()
        .filter(|record| record["outcome"] == "http_error")
        .count();
    assert_eq!(failed, 3);
}

#[test]
fn unusable_files_are_reported_before_anything_is_sent() {
    let (site, list) = (site(), List::new("machine a.test login \"secret\n"));
    let (file, url) = (list.path("list"), site.url("/get"));
    let none = list.path("none");
    for (options, code, part) in [
        (["--cookie-jar", "-"], 2, "--cookie-jar -"),
        (["--cookie-jar", "/none/jar"], 2, "directory that exists"),
        (["--netrc-file", &file], 2, "line 1"),
        (["--netrc-file", &none], 3, "cannot be read"),
        (["-E", &none], 3, "--cert"),
        (["-x", "ftp://a.test"], 2, "--proxy"),
        (["--noproxy", "10.0.0.0/99"], 2, "--noproxy"),
        (["--connect-to", "a:b"], 2, "--connect-to"),
        (["--range", "a-b"], 2, "0-99"),
        (["--retry-on", "200"], 2, "5xx"),
        (["--data-binary", "@"], 2, "--data-binary"),
    ] {
        let ran = fetch_all(&[options[0], options[1], &url]);
        assert_eq!(ran.code, code, "{options:?}: {ran:?}");
        assert!(ran.stderr.contains(part), "{options:?}: {}", ran.stderr);
        assert!(
            !ran.stderr.contains("secret"),
            "{options:?}: {}",
            ran.stderr
        );
    }
    assert_eq!(site.hits("/get"), 0);
}

#[test]
fn cookies_are_those_of_the_host_that_the_field_host_names() {
    let (site, list) = (site(), List::new(""));
    let jar = list.path("jar");
    let set = site.url("/set-cookie?c=a%3D1%3B%20Path%3D/%3B%20Domain%3Dshop.test");
    let host = ["-H", "Host: www.shop.test"];
    fetch_all(&[&host[..], &["-c", &jar, &set]].concat());
    let text = fs::read_to_string(&jar).unwrap();
    assert!(text.contains("shop.test\tTRUE\t/"), "{text}");
    let sent = |options: &[&str]| {
        fetch_all(&[options, &["-b", &jar, &site.url("/get")]].concat());
        let seen = site.last_request("/get").unwrap();
        seen.header("cookie").map(str::to_owned)
    };
    assert_eq!(sent(&host).as_deref(), Some("a=1"));
    assert_eq!(sent(&[]), None);
}

#[test]
fn heads_go_to_stdout_if_records_do_not() {
    let (site, list) = (site(), List::new(""));
    let records = list.path("records.jsonl");
    let ran = fetch_all(&["-D", "-", "-o", &records, &site.url("/get")]);
    assert!(ran.stdout.starts_with("HTTP/1.1 200 OK\r\n"), "{ran:?}");
    assert_eq!(fetch_all(&["-D", "-", &site.url("/get")]).code, 2);
}
