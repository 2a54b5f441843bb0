//! Rows with more columns, bodies in records, and what is wrong with rows.

use std::fs;
use std::io::Read;

use serde_json::{Value, json};

use crate::support::*;

/// Creates a list with this file name.
fn named(name: &str, content: impl AsRef<[u8]>) -> (List, String) {
    let list = List::new("");
    fs::write(list.file(name), content).unwrap();
    let path = list.path(name);
    (list, path)
}

/// The record of each row, in the order of the list.
fn in_order(ran: &Ran) -> Vec<Value> {
    let mut records = ran.records();
    records.sort_by_key(|record| record["seq"].as_u64());
    records
}

fn lines(rows: &[Value]) -> String {
    let rows: Vec<_> = rows.iter().map(Value::to_string).collect();
    rows.join("\n")
}

#[test]
fn other_columns_of_csv_and_jsonl_are_carried_into_the_records() {
    let site = site();
    let url = site.url("/get");
    let (_csv, csv) = named(
        "list.csv",
        format!("url,caption,Width\n{url}?1,\"a cat, sitting\",640\n{url}?2,,\n"),
    );
    let ran = fetch_all(&["-i", &csv]);
    let rows: Vec<_> = in_order(&ran).iter().map(|r| r["row"].clone()).collect();
    assert_eq!(
        rows,
        [
            json!({"caption": "a cat, sitting", "Width": "640"}),
            json!({"caption": "", "Width": ""})
        ]
    );
    let list = lines(&[
        json!({"url": format!("{url}?3"), "caption": "é", "tags": [1, {"a": null}]}),
        json!({"url": format!("{url}?4")}),
    ]);
    let (_jsonl, jsonl) = named("list.jsonl", list);
    let ran = fetch_all(&["-i", &jsonl]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let records = in_order(&ran);
    assert_eq!(
        records[0]["row"],
        json!({"caption": "é", "tags": [1, {"a": null}]})
    );
    assert_eq!(records[1].get("row"), None);
    let chosen = fetch_all(&["-i", &csv, "--columns", "width,url"]);
    let expected = json!({"url": format!("{url}?1"), "Width": "640"});
    assert_eq!(in_order(&chosen)[0]["row"], expected);
    let wrong = fetch_all(&["-i", &csv, "--columns", "height"]);
    assert!(
        wrong
            .stderr
            .contains("no column \"height\", but url, caption"),
        "{wrong:?}"
    );
}

#[test]
fn records_in_tar_files_and_csv_have_the_columns_too() {
    let site = site();
    let url = site.url("/bytes/5");
    let (list, path) = named("list.csv", format!("url,caption\n{url},cat\n"));
    let (shards, records) = (list.path("shards"), list.path("records.csv"));
    let options = ["--tar", &shards, "--format", "csv", "-o", &records];
    let ran = fetch_all(&[&["-i", &path][..], &options].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let csv = fs::read_to_string(&records).unwrap();
    assert!(csv.contains(r#""{""caption"":""cat""}""#), "{csv}");
    let tar = fs::File::open(list.file("shards/00000.tar")).unwrap();
    let mut archive = tar::Archive::new(tar);
    let mut record = String::new();
    let mut entries = archive.entries().unwrap();
    let mut entry = entries.nth(1).unwrap().unwrap();
    entry.read_to_string(&mut record).unwrap();
    let record: Value = serde_json::from_str(&record).unwrap();
    assert_eq!(record["row"], json!({"caption": "cat"}));
}

#[test]
fn a_list_of_api_calls_gives_their_answers_in_the_records() {
    let site = site();
    let list = lines(&[
        json!({"url": site.url("/anything/1"), "body": {"n": 1}, "id": 7, "customer": "acme"}),
        json!({"url": site.url("/status/404"), "customer": "none"}),
        json!({"link": site.url("/bytes/3")}),
    ]);
    let (_list, path) = named("calls.jsonl", list);
    let ran = fetch_all(&["-i", &path, "--record-body", "json"]);
    let records = in_order(&ran);
    assert_eq!(records[0]["body"]["method"], "POST", "{}", records[0]);
    assert_eq!(records[0]["row"]["customer"], "acme");
    assert_eq!(
        (&records[0]["id"], records[0].get("body_error")),
        (&json!("7"), None)
    );
    assert_eq!(records[1]["response_code"], 404);
    assert_eq!(records[1]["row"]["customer"], "none");
    assert_eq!(records[2]["outcome"], "invalid");
    assert!(ran.stderr.contains("write --url-column link"), "{ran:?}");
    let ran = fetch_all(&[
        "-i",
        &path,
        "--url-column",
        "link",
        "--record-body",
        "base64",
    ]);
    let third = &in_order(&ran)[2];
    assert_eq!(
        (third["body"].as_str().map(str::len), &third["outcome"]),
        (Some(4), &json!("ok"))
    );
}

#[test]
fn a_body_that_is_no_json_or_too_long_is_reported_in_its_record() {
    let site = site();
    let url = site.url("/bytes/100");
    let record = fetch_all(&[&url, "--record-body", "json"]).record();
    assert!(record["body"].is_string(), "{record}");
    assert!(
        record["body_error"].as_str().unwrap().contains("not JSON"),
        "{record}"
    );
    let limit = ["--record-body", "text", "--record-body-max", "99"];
    let record = fetch_all(&[&[&*url][..], &limit].concat()).record();
    assert!(
        record["body"].is_null() && record["outcome"] == "ok",
        "{record}"
    );
    let why = record["body_error"].as_str().unwrap();
    assert!(why.contains("100 B are longer than 99 B"), "{why}");
    let refused = fetch_all(&[&url, "--record-body", "text", "--record-body-max", "1G"]);
    assert_eq!(refused.code, 2, "{refused:?}");
}

#[test]
fn bodies_that_are_saved_can_be_recorded_as_well_whatever_their_status() {
    let site = site();
    let urls = [
        site.url("/bytes/300000"),
        site.url("/status/404"),
        site.url("/get"),
    ];
    let (list, path) = named(
        "list.jsonl",
        lines(&urls.map(|url| json!({"url": url, "k": 1}))),
    );
    let kept = list.path("kept");
    let options = ["--output-dir", &kept, "--record-body", "base64"];
    let ran = fetch_all(&[&["-i", &path][..], &options].concat());
    let records = in_order(&ran);
    assert_eq!(records[0]["body"].as_str().unwrap().len(), 400_000);
    assert!(records[0]["filename_effective"].is_string());
    assert!(records[1]["body"].is_string() && records[1]["filename_effective"].is_null());
    assert!(records[2]["body"].is_string() && records[2]["filename_effective"].is_string());
}

#[test]
fn unequal_rows_are_refused_by_line_and_the_rest_is_fetched() {
    let site = site();
    let url = site.url("/get");
    let (_list, path) = named("list.csv", format!("url\n{url}?1,2.jpg\n{url}?3\n"));
    let ran = fetch_all(&["-i", &path]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(
        ran.stderr
            .contains("list.csv:2: 2 cells in a table of 1 column: put quotes"),
        "{ran:?}"
    );
    assert_eq!(site.hits("/get?3"), 1);
    assert_eq!(site.hits("/get?1"), 0);
    let records = in_order(&ran);
    let outcomes: Vec<_> = records.iter().map(|r| r["outcome"].clone()).collect();
    assert_eq!(outcomes, ["invalid", "ok"]);
}

#[test]
fn records_of_rows_without_a_known_url_have_none_and_are_refused_if_fed_back() {
    let site = site();
    let url = site.url("/get");
    let text = format!("{url} {}", "x".repeat(200));
    for (name, list) in [
        ("cells.csv", format!("url\n{url}?a,b\n")),
        ("tabs.tsv", format!("url\n{url}?a\tb\n")),
        ("fewer.csv", format!("url,id,out\n{url}?a,b\n")),
        ("empty.csv", format!("site,url\n{url}?a,\n")),
        ("other.jsonl", format!("{{\"ur\": \"{url}\"}}\n")),
        ("bare.jsonl", format!("{url}?a\n")),
        ("long.txt", text.clone()),
        ("long.csv", format!("url\n{text}\n")),
        ("escaped.txt", format!("{url}?\u{1}")),
    ] {
        let (_list, path) = named(name, list);
        let ran = fetch_all(&["-i", &path]);
        let record = ran.record();
        assert_eq!(
            (ran.code, &record["outcome"]),
            (2, &json!("invalid")),
            "{name}"
        );
        assert_eq!(record["url"], json!(null), "{name}: {record}");
        let message = record["errormsg"].as_str().unwrap();
        assert!(message.contains(&url), "{name}: {message}");
        let (_list, records) = named("records.jsonl", &ran.stdout);
        let again = fetch_all(&["-i", &records]);
        assert_eq!(again.record()["outcome"], "invalid", "{name}: {again:?}");
    }
    assert_eq!(site.hits("/get"), 0);
}

#[test]
fn a_name_that_is_probably_misspelt_is_reported() {
    let site = site();
    let row = json!({"url": site.url("/get"), "methd": "POST"}).to_string();
    let (_list, path) = named("list.jsonl", [&row[..], &row].join("\n"));
    let ran = fetch_all(&["-i", &path]);
    assert_eq!(
        ran.stderr.matches("did you mean method?").count(),
        1,
        "{ran:?}"
    );
    assert_eq!(ran.records()[0]["row"], json!({"methd": "POST"}));
}
