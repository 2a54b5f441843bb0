//! Output formats, read back, and `-w`.

use std::fs::{self, File};

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

use crate::support::*;

const ODD: &str = "/anything/a,b;c?q=%22x%22&token=hidden";

#[test]
fn csv_is_read_back_with_any_url() {
    let site = site();
    let urls = [
        site.url(ODD),
        site.url("/status/503"),
        "http://no \"url\", it is".to_owned(),
    ];
    let ran = fetch_all(&[
        "--format", "csv", "--retry", "0", &urls[0], &urls[1], &urls[2],
    ]);
    let mut reader = csv::Reader::from_reader(ran.stdout.as_bytes());
    let heads = reader.headers().unwrap().clone();
    let at = |name| heads.iter().position(|head| head == name).unwrap();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 3);
    for (url, outcome, code) in [
        (&urls[0], "ok", "200"),
        (&urls[1], "http_error", "503"),
        (&urls[2], "invalid", ""),
    ] {
        let row = rows.iter().find(|row| &row[at("url")] == url);
        let row = row.unwrap_or_else(|| panic!("{url}: {rows:?}"));
        assert_eq!(
            (&row[at("outcome")], &row[at("response_code")]),
            (outcome, code)
        );
    }
}

#[test]
fn parquet_is_read_back_with_its_types() {
    let site = site();
    let list = List::new("");
    let out = list.path("out.parquet");
    let urls = [site.url("/bytes/1000"), site.url("/status/404")];
    let ran = fetch_all(&["-o", &out, "--format", "parquet", &urls[0], &urls[1]]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran:?}");
    let reader = SerializedFileReader::new(File::open(&out).unwrap()).unwrap();
    let rows: Vec<_> = reader
        .get_row_iter(None)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(rows.len(), 2);
    let ok = |row: &&parquet::record::Row| {
        let mut columns = row.get_column_iter();
        columns.any(|(name, value)| name == "response_code" && value.to_string() == "200")
    };
    let row = rows.iter().find(ok).unwrap();
    let column = |wanted: &str| {
        let mut columns = row.get_column_iter();
        columns.find(|(name, _)| *name == wanted).unwrap().1.clone()
    };
    assert_eq!(column("size_delivered"), Field::Long(1000));
    assert_eq!(column("outcome"), Field::Str("ok".into()));
    assert!(matches!(column("time_total"), Field::Double(_)));
    assert_eq!(column("error_type"), Field::Null);
}

#[test]
fn a_har_file_is_one_valid_object() {
    let site = site();
    let list = List::new("");
    let out = list.path("out.har");
    let urls = [
        site.url("/bytes/1000"),
        site.url("/status/404"),
        site.url("/reset"),
        site.url("/flaky/1?key=har"),
        "http://[bad/".to_owned(),
    ];
    fs::write(list.file("list"), urls.join("\n")).unwrap();
    let options = [
        "--retry",
        "1",
        "--retry-delay",
        "0.01",
        "-i",
        &list.path("list"),
    ];
    let ran = fetch_all(&[&["-o", &*out, "--format", "har"], &options[..]].concat());
    assert_eq!(ran.stdout, "", "{ran:?}");
    let har: serde_json::Value = serde_json::from_str(&fs::read_to_string(&out).unwrap()).unwrap();
    assert_eq!(har["log"]["version"], "1.2");
    let entries = har["log"]["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 5, "{har}");
    for entry in entries {
        let url = entry["request"]["url"].as_str().unwrap();
        assert_eq!(url == "about:invalid", !entry["_url"].is_null(), "{entry}");
        let started = entry["startedDateTime"].as_str().unwrap();
        started.parse::<jiff::Timestamp>().unwrap();
        let phases = ["blocked", "dns", "connect", "send", "wait", "receive"];
        let phases = phases.map(|phase| entry["timings"][phase].as_f64().unwrap());
        let sum: f64 = phases.iter().filter(|phase| **phase >= 0.0).sum();
        let time = entry["time"].as_f64().unwrap();
        assert!((sum - time).abs() < 1e-6, "{entry}");
        assert!(phases[3..].iter().all(|phase| *phase >= 0.0), "{entry}");
    }
    let entry = entries
        .iter()
        .find(|one| one["request"]["url"] == urls[0])
        .unwrap();
    assert_eq!(entry["response"]["content"]["size"], 1000, "{entry}");
    for part in [
        "startedDateTime",
        "time",
        "request",
        "response",
        "cache",
        "timings",
    ] {
        assert!(!entry[part].is_null(), "{part}: {entry}");
    }
}

#[test]
fn formats_without_append_refuse_a_state() {
    let list = List::new("");
    let (state, out) = (list.path("state"), list.path("out"));
    for format in ["har", "parquet"] {
        let ran = fetch_all(&[
            "--state",
            &state,
            "-o",
            &out,
            "--format",
            format,
            "http://127.0.0.1:1/",
        ]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains("use jsonl or csv"), "{ran:?}");
    }
}

#[test]
fn csv_with_a_state_has_one_header_over_all_runs() {
    let site = site();
    let list = List::new("");
    let (state, out) = (list.path("state"), list.path("out.csv"));
    for path in ["/bytes/1", "/bytes/2"] {
        let arguments = [
            "--state",
            &state,
            "-o",
            &out,
            "--format",
            "csv",
            &site.url(path),
        ];
        assert_eq!(fetch_all(&arguments).code, 0);
    }
    let text = fs::read_to_string(&out).unwrap();
    let heads = text.lines().filter(|line| line.starts_with("v,id,seq,url"));
    assert_eq!((heads.count(), text.lines().count()), (1, 3), "{text}");
}

#[test]
fn write_out_prints_like_curl() {
    let site = site();
    let url = site.url("/redirect-to?url=/bytes/30&status=302");
    let form = "%{http_code} %{size_download} %{num_redirects} %{url_effective} %{method}\\t%{exitcode} %header{content-type} %%\\n";
    let ran = fetch_all(&["-L", "-w", form, "--out-null", &url]);
    let expected = format!(
        "200 30 1 {} GET\t0 application/octet-stream %\n",
        site.url("/bytes/30")
    );
    assert_eq!(ran.stdout, expected, "{ran:?}");
}

#[test]
fn digests_and_header_fields_are_optional() {
    let site = site();
    let url = site.url("/bytes/0");
    let ran = fetch_all(&["--checksum", "md5", "--record-headers", &url]);
    let record = ran.record();
    assert_eq!(record["checksum"], "md5:d41d8cd98f00b204e9800998ecf8427e");
    let fields = &record["header_json"];
    assert_eq!(fields["content-length"][0], "0", "{record}");
    let plain = fetch_all(&[&url]).record();
    assert!(plain.get("header_json").is_none() && plain.get("checksum").is_none());
}
