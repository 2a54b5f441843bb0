//! The precedence of the sources.

use std::time::Duration;

use clap::Parser;
use fetch_proto::{Method, OverCap, Policy, PolicyRules, RedirectPolicy, RetryAfterPolicy};
use serde_json::Value;

use super::*;

fn args(options: &[&str]) -> CliArgs {
    CliArgs::try_parse_from(["fetch-all"].iter().chain(options)).unwrap()
}

/// The rules by a policy file, variables and options.
fn rules(file: Option<&str>, vars: &[(String, &str)], options: &[&str]) -> PolicyRules {
    let file = file.map(|text| PolicyFile::parse("p.toml", text).unwrap());
    let file = file.map(|file| file.with_env(vars.iter().map(|(n, v)| (n, v))).unwrap());
    let sources = PolicySources::new(&args(options)).unwrap();
    let config = sources.config(file.as_ref()).unwrap();
    config.rules.clone()
}

fn limit(rules: &PolicyRules, url: &str) -> Option<Duration> {
    let policy = rules.policy(&Method::Get, &url.parse().unwrap());
    policy.timeouts.attempt
}

fn seconds(n: u64) -> Option<Duration> {
    Some(Duration::from_secs(n))
}

/// A key of `[default]`, its value in the file, its value in a variable, and options that set it.
type Setting = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
);

const SETTINGS: &[Setting] = &[
    ("attempts", "7", "8", &["--retry", "8"]),
    ("backoff.base", "'7s'", "8s", &["--retry-delay", "9"]),
    ("backoff.cap", "'7s'", "8s", &["--retry-delay", "9"]),
    ("backoff.factor", "7", "8", &["--retry-delay", "9"]),
    ("backoff.jitter", "'full'", "smooth", &["--no-jitter"]),
    ("backoff.step", "'7s'", "8s", &["--retry-delay", "9"]),
    (
        "chaos",
        "[{ percent = 7, fault = 'reset' }]",
        "[{ percent = 8, fault = 'reset' }]",
        &[],
    ),
    (
        "classes",
        "{ 'tls' = 'server' }",
        "{ 'tls' = 'throttled' }",
        &["--retry-all-errors"],
    ),
    ("drain", "7", "8", &[]),
    ("fallback.url", "'http://a.test/'", "http://b.test/", &[]),
    ("fallback.value", "true", "false", &[]),
    ("hedge.after", "'1s'", "2s", &[]),
    ("hedge.max", "7", "8", &[]),
    ("hedge.fallback", "'1s'", "2s", &[]),
    ("hedge.min", "'1s'", "2s", &[]),
    ("hedge.on_failure", "true", "false", &[]),
    ("hedge.percentile", "70", "80", &[]),
    ("max_body", "7", "8", &["--max-filesize", "9"]),
    ("rate", "'7/s'", "8/s", &[]),
    ("redirects.downgrade", "true", "false", &[]),
    ("redirects.follow", "false", "true", &["--no-location"]),
    (
        "redirects.https_only",
        "true",
        "false",
        &["--proto-redir", "=https"],
    ),
    ("redirects.keep_post", "[301]", "[302]", &[]),
    ("redirects.max", "7", "8", &["--max-redirs", "9"]),
    (
        "redirects.trusted",
        "true",
        "false",
        &["--location-trusted"],
    ),
    ("retry_after.cap", "'7s'", "8s", &["--max-retry-after", "9"]),
    (
        "retry_after.over",
        "'clamp'",
        "defer",
        &["--max-retry-after", "9"],
    ),
    (
        "retry_non_idempotent",
        "true",
        "false",
        &["--retry-all-errors"],
    ),
    ("retry_statuses", "[404]", "[405]", &["--retry-on", "406"]),
    ("stall.grace", "'7s'", "8s", &["--speed-time", "9"]),
    (
        "stall.min_bytes_per_second",
        "7",
        "8",
        &["--speed-limit", "9"],
    ),
    ("stall.window", "'7s'", "8s", &[]),
    ("timeouts.attempt", "'7s'", "8s", &["--max-time", "9"]),
    (
        "timeouts.connect",
        "'7s'",
        "8s",
        &["--connect-timeout", "9"],
    ),
    ("timeouts.first_byte", "'7s'", "8s", &[]),
    ("timeouts.hook", "'7s'", "8s", &[]),
    ("timeouts.idle_read", "'7s'", "8s", &["--read-timeout", "9"]),
    ("timeouts.queue", "'7s'", "8s", &[]),
    (
        "timeouts.total",
        "'70s'",
        "80s",
        &["--retry-max-time", "90"],
    ),
    ("useful", "'7s'", "8s", &[]),
];

