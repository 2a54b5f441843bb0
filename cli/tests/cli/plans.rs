//! Globs, duplicates and dry runs.

use crate::support::*;

#[test]
fn globs_in_arguments_are_expanded() {
    let site = site();
    let ran = fetch_all(&[
        &site.url("/status/{200,404}?[1-3]"),
        "--url",
        &site.url("/get?{a..c}"),
    ]);
    assert_eq!(ran.records().len(), 9, "{ran:?}");
    assert_eq!(site.hits("/status/404?2") + site.hits("/get?c"), 2);
    let plain = fetch_all(&["-g", &site.url("/get?{a,b}")]);
    assert!(
        plain.record()["url"].as_str().unwrap().ends_with("{a,b}"),
        "{plain:?}"
    );
    let wrong = fetch_all(&["http://a.test/[5-1]"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.stderr.contains("at character 15"), "{}", wrong.stderr);
}

#[test]
fn duplicates_are_skipped() {
    let site = site();
    let line = format!("{}\n", site.url("/get"));
    let list = List::new(line.repeat(20) + &site.url("/get?2"));
    let ran = fetch_all(&["--dedupe", "-i", &list.path("list")]);
    assert_eq!((ran.records().len(), site.hits("/get")), (2, 1));
    assert!(
        ran.stderr.contains("skipped   19 duplicates"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_dry_run_prints_the_plan_and_fetches_nothing() {
    let site = site();
    let mut lines: String = (0..30)
        .map(|n| site.url(&format!("/delay/{n}\n")))
        .collect();
    lines += "no url\nhttp://b.test/x\n";
    let list = List::new(lines);
    let out = list.path("out");
    let options = ["--dry-run", "--host-rate", "1/s", "-X", "PUT", "-d", "x"];
    let ran = fetch_all(
        &[
            &options[..],
            &[
                "-o",
                &out,
                "--state",
                &list.path("state"),
                "-i",
                &list.path("list"),
            ],
        ]
        .concat(),
    );
    assert_eq!(ran.code, 2, "a line is no URL");
    for part in [
        "31 URLs at 2 hosts: 31 PUT",
        "30  127.0.0.1:",
        "1  b.test",
        "30  /delay/: 3 attempts, timeout 10",
        "at least 29",
        "1 line is not a URL",
        "limits: 100 requests in flight, per host 16",
    ] {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
    assert!(ran.stderr.contains("no url"), "{}", ran.stderr);
    assert_eq!(site.observed().requests, 0);
    assert!(!list.file("out").exists() && !list.file("state").exists());
}
