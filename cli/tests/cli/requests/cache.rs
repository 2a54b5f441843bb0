//! The cache of responses.

use serde_json::json;

use crate::support::*;

#[test]
fn a_directory_answers_the_next_run() {
    let site = site();
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("cache");
    let url = site.url("/cache/1000");
    let run = || fetch_all(&["--cache", store.to_str().unwrap(), &url]).record();
    let first = run();
    assert_eq!(
        (&first["cache"], &first["response_code"]),
        (&json!("miss"), &json!(200))
    );
    let second = run();
    assert_eq!(
        (&second["cache"], &second["response_code"]),
        (&json!("hit"), &json!(200))
    );
    assert_eq!(
        (&second["url_effective"], &second["outcome"]),
        (&json!(url), &json!("ok"))
    );
    assert!(second["cache_age"].is_u64() && second["attempts"] == json!([]));
    let status = second["cache_status"].as_str().unwrap();
    assert!(status.starts_with("fetch-all; hit; ttl="), "{status}");
    assert_eq!(first["size_delivered"], second["size_delivered"]);
    assert_eq!(site.hits("/cache/1000"), 1);
    let asked = fetch_all(&[
        "--cache",
        store.to_str().unwrap(),
        "--cache-mode",
        "no-cache",
        &url,
    ]);
    assert_eq!(asked.record()["cache"], json!("revalidated"));
    let bodies = directory.path().join("bodies");
    let saved = [
        "--cache",
        store.to_str().unwrap(),
        "--output-dir",
        bodies.to_str().unwrap(),
        &url,
    ];
    let record = fetch_all(&saved).record();
    let file = bodies.join(record["filename_effective"].as_str().unwrap());
    assert_eq!(
        std::fs::metadata(file).unwrap().len(),
        first["size_delivered"].as_u64().unwrap()
    );
    assert_eq!(
        (&record["cache"], site.hits("/cache/1000")),
        (&json!("hit"), 2)
    );
}

#[test]
fn a_body_with_a_wrong_checksum_does_not_stay_in_the_cache() {
    let site = site();
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("cache");
    let run = |row: String| {
        let list = directory.path().join("list");
        std::fs::write(&list, row).unwrap();
        let list = list.to_str().unwrap();
        let store = store.to_str().unwrap();
        fetch_all(&["--cache", store, "--input-format", "jsonl", "-i", list]).record()
    };
    let url = site.url("/cache/1000");
    let wrong = format!(
        "{{\"url\":\"{url}\",\"checksum\":\"md5:{}\"}}\n",
        "0".repeat(32)
    );
    for _ in 0..2 {
        let record = run(wrong.clone());
        let expected = (&json!("checksum"), &json!("miss"));
        assert_eq!((&record["outcome"], &record["cache"]), expected);
    }
    assert_eq!(
        run(format!("{{\"url\":\"{url}\"}}\n"))["cache"],
        json!("miss")
    );
    // A stored one is checked as well, and removed.
    let record = run(wrong);
    assert_eq!(
        (&record["outcome"], &record["cache"]),
        (&json!("checksum"), &json!("hit"))
    );
    assert_eq!(
        run(format!("{{\"url\":\"{url}\"}}\n"))["cache"],
        json!("miss")
    );
}

#[test]
fn the_summary_counts_hits_and_misses() {
    let site = site();
    let url = site.url("/cache/1000");
    let ran = fetch_all(&["--cache", "memory", "-j", "1", &url, &url, &url]);
    let line = "\n  cache     2 hits, 0 validated, 1 miss\n";
    assert!(ran.stderr.contains(line), "{}", ran.stderr);
}

#[test]
fn a_policy_file_may_have_a_cache() {
    let site = site();
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let policy = path("policy.toml");
    let store = path("pages").replace('\\', "/");
    let text = format!("[cache]\nstore = '{store}'\nmode = \"force-cache\"\nmax_ttl = \"0s\"");
    std::fs::write(&policy, text).unwrap();
    let url = site.url("/cache/1000");
    let run = |options: &[&str]| {
        let ran = fetch_all(&[&["--policy", &policy, &url], options].concat());
        ran.record()["cache"].clone()
    };
    assert_eq!(run(&[]), json!("miss"));
    // By the mode it may be used, although it is never fresh.
    assert_eq!(run(&[]), json!("stale"));
    assert_eq!(run(&["--cache-mode", "default"]), json!("revalidated"));
    assert_eq!(run(&["--cache", "memory"]), json!("miss"));
}

#[test]
fn conditions_are_read_from_files_and_options() {
    let site = site();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("etag");
    let etag = file.to_str().unwrap();
    let url = site.url("/cache/0");
    let run = |options: &[&str]| fetch_all(&[options, &[&url]].concat()).record();
    let both = ["--etag-save", etag, "--etag-compare", etag];
    assert_eq!(run(&both)["response_code"], json!(200));
    let saved = std::fs::read_to_string(&file).unwrap();
    assert!(saved.starts_with('"') && saved.ends_with("\"\n"), "{saved}");
    assert_eq!(run(&both)["response_code"], json!(304));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), saved);
    let get = |options: &[&str]| {
        let ran = fetch_all(&[options, &["--record-body", "json", &site.url("/headers")]].concat());
        ran.record()["body"].to_string().to_lowercase()
    };
    let date = "sat, 31 jan 2026 00:00:00 gmt";
    for (option, name) in [
        ("2026-01-31", "if-modified-since"),
        ("-2026-01-31", "if-unmodified-since"),
    ] {
        let shown = get(&["-z", option]);
        assert!(shown.contains(name) && shown.contains(date), "{shown}");
    }
    assert!(get(&["--time-cond", etag]).contains("if-modified-since"));
    let refused = fetch_all(&["-z", "some-time", &url]);
    assert!(
        refused.code == 2 && refused.stderr.contains("neither a date nor a file"),
        "{}",
        refused.stderr
    );
    let refused = fetch_all(&["--etag-save", etag, &url, &url]);
    assert!(
        refused.code == 2 && refused.stderr.contains("--cache DIR"),
        "{}",
        refused.stderr
    );
}

#[test]
fn only_if_cached_sends_nothing() {
    let site = site();
    let url = site.url("/cache/1000");
    let ran = fetch_all(&["--cache", "memory", "--cache-mode", "only-if-cached", &url]);
    assert_eq!(ran.record()["response_code"], json!(504));
    assert_eq!(site.hits("/cache/1000"), 0);
}

#[test]
fn wrong_settings_of_the_cache_are_refused() {
    for (arguments, expected) in [
        (
            &["--cache-mode", "reload"][..],
            "--cache-mode needs a cache",
        ),
        (&["--cache-shared"], "--cache-shared needs a cache"),
        (
            &["--cache", "rediss://127.0.0.1"],
            "rediss:// is not supported: write a directory",
        ),
        (&["--cache", "memory:1M", "--cache-size", "1M"], "two sizes"),
        (
            &["--cache", "memory", "--cache-mode", "never"],
            "no such mode",
        ),
        (&["--cache", "/dev/null/x"], "--cache /dev/null/x"),
    ] {
        let ran = fetch_all(&[arguments, &["http://127.0.0.1:9/"]].concat());
        assert!(
            ran.code != 0 && ran.stderr.contains(expected),
            "{arguments:?}: {}",
            ran.stderr
        );
    }
}
