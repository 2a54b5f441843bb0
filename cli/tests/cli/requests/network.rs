//! Requests as the server receives them, and TLS.

use std::fs;

use fetch_testbed::{Certificate, Site};
use serde_json::json;

use crate::support::*;

#[test]
fn data_is_posted_as_a_form() {
    let site = site();
    let ran = fetch_all(&["-d", "a=1", "-d", "b=2", &site.url("/anything")]);
    let seen = site.last_request("/anything").unwrap();
    assert_eq!(
        (ran.record()["method"].as_str(), seen.method.as_str()),
        (Some("POST"), "POST")
    );
    assert_eq!(seen.body, b"a=1&b=2");
    assert_eq!(
        seen.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
}

#[test]
fn json_sets_its_content_type_and_a_method_may_be_given() {
    let site = site();
    fetch_all(&["--json", "{\"a\":1}", "-X", "PUT", &site.url("/anything")]);
    let seen = site.last_request("/anything").unwrap();
    assert_eq!(
        (seen.method.as_str(), &seen.body[..]),
        ("PUT", &b"{\"a\":1}"[..])
    );
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("accept"), Some("application/json"));
}

#[test]
fn header_fields_are_added_replaced_and_removed() {
    let site = site();
    let options = [
        "-H", "X-One: 1", "-H", "Accept:", "-H", "X-Empty;", "-A", "me/1", "-u", "a:b",
    ];
    fetch_all(&[&options[..], &[&site.url("/get")]].concat());
    let seen = site.last_request("/get").unwrap();
    for (name, value) in [
        ("x-one", Some("1")),
        ("accept", None),
        ("x-empty", Some("")),
        ("user-agent", Some("me/1")),
        ("authorization", Some("Basic YTpi")),
    ] {
        assert_eq!(seen.header(name), value, "{name}");
    }
}

#[test]
fn head_requests_can_be_sent() {
    let site = site();
    let record = fetch_all(&["-I", &site.url("/bytes/1000")]).record();
    assert_eq!(
        (&record["method"], &record["size_download"]),
        (&json!("HEAD"), &json!(0))
    );
}

#[test]
fn certificates_are_checked_unless_insecure() {
    let site = Site::builder().tls(Certificate::Good).start().unwrap();
    let url = site.url("/get");
    let refused = fetch_all(&[&url]);
    assert_eq!(
        (&refused.record()["outcome"], &refused.record()["exitcode"]),
        (&json!("tls"), &json!(60))
    );
    assert_eq!(refused.code, 5);
    assert_eq!(fetch_all(&["-k", &url]).code, 0);
    let list = List::new("");
    fs::write(list.file("ca.pem"), site.ca_pem().unwrap()).unwrap();
    let trusted = fetch_all(&["--cacert", &list.path("ca.pem"), &url]);
    assert_eq!(trusted.code, 0, "{}", trusted.stderr);
    assert!(trusted.record()["time_appconnect"].is_number());
    fs::create_dir(list.file("ca")).unwrap();
    let with_directory = || fetch_all(&["--capath", &list.path("ca"), &url]);
    assert_eq!(with_directory().code, 3);
    fs::copy(list.file("ca.pem"), list.file("ca/one.crt")).unwrap();
    assert_eq!(with_directory().code, 0);
    assert_eq!(
        fetch_all(&["--cacert", &list.path("none.pem"), &url]).code,
        3
    );
    assert_eq!(fetch_all(&["--cacert", &list.path("list"), &url]).code, 2);
}

#[cfg(target_os = "linux")]
#[test]
fn the_authorities_of_the_system_are_trusted_or_if_it_has_none_those_built_in() {
    let site = Site::builder().tls(Certificate::Good).start().unwrap();
    let list = List::new("");
    fs::write(list.file("ca.pem"), site.ca_pem().unwrap()).unwrap();
    let with_system = |file: &str, threads: &str| {
        let arguments = ["--retry", "0", "--threads", threads, &site.url("/get")];
        let mut command = command(&arguments);
        command.env("SSL_CERT_FILE", file);
        ran(command.env("SSL_CERT_DIR", "/none").output().unwrap())
    };
    let trusted = with_system(&list.path("ca.pem"), "1");
    assert_eq!(
        (trusted.code, trusted.stderr.contains("Mozilla")),
        (0, false)
    );
    let without = with_system("/none", "2");
    assert_eq!(without.code, 5, "{}", without.stderr);
    let warnings = without.stderr.matches("those of Mozilla").count();
    assert_eq!(warnings, 1, "{}", without.stderr);
}

#[test]
fn versions_of_tls_can_be_limited() {
    let site = Site::builder().tls(Certificate::Good).start().unwrap();
    let url = site.url("/get");
    for (options, code) in [
        (&["--tlsv1.3"][..], 0),
        (&["--tlsv1.2"], 0),
        (&["--tls-max", "1.2"], 0),
        (&["--tlsv1.2", "--tls-max", "1.3"], 0),
        (&["--tlsv1.3", "--tls-max", "1.2"], 2),
        (&["--tls-max", "1.1"], 2),
    ] {
        let ran = fetch_all(&[&["-k", &url], options].concat());
        assert_eq!(ran.code, code, "{options:?}: {}", ran.stderr);
    }
}

