//! `-w`: the values and the syntax are those of curl.

use std::fs;

use serde_json::Value;

use crate::support::*;

/// The text that `-w` prints for one URL.
fn printed(form: &str, options: &[&str]) -> String {
    fetch_all(&[&["-s", "-w", form], options].concat()).stdout
}

#[test]
fn an_unknown_variable_is_reported_and_stays_empty() {
    let site = site();
    let ran = fetch_all(&["-w", "a%{http_cod}b%{http_code", &site.url("/get")]);
    assert_eq!((ran.code, &*ran.stdout), (0, "ab%{http_code"));
    let warning = "%{http_cod} is not known and stays empty; write %{http_code}";
    assert!(ran.stderr.contains(warning), "{ran:?}");
}

#[test]
fn what_follows_onerror_is_for_failures_only() {
    let site = site();
    let form = "x%{onerror}%{exitcode}";
    assert_eq!(printed(form, &[&site.url("/get")]), "x");
    assert_eq!(
        printed(form, &["http://127.0.0.1:1/", "--host-max-wait", "0"]),
        "x7"
    );
}

#[test]
fn text_goes_to_stdout_stderr_and_files() {
    let (site, list) = (site(), List::new(""));
    let (new, kept) = (list.path("new"), list.path("kept"));
    fs::write(&new, "old").unwrap();
    fs::write(&kept, "old").unwrap();
    let form =
        format!("o%{{stderr}}e%output{{{new}}}f%{{urlnum}}%output{{>>{kept}}}k%{{stdout}}p\\n");
    let url = site.url("/get?[1-2]");
    let ran = fetch_all(&["-s", "-w", &form, &url]);
    assert_eq!((&*ran.stdout, &*ran.stderr), ("op\nop\n", "ee"));
    let content = fs::read_to_string(new).unwrap();
    assert!(["f0f1", "f1f0"].contains(&&*content), "{content}");
    assert_eq!(fs::read_to_string(kept).unwrap(), "oldkk");
}

#[test]
fn sizes_and_addresses_are_those_on_the_wire() {
    let site = site();
    let url = site.url("/anything");
    let form =
        "%{size_upload} %{size_request} %{size_header} %{num_connects} %{local_ip} %{remote_ip}";
    let text = printed(form, &["-d", "abc", &url]);
    let parts: Vec<_> = text.split(' ').collect();
    assert_eq!(
        (parts[0], parts[3], parts[4], parts[5]),
        ("3", "1", "127.0.0.1", "127.0.0.1")
    );
    let request = site.last_request("/anything").unwrap();
    let sent: usize = request
        .headers
        .iter()
        .map(|(name, value)| name.to_string().len() + value.len() + 4)
        .sum();
    assert_eq!(
        parts[1],
        (sent + "POST /anything HTTP/1.1".len() + 4 + 3).to_string()
    );
    let port = printed("%{local_port}", &[&url]);
    assert!(port.parse::<u16>().unwrap() > 0);
    let twice = printed("%{size_request}", &["-L", &site.url("/redirect/1")]);
    let once = printed("%{size_request}", &[&site.url("/get")]);
    assert!(twice.parse::<u64>().unwrap() > once.parse::<u64>().unwrap());
}

#[test]
fn a_connection_that_failed_later_is_counted_and_has_its_address() {
    let site = fetch_testbed::Site::builder()
        .tls(fetch_testbed::Certificate::Good)
        .start()
        .unwrap();
    let plain = self::site();
    for url in [
        site.url("/get"),
        plain.url("/garbage"),
        plain.url("/truncate"),
    ] {
        let text = printed("%{num_connects} %{remote_ip}", &["--retry", "0", &url]);
        assert_eq!(text, "1 127.0.0.1", "{url}");
    }
}

#[test]
fn json_has_the_variables_of_curl_with_its_types() {
    let site = site();
    let url = site.url("/redirect/3");
    let options = ["-L", "--max-redirs", "1", &url];
    let json: Value = serde_json::from_str(&printed("%{json}", &options)).unwrap();
    for (name, value) in [
        ("http_code", Value::from(302)),
        ("response_code", 302.into()),
        ("http_version", "1.1".into()),
        ("redirect_url", site.url("/redirect/1").into()),
        ("scheme", "http".into()),
        ("method", "GET".into()),
        ("num_redirects", 1.into()),
        ("referer", Value::Null),
        ("time_appconnect", 0.0.into()),
        ("urlnum", 0.into()),
        ("url", (*url).into()),
        ("url_effective", site.url("/redirect/2").into()),
    ] {
        assert_eq!(json[name], value, "{name}: {json}");
    }
    assert!(json["num_headers"].as_u64().unwrap() > 0);
    let failed = printed("%{json}", &["--host-max-wait", "0", "http://127.0.0.1:1/"]);
    let failed: Value = serde_json::from_str(&failed).unwrap();
    assert_eq!(
        (&failed["response_code"], &failed["exitcode"]),
        (&0.into(), &7.into())
    );
    assert!(failed["errormsg"].is_string() && failed["content_type"].is_null());
}

#[test]
fn fields_are_written_as_curl_writes_them() {
    let response: &[&[u8]] = &[b"HTTP/1.1 200 OK\r\nA: 1\r\na:  2 \r\nContent-Length: 0\r\n\r\n"];
    let url = format!("http://{}/", serve_answers(response));
    assert_eq!(
        printed(
            "%header{A}|%header{a:all}|%header{a:all:;}|%header{b}",
            &[&url]
        ),
        "1|1, 2|1;2|"
    );
    let text = printed("%{header_json}", &[&url]);
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["a"], serde_json::json!(["1", "2"]));
    assert!(text.starts_with("{\"") && text.ends_with("\n}"), "{text}");
    assert_eq!(
        printed(
            "%{header_json}",
            &["--host-max-wait", "0", "http://127.0.0.1:1/"]
        ),
        "{\n}"
    );
}

#[test]
fn the_method_is_that_of_the_last_request() {
    let site = site();
    let url = site.url("/redirect-to?url=/get&status=302");
    assert_eq!(printed("%{method}", &["-L", "-d", "a", &url]), "GET");
}

#[test]
fn certificates_are_written_as_pem() {
    let site = fetch_testbed::Site::builder()
        .tls(fetch_testbed::Certificate::Good)
        .start()
        .unwrap();
    let text = printed("%{num_certs} %{certs}", &["-k", &site.url("/get")]);
    let (count, pem) = text.split_once(' ').unwrap();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----\n"), "{text}");
    let ends = pem.matches("\n-----END CERTIFICATE-----\n").count();
    assert_eq!(count, ends.to_string());
    // The same text as curl's, whose lines have 64 characters.
    let lines: Vec<_> = pem.lines().collect();
    assert!(lines.len() > 3 && lines[1].len() == 64, "{text}");
    let plain = crate::support::site();
    assert_eq!(
        printed("%{num_certs}%{certs}|", &[&plain.url("/get")]),
        "0|"
    );
}
