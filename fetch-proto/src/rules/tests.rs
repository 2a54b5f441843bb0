use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;

use super::*;

fn first(patterns: &[&str], method: &Method, url: &str) -> Option<usize> {
    let rules = patterns
        .iter()
        .fold(PolicyRules::builder(), |b, p| b.rule(*p, Policy::default()));
    rules
        .build()
        .unwrap()
        .matching_rule(method, &url.parse().unwrap())
}

fn matches(pattern: &str, url: &str) -> bool {
    first(&[pattern], &Method::Get, url).is_some()
}

fn check(pattern: &str, yes: &[&str], no: &[&str]) {
    for url in yes {
        assert!(matches(pattern, url), "{pattern} should match {url}");
    }
    for url in no {
        assert!(!matches(pattern, url), "{pattern} should not match {url}");
    }
}

fn fault(pattern: &str) -> (usize, RuleErrorKind) {
    let error = RulePattern::parse(pattern).unwrap_err();
    (error.position(), error.kind().clone())
}

#[test]
fn first_rule_wins_regardless_of_the_match_position() {
    let url = "https://a.test/status/1?then=/delay/2";
    assert_eq!(first(&["/delay/", "/status/"], &Method::Get, url), Some(0));
    assert_eq!(first(&["/status/", "/delay/"], &Method::Get, url), Some(0));
    assert_eq!(
        first(&["/none/", "regex:a", "/delay/"], &Method::Get, url),
        Some(1)
    );
    assert_eq!(first(&["/none/"], &Method::Get, url), None);
}

#[test]
fn default_timeouts_are_ten_eight_and_six_seconds() {
    let rules = PolicyRules::default();
    for (path, seconds) in [
        ("delay/3", 10),
        ("status/503", 8),
        ("get", 6),
        ("delayed", 6),
    ] {
        let url = format!("https://httpbin.org/{path}").parse().unwrap();
        let limit = rules.policy(&Method::Get, &url).timeouts.attempt;
        assert_eq!(limit, Some(Duration::from_secs(seconds)), "{path}");
    }
}

#[test]
fn map_changes_every_policy_and_keeps_the_patterns() {
    let rules = PolicyRules::default().map(|policy| policy.attempts(9));
    assert!(rules.iter().all(|(_, policy)| policy.attempts.get() == 9));
    let url = "https://a.test/status/1".parse().unwrap();
    assert_eq!(rules.matching_rule(&Method::Get, &url), Some(1));
}

#[test]
fn substrings_match_the_url_as_sent_without_fragment() {
    check(
        "/b%20c",
        &["https://a.test/b c", "https://a.test/?x=/b%20c"],
        &["https://a.test/#/b%20c"],
    );
    check(
        "secret",
        &["https://a.test/secret"],
        &["https://u:secret@a.test/", "https://secret@a.test/"],
    );
    check("glob:x", &[], &["https://a.test/glob:x"]);
    check("substring:glob:x", &["https://a.test/glob:x"], &[]);
    assert_eq!(
        RulePattern::substring("glob:x").unwrap().to_string(),
        "substring:glob:x"
    );
}

#[test]
fn globs_with_a_scheme_match_the_whole_url() {
    check(
        "glob:HTTPS://*.Example.com/a/*",
        &[
            "https://x.example.com/a/b",
            "https://u:p@x.example.com/a/b?q=/z",
            "https://x.example.com/a/",
        ],
        &[
            "http://x.example.com/a/b",
            "https://example.com/a/b",
            "https://x.example.com/A/b",
            "https://x.example.com/a/b/c",
            "https://x.example.com:8443/a/b",
        ],
    );
    check(
        "glob:{http,https}://a.test/**",
        &["http://a.test/", "https://a.test/b/c"],
        &["ftp://a.test/"],
    );
}