#[test]
fn proto_limits_the_schemes_of_urls_and_redirects() {
    let (secure, plain) = (
        Site::builder().tls(Certificate::Good).start().unwrap(),
        site(),
    );
    let to = |url: &str| plain.url(&format!("/redirect-to?url={url}"));
    let run = |options: &[&str], url: &str| {
        let ran = fetch_all(&[&["-k", url], options].concat());
        let record = ran.record();
        (record["outcome"].clone(), record["exitcode"].clone())
    };
    let ok = (json!("ok"), json!(0));
    let invalid = (json!("invalid"), json!(3));
    let refused = (json!("protocol"), json!(1));
    let secure = secure.url("/get");
    assert_eq!(run(&["--proto", "=https"], &secure), ok);
    assert_eq!(run(&["--proto", "=https"], &plain.url("/get")), invalid);
    assert_eq!(run(&["--proto-redir", "=https"], &to(&secure)), ok);
    let plain_target = to(&plain.url("/get"));
    assert_eq!(run(&["--proto-redir", "=https"], &plain_target), refused);
    assert_eq!(run(&["--proto", "-ftp"], &plain_target), ok);
    // The scheme of a URL without one.
    let bare = secure.trim_start_matches("https://");
    assert_eq!(run(&["--proto-default", "https"], bare), ok);
    let list = List::new(bare);
    let ran = fetch_all(&["-k", "--proto-default", "https", "-i", &list.path("list")]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn resolve_overrides_dns() {
    let site = site();
    let port = site.address().port();
    let url = format!("http://example.test:{port}/get");
    let ran = fetch_all(&["--resolve", &format!("example.test:{port}:127.0.0.1"), &url]);
    assert_eq!(
        (ran.code, &ran.record()["remote_ip"]),
        (0, &json!("127.0.0.1")),
        "{}",
        ran.stderr
    );
}

#[test]
fn private_addresses_are_refused_for_names_addresses_and_redirects() {
    let (site, other) = (site(), site());
    let port = site.address().port();
    let by_number = format!("http://2130706433:{port}/get");
    let by_name = format!("http://a.localhost:{port}/get");
    let mapped = format!("http://[::ffff:127.0.0.1]:{port}/get");
    let urls = [site.url("/get"), by_name, by_number, mapped];
    let urls = urls.iter().map(String::as_str);
    let args: Vec<_> = ["--no-private-addresses"].into_iter().chain(urls).collect();
    let ran = fetch_all(&args);
    for record in ran.records() {
        assert_eq!(record["error_type"], "private_address", "{record}");
        assert_eq!(record["num_retries"], 0, "{record}");
    }
    assert_eq!((ran.records().len(), site.observed().requests), (4, 0));

    // The address of --resolve stands in for one on the internet.
    let resolve = format!("example.test:{port}:127.0.0.1");
    let away = other.url("/get");
    let redirect = format!("http://example.test:{port}/redirect-to?url={away}");
    let options = ["--no-private-addresses", "-L", "--resolve", &resolve];
    let ran = fetch_all(&[&options[..], &[&redirect]].concat());
    assert_eq!(ran.record()["error_type"], "private_address");
    assert_eq!(ran.record()["num_redirects"], 1);
    assert_eq!(
        (site.observed().requests, other.observed().requests),
        (1, 0)
    );
}

#[test]
fn private_addresses_cannot_be_checked_through_a_proxy() {
    let proxy = ["--no-private-addresses", "-x", "http://127.0.0.1:9"];
    let ran = fetch_all(&[&proxy[..], &["http://127.0.0.1:9/"]].concat());
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("--no-private-addresses: a proxy"),
        "{}",
        ran.stderr
    );
}

#[test]
fn logs_and_records_contain_no_secrets() {
    let site = site();
    let list = List::new("");
    let url = site
        .url("/get?token=hush1&x=1")
        .replace("://", "://user:hush2@");
    let log = list.path("logs/a.log");
    let options = [
        "-vvv",
        "--log-file",
        &log,
        "-u",
        "me:hush3",
        "--retry",
        "0",
        "-L",
    ];
    let plain = site.url("/reset?token=hush1");
    let ran = fetch_all(
        &[
            &options[..],
            &[&url, &url.replace("/get", "/reset"), &plain],
        ]
        .concat(),
    );
    let logged = fs::read_to_string(&log).unwrap();
    assert!(
        logged.contains("batch finished") && ran.stderr.contains("batch finished"),
        "{logged}"
    );
    for secret in ["hush1", "hush2", "hush3", "bWU6aHVzaDM", "dXNlcjpodXNoMg"] {
        assert!(!logged.contains(secret), "{secret} is in {logged}");
        assert!(
            !ran.stderr.contains(secret),
            "{secret} is in {}",
            ran.stderr
        );
    }
    assert!(!ran.stdout.contains("hush2"), "{}", ran.stdout);
}

#[test]
fn requests_that_may_be_repeated_share_a_connection() {
    let site = site();
    let urls = [(); 3].map(|()| site.url("/anything"));
    let urls = urls.each_ref().map(String::as_str);
    for (options, connections) in [
        (&[][..], 1),
        (&["-d", "x", "--retry-on", "unanswered"], 1),
        (&["-d", "x"], 3),
    ] {
        let before = site.observed().connections;
        let ran = fetch_all(&[&["-j", "1"], options, &urls].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(
            site.observed().connections - before,
            connections,
            "{options:?}"
        );
    }
}
