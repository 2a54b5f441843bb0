//! Policy files as people write them: the example, errors, linting, explaining, watching.

use std::fs;
use std::time::Duration;

use fetch_policy::{PolicyFile, PolicyWatcher, Severity};
use fetch_proto::Method;

const EXAMPLE: &str = include_str!("../example.toml");

fn parse(text: &str) -> PolicyFile {
    PolicyFile::parse("p.toml", text).unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn wrong(text: &str) -> String {
    PolicyFile::parse("p.toml", text)
        .map(drop)
        .unwrap_err()
        .to_string()
}

#[test]
fn the_example_is_valid_and_sets_what_it_shows() {
    let config = parse(EXAMPLE).config().unwrap();
    assert_eq!(
        (config.concurrency_limit(), config.per_host_limit()),
        (200, Some(8))
    );
    assert!(config.breaker.is_some() && config.host_budget.is_some());
    let policy = |url: &str| {
        config
            .rules
            .policy(&Method::Get, &url.parse().unwrap())
            .clone()
    };
    let limit = |url| policy(url).timeouts.attempt;
    assert_eq!(
        limit("http://a.test/delay/3"),
        Some(Duration::from_secs(10))
    );
    assert_eq!(limit("http://a.test/"), Some(Duration::from_secs(6)));
    assert!(policy("https://api.example/").hedge.is_some());
    assert_eq!(policy("https://test.example/").chaos.faults().count(), 3);
    assert_eq!(parse(EXAMPLE).lint(), []);
}

#[test]
fn an_empty_file_changes_nothing() {
    let config = parse("").config().unwrap();
    assert_eq!(config, fetch_proto::EngineConfig::default());
}

/// Each error and the parts that its message must contain: position, text, fix.
const ERRORS: &[(&str, &[&str])] = &[
    (
        "limits.concurency = 1",
        &["p.toml:1:8: concurency: ", "did you mean `concurrency`?"],
    ),
    (
        "[limit]\nper_host = 1",
        &["p.toml:1:2: limit: ", "did you mean `limits`?"],
    ),
    ("limits.per_host = -1", &["p.toml:1:19: -1: "]),
    (
        "limits.per_host = \"8\"",
        &["p.toml:1:19: \"8\": ", "expected"],
    ),
    (
        "limits.rate = \"50\"",
        &["p.toml:1:15: \"50\": ", "the unit of time is missing"],
    ),
    ("limits.rate = \"0/s\"", &["whole number from 1"]),
    (
        "limits.spacing = [\"2s\", \"1s\"]",
        &["p.toml:1:18: ", "swap them"],
    ),
    ("limits.adaptive = { law = \"fast\" }", &["unknown", "aimd"]),
    ("limits.adaptive = { min = 1 }", &["missing field `law`"]),
    (
        "default.timeouts.attempt = 6",
        &[
            "p.toml:1:28: 6: ",
            "expected a duration with a unit",
            "\"6s\"",
        ],
    ),
    (
        "default.timeouts.attempt = \"6\"",
        &["\"6\": not a duration", "or \"none\""],
    ),
    ("default.timeouts.attempt = \"-6s\"", &["negative"]),
    (
        "default.timeouts.conect = \"6s\"",
        &["did you mean `connect`?"],
    ),
    (
        "default.attempts = 0",
        &["p.toml:1:20: 0: ", "use 1 or more"],
    ),
    ("default.attempts = 70000", &["p.toml:1:20: 70000: "]),
    (
        "default.match = \"/x\"",
        &["p.toml:1:17: ", "move this key to a [[rule]]"],
    ),
    ("default.backoff.jitter = \"big\"", &["unknown", "`equal`"]),
    (
        "default.redirects.keep_post = [301, 307]",
        &["p.toml:1:", "307", "use 301, 302, 303"],
    ),
    (
        "default.retry_statuses = [503, 999]",
        &["999 is not a status"],
    ),
    (
        "default.retry_after.over = \"wait\"",
        &["unknown", "`defer`"],
    ),
    (
        "default.classes = { \"404\" = \"retry\" }",
        &["unknown", "`transient`"],
    ),
    (
        "default.classes = { nope = \"transient\" }",
        &["p.toml:1:28: ", "neither a status nor a failure"],
    ),
    (
        "default.hedge = { after = \"1s\", percentile = 95 }",
        &["exclude each other"],
    ),
    (
        "default.fallback.url = \"nonsense\"",
        &["p.toml:1:24: \"nonsense\": "],
    ),
    (
        "default.chaos = [{ percent = 101, fault = \"reset\" }]",
        &["more than 100 percent"],
    ),
    (
        "default.chaos = [{ percent = 1, fault = \"clock_jump\" }]",
        &["by = \"10s\""],
    ),
    (
        "default.chaos = [{ percent = 1, fault = \"error\", failure = \"x\" }]",
        &["\"x\" is not a failure"],
    ),
    (
        "[[rule]]\nattempts = 1",
        &["p.toml:1:1: [[rule]]: ", "add a pattern"],
    ),
    (
        "[[rule]]\nmatch = \"regex:(\"",
        &["p.toml:2:9: \"regex:(\": ", "unclosed group"],
    ),
    (
        "[[rule]]\nmatch = \"/x\"\nmethods = [\"G T\"]",
        &["p.toml:3:11: "],
    ),
    (
        "[[rule]]\nmatch = \"/x\"\natempts = 1",
        &["p.toml:3:1: atempts: ", "did you mean `attempts`?"],
    ),
    (
        "[[target]]\nurl = \"http://a.test\"\nendpoints = []",
        &["p.toml:1:1: ", "endpoint"],
    ),
    (
        "[budget]\nkind = \"big\"",
        &["p.toml:2:8: \"big\": ", "unknown variant", "`ratio`"],
    ),
    (
        "[budget]\nkind = \"ratio\"\npercnt = 5",
        &["p.toml:3:1: percnt: ", "did you mean `percent`?"],
    ),
    (
        "[host_budget]\nkind = \"ratio\"\nttl = 5",
        &["p.toml:3:7: 5: "],
    ),
    (
        "[budget]\nkind = \"ratio\"\ncapacity = 5",
        &[
            "p.toml:3:12: 5: ",
            "kind = \"capacity\"",
            "this budget is \"ratio\"",
        ],
    ),
    (
        "[budget]\npercent = 5",
        &["p.toml:1:1: ", "missing field `kind`"],
    ),
    ("[breaker]\non_open = \"panic\"", &["unknown", "`defer`"]),
    (
        "breaker.failure_percent = 7000",
        &["p.toml:1:27: 7000: ", "more than 100 percent"],
    ),
    ("breaker.slow_percent = 50", &["need each other"]),
    ("limits = 5", &["p.toml:1:10: 5: "]),
    (
        "limits.per_host = 8\nlimits.per_host = 9",
        &["p.toml:2:8: ", "duplicate"],
    ),
    ("this is no toml", &["p.toml:1:"]),
];

#[test]
fn errors_have_position_text_and_fix() {
    for (text, parts) in ERRORS {
        let wrong = wrong(text);
        for part in *parts {
            assert!(wrong.contains(part), "{text}\n{wrong}\n{part}");
        }
    }
}

#[test]
fn contradictions_are_reported_at_their_position() {
    let table = [
        (
            "[default]\ntimeouts = { attempt = \"9m\", total = \"5m\" }",
            Severity::Error,
            "2:24",
            "the whole fetch",
        ),
        (
            "[breaker]\nwindow = \"10s\"",
            Severity::Error,
            "2:10",
            "shorter than two attempts",
        ),
        (
            "[default]\nattempts = 30\ntimeouts.total = \"1m\"",
            Severity::Warning,
            "2:12",
            "never start",
        ),
        (
            "[default]\nretry_after.cap = \"1h\"",
            Severity::Warning,
            "2:19",
            "lower `cap`",
        ),
        (
            "[default]\nhedge = { after = \"7s\" }",
            Severity::Warning,
            "2:9",
            "never starts",
        ),
        (
            "[[rule]]\nmatch = \"glob:**\"\n[[rule]]\nmatch = \"/x\"",
            Severity::Warning,
            "4:9",
            "matches every URL",
        ),
        (
            "[[rule]]\nmatch = \"/x\"\n[[rule]]\nmatch = \"/x\"",
            Severity::Warning,
            "4:9",
            "has the same pattern",
        ),
        (
            "[[rule]]\nmatch = \"glob:/**\"\n[[rule]]\nmatch = \"/x\"",
            Severity::Warning,
            "4:9",
            "matches every URL",
        ),
        (
            "[default]\ntimeouts = { attempt = \"25s\", total = \"1m\" }\nattempts = 4",
            Severity::Warning,
            "2:39",
            "the last of 4 attempts never starts",
        ),
        (
            "[throttle]\nminimum = 5",
            Severity::Warning,
            "2:11",
            "100 or more",
        ),
        (
            "[budget]\nkind = \"ratio\"\npercent = 0\nmin_per_second = 0",
            Severity::Warning,
            "1:1",
            "never allows",
        ),
        (
            "[budget]\nkind = \"tokens\"\nmax = 1",
            Severity::Warning,
            "1:1",
            "never allows",
        ),
    ];
    for (text, severity, place, part) in table {
        let findings = parse(text).lint();
        let found = findings
            .iter()
            .find(|finding| finding.to_string().contains(part));
        let found = found.unwrap_or_else(|| panic!("{text}\n{findings:#?}"));
        assert_eq!(found.severity, severity, "{text}");
        let at = found.error.position.map(|place| place.to_string());
        assert_eq!(at.as_deref(), Some(place), "{found}");
    }
}

#[test]
fn limits_that_just_fit_are_no_contradiction() {
    for text in [
        "default.attempts = 1\n[default.timeouts]\nattempt = \"6s\"\ntotal = \"6s\"\n",
        "[default]\nattempts = 3\nbackoff = { base = \"1s\", factor = 1, jitter = \"none\" }\n\
         timeouts = { attempt = \"100ms\", total = \"2500ms\" }\n",
    ] {
        let findings = parse(text).lint();
        assert!(findings.is_empty(), "{text}: {}", findings[0]);
    }
}

#[test]
fn findings_that_rules_inherit_are_reported_once() {
    let text =
        "[default]\ntimeouts.attempt = \"9m\"\n[[rule]]\nmatch = \"/x\"\n[[rule]]\nmatch = \"/y\"";
    assert_eq!(parse(text).lint().len(), 1);
    let own = format!("{text}\ntimeouts.attempt = \"8m\"");
    assert_eq!(parse(&own).lint().len(), 2);
}

#[test]
fn throttling_is_sound_by_default_whatever_the_concurrency() {
    let file = parse("limits.concurrency = 500\n[throttle]\nk_percent = 150");
    assert_eq!(file.lint(), []);
}

#[test]
fn all_errors_are_reported_at_once() {
    let text = "\
limits.concurency = 7
[default]
attempts = 0
timeouts = { attempt = 6, total = \"1m\", conect = \"1s\" }
[[rule]]
match = \"regex:(\"
[[rule]]
match = \"/x\"
chaos = [{ percent = 101, fault = \"reset\" }]
[nonsense]
a = 1
";
    let findings = PolicyFile::check("p.toml", text);
    let places: Vec<_> = findings
        .iter()
        .filter_map(|one| one.error.position)
        .collect();
    let lines: Vec<_> = places.iter().map(|place| place.line).collect();
    assert_eq!(lines, [1, 3, 4, 4, 6, 9, 10], "{findings:#?}");
    let shown = findings[2].to_string();
    assert!(
        shown.contains("4 | timeouts = { attempt = 6, total"),
        "{shown}"
    );
    assert_eq!(PolicyFile::check("p.toml", "").len(), 0);
}

#[test]
fn the_caret_is_below_the_text_after_tabs() {
    let text = parse("[breaker]\n\twindow = \"10s\"").lint()[0].to_string();
    assert!(text.ends_with("  | \t         ^"), "{text:?}");
}

#[test]
fn a_finding_shows_its_line_with_a_caret() {
    let text = parse("[breaker]\nwindow = \"10s\"").lint()[0].to_string();
    let end = "  --> p.toml:2:10\n2 | window = \"10s\"\n  |          ^";
    assert!(text.ends_with(end), "{text}");
}

#[test]
fn an_invalid_change_is_reported_once_and_watching_continues() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.toml");
    fs::write(&path, "limits.per_host = 1").unwrap();
    let mut watcher = PolicyWatcher::new(&path);
    assert!(watcher.poll().is_none(), "nothing has changed");
    fs::write(&path, "limits.per_host = \"many\"").unwrap();
    assert!(watcher.poll().unwrap().is_err());
    assert!(watcher.poll().is_none(), "it is reported once");
    fs::write(&path, b"# caf\xe9\nlimits.per_host = 1").unwrap();
    let error = watcher.poll().unwrap().unwrap_err();
    assert!(error.to_string().contains("UTF-8"), "{error}");
    assert!(PolicyFile::read(&path).is_err(), "reading refuses it, too");
    fs::remove_file(&path).unwrap();
    assert!(watcher.poll().is_none(), "it is being replaced");
    fs::write(&path, "limits.per_host = 12").unwrap();
    let file = watcher.poll().unwrap().unwrap();
    assert_eq!(file.config().unwrap().per_host_limit(), Some(12));
}