#[test]
fn globs_without_a_scheme_match_host_and_path() {
    check(
        "glob:a.test/x/**",
        &["https://a.test/x/", "ftp://u@a.test/x/y/z?q"],
        &[
            "https://a.test/x",
            "https://b.test/a.test/x/y",
            "https://a.test:81/x/y",
        ],
    );
    check(
        "glob:a.test*/**",
        &["https://u:p@a.test:81/"],
        &["https://a.test@evil.test/"],
    );
    check(
        "glob:a.test:81/**",
        &["http://a.test:81/x"],
        &["http://a.test/x"],
    );
    check(
        "glob:/delay/?",
        &["https://a.test/delay/3", "http://[::1]:80/delay/3?x"],
        &[
            "https://a.test/delay/10",
            "https://a.test/x/delay/3",
            "https://a.test/delay/?x",
        ],
    );
}

#[test]
fn double_stars_match_zero_or_more_segments() {
    check(
        "glob:/a/**/b",
        &["https://h.test/a/b", "https://h.test/a/x/y/b"],
        &[
            "https://h.test/ab",
            "https://h.test/a/xb",
            "https://h.test/a/x?/b",
        ],
    );
    check(
        "glob:**/b",
        &["https://h.test/b", "https://h.test/x/y/b"],
        &["https://h.test/xb"],
    );
    check(
        "glob:**.json",
        &["https://h.test/x/y.json"],
        &["https://h.test/?f=x.json"],
    );
}

#[test]
fn globs_support_classes_braces_and_escapes() {
    check(
        "glob:/v[0-9]/{a,b{c,d}}",
        &["https://h.test/v1/a", "https://h.test/v2/bd"],
        &["https://h.test/vx/a", "https://h.test/v1/b"],
    );
    check(
        "glob:/[!a-c]",
        &["https://h.test/d"],
        &["https://h.test/b", "https://h.test/?"],
    );
    check(
        "glob:/[]-]",
        &["https://h.test/]", "https://h.test/-"],
        &["https://h.test/x"],
    );
    check(r"glob:/\*", &["https://h.test/*"], &["https://h.test/x"]);
    check("glob:/a,b", &["https://h.test/a,b"], &["https://h.test/a"]);
}

#[test]
fn glob_with_a_query_must_match_the_query() {
    check(
        r"glob:/find\?q=*",
        &["https://h.test/find?q=", "https://h.test/find?q=a&b=c?"],
        &["https://h.test/find", "https://h.test/find?x=1&q=a"],
    );
    check(
        r"glob:/find\?**to=http://x**",
        &["https://h.test/find?a&to=http://x/y"],
        &[],
    );
}

#[test]
fn regexes_search_the_url() {
    check(
        r"regex:/v\d+/",
        &["https://a.test/v12/x"],
        &["https://a.test/v/x"],
    );
    check(
        "regex:^http:",
        &["http://a.test/"],
        &["https://a.test/http:"],
    );
    check(
        "regex:(?i)/FOO$",
        &["http://a.test/foo"],
        &["http://a.test/foo/"],
    );
    check(
        "regex:(?x) /foo # a comment",
        &["http://a.test/foo"],
        &["http://a.test/"],
    );
    check(
        "regex:x|y",
        &["http://a.test/y", "http://a.test/x"],
        &["http://a.test/z"],
    );
}

#[test]
fn globs_ignore_case_in_the_host_but_not_in_the_path() {
    let braces = "glob:https://{A.test/X,B.test/Y}";
    check(
        braces,
        &["https://a.test/X", "https://b.test/Y"],
        &["https://a.test/x", "https://b.test/y"],
    );
    let stars = "glob:HTTPS://**/Img/[A-C]";
    check(
        stars,
        &["https://a.test/Img/B"],
        &["https://a.test/img/B", "https://a.test/Img/b"],
    );
}

