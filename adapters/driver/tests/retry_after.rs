//! Values of `Retry-After` from other projects' tests, with their sources in
//! `external/retry_after.json`. Their effect is tested in fetch-proto's `tests/external`.

use std::time::{Duration, SystemTime};

use fetch_driver::parse_retry_after;
use serde_json::{Value, json};

#[test]
fn published_values_are_parsed_the_same_way() {
    let table = include_str!("external/retry_after.json");
    let table: Value = serde_json::from_str(table).expect("the table is JSON");
    let cases = table["cases"].as_array().expect("a list of cases");
    let (mut same, mut wrong) = (0, Vec::new());
    for case in cases {
        let (actual, published) = (seconds(&case["given"]), &case["expect"]);
        let ours = case.get("deliberate").map(|deliberate| {
            let why = deliberate["why"].as_str().expect("a reason");
            assert!(
                !why.is_empty() && deliberate["ours"] != *published,
                "{case}"
            );
            &deliberate["ours"]
        });
        if actual != *ours.unwrap_or(published) {
            wrong.push(format!("{case}: {actual}"));
        }
        same += usize::from(actual == *published);
    }
    println!("Retry-After: {same}/{} as published", cases.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The requested wait, in seconds.
fn seconds(given: &Value) -> Value {
    let value = given["value"].as_str().expect("a value");
    let now = given["now"].as_u64().expect("a time");
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
    parse_retry_after(value, now).map_or(Value::Null, |wait| json!(wait.as_secs()))
}