/// The value of this key in the default policy. Where the policy has it by another name, the value of
/// the table that it is in.
fn value(rules: &PolicyRules, key: &str) -> Value {
    let policy = serde_json::to_value(Policy::clone(rules.default_policy())).unwrap();
    let value = &policy[key.split('.').next().unwrap()];
    let part = key.split_once('.').and_then(|(_, part)| value.get(part));
    part.unwrap_or(value).clone()
}

#[test]
fn each_key_of_the_file_changes_the_policy_and_the_higher_source_wins() {
    for (key, in_file, in_variable, options) in SETTINGS {
        let value = |rules| value(&rules, key);
        let file = format!("[default]\n{key} = {in_file}");
        let name = key.replace('.', "__").to_uppercase();
        let vars = [(format!("FETCH_ALL_POLICY_DEFAULT__{name}"), *in_variable)];
        let default = value(rules(None, &[], &[]));
        let of_file = value(rules(Some(&file), &[], &[]));
        assert_ne!(of_file, default, "{key}: the file over the defaults");
        let of_variable = value(rules(Some(&file), &vars, &[]));
        assert_eq!(of_variable, value(rules(Some(""), &vars, &[])), "{key}");
        assert_ne!(of_variable, of_file, "{key}: the environment over the file");
        if !options.is_empty() {
            let of_options = value(rules(Some(&file), &vars, options));
            assert_eq!(of_options, value(rules(None, &[], options)), "{key}");
            // An option can only switch such a key on.
            if of_file != Value::Bool(true) || of_options != of_file {
                assert_ne!(
                    of_options, of_variable,
                    "{key}: the options over the environment"
                );
            }
        }
    }
}

#[test]
fn a_source_that_sets_one_key_of_a_table_keeps_the_others() {
    // For each table: keys in the default, a key in a rule, options that set one more, the result.
    let table = [
        (
            "backoff = { base = '7s', step = '3s' }",
            "backoff = { factor = 5 }",
            &["--no-jitter"][..],
            "backoff",
            r#"{"base":{"secs":7,"nanos":0},"step":{"secs":3,"nanos":0},"factor":5,"jitter":null}"#,
        ),
        (
            "redirects = { downgrade = true, keep_post = [301] }",
            "redirects = { max = 7 }",
            &["--location-trusted", "--post303"],
            "redirects",
            r#"{"downgrade":true,"keep_post":[true,false,true],"max":7,"trusted":true,"follow":true}"#,
        ),
        (
            "retry_after = { over = 'clamp' }",
            "retry_after = { cap = '7s' }",
            &[],
            "retry_after",
            r#"{"over":"clamp","cap":{"secs":7,"nanos":0}}"#,
        ),
        (
            "stall = { window = '7s' }",
            "stall = { grace = '3s' }",
            &["--speed-limit", "9"],
            "stall",
            r#"{"window":{"secs":7,"nanos":0},"grace":{"secs":3,"nanos":0},"min_bytes_per_second":9}"#,
        ),
        (
            "hedge = { min = '7s', max = 3 }",
            "hedge = { percentile = 90 }",
            &[],
            "hedge",
            r#"{"max":3,"delay":{"percentile":{"per_mille":900,"min":{"secs":7,"nanos":0},"fallback":null}}}"#,
        ),
        (
            "fallback = { value = true }",
            "fallback = { url = 'http://a.test/' }",
            &[],
            "fallback",
            r#"{"url":"http://a.test/","value":true}"#,
        ),
    ];
    for (default, rule, options, key, expected) in table {
        let file = format!("[default]\n{default}\n[[rule]]\nmatch = '/x'\n{rule}");
        let rules = rules(Some(&file), &[], options);
        let policy = rules.policy(&Method::Get, &"http://a.test/x".parse().unwrap());
        let policy = serde_json::to_value(Policy::clone(policy)).unwrap();
        let expected: Value = serde_json::from_str(expected).unwrap();
        for (part, value) in expected.as_object().unwrap() {
            assert_eq!(&policy[key][part], value, "{key}.{part}");
        }
    }
}

#[test]
fn the_table_has_every_setting() {
    let policy = serde_json::to_value(Policy::default()).unwrap();
    let has = |key: &str| SETTINGS.iter().any(|(known, ..)| *known == key);
    for (name, value) in policy.as_object().unwrap() {
        // A setting with parts that is off by default serializes as null.
        let is_known = match value.as_object() {
            // Whether a limit covers a body follows from whether it was set.
            Some(parts) => parts
                .keys()
                .filter(|part| !part.ends_with("_covers_body"))
                .all(|part| has(&format!("{name}.{part}"))),
            None => SETTINGS.iter().any(|(key, ..)| key.starts_with(name)),
        };
        // The choice of a profile needs the profile, which these files do not have.
        assert!(has(name) || is_known || name == "auth", "{name}");
    }
}