#[test]
fn hosts_match_whole_names_and_ignore_case() {
    check(
        "host:Example.com",
        &["https://EXAMPLE.com/", "http://u:p@example.com:81/x"],
        &[
            "https://x.example.com/",
            "https://example.com.evil.test/",
            "https://example.com@evil.test/",
            "https://evil.test/https://example.com/",
            "https://notexample.com/",
        ],
    );
    check(
        "host:*.example.com",
        &["https://a.example.com/", "https://a.b.example.com:81/"],
        &[
            "https://example.com/",
            "https://xexample.com/",
            "https://evil.test/a.example.com",
        ],
    );
    check(
        "host:bücher.test",
        &["https://bücher.test/", "https://xn--bcher-kva.test/"],
        &[],
    );
}

#[test]
fn hosts_may_name_a_port() {
    check(
        "host:a.test:443",
        &[
            "https://a.test/",
            "https://a.test:443/",
            "http://a.test:443/",
        ],
        &["http://a.test/", "https://a.test:4433/"],
    );
    check(
        "host:a.test:8080",
        &["http://a.test:8080/"],
        &["http://a.test/", "http://a.test:808/"],
    );
    check(
        "host:[::1]",
        &["http://[::1]/", "http://[0::1]:81/"],
        &["http://[::2]/"],
    );
    check("host:[::1]:81", &["http://[::1]:81/"], &["http://[::1]/"]);
    check(
        "host:127.0.0.1:81",
        &["http://127.0.0.1:81/"],
        &["http://127.0.0.1/"],
    );
}

#[test]
fn methods_restrict_a_rule_and_need_no_url() {
    let rules = [
        "method:POST,PUT /up",
        "method:DELETE",
        "/up",
        "method:PURGE",
    ];
    let url = "https://a.test/up";
    let other = |name: &str| name.parse::<Method>().unwrap();
    for (method, expected) in [
        ("POST", 0),
        ("PUT", 0),
        ("DELETE", 1),
        ("GET", 2),
        ("PATCH", 2),
        ("PURGE", 2),
    ] {
        assert_eq!(
            first(&rules, &other(method), url),
            Some(expected),
            "{method}"
        );
    }
    assert_eq!(first(&rules, &other("PURGE"), "https://a.test/"), Some(3));
    assert_eq!(first(&rules, &Method::Post, "https://a.test/"), None);
}

#[test]
fn errors_have_the_exact_position() {
    let regex = |reason: &str| RuleErrorKind::Regex(reason.into());
    let table = [
        ("", 0, RuleErrorKind::Empty),
        ("glob:", 5, RuleErrorKind::Empty),
        ("a b", 1, RuleErrorKind::NeverInUrl(' ')),
        ("glob:/é", 6, RuleErrorKind::NeverInUrl('é')),
        ("glob:/[a", 6, RuleErrorKind::Unclosed('[')),
        ("glob:/[z-a]", 7, RuleErrorKind::Range),
        ("glob:/{a,{b}", 6, RuleErrorKind::Unclosed('{')),
        ("glob:/a}", 7, RuleErrorKind::Unopened),
        ("glob:/a\\", 7, RuleErrorKind::TrailingEscape),
        ("regex:(a", 6, regex("unclosed group")),
        ("method:GET regex:(a", 17, regex("unclosed group")),
        ("method:GET,get", 11, RuleErrorKind::Method),
        ("method:", 7, RuleErrorKind::Method),
        ("method:GET ", 11, RuleErrorKind::Empty),
        ("host:a.test:99999", 12, RuleErrorKind::Port),
        ("host:a.test:+1", 12, RuleErrorKind::Port),
        ("host:::1", 5, RuleErrorKind::Host),
        ("host:a/b", 5, RuleErrorKind::Host),
        ("host:*.127.0.0.1", 5, RuleErrorKind::Host),
    ];
    for (pattern, position, reason) in table {
        assert_eq!(fault(pattern), (position, reason), "{pattern}");
    }
}

