//! How servers are reached: addresses, tunnels, pinned keys, https only.

use std::fs;

use fetch_testbed::{Certificate, Proxy, Site};
use serde_json::json;

use crate::support::*;

#[test]
fn only_addresses_of_the_family_are_used() {
    let site = site();
    let port = site.address().port();
    let url = format!("http://a.test:{port}/get");
    let both = format!("a.test:{port}:[::1],127.0.0.1");
    let ran = fetch_all(&["-4", "--resolve", &both, &url]);
    assert_eq!(ran.record()["remote_ip"], "127.0.0.1", "{ran:?}");
    let only_v4 = format!("a.test:{port}:127.0.0.1");
    let ran = fetch_all(&["--ipv6", "--resolve", &only_v4, &url]);
    let record = ran.record();
    assert_eq!(
        (&record["outcome"], &record["exitcode"]),
        (&json!("dns"), &json!(6))
    );
    assert!(
        record["errormsg"]
            .as_str()
            .unwrap()
            .contains("no IPv6 address"),
        "{record}"
    );
    assert_eq!(
        fetch_all(&["-6", "-4", "--resolve", &only_v4, &url]).code,
        0,
        "the last counts"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn the_local_address_is_chosen() {
    let site = site();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let peer = std::thread::spawn(move || listener.accept().unwrap().1.ip());
    fetch_all(&["--interface", "127.0.0.9", "--retry", "0", "-m", "5", &url]);
    assert_eq!(peer.join().unwrap().to_string(), "127.0.0.9");
    for (local, part) in [
        ("192.0.2.7", "write an IP address"),
        ("none0", "no such interface"),
    ] {
        let ran = fetch_all(&["--interface", local, &site.url("/get")]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
    }
}

#[test]
fn a_tunnel_and_fields_for_the_proxy() {
    let (site, proxy) = (site(), Proxy::builder().start().unwrap());
    let address = proxy.address().to_string();
    let options = [
        "-x",
        &address,
        "--proxy-header",
        "X-Proxy: 1",
        "-H",
        "X-Server: 1",
    ];
    let url = site.url("/get");
    assert_eq!(fetch_all(&[&options[..], &["-p", &url]].concat()).code, 0);
    assert_eq!(fetch_all(&[&options[..], &[&url]].concat()).code, 0);
    let heads = proxy.heads();
    let (tunnel, forwarded) = (&heads[0], &heads[1]);
    assert!(tunnel.starts_with("CONNECT "), "{heads:?}");
    assert!(forwarded.starts_with("GET http://"), "{heads:?}");
    for (head, field, expected) in [
        (tunnel, "x-proxy: 1", true),
        (tunnel, "user-agent: ", true),
        (tunnel, "x-server: 1", false),
        (forwarded, "x-proxy: 1", true),
        (forwarded, "x-server: 1", true),
    ] {
        let has = head.to_ascii_lowercase().contains(field);
        assert_eq!(has, expected, "{field} in {head}");
    }
    let seen = site.last_request("/get").unwrap();
    assert_eq!(seen.header("x-server"), Some("1"));
}

#[test]
fn only_servers_with_the_pinned_key_are_accepted() {
    let site = Site::builder().tls(Certificate::Good).start().unwrap();
    let list = List::new("");
    let other = Site::builder().tls(Certificate::Good).start().unwrap();
    fs::write(list.file("other"), other.public_key_pem().unwrap()).unwrap();
    fs::write(list.file("key"), site.public_key_pem().unwrap()).unwrap();
    let url = site.url("/get");
    let pinned = |name: &str, more: &[&str]| {
        let path = list.path(name);
        fetch_all(
            &[
                &["--pinnedpubkey", &path, "--retry", "0"][..],
                more,
                &[&*url],
            ]
            .concat(),
        )
    };
    assert_eq!(pinned("key", &["-k"]).code, 0);
    let refused = pinned("other", &["-k"]).record();
    assert_eq!(
        (&refused["outcome"], &refused["exitcode"]),
        (&json!("tls"), &json!(90)),
        "{refused}"
    );
    assert_eq!(
        pinned("key", &[]).record()["exitcode"],
        60,
        "the certificate is checked, too"
    );
    fs::write(list.file("ca"), site.ca_pem().unwrap()).unwrap();
    assert_eq!(pinned("key", &["--cacert", &list.path("ca")]).code, 0);
    let wrong = fetch_all(&["--pinnedpubkey", "sha256//x", &url]);
    assert_eq!(
        (wrong.code, wrong.stderr.contains("44 characters")),
        (2, true),
        "{wrong:?}"
    );
}

#[test]
fn hosts_of_the_hsts_file_are_reached_by_https() {
    let site = Site::builder().tls(Certificate::Good).start().unwrap();
    let list = List::new(".a.test \"unlimited\"\n");
    let (file, port) = (list.path("list"), site.address().port());
    let resolve = format!("www.a.test:{port}:127.0.0.1");
    let url = format!("http://www.a.test:{port}/get");
    let ran = fetch_all(&["--hsts", &file, "-k", "--resolve", &resolve, &url]);
    let record = ran.record();
    assert_eq!(
        record["url_effective"],
        format!("https://www.a.test:{port}/get"),
        "{ran:?}"
    );
    assert_eq!((&record["url"], ran.code), (&json!(url), 0));
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.ends_with("\n.a.test \"unlimited\"\n"), "{text}");
}
