//! Variables of the environment that override keys of a policy file.

use std::time::Duration;

use fetch_policy::{PolicyFile, Severity};

fn parse(text: &str) -> PolicyFile {
    PolicyFile::parse("p.toml", text).unwrap_or_else(|wrong| panic!("{wrong}"))
}

#[test]
fn the_environment_overrides_the_file() {
    let file = parse("limits.per_host = 8\n[[rule]]\nmatch = \"/x\"");
    let vars = [
        ("FETCH_ALL_POLICY_LIMITS__PER_HOST", "2"),
        ("FETCH_ALL_POLICY_RULE__0__ATTEMPTS", "7"),
        ("FETCH_ALL_POLICY_DEFAULT__TIMEOUTS__ATTEMPT", "9s"),
        ("HOME", "/root"),
    ];
    let config = file.with_env(vars).unwrap().config().unwrap();
    assert_eq!(config.per_host_limit(), Some(2));
    let (_, rule) = config.rules.iter().next().unwrap();
    assert_eq!(rule.attempts_limit(), 7);
    assert_eq!(rule.timeouts.attempt, Some(Duration::from_secs(9)));
}

#[test]
fn an_invalid_variable_is_named() {
    let table = [
        ("FETCH_ALL_POLICY_LIMITS__PER_HOTS", "2", "per_hots"),
        (
            "FETCH_ALL_POLICY_RULE__3__ATTEMPTS",
            "2",
            "no entry with this index",
        ),
        ("FETCH_ALL_POLICY_DEFAULT__ATTEMPTS", "many", "expected"),
    ];
    for (name, value, part) in table {
        let file = parse("[[rule]]\nmatch = \"/x\"");
        let wrong = file
            .with_env([(name, value)])
            .map(drop)
            .unwrap_err()
            .to_string();
        assert!(wrong.starts_with(name) && wrong.contains(part), "{wrong}");
    }
}

#[test]
fn variables_that_contradict_the_file_are_refused() {
    let table = [
        (
            "default.hedge.after = '1s'",
            "DEFAULT__HEDGE__PERCENTILE",
            "95",
            "exclude each other",
        ),
        (
            "[breaker]",
            "BREAKER__SLOW_PERCENT",
            "50",
            "need each other",
        ),
        (
            "budget.kind = 'ratio'",
            "BUDGET__CAPACITY",
            "5",
            "this budget is \"ratio\"",
        ),
        ("", "DEFAULT__MATCH", "/x", "move this key to a [[rule]]"),
        (
            "limits.spacing = ['1s', '2s']",
            "LIMITS__SPACING",
            "['2s', '1s']",
            "swap them",
        ),
        (
            "[[rule]]\nmatch = '/x'",
            "RULE__0__MATCH",
            "regex:(",
            "unclosed group",
        ),
    ];
    for (text, name, value, part) in table {
        let name = format!("FETCH_ALL_POLICY_{name}");
        let wrong = parse(text)
            .with_env([(&name, value)])
            .map(drop)
            .unwrap_err();
        assert!(wrong.to_string().starts_with(&name), "{wrong}");
        assert!(wrong.to_string().contains(part), "{wrong}");
    }
}

#[test]
fn variables_that_contradict_each_other_are_all_named() {
    let vars = [
        ("FETCH_ALL_POLICY_DEFAULT__HEDGE__AFTER", "1s"),
        ("FETCH_ALL_POLICY_DEFAULT__HEDGE__PERCENTILE", "95"),
    ];
    let wrong = parse("").with_env(vars).map(drop).unwrap_err();
    assert!(
        vars.iter().all(|(name, _)| wrong.name.contains(name)),
        "{wrong}"
    );
    assert_eq!(wrong.position, None);
}

#[test]
fn contradictions_with_variables_are_found() {
    let vars = [("FETCH_ALL_POLICY_DEFAULT__TIMEOUTS__ATTEMPT", "9m")];
    let findings = parse("").with_env(vars).unwrap().lint();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].severity, Severity::Error);
}
