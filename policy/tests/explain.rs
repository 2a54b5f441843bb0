//! Settings as they are explained: value and origin.

use std::time::Duration;

use fetch_policy::{OptionSettings, PolicyFile};
use fetch_proto::{Method, PolicyLayer, PolicyPatch};

const EXAMPLE: &str = include_str!("../example.toml");

fn parse(text: &str) -> PolicyFile {
    PolicyFile::parse("p.toml", text).unwrap_or_else(|wrong| panic!("{wrong}"))
}

#[test]
fn each_setting_is_explained_with_its_value_and_origin() {
    let text = "\
limits.per_host = 8
[default]
attempts = 4
backoff = { base = \"1s\", jitter = \"none\" }
[[rule]]
match = \"/slow/\"
attempts = 2
timeouts.attempt = \"60s\"
";
    let file = parse(text).with_env([("FETCH_ALL_POLICY_DEFAULT__BACKOFF__BASE", "2s")]);
    let file = file.unwrap();
    let config = file.config().unwrap().concurrency(7);
    let options = OptionSettings::default().key("limits.concurrency", "--concurrency");
    let settings = |url: &str| {
        let plan = file.explain_config(&Method::Get, &url.parse().unwrap(), &config, &options);
        plan.unwrap().settings
    };
    let shown = |url: &str, key: &str| {
        let all = settings(url);
        let one = all.iter().find(|setting| setting.key == key);
        one.unwrap().to_string()
    };
    let variable = "environment FETCH_ALL_POLICY_DEFAULT__BACKOFF__BASE";
    for (path, key, expected) in [
        ("/", "attempts", "4 (p.toml:3)"),
        ("/slow/", "attempts", "2 (p.toml:7)"),
        ("/slow/", "timeouts.attempt", "60s (p.toml:8)"),
        ("/delay/", "timeouts.attempt", "10s (built-in rule)"),
        ("/", "timeouts.attempt", "6s (default)"),
        ("/slow/", "backoff.base", &format!("2s ({variable})")),
        ("/", "backoff.jitter", "none (p.toml:4)"),
        ("/", "limits.concurrency", "7 (option --concurrency)"),
        ("/", "limits.per_host", "8 (p.toml:1)"),
        (
            "/",
            "max_body",
            "67108864 in memory, none if saved or streamed (default)",
        ),
    ] {
        assert_eq!(
            shown(&format!("http://a.test{path}"), key),
            format!("{key} = {expected}")
        );
    }
    let mut keys: Vec<_> = settings("http://a.test/")
        .iter()
        .map(|one| one.key)
        .collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), settings("http://a.test/").len());
}

#[test]
fn a_rule_of_an_option_is_explained_before_the_rules_of_the_file() {
    let file = parse("[[rule]]\nmatch = \"/\"\nattempts = 1\n");
    let layer = PolicyLayer::default().rule(
        "/slow/".parse().unwrap(),
        PolicyPatch::attempt_timeout(Some(Duration::from_secs(9))),
    );
    let config = file.config().unwrap();
    let rules = config.rules.with_layer(&layer).unwrap();
    let config = config.rules(rules);
    let options = OptionSettings::default().rule("--timeout /slow/=9");
    let plan = |url: &str| {
        let plan = file.explain_config(&Method::Get, &url.parse().unwrap(), &config, &options);
        plan.unwrap()
    };
    let slow = plan("http://a.test/slow/");
    assert_eq!(slow.rule, None);
    let slow = slow.to_string();
    assert!(
        slow.contains("option --timeout /slow/=9, before the file's 1"),
        "{slow}"
    );
    assert!(
        slow.contains("timeouts.attempt = 9s (option --timeout /slow/=9)"),
        "{slow}"
    );
    assert!(slow.contains("attempt 3"), "{slow}");
    assert_eq!(plan("http://a.test/x").rule, Some(1));
}

#[test]
fn the_share_of_injected_faults_is_explained_in_percent() {
    let file = parse("default.chaos = [{ percent = 5, fault = \"reset\" }]");
    let url = "http://a.test/".parse().unwrap();
    let explained = file.explain(&Method::Get, &url).unwrap().to_string();
    assert!(
        explained.contains("injected in 5 % of attempts"),
        "{explained}"
    );
}

#[test]
fn a_url_is_explained_from_queue_to_fallback() {
    let plan = parse(EXAMPLE).explain(&Method::Get, &"https://api.example/v1".parse().unwrap());
    let text = plan.unwrap().to_string();
    let expected = "\
GET https://api.example/v1: rule 2 of 3 (\"host:api.example\", line 121)
  answered without a request if it is fresh in the cache of the directory pages, for one user
  not authenticated: no profile has its origin
  waits in the queue, at most 3600s: 200 requests at once over all hosts, 8 per host, 500/s over all hosts, 20/s per host
  attempt 1, within 6s, connect 10s, idle read 30s
  attempt 2 after 500ms to 1s
  attempt 3 after 1s to 2s
  retried after connect, DNS, reset and timeout failures and status 408 425 429 500 502 503 504
  a Retry-After of up to 60s is honoured; with a longer one the response is the result
  takes at most 21s from the start of the first attempt
  an attempt slower than 95 % of its host's responses is hedged by up to 1 more
  while the circuit breaker of its host is open, it waits
  while its host is down, it waits up to 300s, or 30s if the host never answered
  retries and hedges are paid from the host's retry budget: 20 % of the requests, at least 10 a second
  retries and hedges are paid from the global retry budget: a bucket of 500
  a body of more than 64 MiB is an error
  of a body that is not needed up to 64 KiB are read, so that its connection stays open
  a body slower than 100 B/s for 20s is aborted
  fallback: https://mirror.example/
  last fallback: the value set by the caller
  settings:
    limits.concurrency = 200 (p.toml:4)
";
    assert!(text.starts_with(expected), "{text}");
}
