//! Retries, timeouts, rates.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::*;

#[test]
fn records_list_attempts_and_delays_are_exact_without_jitter() {
    let site = site();
    let url = site.url("/flaky/2?key=a");
    let record = fetch_all(&["--retry-delay", "0.1", "--no-jitter", &url]).record();
    assert_eq!(
        (&record["num_retries"], &record["outcome"]),
        (&json!(2), &json!("ok"))
    );
    let attempts = record["attempts"].as_array().unwrap();
    let codes: Vec<_> = attempts
        .iter()
        .map(|a| a["response_code"].as_u64().unwrap())
        .collect();
    assert_eq!(codes, [503, 503, 200]);
    // The delay starts at the response's head, while its body may still be read.
    let starts = attempts.iter().map(|a| a["time_start"].as_f64().unwrap());
    let starts: Vec<_> = starts.collect();
    for pair in starts.windows(2) {
        assert!(pair[1] - pair[0] >= 0.0999, "{record}");
    }
    let record = fetch_all(&["--retry", "0", &site.url("/flaky/2?key=b")]).record();
    assert_eq!(
        (&record["num_retries"], &record["response_code"]),
        (&json!(0), &json!(503))
    );
}

#[test]
fn retry_after_is_obeyed_up_to_the_maximum() {
    let site = site();
    let record = fetch_all(&["--retry-delay", "0", &site.url("/retry-after/1?key=a")]).record();
    assert_eq!(record["attempts"][0]["retry_after"], 1.0);
    assert!(record["time_total"].as_f64().unwrap() >= 1.0, "{record}");
    let record = fetch_all(&[
        "--max-retry-after",
        "5",
        &site.url("/retry-after/600?key=b"),
    ])
    .record();
    assert_eq!(
        (&record["num_retries"], &record["response_code"]),
        (&json!(0), &json!(503))
    );
}

#[test]
fn pattern_timeouts_start_with_the_attempt() {
    let site = site();
    let list = List::new(
        [
            site.url("/stall?1"),
            site.url("/stall?2"),
            site.url("/stall-body"),
        ]
        .join("\n"),
    );
    let limits = [
        "--timeout",
        "/stall-body=0.3",
        "--timeout",
        "/stall=0.6",
        "--retry",
        "0",
        "-j",
        "1",
    ];
    let ran = fetch_all(&[&limits[..], &["-i", &list.path("list")]].concat());
    let records = ran.records();
    assert_eq!((records.len(), ran.code), (3, 4));
    for record in &records {
        let limit = if record["url"].as_str().unwrap().contains("body") {
            0.3
        } else {
            0.6
        };
        let time = record["time_total"].as_f64().unwrap();
        assert!(time >= limit && time < limit + 5.0, "{record}");
        assert_eq!(
            (&record["outcome"], &record["exitcode"]),
            (&json!("timeout"), &json!(28))
        );
    }
    assert!(
        records[2]["time_queue"].as_f64().unwrap() >= 0.89,
        "{}",
        records[2]
    );
}

#[test]
fn the_rate_limits_are_obeyed() {
    let site = site();
    let list = List::new(
        (0..10)
            .map(|n| site.url(&format!("/get?{n}")) + "\n")
            .collect::<String>(),
    );
    for option in ["--rate", "--host-rate"] {
        let begin = Instant::now();
        let ran = fetch_all(&["-i", &list.path("list"), option, "20/s"]);
        assert_eq!((ran.code, ran.records().len()), (0, 10));
        assert!(begin.elapsed() >= Duration::from_millis(450), "{option}");
    }
}

#[test]
fn concurrency_is_limited_globally_and_per_host() {
    let list = |site: &fetch_testbed::Site| {
        List::new(
            (0..40)
                .map(|n| site.url("/delay/0.02") + &format!("?{n}\n"))
                .collect::<String>(),
        )
    };
    for (options, most) in [(["-j", "3"], 3), (["--per-host", "2"], 2)] {
        let site = site();
        let ran = fetch_all(&[&options[..], &["-i", &list(&site).path("list")]].concat());
        assert_eq!(ran.records().len(), 40);
        let seen = site.observed();
        assert!(seen.max_in_flight <= most, "{options:?}: {seen:?}");
    }
}