#[test]
fn options_change_the_rules_of_the_file_too() {
    let file = "[[rule]]\nmatch = '/x'\nattempts = 7\ntimeouts.attempt = '7s'";
    let policy = |options: &[&str]| {
        let rules = rules(Some(file), &[], options);
        let url = "http://a.test/x".parse().unwrap();
        Policy::clone(rules.policy(&Method::Get, &url))
    };
    let of_file = policy(&[]);
    assert_eq!(
        (of_file.attempts_limit(), of_file.timeouts.attempt),
        (7, seconds(7))
    );
    assert_eq!(policy(&["--retry", "1"]), of_file.clone().attempts(2));
    assert_eq!(
        policy(&["-m", "1"]),
        of_file.clone().attempt_timeout(Duration::from_secs(1))
    );
    // A pattern of --timeout comes first, over the default policy.
    let of_pattern = policy(&["--timeout", "/x=1"]);
    assert_eq!(
        (of_pattern.attempts_limit(), of_pattern.timeouts.attempt),
        (3, seconds(1))
    );
}

#[test]
fn an_attempt_timeout_of_the_file_replaces_the_built_in_ones() {
    let file = "default.timeouts.attempt = '7s'";
    let url = "http://a.test/delay/1";
    let of = |options: &[&str]| limit(&rules(Some(file), &[], options), url);
    assert_eq!(of(&[]), seconds(7));
    assert_eq!(of(&["--timeout", "/delay/=4"]), seconds(4));
    let other = rules(Some("default.attempts = 7"), &[], &[]);
    assert_eq!(limit(&other, url), seconds(10));
}

#[test]
fn redirects_are_followed_and_the_queue_has_no_limit_unless_a_source_says_otherwise() {
    let policy = |options| Policy::clone(rules(None, &[], options).default_policy());
    let retry_after = RetryAfterPolicy {
        over: OverCap::Defer,
        ..RetryAfterPolicy::DEFAULT
    };
    let expected = Policy::default().retry_after(retry_after);
    let timeouts = expected.timeouts.queue(None);
    assert_eq!(policy(&[]), expected.clone().timeouts(timeouts));
    assert_eq!(policy(&["-L"]), policy(&[]));
    assert_eq!(policy(&["--no-location", "-L"]), policy(&[]));
    let kept = expected.redirects(RedirectPolicy::default().follow(false));
    assert_eq!(policy(&["--no-location"]), kept.timeouts(timeouts));
    let file = "default.redirects.max = 7";
    let rules = rules(Some(file), &[], &["-L"]);
    assert_eq!(value(&rules, "redirects")["max"], 7);
}

#[test]
fn timeout_patterns_precede_max_time_and_built_in_rules() {
    let limit = |options: &[&str], url: &str| limit(&rules(None, &[], options), url);
    assert_eq!(limit(&[], "http://a.test/delay/1"), seconds(10));
    assert_eq!(limit(&[], "http://a.test/status/1"), seconds(8));
    assert_eq!(limit(&[], "http://a.test/"), seconds(6));
    assert_eq!(limit(&["-m", "3"], "http://a.test/delay/1"), seconds(3));
    assert_eq!(limit(&["-m", "0"], "http://a.test/"), None);
    let both = [
        "-m",
        "3",
        "--timeout",
        "/delay/=4",
        "--timeout",
        "/delay/1=5",
    ];
    assert_eq!(limit(&both, "http://a.test/delay/1"), seconds(4));
    assert_eq!(limit(&["--timeout", "/x=0"], "http://a.test/x"), None);
}

#[test]
fn every_rule_has_the_other_options() {
    let line = ["--retry", "0", "-L", "--retry-max-time", "0"];
    let rules = rules(None, &[], &line);
    for (_, policy) in rules.iter() {
        assert_eq!(policy.timeouts.total, None);
        assert_eq!(
            **policy,
            policy
                .as_ref()
                .clone()
                .attempts(1)
                .redirects(RedirectPolicy::default())
        );
    }
}

#[test]
fn hosts_that_are_down_are_waited_for_unless_a_source_turns_it_off() {
    let of = |file: Option<&str>, options: &[&str]| {
        let file = file.map(|text| PolicyFile::parse("p.toml", text).unwrap());
        let sources = PolicySources::new(&args(options)).unwrap();
        let config = sources.config(file.as_ref()).unwrap();
        config.outages.map(|wait| wait.max)
    };
    assert_eq!(of(None, &[]), seconds(300));
    assert_eq!(of(None, &["--host-max-wait", "0"]), None);
    let file = Some("limits.host_max_wait = '7s'");
    assert_eq!(of(file, &[]), seconds(7));
    assert_eq!(of(file, &["--host-max-wait", "9"]), seconds(9));
    assert_eq!(of(Some("limits.host_max_wait = '0s'"), &[]), None);
}
