//! The table `[cache]`.

use std::time::Duration;

use fetch_policy::PolicyFile;
use fetch_proto::cache::{CacheMode, CacheRules, CacheScope};

fn parse(text: &str) -> PolicyFile {
    PolicyFile::parse("p.toml", text).unwrap_or_else(|wrong| panic!("{wrong}"))
}

#[test]
fn the_keys_are_settings_of_the_cache() {
    let file = parse(
        r#"
        [cache]
        store = "memory"
        mode = "reload"
        shared = true
        size = 1000
        max_body = 10
        heuristic_percent = 20
        max_ttl = "1h"
        stale_if_error = "2h"
        stale_while_revalidate = "3h"
        targeted = ["CDN-Cache-Control"]
        "#,
    );
    let cache = file.cache().unwrap().unwrap();
    assert_eq!(cache.store.as_deref(), Some("memory"));
    assert_eq!(cache.mode, Some(CacheMode::Reload));
    assert_eq!((cache.size, cache.max_body), (Some(1000), Some(10)));
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let rules = CacheRules::default()
        .scope(CacheScope::Shared)
        .heuristic(20, hours(24))
        .ttl(Duration::ZERO, Some(hours(1)))
        .stale_if_error(hours(2))
        .stale_while_revalidate(hours(3))
        .targeted(["CDN-Cache-Control"]);
    assert_eq!(cache.rules, rules);
    assert_eq!(parse("").cache().unwrap(), None);
    let default = parse("[cache]").cache().unwrap().unwrap();
    assert_eq!(default.rules, CacheRules::default());
}

#[test]
fn wrong_values_are_refused_with_their_place() {
    for (text, place, why) in [
        ("mode = \"never\"", "p.toml:2:8", "write one of default"),
        (
            "min_ttl = \"2h\"\nmax_ttl = \"1h\"",
            "p.toml:2:11",
            "swap them",
        ),
        ("store = \"\"", "p.toml:2:9", "is empty"),
        ("stor = \"x\"", "p.toml:2:1", "did you mean `store`?"),
    ] {
        let error = PolicyFile::parse("p.toml", &format!("[cache]\n{text}"));
        let error = error.map(drop).unwrap_err().to_string();
        assert!(error.starts_with(place) && error.contains(why), "{error}");
    }
}

#[test]
fn contradictions_are_found() {
    for (text, why) in [
        ("targeted = [\"X\"]", "are for shared caches"),
        ("size = 10\nmax_body = 11", "raise `size`"),
        (
            "shared = true\n[auth.a]\nkind = \"bearer\"\ntoken = \"env:A\"\norigins = [\"https://a.test\"]",
            "expect few hits",
        ),
    ] {
        let findings = parse(&format!("[cache]\n{text}")).lint();
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].to_string().contains(why), "{}", findings[0]);
    }
}

#[test]
fn a_url_is_explained() {
    let table = [
        (
            "",
            "GET",
            "answered without a request if it is fresh in the cache given by --cache, for one user",
        ),
        (
            "store = \"pages\"",
            "HEAD",
            "the cache of the directory pages",
        ),
        ("mode = \"reload\"", "GET", "fetched and then stored in"),
        ("", "POST", "a success removes what is stored for the URL"),
        (
            "store = \"redis://:t0ps3cret@a.test\"",
            "GET",
            "the cache in Redis",
        ),
    ];
    for (text, method, expected) in table {
        let file = parse(&format!("[cache]\n{text}"));
        let plan = file.explain(&method.parse().unwrap(), &"http://a.test/".parse().unwrap());
        let plan = plan.unwrap().to_string();
        assert!(
            plan.contains(expected) && !plan.contains("t0ps3cret"),
            "{plan}"
        );
    }
}