#[test]
fn errors_name_the_rule_and_point_at_the_position() {
    let rules = ["/a", "/b", "regex:é(a", "regex:("].iter();
    let rules = rules.fold(PolicyRules::builder(), |b, p| b.rule(*p, Policy::default()));
    let error = rules.build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "rule 3: \"regex:é(a\": at 8: unclosed group"
    );
    assert_eq!(
        format!("{error:#}"),
        "rule 3: unclosed group\n  regex:é(a\n         ^"
    );
}

#[test]
fn hostile_patterns_are_rejected() {
    for regex in [
        "((a{500}){500}){500}",
        "(?:[a-z]{900}){900}",
        "a{4294967295}",
        "(((((a{9}){9}){9}){9}){9}){9}",
    ] {
        assert!(RulePattern::regex(regex).is_err(), "{regex}");
    }
    assert!(RulePattern::regex(&"(".repeat(1000)).is_err());
    assert_eq!(fault(&"x".repeat(9000)).1, RuleErrorKind::TooLarge);
    assert_eq!(
        fault(&["glob:", &"{".repeat(50)].concat()).1,
        RuleErrorKind::TooNested
    );
}

#[test]
fn too_large_rules_name_the_first_excess_rule() {
    let big = |i: u32| RulePattern::regex(&format!("{i}(?:ab){{1500}}")).unwrap();
    let rules = (0..50).fold(PolicyRules::builder(), |b, i| {
        b.rule(big(i), Policy::default())
    });
    let error = rules.build().unwrap_err();
    assert_eq!(*error.kind(), RuleErrorKind::TooLarge);
    assert!(
        error.rule().is_some_and(|rule| 0 < rule && rule < 50),
        "{error}"
    );
}

#[cfg(feature = "serde")]
#[test]
fn rules_survive_json() {
    let rules = PolicyRules::builder()
        .rule("method:PUT glob:/a/**", Policy::default().attempts(2))
        .default(Policy::default().attempts(4))
        .build()
        .unwrap();
    let json = serde_json::to_string(&rules).unwrap();
    let back: PolicyRules = serde_json::from_str(&json).unwrap();
    assert_eq!(rules, back);
    let bad = serde_json::from_str::<PolicyRules>(r#"{"rules":[{"pattern":"regex:("}]}"#);
    assert!(bad.unwrap_err().to_string().contains("unclosed group"));
}

proptest! {
    #[test]
    fn single_pass_agrees_with_matching_rule_by_rule(
        patterns in proptest::collection::vec("[ab/.]{1,3}|glob:/[ab*/]{1,4}|regex:[ab.]{1,2}(a|b)*b|host:[ab]\\.test|method:(GET|PUT) [ab/]{1,2}", 0..8),
        path in "[ab/]{0,8}(\\?[ab/]{0,4})?",
        put: bool,
    ) {
        let url = format!("https://a.test/{path}");
        let method = if put { Method::Put } else { Method::Get };
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        let one_by_one = patterns.iter().position(|p| first(&[p], &method, &url).is_some());
        prop_assert_eq!(first(&patterns, &method, &url), one_by_one);
    }

    #[test]
    fn substring_rules_agree_with_contains(text in "[a-c/?.:]{1,4}", path in "[a-c/?.:]{0,12}") {
        let url: Url = format!("https://h.test/{path}").parse().unwrap();
        prop_assert_eq!(matches(&format!("substring:{text}"), url.as_str()), url.as_str().contains(&text));
    }

    #[test]
    fn any_text_is_a_pattern_or_an_error_with_a_position_in_it(text in "(|glob:|regex:|host:|method:)\\PC{0,20}") {
        match RulePattern::parse(&text) {
            Ok(pattern) => prop_assert_eq!(RulePattern::parse(&pattern.to_string()).unwrap(), pattern),
            Err(error) => {
                prop_assert!(error.text().is_char_boundary(error.position()));
                let message = format!("{error} {error:#}");
                prop_assert!(message.contains(&error.kind().to_string()));
            }
        }
    }
}
