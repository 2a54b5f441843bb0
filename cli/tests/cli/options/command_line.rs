//! Option values, aliases and help.

use crate::support::*;

#[test]
fn wrong_options_are_refused_with_option_value_and_fix() {
    let url = "http://127.0.0.1:1/";
    for (options, parts) in [
        (
            &["-j", "0"][..],
            &["--concurrency", "'0'", "write 1 or more"][..],
        ),
        (&["-j", "many"], &["--concurrency", "'many'", "such as 100"]),
        (&["--per-host", "-1"], &["-1"]),
        (&["--rate", "50"], &["--rate", "'50'", "50/s"]),
        (
            &["--host-rate", "1/y"],
            &["--host-rate", "'1/y'", "ms, s, m, h or d"],
        ),
        (&["--retry", "x"], &["--retry", "'x'", "such as 2"]),
        (
            &["-m", "soon"],
            &["--max-time", "'soon'", "such as 10 or 0.5"],
        ),
        (
            &["--connect-timeout=-1"],
            &["--connect-timeout", "'-1'", "write 0 for no limit"],
        ),
        (&["--timeout", "/x"], &["--timeout", "'/x'", "/reports/=60"]),
        (
            &["--timeout", "regex:(=1"],
            &["--timeout", "unclosed group"],
        ),
        (&["-X", "get"], &["--request", "'get'", "write GET"]),
        (
            &["-H", "nonsense"],
            &["--header", "'nonsense'", "'Name: value'"],
        ),
        (&["-H", "Content-Length: 5"], &["--header", "leave it out"]),
        (
            &["--timeout", "foo:bar=5"],
            &["--timeout", "glob:", "substring:"],
        ),
        (&["-u", "me"], &["--user", "USER:PASSWORD"]),
        (&["--digest"], &["--user USER:PASSWORD is missing"]),
        (&["--proxy-digest"], &["--proxy-digest", "-U USER:PASSWORD"]),
        (&["--variable", "a=1"], &["--variable", "shell"]),
        (&["--expand-data", "{{a}}"], &["--expand-data", "shell"]),
        (&["--max-redirs", "x"], &["--max-redirs", "'x'", "10"]),
        (
            &["--max-filesize", "1T"],
            &["--max-filesize", "'1T'", "64M"],
        ),
        (
            &["--resolve", "a:80"],
            &["--resolve", "'a:80'", "HOST:PORT:ADDRESS"],
        ),
        (
            &["-o", "page.html"],
            &["-o page.html", "--output-dir", "records.jsonl"],
        ),
        (&["-d", "a", "--json", "b"], &["--data", "--json"]),
        (&["-I", "-d", "a"], &["--head", "--data"]),
        (&["-s", "-v"], &["--silent", "--verbose"]),
        (&["--no-jitter", "--seed", "1"], &["--no-jitter", "--seed"]),
        (&["--out-null", "-o", "x"], &["--out-null", "--output"]),
        (&["--format", "xml"], &["--format", "xml", "jsonl"]),
        (&["--log-level", "loud"], &["--log-level", "loud", "debug"]),
        (
            &["--log-file", "http://a/"],
            &["--log-file", "--log-file=PATH"],
        ),
        (&["--max-threads", "8"], &["--max-threads", "-j N"]),
        (&["--demo"], &["--demo", "URL"]),
        (&["--url", "@"], &["--url", "@FILE"]),
        (&["-d", "@"], &["--data", "@FILE"]),
    ] {
        let ran = fetch_all(&[options, &[url]].concat());
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (2, ""),
            "{options:?}: {}",
            ran.stderr
        );
        for part in parts {
            assert!(
                ran.stderr.contains(part),
                "{options:?}: {part:?} is not in: {}",
                ran.stderr
            );
        }
    }
}

#[test]
fn short_and_long_help_and_the_version() {
    let (short, long) = (fetch_all(&["-h"]), fetch_all(&["--help"]));
    assert_eq!((short.code, long.code), (0, 0));
    assert!(short.stdout.contains("Examples:") && !short.stdout.contains("Exit codes"));
    for code in ["2  ", "20 ", "130", "143"] {
        assert!(long.stdout.contains(&format!("\n  {code}")), "{code}");
    }
    assert!(fetch_all(&["--version"]).stdout.starts_with("fetch-all "));
}

#[test]
fn option_names_of_other_commands_are_aliases() {
    let site = site();
    let url = site.url("/redirect/1");
    for options in [
        &["--parallel-max", "5", "--parallel-max-host", "2"][..],
        &["--max-concurrency", "5", "--host-concurrency", "2"],
        &["--jobs", "5", "--follow", "--method", "GET"],
        &[
            "--compressed",
            "--no-compressed",
            "--seed",
            "7",
            "--read-timeout",
            "5",
            "--retry-max-time",
            "9",
        ],
    ] {
        assert_eq!(
            fetch_all(&[options, &[&url]].concat()).code,
            0,
            "{options:?}"
        );
    }
}
