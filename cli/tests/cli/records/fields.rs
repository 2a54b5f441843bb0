//! The schema of records.

use serde_json::{Value, json};

use crate::support::*;

#[test]
fn a_record_has_every_field_of_the_schema_in_order() {
    let site = site();
    let url = site.url("/bytes/1000");
    let ran = fetch_all(&[&url]);
    let line = ran.stdout.trim_end();
    let expected = "v id seq url url_effective host_key method outcome response_code http_version \
        content_type error_type errormsg exitcode started_at time_queue time_namelookup \
        time_connect time_appconnect time_pretransfer time_posttransfer time_starttransfer \
        time_redirect time_total num_retries num_redirects num_connects remote_ip remote_port \
        size_request size_header size_download resumed_from size_delivered attempts";
    let mut at = 0;
    for field in expected.split_whitespace() {
        let found = line[at..].find(&format!("\"{field}\":"));
        at += found.unwrap_or_else(|| panic!("{field} is missing, or out of order: {line}"));
    }
    let record = ran.record();
    let address = site.address();
    for (field, value) in [
        ("v", json!(1)),
        ("seq", json!(1)),
        ("url", json!(url)),
        ("url_effective", json!(url)),
        ("host_key", json!(address.to_string())),
        ("method", json!("GET")),
        ("outcome", json!("ok")),
        ("response_code", json!(200)),
        ("http_version", json!("1.1")),
        ("error_type", Value::Null),
        ("errormsg", Value::Null),
        ("exitcode", json!(0)),
        ("time_appconnect", Value::Null),
        ("num_connects", json!(1)),
        ("remote_ip", json!("127.0.0.1")),
        ("remote_port", json!(address.port())),
        ("size_download", json!(1000)),
        ("size_delivered", json!(1000)),
    ] {
        assert_eq!(record[field], value, "{field}");
    }
    let id = record["id"].as_str().unwrap();
    assert!(id.starts_with("sha256:") && id.len() == 71, "{id}");
    let started = record["started_at"].as_str().unwrap();
    assert!(started.len() == 24 && started.ends_with('Z'), "{started}");
}

#[test]
fn times_count_up_from_the_start() {
    let site = site();
    let record = fetch_all(&[&site.url("/delay/0.1")]).record();
    let time = |name: &str| {
        record[name]
            .as_f64()
            .unwrap_or_else(|| panic!("{name}: {record}"))
    };
    let names = [
        "time_namelookup",
        "time_connect",
        "time_pretransfer",
        "time_starttransfer",
        "time_total",
    ];
    assert!(names.map(time).is_sorted(), "{record}");
    assert!(time("time_starttransfer") >= 0.1, "{record}");
}

#[test]
fn a_decoded_body_has_two_sizes() {
    let site = site();
    let list = List::new([site.url("/gzip"), site.url("/brotli"), site.url("/zstd")].join("\n"));
    let records = fetch_all(&["-i", &list.path("list")]).records();
    for record in &records {
        assert_ne!(
            record["size_download"], record["size_delivered"],
            "{record}"
        );
    }
    let record = fetch_all(&["--no-compressed", &site.url("/gzip")]).record();
    assert_eq!(record["size_download"], record["size_delivered"]);
    let seen = site.last_request("/gzip").unwrap();
    assert_eq!(seen.header("accept-encoding"), None);
}

#[test]
fn redirects_are_followed_unless_an_option_says_otherwise() {
    let site = site();
    let url = site.url("/redirect/2");
    let kept = fetch_all(&["--no-location", &url]).record();
    assert_eq!(
        (&kept["response_code"], &kept["outcome"]),
        (&json!(302), &json!("ok"))
    );
    assert_eq!(fetch_all(&["-L", &url]).record()["num_redirects"], 2);
    let record = fetch_all(&[&url]).record();
    assert_eq!(record["url_effective"], site.url("/get"));
    assert_eq!(
        (
            &record["num_redirects"],
            record["attempts"].as_array().unwrap().len()
        ),
        (&json!(2), 3)
    );
    for max in ["0", "1"] {
        let ran = fetch_all(&["-L", "--max-redirs", max, &url]);
        assert_eq!((&ran.record()["exitcode"], ran.code), (&json!(47), 7));
    }
    let many = site.url("/redirect/12");
    assert_eq!(fetch_all(&[&many]).code, 7, "ten at most");
    assert_eq!(
        fetch_all(&["--max-redirs", "-1", &many]).record()["num_redirects"],
        12
    );
}

#[test]
fn each_kind_of_failure_has_its_outcome_and_codes() {
    let site = site();
    for (path, outcome, kind, curl, code) in [
        ("/status/404", "http_error", "404", 22, 8),
        ("/status/401", "http_error", "401", 22, 6),
        ("/reset", "io", "io", 56, 4),
        ("/empty-reply", "io", "empty_reply", 52, 4),
        ("/truncate", "io", "io", 18, 4),
        ("/garbage", "protocol", "protocol", 1, 7),
        ("/bytes/2000", "too_large", "too_large", 63, 7),
        ("/stall", "timeout", "timeout", 28, 4),
    ] {
        let options = [
            "-f",
            "--retry",
            "0",
            "--max-filesize",
            "1500",
            "-m",
            "0.3",
            &site.url(path),
        ];
        let ran = fetch_all(&options);
        let record = ran.record();
        assert_eq!(record["outcome"], outcome, "{path}: {record}");
        assert_eq!(record["error_type"], kind, "{path}");
        assert_eq!(
            (&record["exitcode"], ran.code),
            (&json!(curl), code),
            "{path}"
        );
        assert_eq!(
            record["errormsg"].is_string(),
            outcome != "http_error",
            "{path}"
        );
    }
}

#[test]
fn ids_depend_on_the_body() {
    let site = site();
    let url = site.url("/anything");
    let id = |options: &[&str]| fetch_all(&[options, &[&url]].concat()).record()["id"].clone();
    assert_eq!(id(&[]), id(&["-H", "x: y"]));
    assert_ne!(id(&["-d", "a"]), id(&["-d", "b"]));
}

#[test]
fn the_record_of_an_incomplete_body_has_the_fields_of_its_response() {
    let site = site();
    let ran = fetch_all(&["--retry", "0", "--record-headers", &site.url("/truncate")]);
    let record = ran.record();
    assert_eq!(record["response_code"], 200);
    assert_eq!(record["http_version"], "1.1");
    assert_eq!(record["content_type"], "application/octet-stream");
    assert_eq!(record["header_json"]["content-length"], json!(["4096"]));
}

#[test]
fn header_fields_of_a_decoded_body_are_those_that_were_sent() {
    let site = site();
    let ran = fetch_all(&["--record-headers", &site.url("/gzip")]);
    let record = ran.record();
    assert_eq!(record["header_json"]["content-encoding"], json!(["gzip"]));
    let length = record["header_json"]["content-length"][0].as_str().unwrap();
    assert_eq!(length, record["size_download"].to_string());
    let form = "%header{content-encoding} %header{content-length}";
    let ran = fetch_all(&["-w", form, &site.url("/gzip")]);
    assert_eq!(ran.stdout, format!("gzip {length}"));
}
