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
fn requests_that_are_sent_equally_are_duplicates() {
    let site = site();
    let url = site.url("/d");
    let port = site.address().port();
    let equal = [
        format!("HTTP://127.0.0.1:{port}/d"),
        format!("{url}#one"),
        site.url("/x/../d"),
        site.url("/%2e/d"),
        format!("http://127.1:{port}/d"),
    ];
    let other = [
        format!("{url}?"),
        site.url("/%64"),
        format!("http://a:b@127.0.0.1:{port}/d"),
        format!("http://c:d@127.0.0.1:{port}/d"),
        format!("http://localhost:{port}/d"),
    ];
    let list = List::new([&[url][..], &equal, &other].concat().join("\n"));
    let (path, state, out) = (list.path("list"), list.path("state"), list.path("out"));
    for options in [&["--dedupe"][..], &["--state", &state, "-o", &out]] {
        let ran = fetch_all(&[&["-i", &path][..], options].concat());
        assert!(ran.stderr.contains("skipped   5 duplicates"), "{ran:?}");
        assert!(ran.stderr.contains("11 URLs in"), "{ran:?}");
        assert!(!ran.stderr.contains("earlier run"), "{ran:?}");
    }
    let again = fetch_all(&["-i", &path, "--state", &state, "-o", &out]);
    assert!(
        again
            .stderr
            .contains("skipped   11 URLs: completed by an earlier run"),
        "{again:?}"
    );
    assert!(!again.stderr.contains("duplicate"), "{again:?}");
    let as_is = fetch_all(&["--dedupe", "--path-as-is", "-i", &path]);
    // The path is another one as it is written; URLs with a user cannot be sent so.
    assert!(as_is.stderr.contains("skipped   3 duplicates"), "{as_is:?}");
}

#[test]
fn rows_whose_header_fields_differ_are_no_duplicates() {
    let site = site();
    let url = site.url("/get");
    let rows = ["a", "b", "a"];
    let rows = rows.map(|value| format!(r#"{{"url": "{url}", "headers": {{"X-A": "{value}"}}}}"#));
    let list = List::new("");
    std::fs::write(list.file("rows.jsonl"), rows.join("\n")).unwrap();
    let ran = fetch_all(&["--dedupe", "-i", &list.path("rows.jsonl")]);
    assert_eq!((ran.records().len(), site.hits("/get")), (2, 2), "{ran:?}");
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

#[test]
fn a_dry_run_says_how_long_hosts_that_are_down_are_waited_for() {
    let list = List::new("http://a.test/\n");
    std::fs::write(
        list.file("fast.toml"),
        "[breaker]\non_open = \"fail_fast\"\n",
    )
    .unwrap();
    let (input, policy) = (list.path("list"), list.path("fast.toml"));
    for (options, expected) in [
        (
            &[][..],
            "is waited for up to 300 s, 30 s if it never answered\n",
        ),
        (&["--host-max-wait", "20"], "is waited for up to 20 s\n"),
        (
            &["--host-max-wait", "0"],
            "is not waited for, its URLs fail\n",
        ),
        (&["--policy", &policy], "is not waited for, its URLs fail\n"),
    ] {
        let ran = fetch_all(&[&["--dry-run", "-i", &input], options].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let line = format!("outages: a host that is down {expected}");
        assert!(ran.stdout.contains(&line), "{options:?}: {}", ran.stdout);
    }
}
