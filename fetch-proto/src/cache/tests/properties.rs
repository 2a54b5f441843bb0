use proptest::prelude::*;

use super::*;

/// Parts of `Cache-Control`, valid and invalid.
fn directive() -> impl Strategy<Value = String> {
    let names = [
        "max-age",
        "s-maxage",
        "no-store",
        "no-cache",
        "private",
        "public",
        "must-revalidate",
        "max-stale",
        "min-fresh",
        "only-if-cached",
        "stale-if-error",
        "stale-while-revalidate",
        "immutable",
        "x",
    ];
    let arguments = [
        "",
        "=",
        "=60",
        "=\"60\"",
        "=-1",
        "=\"a, b\"",
        "=\"",
        " = 5",
        "=99999999999",
    ];
    let pick = (
        prop::sample::select(names.to_vec()),
        prop::sample::select(arguments.to_vec()),
    );
    prop_oneof![
        4 => pick.prop_map(|(name, argument)| alloc::format!("{name}{argument}")),
        1 => "[ -~]{0,12}|[a\",=]{0,6}",
    ]
}

fn control() -> impl Strategy<Value = String> {
    prop::collection::vec(directive(), 0..5).prop_map(|parts| parts.join(", "))
}

proptest! {
    #[test]
    fn no_store_is_never_stored_however_the_rest_looks(before in control(), after in control()) {
        let value = alloc::format!("{before}, no-store, {after}");
        prop_assume!(!value.contains("must-understand"));
        // Quoted on both sides, it is no directive.
        prop_assume!(!before.contains('"') || !after.contains('"'));
        let fields = [("cache-control", value.as_str()), ("etag", "\"a\"")];
        let response = CacheResponse { fields: &fields, requested: NOW, received: NOW, status: 200 };
        let nothing = lines("");
        for rules in [CacheRules::default(), shared()] {
            let judged = judge_store(request(&nothing, CacheMode::Default), response, &rules);
            prop_assert!(judged.is_err(), "{value}");
        }
    }

    #[test]
    fn a_shared_cache_stores_nothing_that_a_private_one_does_not(
        value in control(), asked in control(), is_authorized: bool, sets_cookie: bool
    ) {
        prop_assume!(!value.contains("s-maxage"));
        let mut fields = Vec::from([("cache-control", value.as_str()), ("etag", "\"a\"")]);
        fields.extend(sets_cookie.then_some(("set-cookie", "a=b")));
        let mut asked = Vec::from([("cache-control", asked.as_str())]);
        asked.extend(is_authorized.then_some(("authorization", "x")));
        let response = CacheResponse { fields: &fields, requested: NOW, received: NOW, status: 200 };
        let request = CacheRequest { fields: &asked, method: &Method::Get, mode: CacheMode::Default };
        let private = judge_store(request, response, &CacheRules::default());
        let in_shared = judge_store(request, response, &shared());
        prop_assert!(private.is_ok() || in_shared.is_err(), "{value}");
    }

    #[test]
    fn age_never_shrinks_and_a_stale_response_stays_stale(value in control(), age in 0_u64..100, a in 0_u64..200, b in 0_u64..200) {
        let fields = alloc::format!("cache-control: , {} | etag: \"a\" | age: {age}", value.replace('|', ""));
        let Ok(head) = store("", 200, &fields, &CacheRules::default()) else { return Ok(()) };
        let (early, late) = (a.min(b), a.max(b));
        prop_assert!(head.age(at(early)) <= head.age(at(late)));
        let nothing = lines("");
        let is_fresh = |seconds| {
            let judged = judge_use(request(&nothing, CacheMode::Default), &[&head], at(seconds), &CacheRules::default());
            matches!(judged, CacheUse::Serve { revalidate: false, .. })
        };
        prop_assert!(is_fresh(early) || !is_fresh(late), "{value}");
    }

    #[test]
    fn any_bytes_are_decided_without_a_panic(
        control in prop::collection::vec(any::<u8>(), 0..40),
        other in prop::collection::vec(any::<u8>(), 0..40),
        status in 0_u16..1000,
        now in any::<u64>(),
    ) {
        let names = ["cache-control", "vary", "age", "date", "expires", "etag", "last-modified", "cdn-cache-control",
            "connection", "if-none-match", "if-modified-since", "location"];
        let lines: Vec<_> = names.iter().enumerate()
            .map(|(i, name)| (*name, if i % 2 == 0 { control.clone() } else { other.clone() })).collect();
        let fields: &dyn CacheFields = &lines;
        let now = WallTime::from_unix(Duration::from_millis(now));
        let request = CacheRequest { fields, method: &Method::Get, mode: CacheMode::Default };
        let response = CacheResponse { fields, requested: NOW, received: now, status };
        let rules = shared().targeted(["cdn-cache-control"]);
        if let Ok(head) = judge_store(request, response, &rules) {
            let _ = judge_use(request, &[&head], now, &rules);
            let _ = (confirms(&head, fields), answers_condition(fields, &head));
            let _ = head.keep_for(&rules, Duration::MAX, now);
        }
        let url = "http://a.test/".parse().unwrap();
        let _ = invalidated_urls(&Method::Post, status, &url, fields);
    }

    #[test]
    fn any_text_is_a_date_or_not(text in "\\PC{0,40}", seconds in 0_u64..1 << 40) {
        let _ = WallTime::parse(&text, WallTime::from_unix(Duration::from_secs(seconds)));
    }
}
